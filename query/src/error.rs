//! Why there is no answer.

use lastwords_store::{QueryError, native::read::BlockError};
use thiserror::Error;

use crate::language::SyntaxError;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// The question is not understood.
    #[error("{0}")]
    Syntax(#[from] SyntaxError),
    /// The SQL is not allowed, or the store does not understand it.
    #[error("{0}")]
    Statement(String),
    /// The store failed.
    #[error("the store could not answer: {0}")]
    Store(#[source] QueryError),
    /// The store's answer cannot be read.
    #[error("{0}")]
    Columns(#[from] BlockError),
    /// Our own work was ended.
    #[error("the answer was not finished: {0}")]
    Ended(String),
}

impl AskError {
    /// Whether the asker has to ask otherwise.
    pub fn is_usage(&self) -> bool {
        matches!(self, AskError::Syntax(_) | AskError::Statement(_))
    }
}

impl From<QueryError> for AskError {
    fn from(error: QueryError) -> AskError {
        AskError::Store(error)
    }
}
