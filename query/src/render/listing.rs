//! A sentence and a table on a terminal.

use serde_json::Value;

use super::{
    look::{Look, wrapped},
    terminal::on_a_line,
};
use crate::answer::Listing;

/// Words a listing for a terminal.
pub(super) fn render(listing: &Listing, look: &Look) -> String {
    let mut out = wrapped(&on_a_line(&listing.sentence), look.width, "");
    for note in &listing.notes {
        out.push('\n');
        out += &wrapped(&on_a_line(note), look.width, "");
    }
    out.push('\n');
    if listing.rows.is_empty() {
        return out;
    }
    let mut rows: Vec<Vec<String>> =
        vec![listing.columns.iter().map(|name| name.replace('_', " ")).collect()];
    rows.extend(
        listing.rows.iter().map(|row| listing.columns.iter().map(|name| cell(row.get(*name))).collect()),
    );
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..listing.columns.len()).filter_map(width).collect();
    out.push('\n');
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line: String = cells.collect::<Vec<_>>().join("  ").trim_end().chars().take(look.width).collect();
        out += &line;
        out.push('\n');
    }
    if listing.truncated {
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
