//! Bytes into lines: slices into the buffer, nothing is copied.
//!
//! A line ends with LF or CRLF, which are not part of it. A line longer than [`RECORD_BYTES_MAX`] is cut into
//! pieces of that size, each a line of its own, so that nothing is lost and nothing grows without bound. What
//! stands behind the last line feed is no line yet: it stays in the buffer until the rest comes, or until the
//! caller decides that it never will.

use crate::limits::RECORD_BYTES_MAX;

/// The lines of a buffer.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    buffer: &'a [u8],
    taken: usize,
    newlines: memchr::Memchr<'a>,
    /// The end of the current line's text, where a long line is being cut into pieces.
    next_newline: Option<usize>,
}

/// One line, and where the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The bytes without the line's end.
    pub text: &'a [u8],
    /// Offset in the buffer at which what follows begins.
    pub end: usize,
}

impl<'a> Lines<'a> {
    /// Cuts a buffer into lines.
    pub fn new(buffer: &'a [u8]) -> Self {
        let mut newlines = memchr::memchr_iter(b'\n', buffer);
        let next_newline = newlines.next();
        Lines { buffer, taken: 0, newlines, next_newline }
    }

    /// How many bytes the lines so far have taken: the rest belongs in front of what is read next.
    pub fn taken(&self) -> usize {
        self.taken
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let start = self.taken;
        let Some(newline) = self.next_newline else {
            // No line's end in sight: a piece is cut only where the line would be cut with its end in sight, too,
            // so that the same bytes give the same lines however they arrive.
            let piece = self.buffer.get(start..start + RECORD_BYTES_MAX + 2)?.get(..RECORD_BYTES_MAX)?;
            self.taken = start + RECORD_BYTES_MAX;
            return Some(Line { text: piece, end: self.taken });
        };
        let text = self.buffer.get(start..newline)?;
        if text.len() > RECORD_BYTES_MAX + 1 {
            self.taken = start + RECORD_BYTES_MAX;
            return Some(Line { text: text.get(..RECORD_BYTES_MAX)?, end: self.taken });
        }
        self.next_newline = self.newlines.next();
        self.taken = newline + 1;
        Some(Line { text: without_carriage_return(text), end: self.taken })
    }
}

/// What is left of a line behind its last line feed when no more will come.
pub fn last_partial(rest: &[u8]) -> Option<&[u8]> {
    (!rest.is_empty()).then(|| without_carriage_return(rest))
}

fn without_carriage_return(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\r").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(buffer: &[u8], lines: &[&[u8]], rest: &[u8]) {
        let mut found = Lines::new(buffer);
        let texts: Vec<_> = found.by_ref().map(|line| line.text).collect();
        assert_eq!(texts, lines, "{:?}", String::from_utf8_lossy(buffer));
        assert_eq!(&buffer[found.taken()..], rest);
    }

    #[test]
    fn lines_end_with_lf_or_crlf() {
        check(b"", &[], b"");
        check(b"a\nb\n", &[b"a", b"b"], b"");
        check(b"a\r\n\r\nb", &[b"a", b""], b"b");
        check(b"\xff\xfe\n", &[b"\xff\xfe"], b"");
        assert_eq!(last_partial(b"b\r"), Some(&b"b"[..]));
        assert_eq!(last_partial(b""), None);
    }

    #[test]
    fn a_long_line_is_cut_and_nothing_of_it_is_lost() {
        for length in [RECORD_BYTES_MAX, RECORD_BYTES_MAX + 1, RECORD_BYTES_MAX + 2, 3 * RECORD_BYTES_MAX + 7]
        {
            for end in [&b"\n"[..], b"\r\n"] {
                let mut buffer = vec![b'x'; length];
                buffer.extend(end);
                buffer.extend(b"next\n");
                let texts: Vec<_> = Lines::new(&buffer).map(|line| line.text).collect();
                assert_eq!(texts.last(), Some(&&b"next"[..]));
                assert_eq!(texts.concat().len(), length + 4, "{length}");
                assert!(texts.iter().all(|text| text.len() <= RECORD_BYTES_MAX + 1));
            }
        }
    }

    #[test]
    fn a_long_line_is_cut_at_the_same_places_whether_its_end_is_in_sight() {
        for length in [RECORD_BYTES_MAX, RECORD_BYTES_MAX + 1, RECORD_BYTES_MAX + 2, 2 * RECORD_BYTES_MAX + 1]
        {
            let mut bytes = vec![b'x'; length];
            let mut lines = Lines::new(&bytes);
            let before: usize = lines.by_ref().count();
            let taken = lines.taken();
            bytes.push(b'\n');
            let after = Lines::new(&bytes[taken..]).count();
            assert_eq!(before + after, Lines::new(&bytes).count(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn the_same_bytes_give_the_same_lines_however_they_arrive(
            bytes in prop::collection::vec(prop::sample::select(vec![b'a', b'b', b'\r', b'\n', 0xff]), 0..200),
            cuts in prop::collection::vec(0_usize..200, 0..6),
        ) {
            let at_once: Vec<Vec<u8>> = Lines::new(&bytes).map(|line| line.text.to_vec()).collect();
            let mut in_parts = Vec::new();
            let (mut buffer, mut before) = (Vec::new(), 0);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            for cut in cuts {
                buffer.extend_from_slice(&bytes[before..cut]);
                before = cut;
                let mut lines = Lines::new(&buffer);
                in_parts.extend(lines.by_ref().map(|line| line.text.to_vec()));
                let taken = lines.taken();
                buffer.drain(..taken);
            }
            prop_assert_eq!(at_once, in_parts);
        }
    }
}
