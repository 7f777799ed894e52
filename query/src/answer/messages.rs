//! The answer to `[new] messages`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{header::Header, instant};

/// Messages, whatever machine and number they speak of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessagesAnswer {
    /// What every answer says. Matched are the messages.
    #[serde(flatten)]
    pub header: Header,
    /// Figures of the whole.
    pub figures: MessagesFigures,
    /// Keys of the rows that a table shows, in this order.
    pub columns: Vec<String>,
    /// Messages: new ones by the time they were seen first, others by how often.
    pub rows: Vec<MessageRow>,
}

/// Figures of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessagesFigures {
    /// Different messages.
    pub messages: u64,
    /// Records of them.
    pub records: u64,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageRow {
    /// What records of it say, with the changing parts left out.
    pub message: String,
    /// How many records say it.
    pub records: u64,
    /// On how many hosts.
    pub hosts: u64,
    /// When it was seen first.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub first: i64,
    /// And last.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub last: i64,
    /// The most severe of them, as OpenTelemetry numbers it.
    pub severity: u8,
    /// The program that wrote the last one.
    pub program: String,
    /// What was recognised in that; empty for nothing.
    pub class: String,
    /// The set of its records, as a question names it.
    pub ask: String,
}
