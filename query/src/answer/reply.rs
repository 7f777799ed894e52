//! What came of a question.

use serde::Serialize;

use super::{listing::Listing, matches::Answer};

/// What came of a question.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// Events with their partners.
    Events(Box<Answer>),
    /// A sentence and a table.
    Listing(Listing),
}

impl Reply {
    /// How many matched.
    pub fn matched(&self) -> u64 {
        match self {
            Reply::Events(answer) => answer.matched,
            Reply::Listing(listing) => listing.matched,
        }
    }

    /// The answer to a question about events.
    pub fn events(self) -> Option<Answer> {
        match self {
            Reply::Events(answer) => Some(*answer),
            Reply::Listing(_) => None,
        }
    }
}
