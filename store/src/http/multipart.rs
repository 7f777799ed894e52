//! Bodies of `multipart/form-data` (RFC 7578): fields, and files with the data of tables that a statement brings along.

use bytes::Bytes;

/// A part of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a [u8],
    /// It has a file's name, if an empty one.
    pub(super) is_file: bool,
}

/// A table that comes with a statement and goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct External {
    pub(super) name: String,
    pub(super) format: String,
    /// Its columns: `a String, b UInt8`.
    pub(super) structure: String,
    pub(super) data: Bytes,
}

impl External {
    /// Takes what is said of the table out of what was said beside the statement: `NAME_format` (TabSeparated unless
    /// told), `NAME_structure`, or `NAME_types`, whose columns are called `_1`, `_2`. None: it has no columns.
    pub(super) fn take(name: &str, data: &[u8], beside: &mut Vec<(String, String)>) -> Option<External> {
        let mut said = |what: &str| {
            let key = format!("{name}_{what}");
            let found = beside.iter().position(|(known, _)| *known == key)?;
            Some(beside.remove(found).1)
        };
        let format = said("format").unwrap_or_else(|| "TabSeparated".to_owned());
        let (structure, types) = (said("structure"), said("types"));
        let structure = structure.or_else(|| {
            let named = |(number, kind): (usize, &str)| format!("_{} {}", number + 1, kind.trim());
            types.map(|types| types.split(',').enumerate().map(named).collect::<Vec<_>>().join(", "))
        })?;
        Some(External { name: name.to_owned(), format, structure, data: Bytes::copy_from_slice(data) })
    }
}

/// What separates the parts, by the parameters of the content type.
pub(super) fn boundary(parameters: &str) -> Option<&str> {
    let value = parameters.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    Some(value.trim_matches('"')).filter(|value| !value.is_empty())
}

/// All parts, to the closing boundary; none where it is not there.
pub(super) fn parts<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    let delimiter = format!("\r\n--{boundary}");
    let opening = format!("--{boundary}");
    let mut rest = match body.strip_prefix(opening.as_bytes()) {
        Some(rest) => rest,
        None => split(body, delimiter.as_bytes())?.1,
    };
    let mut found = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(found);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let (part, after) = split(rest, delimiter.as_bytes())?;
        let (head, value) = split(part, b"\r\n\r\n")?;
        let head = std::str::from_utf8(head).ok()?;
        let disposition =
            head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
        let said = |what: &str| disposition.split(';').find_map(|piece| piece.trim().strip_prefix(what));
        let name = said("name=")?.trim_matches('"');
        found.push(Part { name, value, is_file: said("filename=").is_some() });
        rest = after;
    }
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = bytes.windows(at.len()).position(|window| window == at)?;
    Some((bytes.get(..place)?, bytes.get(place + at.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &[u8], expected: Option<&[(&str, &[u8], bool)]>) {
        let found = parts(body, "B");
        let found: Option<Vec<_>> =
            found.as_ref().map(|all| all.iter().map(|part| (part.name, part.value, part.is_file)).collect());
        assert_eq!(found.as_deref(), expected, "{}", String::from_utf8_lossy(body));
    }

    #[test]
    fn multipart_fields_are_read_to_the_closing_boundary() {
        check(
            b"--B\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT\r\n1\r\n--B\r\ncontent-disposition: form-data; name=param_a\r\n\r\n\r\n--B--\r\n",
            Some(&[("query", b"SELECT\r\n1", false), ("param_a", b"", false)]),
        );
        check(
            b"--B\r\nContent-Disposition: form-data; name=\"t\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\xff\r\n\r\n\r\n--B--",
            Some(&[("t", b"\xff\r\n\r\n", true)]),
        );
        check(b"--B--\r\n", Some(&[]));
    }

    #[test]
    fn a_multipart_body_that_is_cut_off_is_refused() {
        check(b"--B\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT 1", None);
        check(b"", None);
        check(b"--B\r\nX: y\r\n\r\nv\r\n--B--", None);
    }

    #[test]
    fn the_boundary_is_found_among_the_content_types_parameters() {
        assert_eq!(boundary("; charset=utf-8; boundary=\"a b\""), Some("a b"));
        assert_eq!(boundary("; charset=utf-8"), None);
    }

    #[test]
    fn what_a_table_is_like_is_said_beside_it() {
        let pairs = |all: &[(&str, &str)]| {
            all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        let mut beside = pairs(&[("max_threads", "1"), ("t_format", "CSV"), ("t_structure", "a String")]);
        let table = External::take("t", b"x", &mut beside).unwrap();
        assert_eq!((table.format.as_str(), table.structure.as_str()), ("CSV", "a String"));
        assert_eq!(beside, pairs(&[("max_threads", "1")]));
        let table = External::take("t", b"x", &mut pairs(&[("t_types", "String, UInt8")])).unwrap();
        assert_eq!(
            (table.format.as_str(), table.structure.as_str()),
            ("TabSeparated", "_1 String, _2 UInt8")
        );
        assert_eq!(External::take("t", b"x", &mut Vec::new()), None);
    }
}
