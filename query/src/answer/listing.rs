//! The answer to a question whose matches are no single events: candidates, machines, sides of a moment. A sentence
//! and a table, which serialise to the JSON that other programs depend on.

use serde::Serialize;
use serde_json::{Map, Value};

use super::range::Range;

/// A sentence and a table.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    /// As it was asked.
    pub question: String,
    /// The time that the answer speaks of: half-open.
    pub range: Range,
    /// The asker's time zone.
    pub time_zone: String,
    /// How many rows say that something was found.
    pub matched: u64,
    /// The one sentence.
    pub sentence: String,
    /// What else a reader must know, each a sentence.
    pub notes: Vec<String>,
    /// Figures of the whole.
    pub figures: Map<String, Value>,
    /// Keys of the rows that a table shows, in this order.
    pub columns: Vec<&'static str>,
    /// Rows, the most telling first.
    pub rows: Vec<Map<String, Value>>,
    /// Whether rows are left out by the limit.
    pub truncated: bool,
}

/// An object as a row.
pub fn row(object: impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(object) {
        Ok(Value::Object(row)) => row,
        // Only a map with keys that are no strings fails, and rows are structures.
        _ => Map::new(),
    }
}
