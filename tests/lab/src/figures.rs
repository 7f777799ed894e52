//! What a command of the laboratory found: rows for people, one object for programs, and whether targets are met.

use std::fmt::Write as _;

/// How figures are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A line a figure; the last one is the verdict.
    Table,
    /// One object.
    Json,
}

/// Named figures with an optional target each.
#[derive(Debug, Default)]
pub struct Figures {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    value: serde_json::Value,
    unit: &'static str,
    target: Option<(String, bool)>,
}

impl Figures {
    /// Adds a figure that has no target.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<serde_json::Value>, unit: &'static str) {
        self.rows.push(Row { name: name.into(), value: value.into(), unit, target: None });
    }

    /// Adds a figure that should be at most `limit`.
    pub fn at_most(&mut self, name: impl Into<String>, value: f64, unit: &'static str, limit: f64) {
        self.rows.push(Row {
            name: name.into(),
            value: value.into(),
            unit,
            target: Some((format!("≤ {limit}"), value <= limit)),
        });
    }

    /// Adds a figure that should be at least `limit`.
    pub fn at_least(&mut self, name: impl Into<String>, value: f64, unit: &'static str, limit: f64) {
        self.rows.push(Row {
            name: name.into(),
            value: value.into(),
            unit,
            target: Some((format!("≥ {limit}"), value >= limit)),
        });
    }

    /// Whether every target is met.
    pub fn met(&self) -> bool {
        self.rows.iter().all(|row| row.target.as_ref().is_none_or(|(_, met)| *met))
    }

    /// The figures as text.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Json => {
                let mut object: serde_json::Map<String, serde_json::Value> =
                    self.rows.iter().map(|row| (row.name.replace(' ', "_"), row.value.clone())).collect();
                object.insert("met".to_owned(), self.met().into());
                serde_json::Value::Object(object).to_string()
            }
            Format::Table => {
                let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
                let mut text = String::new();
                for row in &self.rows {
                    let value = match row.value.as_f64() {
                        Some(number) if !row.value.is_u64() => format!("{number:.3}"),
                        _ => row.value.to_string(),
                    };
                    let _ = write!(text, "{:width$}  {value:>16} {}", row.name, row.unit);
                    if let Some((target, met)) = &row.target {
                        let _ = write!(text, "  (target {target}: {})", if *met { "met" } else { "MISSED" });
                    }
                    text.push('\n');
                }
                text.push_str(if self.met() { "every target met" } else { "targets missed" });
                text
            }
        }
    }
}
