//! One answer out of the engine's chunks, each of which it writes as a document of its own.
//!
//! Chunks of most row formats can stand one behind the other. Where a chunk begins with names and types, they are kept of
//! the first one. `Native` is written anew for a client that states a revision of the protocol. All other formats
//! (arrays, tables, files with a footer) are written in one piece.

use std::borrow::Cow;

use crate::engine::StatementError;
use crate::native::Rewriter;
use crate::native::read::BlockError;

/// How chunks of a format become one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joining {
    /// They stand one behind the other.
    Plain,
    /// Each begins with the same header.
    Headed(Header),
    /// Blocks of `Native` for a client of this revision.
    Native { revision: u64 },
    /// They cannot be joined: the answer is made in one piece.
    Whole,
}

/// What a chunk begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// So many lines.
    Lines(usize),
    /// So many lines whose cells may have line feeds between quotes.
    QuotedLines(usize),
    /// The number of columns, then so many texts for each, all with their length in front.
    Binary(usize),
}

const PLAIN: &[&str] = &[
    "BSONEachRow",
    "CSV",
    "JSONCompactEachRow",
    "JSONCompactStringsEachRow",
    "JSONEachRow",
    "JSONLines",
    "JSONStringsEachRow",
    "LineAsString",
    "MsgPack",
    "NDJSON",
    "Native",
    "Null",
    "RawBLOB",
    "RowBinary",
    "TSKV",
    "TSV",
    "TSVRaw",
    "TabSeparated",
    "TabSeparatedRaw",
];

const HEADED: &[(&str, Header)] = &[
    ("CSVWithNames", Header::QuotedLines(1)),
    ("CSVWithNamesAndTypes", Header::QuotedLines(2)),
    ("JSONCompactEachRowWithNames", Header::Lines(1)),
    ("JSONCompactEachRowWithNamesAndTypes", Header::Lines(2)),
    ("JSONCompactStringsEachRowWithNames", Header::Lines(1)),
    ("JSONCompactStringsEachRowWithNamesAndTypes", Header::Lines(2)),
    ("RowBinaryWithNames", Header::Binary(1)),
    ("RowBinaryWithNamesAndTypes", Header::Binary(2)),
    ("TSVRawWithNames", Header::Lines(1)),
    ("TSVRawWithNamesAndTypes", Header::Lines(2)),
    ("TSVWithNames", Header::Lines(1)),
    ("TSVWithNamesAndTypes", Header::Lines(2)),
    ("TabSeparatedRawWithNames", Header::Lines(1)),
    ("TabSeparatedRawWithNamesAndTypes", Header::Lines(2)),
    ("TabSeparatedWithNames", Header::Lines(1)),
    ("TabSeparatedWithNamesAndTypes", Header::Lines(2)),
];

impl Joining {
    /// Of a format by its name, in any case, for a client that states this revision (0: none).
    pub(super) fn new(format: &str, revision: u64) -> Joining {
        if revision > 0 && format.eq_ignore_ascii_case("Native") {
            return Joining::Native { revision };
        }
        if PLAIN.iter().any(|known| known.eq_ignore_ascii_case(format)) {
            return Joining::Plain;
        }
        let headed = HEADED.iter().find(|(known, _)| known.eq_ignore_ascii_case(format));
        headed.map_or(Joining::Whole, |(_, header)| Joining::Headed(*header))
    }
}

impl Header {
    /// Bytes of the header at the beginning of a chunk; none where it is not all there.
    fn bytes(self, chunk: &[u8]) -> Option<usize> {
        match self {
            Header::Lines(lines) => {
                let mut ends = chunk.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
                ends.nth(lines.checked_sub(1)?).map(|(at, _)| at + 1)
            }
            Header::QuotedLines(lines) => {
                let mut quoted = false;
                let mut ends = chunk.iter().enumerate().filter(|(_, byte)| {
                    quoted ^= **byte == b'"';
                    **byte == b'\n' && !quoted
                });
                ends.nth(lines.checked_sub(1)?).map(|(at, _)| at + 1)
            }
            Header::Binary(texts) => {
                let mut rest = chunk;
                let columns = number(&mut rest)?;
                for _ in 0..columns.checked_mul(texts)? {
                    let length = number(&mut rest)?;
                    rest = rest.get(length..)?;
                }
                Some(chunk.len() - rest.len())
            }
        }
    }
}

/// A number of seven bits a byte, the lowest first.
fn number(rest: &mut &[u8]) -> Option<usize> {
    let mut number = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (&byte, behind) = rest.split_first()?;
        *rest = behind;
        number |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Joins an answer's chunks.
#[derive(Debug)]
pub(super) struct Joiner {
    joining: Joining,
    /// The first chunk's header.
    header: Option<Vec<u8>>,
    rewriter: Option<Rewriter>,
}

impl Joiner {
    pub(super) fn new(joining: Joining) -> Joiner {
        let rewriter = match joining {
            Joining::Native { revision } => Some(Rewriter::new(revision)),
            _ => None,
        };
        Joiner { joining, header: None, rewriter }
    }

    /// Whether columns' types in full would change what is written of an answer that begins with this chunk: for HTTP's
    /// own revision the engine leaves out the zone of `DateTime`.
    pub(super) fn wants_types(&self, first: &[u8]) -> bool {
        const NAMED: &[u8] = b"\x08DateTime";
        self.rewriter.is_some() && first.windows(NAMED.len()).any(|window| window == NAMED)
    }

    /// Columns' types in full, by place.
    pub(super) fn know_types(&mut self, types: Vec<String>) {
        if let Some(rewriter) = &mut self.rewriter {
            rewriter.know_types(types);
        }
    }

    /// What of the next chunk belongs to the answer.
    ///
    /// # Errors
    /// Where a block cannot be written for the client's revision.
    pub(super) fn part<'a>(&mut self, chunk: &'a [u8]) -> Result<Cow<'a, [u8]>, StatementError> {
        if let Some(rewriter) = &mut self.rewriter {
            return rewriter.rewrite(chunk).map(Cow::Owned).map_err(|error| unwritten(&error));
        }
        let Joining::Headed(kind) = self.joining else { return Ok(Cow::Borrowed(chunk)) };
        Ok(Cow::Borrowed(match &self.header {
            Some(header) => chunk.strip_prefix(header.as_slice()).unwrap_or(chunk),
            None => {
                let bytes = kind.bytes(chunk).unwrap_or(0);
                self.header = chunk.get(..bytes).map(<[u8]>::to_vec);
                chunk
            }
        }))
    }

    /// To be called at the answer's end.
    ///
    /// # Errors
    /// Where it broke off within a block.
    pub(super) fn finish(&self) -> Result<(), StatementError> {
        let rewritten = self.rewriter.as_ref().map_or(Ok(()), Rewriter::finish);
        rewritten.map_err(|error| unwritten(&error))
    }
}

fn unwritten(error: &BlockError) -> StatementError {
    StatementError {
        code: 48,
        text: format!(
            "Code: 48. DB::Exception: Native cannot be written for this client_protocol_version: {error}; ask without it, or for RowBinaryWithNamesAndTypes. (NOT_IMPLEMENTED)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(format: &str, chunks: &[&[u8]]) -> Vec<u8> {
        let mut joiner = Joiner::new(Joining::new(format, 0));
        chunks.iter().flat_map(|chunk| joiner.part(chunk).unwrap().into_owned()).collect()
    }

    /// A format, the pieces that come, and what is to come of them.
    type Case = (&'static str, &'static [&'static [u8]], &'static [u8]);

    #[test]
    fn a_header_stands_at_the_beginning_alone() {
        let cases: &[Case] = &[
            ("CSV", &[b"1\n", b"1\n"], b"1\n1\n"),
            ("CSVWithNames", &[b"\"a\"\n1\n", b"\"a\"\n2\n"], b"\"a\"\n1\n2\n"),
            ("csvwithnames", &[b"\"a\"\n1\n", b"\"a\"\n2\n"], b"\"a\"\n1\n2\n"),
            ("CSVWithNames", &[b"\"a\nb\"\"\n\"\n1\n", b"\"a\nb\"\"\n\"\n2\n"], b"\"a\nb\"\"\n\"\n1\n2\n"),
            ("CSVWithNames", &[b"\"a\"\n\"a\"\n", b"\"a\"\n\"a\"\n"], b"\"a\"\n\"a\"\n\"a\"\n"),
            ("CSVWithNames", &[b"\"a\"\n"], b"\"a\"\n"),
            ("CSVWithNamesAndTypes", &[b"\"a\"\n\"b\"\n1\n", b"\"a\"\n\"b\"\n2\n"], b"\"a\"\n\"b\"\n1\n2\n"),
            ("TSVWithNames", &[b"a\n1\n", b"a\n2\n", b"a\n3\n"], b"a\n1\n2\n3\n"),
            (
                "JSONCompactEachRowWithNamesAndTypes",
                &[b"[\"a\"]\n[\"b\"]\n[1]\n", b"[\"a\"]\n[\"b\"]\n[2]\n"],
                b"[\"a\"]\n[\"b\"]\n[1]\n[2]\n",
            ),
            ("RowBinaryWithNames", &[b"\x01\x02ab1", b"\x01\x02ab2"], b"\x01\x02ab12"),
            ("RowBinaryWithNamesAndTypes", &[b"\x01\x01a\x01b1", b"\x01\x01a\x01b2"], b"\x01\x01a\x01b12"),
        ];
        for (format, chunks, expected) in cases {
            assert_eq!(joined(format, chunks), *expected, "{format}");
        }
    }

    #[test]
    fn what_cannot_be_joined_is_made_in_one_piece() {
        for format in
            ["JSON", "PrettyCompact", "Parquet", "Arrow", "ArrowStream", "Values", "Vertical", "XML", ""]
        {
            assert_eq!(Joining::new(format, 54_460), Joining::Whole, "{format}");
        }
    }

    #[test]
    fn broken_headers_are_taken_for_none() {
        assert_eq!(
            joined("RowBinaryWithNames", &[b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x05"]).len(),
            11
        );
        assert_eq!(joined("CSVWithNames", &[b"\"a", b"\"a"]), b"\"a\"a");
    }
}
