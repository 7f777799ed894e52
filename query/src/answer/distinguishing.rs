//! The answer to `what distinguishes guests|hosts with SET`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::header::Header;
use crate::chance::{attributes::Compared, discover::RATE};

/// Traits that machines with events have and the others have not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DistinguishingAnswer {
    /// What every answer says. Matched are the traits that may be claimed.
    #[serde(flatten)]
    pub header: Header,
    /// Figures of the whole.
    pub figures: DistinguishingFigures,
    /// Keys of the rows that a table shows, in this order.
    pub columns: Vec<String>,
    /// Traits, the most telling first.
    pub rows: Vec<DistinguishingRow>,
}

/// Figures of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DistinguishingFigures {
    /// Machines of which something is known.
    pub machines: u64,
    /// Those of them that had events.
    pub with_events: u64,
    /// Traits compared.
    pub attributes: u64,
}

/// A trait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DistinguishingRow {
    /// Its figures.
    #[serde(flatten)]
    pub compared: Compared,
    /// The trait in words, such as `memory_mib ≥ 4096`.
    #[serde(rename = "trait")]
    pub words: String,
}

impl DistinguishingRow {
    /// Whether it may be claimed that it distinguishes the machines.
    pub fn is_claimed(&self) -> bool {
        self.compared.q.is_some_and(|q| q <= RATE)
    }
}
