//! What is printed: formats, tables, CSV; `screen` is where it goes, a terminal or not.

pub mod reader;
mod screen;

use std::{
    fmt,
    io::{self, IsTerminal as _, Write},
};

use serde_json::Value;

pub use screen::{Screen, say, stderr, stdout, styled_stderr, styled_stdout, tell};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Table,
    /// One JSON object a line.
    Jsonl,
    /// One JSON document.
    Json,
    /// Comma-separated values with a header line.
    Csv,
}

impl Format {
    /// The format asked for, or the one that suits where stdout goes.
    #[must_use]
    pub fn or_default(asked: Option<Format>) -> Format {
        asked.unwrap_or(if io::stdout().is_terminal() { Format::Table } else { Format::Jsonl })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Table => "table",
            Format::Jsonl => "jsonl",
            Format::Json => "json",
            Format::Csv => "csv",
        })
    }
}

/// The terminal's width in columns, 100 where there is none.
#[must_use]
pub fn terminal_width() -> usize {
    rustix::termios::tcgetwinsize(io::stdout())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns >= 40)
        .unwrap_or(100)
}

/// Whether stdout may be coloured: a terminal, and `NO_COLOR` is not set.
#[must_use]
pub fn colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints rows of equal shape in any format. `columns` are the keys, in order, of each row's object.
///
/// # Errors
/// Where stdout cannot be written.
pub fn print_rows(out: &mut dyn Write, format: Format, columns: &[&str], rows: &[Value]) -> io::Result<()> {
    match format {
        Format::Jsonl => rows.iter().try_for_each(|row| writeln!(out, "{row}")),
        Format::Json => writeln!(out, "{:#}", Value::Array(rows.to_vec())),
        Format::Csv => {
            writeln!(out, "{}", columns.join(","))?;
            rows.iter().try_for_each(|row| {
                let cells: Vec<String> = columns.iter().map(|key| csv_cell(&plain(row.get(*key)))).collect();
                writeln!(out, "{}", cells.join(","))
            })
        }
        Format::Table => print_table(out, columns, rows),
    }
}

/// Prints one object: as itself, as a CSV row, or as lines of `key value`.
///
/// # Errors
/// Where stdout cannot be written.
pub fn print_object(out: &mut dyn Write, format: Format, columns: &[&str], object: &Value) -> io::Result<()> {
    match format {
        Format::Json | Format::Jsonl => writeln!(out, "{object}"),
        Format::Csv => print_rows(out, format, columns, std::slice::from_ref(object)),
        Format::Table => {
            let width = columns.iter().map(|key| key.len()).max().unwrap_or(0);
            columns.iter().try_for_each(|key| writeln!(out, "{key:width$}  {}", plain(object.get(*key))))
        }
    }
}

fn print_table(out: &mut dyn Write, columns: &[&str], rows: &[Value]) -> io::Result<()> {
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|key| plain(row.get(*key))).collect()).collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let cell_width = |row: &Vec<String>| row.get(index).map_or(0, |cell| cell.chars().count());
            cells.iter().map(cell_width).max().unwrap_or(0).max(name.len())
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 2));
        }
        text.trim_end().to_owned()
    };
    writeln!(out, "{}", line(&mut columns.iter().copied()))?;
    cells.iter().try_for_each(|row| writeln!(out, "{}", line(&mut row.iter().map(String::as_str))))
}

/// A value as people read it: no quotes, nothing for null.
fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn csv_cell(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn printed(format: Format) -> String {
        let rows = [json!({"a": "x, \"y\"", "b": null}), json!({"a": "äöü", "b": 12})];
        let mut out = Vec::new();
        print_rows(&mut out, format, &["a", "b"], &rows).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_in_every_format() {
        assert_eq!(printed(Format::Csv), "a,b\n\"x, \"\"y\"\"\",\näöü,12\n");
        assert_eq!(printed(Format::Table), "a       b\nx, \"y\"\näöü     12\n");
        assert_eq!(printed(Format::Jsonl), "{\"a\":\"x, \\\"y\\\"\",\"b\":null}\n{\"a\":\"äöü\",\"b\":12}\n");
        let document: Value = serde_json::from_str(&printed(Format::Json)).unwrap();
        assert_eq!(document[1]["b"], 12);
    }
}
