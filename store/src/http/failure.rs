//! Why there is no answer.

use crate::engine::StatementError;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Unknown user or wrong password.
    Access { user: String },
    /// Refused by us or by the engine, in ClickHouse's words.
    Statement { code: i32, text: String },
    /// The body is larger than what is taken.
    TooLarge { bytes_max: usize },
    /// The body could not be decompressed.
    Encoding(String),
    /// The client went away.
    Gone(String),
    /// Too many statements are running.
    Busy,
    /// The engine is being closed, or started again.
    Closing,
}

impl From<StatementError> for Failure {
    fn from(error: StatementError) -> Self {
        Failure::Statement { code: error.code, text: error.text }
    }
}
