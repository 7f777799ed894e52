//! What the answers of all forms have.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::instant;

/// What every answer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Header {
    /// The question, as it was asked.
    pub question: String,
    /// The time that the answer speaks of: half-open.
    pub range: Range,
    /// The asker's time zone, in which hours and days are counted.
    pub time_zone: String,
    /// How many matches there are, or rows that say that something was found.
    pub matched: u64,
    /// Whether matches or rows are left out by the limit.
    pub truncated: bool,
}

impl Header {
    /// Leaves out rows beyond a limit, and says so.
    pub(crate) fn limit<T>(&mut self, rows: &mut Vec<T>, limit: usize) {
        self.truncated = rows.len() > limit;
        rows.truncate(limit);
    }
}

/// Instants from `from` on, before `to`; in RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Range {
    /// The first instant.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub from: i64,
    /// The first instant after it.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub to: i64,
}
