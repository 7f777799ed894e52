//! What is printed: formats, tables, CSV; `screen` is where it goes, a terminal or not.

pub mod reader;
mod screen;

use std::{
    fmt,
    io::{self, IsTerminal as _, Write},
};

use lastwords_api::{
    RowFormat,
    rows::table::{Align, Table},
};
use serde_json::Value;

pub use screen::{Screen, say, stderr, stdout, styled_stderr, styled_stdout, tell};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
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

impl From<Format> for RowFormat {
    fn from(format: Format) -> RowFormat {
        match format {
            Format::Table => RowFormat::Table,
            Format::Jsonl => RowFormat::Jsonl,
            Format::Json => RowFormat::Json,
            Format::Csv => RowFormat::Csv,
        }
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
        Format::Csv => print_csv(out, columns, rows),
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

fn print_csv(out: &mut dyn Write, columns: &[&str], rows: &[Value]) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(columns)?;
    rows.iter().try_for_each(|row| csv.write_record(cells(columns, row)))?;
    csv.flush()
}

fn print_table(out: &mut dyn Write, columns: &[&str], rows: &[Value]) -> io::Result<()> {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| cells(columns, row)).collect();
    let named: Vec<(&str, Align)> = columns.iter().map(|name| (*name, Align::Left)).collect();
    let table = Table::new(&named, &rows);
    out.write_all(table.line(columns).as_bytes())?;
    rows.iter().try_for_each(|row| out.write_all(table.line(row).as_bytes()))
}

fn cells(columns: &[&str], row: &Value) -> Vec<String> {
    columns.iter().map(|key| plain(row.get(*key))).collect()
}

/// A value as people read it: no quotes, nothing for null.
fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
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
