//! A TOML text becomes a tree.

use std::{collections::BTreeMap, io::Read as _, path::Path, sync::Arc};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    error::ConfigError,
    tree::{Node, Origin, Value},
};

/// No configuration is longer; what is longer is not one.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Reads the file at `path`.
pub(crate) fn read(path: &Path) -> Result<Node, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        let message = format!("wanted at most {FILE_BYTES_MAX} bytes, found more");
        return Err(failed(std::io::Error::other(message)));
    }
    parse(&text, path)
}

/// Reads the text of a file; `path` is for errors.
pub(crate) fn parse(text: &str, path: &Path) -> Result<Node, ConfigError> {
    let places = Places {
        path: path.into(),
        newlines: text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect(),
    };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: places.line(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    Ok(Node { value: places.table(table.into_inner()), origin: None })
}

struct Places {
    path: Arc<Path>,
    newlines: Vec<usize>,
}

impl Places {
    fn line(&self, offset: usize) -> usize {
        1 + self.newlines.partition_point(|newline| *newline < offset)
    }

    fn table(&self, table: DeTable<'_>) -> Value {
        let entries = table.into_iter().map(|(key, value)| {
            let at = key.span().start;
            (key.into_inner().into_owned(), self.node(value.into_inner(), at))
        });
        Value::Table(entries.collect::<BTreeMap<_, _>>())
    }

    fn node(&self, value: DeValue<'_>, at: usize) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Boolean(switch) => Value::Switch(switch),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| Value::Text(number.to_string()), Value::Whole),
            DeValue::Float(number) => {
                number.as_str().parse().map_or_else(|_| Value::Text(number.to_string()), Value::Real)
            }
            DeValue::Datetime(date) => Value::Text(date.to_string()),
            DeValue::Array(items) => Value::List(items.into_iter().map(|item| self.item(item)).collect()),
            DeValue::Table(table) => self.table(table),
        };
        Node { value, origin: Some(Origin::File { path: Arc::clone(&self.path), line: self.line(at) }) }
    }

    fn item(&self, item: Spanned<DeValue<'_>>) -> Node {
        let at = item.span().start;
        self.node(item.into_inner(), at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_line() {
        let text =
            "a = 1\n[t]\nb = [\n  'x',\n  2.5,\n]\nc.d = true\n\n[[l]]\ne = 0x10\n[[l]]\nf = 2026-01-02\n";
        let tree = parse(text, Path::new("f")).unwrap();
        let cases =
            [("a", 1), ("t", 2), ("t.b", 3), ("t.b[1]", 5), ("t.c.d", 7), ("l[0].e", 10), ("l[1]", 11)];
        for (key, expected) in cases {
            let node = tree.find(key).unwrap_or_else(|| panic!("{key}"));
            let Some(Origin::File { line, .. }) = node.origin else { panic!("{key}") };
            assert_eq!(line, expected, "{key}");
        }
        assert_eq!(tree.find("l[0].e").unwrap().value, Value::Whole(16));
        assert_eq!(tree.find("t.b[1]").unwrap().value, Value::Real(2.5));
    }

    #[test]
    fn what_is_no_toml_is_named_by_its_line() {
        let error = parse("a = 1\nb = = 2\n", Path::new("f")).unwrap_err().to_string();
        assert!(error.starts_with("f:2: "), "{error}");
        let error = parse("a = 1\na = 2\n", Path::new("f")).unwrap_err().to_string();
        assert!(error.starts_with("f:2: ") && error.contains("duplicate"), "{error}");
    }
}
