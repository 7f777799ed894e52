//! Rows with their columns' names and types, read from lines of JSON arrays that come in pieces: the first line names the
//! columns, the second their types, each further one is a row.

use serde_json::value::RawValue;

use super::table::Align;
use crate::Problem;

/// What reads them.
#[derive(Debug, Default)]
pub(super) struct TypedRows {
    /// A line that has not ended yet.
    partial: Vec<u8>,
    names: Option<Vec<String>>,
    types: Option<Vec<String>>,
}

impl TypedRows {
    /// Takes a piece; gives the cells of the rows that ended in it.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<Vec<Vec<String>>, Problem> {
        let mut rows = Vec::new();
        for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if !piece.ends_with(b"\n") {
                break;
            }
            let line = std::mem::take(&mut self.partial);
            let cells = cells(&line)?;
            match (&self.names, &self.types) {
                (None, _) => self.names = Some(cells),
                (Some(_), None) => self.types = Some(cells),
                (Some(_), Some(_)) => rows.push(cells),
            }
        }
        Ok(rows)
    }

    /// The columns, as far as they have come.
    pub(super) fn columns(&self) -> Vec<(String, Align)> {
        let names = self.names.iter().flatten().cloned();
        let types = self.types.iter().flatten().map(|of| align(of));
        names.zip(types.chain(std::iter::repeat(Align::Left))).collect()
    }
}

fn align(of: &str) -> Align {
    let plain = ["Nullable(", "LowCardinality("]
        .iter()
        .fold(of, |of, wrapper| of.strip_prefix(wrapper).unwrap_or(of));
    let number = ["Int", "UInt", "Float", "Decimal", "BFloat"].iter().any(|number| plain.starts_with(number));
    if number { Align::Right } else { Align::Left }
}

/// The values of an array as people read them: texts without quotes, nothing for null, the rest as JSON.
fn cells(line: &[u8]) -> Result<Vec<String>, Problem> {
    let values: Vec<&RawValue> = serde_json::from_slice(line)
        .map_err(|error| Problem::failed(format!("the store's rows cannot be read: {error}")))?;
    let cell = |value: &&RawValue| match value.get() {
        "null" => Ok(String::new()),
        text if text.starts_with('"') => serde_json::from_str(text).map_err(Problem::failed),
        other => Ok(other.to_owned()),
    };
    values.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_however_they_are_cut() {
        let lines = "[\"a\", \"b\"]\n[\"Nullable(UInt64)\", \"String\"]\n[18446744073709551615, \"x\\n\\u00e4\"]\n[null, [1,{\"y\":2}]]\n";
        for size in 1..lines.len() {
            let mut typed = TypedRows::default();
            let mut rows = Vec::new();
            for chunk in lines.as_bytes().chunks(size) {
                rows.extend(typed.push(chunk).unwrap());
            }
            let columns = [("a".to_owned(), Align::Right), ("b".to_owned(), Align::Left)];
            assert_eq!(typed.columns(), columns, "{size}");
            assert_eq!(rows, [["18446744073709551615", "x\nä"], ["", "[1,{\"y\":2}]"]], "{size}");
        }
        assert!(TypedRows::default().push(b"no JSON\n").is_err());
    }
}
