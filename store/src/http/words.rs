//! The words of a statement, as far as they have to be known here: strings and comments are passed over.

/// Words and single signs of a statement, with where each begins and ends. Quoted names come without their quotes.
pub(super) struct Words<'a> {
    text: &'a [u8],
    at: usize,
}

/// A word's bytes and the place after it.
pub(super) struct Word<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Word<'_> {
    pub(super) fn is(&self, word: &str) -> bool {
        self.bytes.eq_ignore_ascii_case(word.as_bytes())
    }
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Words { text, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_past(&mut self, from: usize, end: &[u8]) {
        let rest = self.text.get(from..).unwrap_or_default();
        let found = rest.windows(end.len()).position(|window| window == end);
        self.at = found.map_or(self.text.len(), |place| from + place + end.len());
    }

    /// One past the quote that closes the one at `start`; an escaped quote does not close.
    fn quoted_end(&self, start: usize, quote: u8) -> usize {
        let mut at = start + 1;
        while let Some(byte) = self.text.get(at) {
            match *byte {
                b'\\' => at += 2,
                byte if byte == quote => return at + 1,
                _ => at += 1,
            }
        }
        self.text.len()
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        loop {
            let start = self.at;
            let byte = *self.text.get(start)?;
            let rest = self.rest();
            match byte {
                b'-' if rest.starts_with(b"--") => self.skip_past(start, b"\n"),
                b'#' if rest.starts_with(b"# ") || rest.starts_with(b"#!") => self.skip_past(start, b"\n"),
                b'/' if rest.starts_with(b"/*") => self.skip_past(start + 2, b"*/"),
                b'\'' => self.at = self.quoted_end(start, b'\''),
                b'"' | b'`' => {
                    self.at = self.quoted_end(start, byte);
                    let bytes = self.text.get(start + 1..self.at.saturating_sub(1)).unwrap_or_default();
                    return Some(Word { bytes, start, end: self.at });
                }
                b'$' if heredoc(rest).is_some() => {
                    let tag = heredoc(rest).unwrap_or_default();
                    self.skip_past(start + tag.len(), tag);
                }
                // Typographic quotes are quotes to the engine, too.
                0xe2 if rest.starts_with("‘".as_bytes()) => self.skip_past(start + 3, "’".as_bytes()),
                0xe2 if rest.starts_with("“".as_bytes()) => {
                    self.skip_past(start + 3, "”".as_bytes());
                    let bytes = self.text.get(start + 3..self.at.saturating_sub(3)).unwrap_or_default();
                    return Some(Word { bytes, start, end: self.at });
                }
                byte if byte.is_ascii_alphanumeric() || byte == b'_' => {
                    let length = rest
                        .iter()
                        .position(|b| !b.is_ascii_alphanumeric() && *b != b'_')
                        .unwrap_or(rest.len());
                    self.at += length;
                    return Some(Word { bytes: rest.get(..length).unwrap_or_default(), start, end: self.at });
                }
                byte if byte.is_ascii_whitespace() => self.at += 1,
                _ => {
                    self.at += 1;
                    return Some(Word { bytes: rest.get(..1).unwrap_or_default(), start, end: self.at });
                }
            }
        }
    }
}

/// The sign that begins and ends a text like `$tag$ … $tag$`.
fn heredoc(rest: &[u8]) -> Option<&[u8]> {
    let tag = rest.get(1..)?.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')?;
    let sign = rest.get(..tag + 2)?;
    sign.ends_with(b"$").then_some(sign)
}

/// An `INSERT` whose data follows its text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The text up to `FORMAT` or `VALUES`.
    pub(super) text: String,
    pub(super) format: String,
    /// Where the data begins.
    pub(super) data_at: usize,
}

/// Splits `INSERT … FORMAT name data` and `INSERT … VALUES data`; none for any other statement.
pub(super) fn insert_head(text: &[u8]) -> Option<Head> {
    let mut words = Words::of(text);
    if !words.next()?.is("insert") {
        return None;
    }
    let mut depth = 0usize;
    // A table may be called `format` or `values`: the word counts only after INTO and a name.
    let mut before = 0;
    while let Some(word) = words.next() {
        let head = |format: &str, data_at| {
            let text = String::from_utf8(text.get(..word.start)?.to_vec()).ok()?;
            Some(Head { text: text.trim_end().to_owned(), format: format.to_owned(), data_at })
        };
        match word.bytes {
            b"(" => depth += 1,
            b")" => depth = depth.saturating_sub(1),
            _ if depth > 0 || before < 2 => {}
            _ if word.is("select") || word.is("with") || word.is("from") => return None,
            _ if word.is("values") => return head("Values", word.end),
            _ if word.is("format") => {
                let format = words.next()?;
                let name = std::str::from_utf8(format.bytes).ok()?;
                // Spaces and one line end stand between the format's name and the data.
                let rest = text.get(format.end..).unwrap_or_default();
                let spaces = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(rest.len());
                let rest = rest.get(spaces..).unwrap_or_default();
                let line_end =
                    if rest.starts_with(b"\r\n") { 2 } else { usize::from(rest.starts_with(b"\n")) };
                let end_sign = if rest == b";" { 1 } else { line_end };
                return head(name, format.end + spaces + end_sign);
            }
            _ => {}
        }
        before += 1;
    }
    None
}

/// Whether the answer is rows that can be fetched in chunks.
pub(super) fn is_select(text: &[u8]) -> bool {
    Words::of(text)
        .find(|word| word.bytes != b"(")
        .is_some_and(|word| word.is("select") || word.is("with") || word.is("from"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_is_split_where_its_data_begins() {
        for (text, expected) in [
            ("INSERT INTO t FORMAT Native\n\x01\x02", Some(("INSERT INTO t", "Native", 28))),
            (
                "insert into t (a, `format`)\nformat  CSV \r\n1",
                Some(("insert into t (a, `format`)", "CSV", 42)),
            ),
            ("INSERT INTO t FORMAT CSV", Some(("INSERT INTO t", "CSV", 24))),
            ("INSERT INTO t FORMAT CSV;", Some(("INSERT INTO t", "CSV", 25))),
            ("INSERT INTO t VALUES (1)", Some(("INSERT INTO t", "Values", 20))),
            (
                "INSERT INTO t SETTINGS a='FORMAT x' FORMAT CSV\n",
                Some(("INSERT INTO t SETTINGS a='FORMAT x'", "CSV", 47)),
            ),
            ("INSERT INTO format FORMAT CSV", Some(("INSERT INTO format", "CSV", 29))),
            ("/* x */ INSERT INTO t VALUES", Some(("/* x */ INSERT INTO t", "Values", 28))),
            ("INSERT INTO t SELECT 1 FORMAT CSV", None),
            ("SELECT 1 FORMAT CSV", None),
            ("INSERT INTO t FORMAT", None),
            ("", None),
        ] {
            let found = insert_head(text.as_bytes());
            assert_eq!(
                found.as_ref().map(|h| (h.text.as_str(), h.format.as_str(), h.data_at)),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn selects_are_known_by_their_first_word() {
        for (text, expected) in [
            ("SELECT 1", true),
            ("-- x\n with 1 as a select a", true),
            ("((select 1))", true),
            ("EXPLAIN SELECT 1", false),
            ("DESCRIBE t", false),
            ("", false),
        ] {
            assert_eq!(is_select(text.as_bytes()), expected, "{text}");
        }
    }
}
