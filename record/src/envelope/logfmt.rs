//! The fields of a line in logfmt: `time="2026-11-20T15:02:11Z" level=error msg="it failed"`. Slices into the line.

use super::json::Value;

/// Bytes of a name, at most.
const NAME_BYTES_MAX: usize = 64;

/// The fields of a line, in their order; what is no field ends them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Of a line that begins with a field.
    pub(crate) fn new(line: &'a [u8]) -> Option<Fields<'a>> {
        name_length(line).map(|_| Fields { line, at: 0 })
    }
}

/// Bytes of the name at the beginning, with an equals sign behind it.
fn name_length(text: &[u8]) -> Option<usize> {
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'@' | b'/');
    let length = text.iter().take(NAME_BYTES_MAX + 1).take_while(|byte| named(byte)).count();
    (length > 0 && length <= NAME_BYTES_MAX && text.get(length) == Some(&b'=')).then_some(length)
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let spaces = self.line.get(self.at..)?.iter().take_while(|byte| **byte == b' ').count();
        let rest = self.line.get(self.at + spaces..)?;
        let length = name_length(rest)?;
        let (name, value) = (rest.get(..length)?, rest.get(length + 1..)?);
        let start = self.at + spaces + length + 1;
        if value.first() != Some(&b'"') {
            let end = memchr::memchr(b' ', value).unwrap_or(value.len());
            self.at = start + end;
            return Some((name, Value::Text(value.get(..end)?, start)));
        }
        let mut end = 1;
        loop {
            // A text that is cut goes to the end of the line.
            let Some(place) = value.get(end..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) else {
                end = value.len();
                break;
            };
            end += place;
            if value.get(end) == Some(&b'"') {
                break;
            }
            end += 2;
        }
        self.at = start + end + 1;
        Some((name, Value::Text(value.get(1..end)?, start + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_their_order() {
        for (line, expected) in [
            (
                r#"time="a b" level=error msg="x \"y\"" n=1"#,
                vec![("time", "a b"), ("level", "error"), ("msg", r#"x \"y\""#), ("n", "1")],
            ),
            ("ts=1 text that ends them a=2", vec![("ts", "1")]),
            (r#"a= b="cut"#, vec![("a", ""), ("b", "cut")]),
            (r#"a="\"#, vec![("a", r"\")]),
            ("no fields=1", vec![]),
            ("", vec![]),
        ] {
            let line = line.as_bytes();
            let found: Vec<(&[u8], &[u8])> = Fields::new(line)
                .into_iter()
                .flatten()
                .map(|(name, value)| match value {
                    Value::Text(text, start) => {
                        assert_eq!(&line[start..start + text.len()], text);
                        (name, text)
                    }
                    _ => unreachable!("logfmt has texts only"),
                })
                .collect();
            let expected: Vec<(&[u8], &[u8])> =
                expected.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(line));
        }
    }
}
