//! The fields of a JSON object that stands on one line. Slices into the line; nothing is copied.

/// The fields at the top of an object, in their order. What is no object, or is cut, ends early.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    line: &'a [u8],
    at: usize,
}

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// What stands between the quotation marks, with its escapes, and where that begins in the line.
    Text(&'a [u8], usize),
    /// A number, `true`, `null`.
    Bare(&'a [u8]),
    /// An object or a list, with its brackets, and where that begins in the line.
    Nested(&'a [u8], usize),
}

impl<'a> Fields<'a> {
    /// Of a line that begins with `{`.
    pub(crate) fn new(line: &'a [u8]) -> Option<Fields<'a>> {
        let begins = line.first() == Some(&b'{');
        begins.then_some(Fields { line, at: 1 })
    }

    fn skip_space(&mut self) {
        let rest = self.line.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }

    /// Takes a text of which the first quotation mark comes next.
    fn text(&mut self) -> Option<(&'a [u8], usize)> {
        let rest = self.line.get(self.at..)?;
        let (length, taken) = text_length(rest)?;
        let start = self.at + 1;
        self.at += taken;
        Some((self.line.get(start..start + length)?, start))
    }

    fn value(&mut self) -> Option<Value<'a>> {
        self.skip_space();
        let rest = self.line.get(self.at..)?;
        match rest.first()? {
            b'"' => self.text().map(|(text, start)| Value::Text(text, start)),
            b'{' | b'[' => {
                let (length, start) = (nested_length(rest)?, self.at);
                self.at += length;
                Some(Value::Nested(rest.get(..length)?, start))
            }
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
                let length = rest.iter().position(ends).filter(|length| *length > 0)?;
                self.at += length;
                Some(Value::Bare(rest.get(..length)?))
            }
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_space();
        let (name, _) = self.text()?;
        self.skip_space();
        (self.line.get(self.at) == Some(&b':')).then_some(())?;
        self.at += 1;
        let value = self.value()?;
        self.skip_space();
        // At the end there is nothing more to take: the next call finds no text.
        self.at += usize::from(self.line.get(self.at) == Some(&b','));
        Some((name, value))
    }
}

/// Bytes between the quotation marks of a text at the beginning, and with them.
fn text_length(text: &[u8]) -> Option<(usize, usize)> {
    let mut at = 1;
    (text.first() == Some(&b'"')).then_some(())?;
    loop {
        let place = at + memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(place) == Some(&b'"') {
            return Some((place - 1, place + 1));
        }
        at = place + 2;
    }
}

/// Bytes of an object or a list at the beginning.
fn nested_length(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        let rest = text.get(at..)?;
        let place = at + rest.iter().position(|byte| matches!(byte, b'{' | b'[' | b'}' | b']' | b'"'))?;
        match text.get(place)? {
            b'"' => at = place + text_length(text.get(place..)?)?.1,
            b'{' | b'[' => (depth, at) = (depth + 1, place + 1),
            _ if depth == 1 => return Some(place + 1),
            _ => (depth, at) = (depth - 1, place + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(line: &str) -> Vec<(String, String)> {
        let fields = Fields::new(line.as_bytes()).into_iter().flatten();
        let shown = |(name, value): (&[u8], Value<'_>)| {
            let value = match value {
                Value::Text(text, start) => {
                    assert_eq!(&line.as_bytes()[start..start + text.len()], text);
                    format!("'{}'", String::from_utf8_lossy(text))
                }
                Value::Bare(bytes) | Value::Nested(bytes, _) => String::from_utf8_lossy(bytes).into_owned(),
            };
            (String::from_utf8_lossy(name).into_owned(), value)
        };
        fields.map(shown).collect()
    }

    #[test]
    fn fields_are_found_in_their_order() {
        for (line, expected) in [
            (r#"{"log":"a \"b\"\n","n":12.5}"#, vec![("log", r#"'a \"b\"\n'"#), ("n", "12.5")]),
            (
                r#"{ "a" : { "b" : ["}", 1] } , "c" : null }"#,
                vec![("a", r#"{ "b" : ["}", 1] }"#), ("c", "null")],
            ),
            (r#"{"a":"1","cut":"with"#, vec![("a", "'1'")]),
            (r#"{"a":{"b":1"#, vec![]),
            ("{}", vec![]),
            ("{text} in brackets", vec![]),
            ("[1]", vec![]),
            ("", vec![]),
        ] {
            let expected: Vec<(String, String)> =
                expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(fields(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_no_danger(bytes in prop::collection::vec(prop::sample::select(b"{}[]\",:\\a1 ".to_vec()), 0..60)) {
            let line = [b"{".as_slice(), &bytes].concat();
            prop_assert!(Fields::new(&line).into_iter().flatten().count() <= line.len());
        }
    }
}
