//! Every system-wide maximum, in one place.

/// Bytes of a batch's body before compression. Chosen so that even a body that zstd cannot shrink, with its
/// header, stays below a default Kafka message (`message.max.bytes` = 1,048,588).
pub const BATCH_BODY_BYTES_MAX: usize = 960_000;
/// Bytes of a whole envelope: a batch above this is refused.
pub const ENVELOPE_BYTES_MAX: usize = 1_040_000;
/// Bytes of an envelope's header.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Records of a batch.
pub const BATCH_RECORDS_MAX: usize = 20_000;
/// Entries of a batch's dictionary.
pub const DICTIONARY_ENTRIES_MAX: usize = 65_536;
/// Bytes of a record's body; longer lines are cut into pieces.
pub const RECORD_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a record's attributes, keys and values together.
pub const ATTRIBUTES_BYTES_MAX: usize = 64 * 1024;
/// Lines of a group (a kernel crash with its stack).
pub const GROUP_LINES_MAX: usize = 2_000;
