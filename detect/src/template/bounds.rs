//! How much of a message is looked at.

/// Bytes of a message that its template looks at.
pub const BODY_BYTES_MAX: usize = 4096;
