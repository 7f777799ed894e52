//! The answer to a question whose matches are no single events: candidates, machines, sides of a moment. A sentence
//! and a table, which serialise to the JSON that other programs depend on.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    answer::Range,
    render::{Look, wrapped},
    terminal::on_a_line,
};

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

impl Listing {
    /// Words it for a terminal.
    pub fn render(&self, look: &Look) -> String {
        let mut out = wrapped(&on_a_line(&self.sentence), look.width, "");
        for note in &self.notes {
            out.push('\n');
            out += &wrapped(&on_a_line(note), look.width, "");
        }
        out.push('\n');
        if self.rows.is_empty() {
            return out;
        }
        let mut rows: Vec<Vec<String>> =
            vec![self.columns.iter().map(|name| name.replace('_', " ")).collect()];
        rows.extend(
            self.rows.iter().map(|row| self.columns.iter().map(|name| cell(row.get(*name))).collect()),
        );
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..self.columns.len()).filter_map(width).collect();
        out.push('\n');
        for row in &rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let line: String =
                cells.collect::<Vec<_>>().join("  ").trim_end().chars().take(look.width).collect();
            out += &line;
            out.push('\n');
        }
        if self.truncated {
            out += "… and more; --limit N lists more, --format json all\n";
        }
        out
    }
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => on_a_line(text),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(number) if number.fract() != 0.0 && number.abs() < 0.001 => format!("{number:.1e}"),
            Some(number) if number.fract() != 0.0 && number.abs() < 0.1 => format!("{number:.3}"),
            Some(number) if number.fract() != 0.0 && number.abs() < 10.0 => format!("{number:.2}"),
            Some(number) if number.fract() != 0.0 => format!("{number:.1}"),
            _ => number.to_string(),
        },
        Some(Value::Array(values)) => values.iter().map(|one| cell(Some(one))).collect::<Vec<_>>().join(", "),
        Some(other) => on_a_line(&other.to_string()),
    }
}
