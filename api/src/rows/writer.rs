//! Writes the engine's bytes as the document that was asked for.

use bytes::Bytes;

use super::{array::Array, format::RowFormat, table::Table, typed::TypedRows};
use crate::Problem;

/// The columns of a table are as wide as so many first rows need.
const FIRST_ROWS: usize = 1_000;

/// A document that is being written.
#[derive(Debug)]
pub(super) enum Writer {
    /// As the engine writes it.
    Plain,
    /// CSV with a header line.
    Csv(CsvHeader),
    /// One JSON array.
    Array(Array),
    /// A table.
    Table(Box<TableWriter>),
}

impl Writer {
    /// The engine's format, and what makes the document of it.
    pub(super) fn new(format: RowFormat) -> (&'static str, Writer) {
        match format {
            RowFormat::Table => ("JSONCompactEachRowWithNamesAndTypes", Writer::Table(Box::default())),
            RowFormat::Jsonl => ("JSONEachRow", Writer::Plain),
            RowFormat::Json => ("JSONEachRow", Writer::Array(Array::default())),
            RowFormat::Csv => ("CSVWithNames", Writer::Csv(CsvHeader::default())),
        }
    }

    /// Takes a piece of the engine's answer.
    pub(super) fn push(&mut self, chunk: Bytes) -> Result<Bytes, Problem> {
        match self {
            Writer::Plain => Ok(chunk),
            Writer::Csv(header) => {
                header.look(&chunk);
                Ok(chunk)
            }
            Writer::Array(array) => Ok(array.push(&chunk)),
            Writer::Table(table) => table.push(&chunk),
        }
    }

    /// What ends the document.
    pub(super) fn finish(&mut self) -> Bytes {
        match self {
            Writer::Plain | Writer::Csv(_) => Bytes::new(),
            Writer::Array(array) => array.finish(),
            Writer::Table(table) => table.finish(),
        }
    }

    /// Whether there was a row in what has been taken so far, bytes or none.
    pub(super) fn has_row(&self, any_bytes: bool) -> bool {
        match self {
            Writer::Plain | Writer::Array(_) => any_bytes,
            Writer::Csv(header) => header.is_passed,
            Writer::Table(table) => table.has_row,
        }
    }
}

/// Looks for the end of CSV's header line, whose cells may have line feeds between quotes.
#[derive(Debug, Default)]
pub(super) struct CsvHeader {
    quoted: bool,
    ended: bool,
    /// Something stands behind it.
    is_passed: bool,
}

impl CsvHeader {
    fn look(&mut self, chunk: &[u8]) {
        for byte in chunk {
            if self.ended {
                self.is_passed = true;
                return;
            }
            self.quoted ^= *byte == b'"';
            self.ended = *byte == b'\n' && !self.quoted;
        }
    }
}

/// Keeps the first rows until it is known how wide they are.
#[derive(Debug, Default)]
pub(super) struct TableWriter {
    rows: TypedRows,
    kept: Vec<Vec<String>>,
    table: Option<Table>,
    has_row: bool,
}

impl TableWriter {
    fn push(&mut self, chunk: &[u8]) -> Result<Bytes, Problem> {
        let rows = self.rows.push(chunk)?;
        self.has_row |= !rows.is_empty();
        if let Some(table) = &self.table {
            return Ok(rows.iter().map(|row| table.line(row)).collect::<String>().into());
        }
        self.kept.extend(rows);
        if self.kept.len() < FIRST_ROWS { Ok(Bytes::new()) } else { Ok(self.begin()) }
    }

    fn finish(&mut self) -> Bytes {
        // Nothing is a better answer than a header alone.
        if self.table.is_none() && !self.kept.is_empty() { self.begin() } else { Bytes::new() }
    }

    fn begin(&mut self) -> Bytes {
        let columns = self.rows.columns();
        let kept = std::mem::take(&mut self.kept);
        let table = Table::new(&columns, kept.get(..FIRST_ROWS).unwrap_or(&kept));
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let mut text = table.line(&names);
        text.extend(kept.iter().map(|row| table.line(row)));
        self.table = Some(table);
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: RowFormat, text: &str, size: usize) -> (String, bool) {
        let (_, mut writer) = Writer::new(format);
        let mut out = Vec::new();
        for chunk in text.as_bytes().chunks(size) {
            out.extend_from_slice(&writer.push(Bytes::copy_from_slice(chunk)).unwrap());
        }
        let has_row = writer.has_row(!text.is_empty());
        out.extend_from_slice(&writer.finish());
        (String::from_utf8(out).unwrap(), has_row)
    }

    #[test]
    fn rows_are_told_from_empty_results() {
        let head = "[\"a\"]\n[\"UInt8\"]\n";
        let cases = [
            (RowFormat::Jsonl, String::new(), false),
            (RowFormat::Jsonl, "{\"a\":1}\n".to_owned(), true),
            (RowFormat::Json, String::new(), false),
            (RowFormat::Json, "{\"a\":1}\n".to_owned(), true),
            (RowFormat::Csv, "\"a\"\n".to_owned(), false),
            (RowFormat::Csv, "\"a\nb\"\n".to_owned(), false),
            (RowFormat::Csv, "\"a\nb\"\n1\n".to_owned(), true),
            (RowFormat::Table, head.to_owned(), false),
            (RowFormat::Table, format!("{head}[1]\n"), true),
        ];
        for (format, text, expected) in cases {
            for size in 1..=text.len().max(1) {
                assert_eq!(written(format, &text, size).1, expected, "{format:?} {size} {text:?}");
            }
        }
    }

    #[test]
    fn a_table_has_one_header_however_many_rows_come() {
        let mut text = "[\"n\",\"t\"]\n[\"UInt64\",\"String\"]\n".to_owned();
        (0..3_000).for_each(|number| text += &format!("[{number},\"x\"]\n"));
        for size in [7, 1_000, text.len()] {
            let (table, _) = written(RowFormat::Table, &text, size);
            assert_eq!(table.lines().count(), 3_001, "{size}");
            assert_eq!(table.lines().next(), Some("  n  t"), "{size}");
            assert_eq!(table.lines().nth(8), Some("  7  x"), "{size}");
            assert_eq!(table.lines().last(), Some("2999  x"), "{size}");
        }
    }
}
