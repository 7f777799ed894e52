//! A sentence and a table on a terminal.

use serde::Serialize;
use serde_json::Value;

use super::{
    look::{Look, wrapped},
    terminal::on_a_line,
};
use crate::answer::Wording;

/// Rows with the keys that are shown of them.
pub(super) struct Table<'a, R> {
    pub columns: &'a [String],
    pub rows: &'a [R],
    pub truncated: bool,
}

/// Draws a sentence and a table.
pub(super) fn render<R: Serialize>(wording: &Wording, table: &Table<'_, R>, look: &Look) -> String {
    let mut out = wrapped(&on_a_line(&wording.sentence), look.width, "");
    for note in &wording.notes {
        out.push('\n');
        out += &wrapped(&on_a_line(note), look.width, "");
    }
    out.push('\n');
    if table.rows.is_empty() {
        return out;
    }
    let mut rows: Vec<Vec<String>> = vec![table.columns.iter().map(|name| name.replace('_', " ")).collect()];
    rows.extend(table.rows.iter().map(|row| {
        let row = serde_json::to_value(row).unwrap_or_default();
        table.columns.iter().map(|name| cell(row.get(name))).collect()
    }));
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..table.columns.len()).filter_map(width).collect();
    out.push('\n');
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line: String = cells.collect::<Vec<_>>().join("  ").trim_end().chars().take(look.width).collect();
        out += &line;
        out.push('\n');
    }
    if table.truncated {
        out += "… and more; --limit N lists more, --format json all\n";
    }
    out
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
