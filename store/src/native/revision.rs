//! Blocks as the engine writes them for HTTP (revision 0), written anew as a server writes them for a client that states
//! a revision of the protocol (`client_protocol_version`).
//!
//! From revision 1 on a block begins with information about it, in fields with a number in front: 1, whether it holds
//! rows beyond a limit (a byte); 2, a bucket (i32, -1 is none); from 54480 on 3, buckets out of order (a count, none);
//! then 0. From revision 54454 on a byte behind each column's type says that its values lie in no special way.

use super::layout::Layout;
use super::read::{BlockError, Cursor, Stop};
use super::write::{put_string, put_varint};

/// `LowCardinality` is known from here on.
const WITH_LOW_CARDINALITY: u64 = 54_405;
/// A byte behind each type.
const WITH_CUSTOM_SERIALIZATION: u64 = 54_454;
/// A third field of information.
const WITH_BUCKETS_OUT_OF_ORDER: u64 = 54_480;

/// Writes blocks anew.
#[derive(Debug)]
pub(crate) struct Rewriter {
    revision: u64,
    /// Columns' types in full, by place: for revision 0 the engine leaves out the zone of `DateTime`.
    types: Vec<String>,
    /// The beginning of a block that is not all there.
    waiting: Vec<u8>,
}

impl Rewriter {
    /// For a client of this revision, which is not 0.
    pub(crate) fn new(revision: u64) -> Rewriter {
        Rewriter { revision, types: Vec::new(), waiting: Vec::new() }
    }

    /// Tells the columns' types in full, by place.
    pub(crate) fn know_types(&mut self, types: Vec<String>) {
        self.types = types;
    }

    /// The blocks that are complete with these bytes.
    ///
    /// # Errors
    /// Where a column's type is none of which it is known how its values lie, or the bytes are no blocks.
    pub(crate) fn rewrite(&mut self, bytes: &[u8]) -> Result<Vec<u8>, BlockError> {
        let waiting = std::mem::take(&mut self.waiting);
        let joined;
        let bytes = if waiting.is_empty() {
            bytes
        } else {
            joined = [&waiting, bytes].concat();
            &joined
        };
        let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 16 + 64);
        let mut cursor = Cursor::new(bytes);
        loop {
            let (begun, written) = (cursor.rest(), out.len());
            if begun.is_empty() {
                return Ok(out);
            }
            match self.block(&mut cursor, &mut out) {
                Ok(()) => {}
                Err(Stop::Incomplete { .. }) => {
                    out.truncate(written);
                    self.waiting = begun.to_vec();
                    return Ok(out);
                }
                Err(Stop::Wrong(error)) => return Err(error),
            }
        }
    }

    /// To be called at the answer's end.
    ///
    /// # Errors
    /// Where it breaks off within a block.
    pub(crate) fn finish(&self) -> Result<(), BlockError> {
        if self.waiting.is_empty() { Ok(()) } else { Err(BlockError::Damaged("it breaks off")) }
    }

    fn block(&self, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Stop> {
        let (columns, rows) = (cursor.varint()?, cursor.varint()?);
        out.extend_from_slice(&[1, 0, 2]);
        out.extend_from_slice(&(-1_i32).to_le_bytes());
        if self.revision >= WITH_BUCKETS_OUT_OF_ORDER {
            out.extend_from_slice(&[3, 0]);
        }
        out.push(0);
        put_varint(out, columns as u64);
        put_varint(out, rows as u64);
        for column in 0..columns {
            let (name, kind) = (cursor.string()?, cursor.string()?);
            put_string(out, name);
            let full =
                self.types.get(column).filter(|full| kind == b"DateTime" && full.starts_with("DateTime("));
            put_string(out, full.map_or(kind, String::as_bytes));
            if self.revision >= WITH_CUSTOM_SERIALIZATION {
                out.push(0);
            }
            if rows == 0 {
                continue;
            }
            let values = cursor.rest();
            self.layout(name, kind)?.pass(cursor, rows)?;
            let bytes = values.len() - cursor.rest().len();
            out.extend_from_slice(values.get(..bytes).unwrap_or_default());
        }
        Ok(())
    }

    fn layout(&self, name: &[u8], kind: &[u8]) -> Result<Layout, Stop> {
        let known = std::str::from_utf8(kind).ok().and_then(Layout::of_type);
        let too_new = self.revision < WITH_LOW_CARDINALITY && kind.starts_with(b"LowCardinality");
        known.filter(|_| !too_new).ok_or_else(|| {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            Stop::Wrong(BlockError::Type { name: text(name), kind: text(kind) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of a column `c`: the number of rows, its type, its values.
    fn block(rows: u8, kind: &str, values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![1, rows];
        put_string(&mut bytes, b"c");
        put_string(&mut bytes, kind.as_bytes());
        bytes.extend_from_slice(values);
        bytes
    }

    /// What a server sends to a client of revision 54460.
    fn expected(rows: u8, kind: &str, values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 1, rows];
        put_string(&mut bytes, b"c");
        put_string(&mut bytes, kind.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(values);
        bytes
    }

    fn u64s(numbers: &[u64]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// Types, rows, and values as they lie.
    fn cases() -> Vec<(&'static str, u8, Vec<u8>)> {
        vec![
            ("UInt8", 3, vec![1, 2, 3]),
            ("String", 2, b"\x01a\x00".to_vec()),
            ("UInt8", 0, vec![]),
            ("Array(String)", 2, [u64s(&[1, 3]), b"\x01a\x00\x02bc".to_vec()].concat()),
            ("Nullable(UInt16)", 2, vec![0, 1, 7, 0, 0, 0]),
            ("Tuple(UInt8, String)", 2, b"\x01\x02\x01a\x01b".to_vec()),
            (
                "LowCardinality(String)",
                3,
                [u64s(&[1, 1 << 9, 2]), b"\x00\x01a".to_vec(), u64s(&[3]), vec![1, 0, 1]].concat(),
            ),
            // No values: neither keys nor indices.
            ("Array(LowCardinality(String))", 1, u64s(&[1, 0])),
            (
                "Map(LowCardinality(String), UInt8)",
                1,
                [
                    u64s(&[1, 2, 1 << 9 | 1, 2]),
                    b"\x00\x01a".to_vec(),
                    u64s(&[2]),
                    vec![1, 0, 1, 0],
                    vec![8, 9],
                ]
                .concat(),
            ),
            (
                "Dynamic",
                3,
                [u64s(&[3]), b"\x02\x06String\x05UInt8".to_vec(), vec![1, 2, 0], b"\x01a".to_vec(), vec![7]]
                    .concat(),
            ),
            (
                "JSON(t UInt8)",
                2,
                // A path that the type names, and one that has a text and nothing.
                [
                    u64s(&[3]),
                    b"\x01\x01p".to_vec(),
                    u64s(&[3]),
                    b"\x01\x06String".to_vec(),
                    vec![5, 6],
                    vec![0, 1],
                    b"\x01a".to_vec(),
                ]
                .concat(),
            ),
            ("Array(JSON)", 1, [u64s(&[1, 1]), b"\x02{}".to_vec()].concat()),
            ("Variant(String, UInt8)", 3, [u64s(&[0]), vec![1, 255, 0], b"\x01a".to_vec(), vec![7]].concat()),
        ]
    }

    #[test]
    fn blocks_are_written_anew_however_they_are_cut() {
        for (kind, rows, values) in cases() {
            let twice = block(rows, kind, &values).repeat(2);
            for size in 1..=twice.len() {
                let mut rewriter = Rewriter::new(54_460);
                let found: Vec<u8> =
                    twice.chunks(size).flat_map(|chunk| rewriter.rewrite(chunk).unwrap()).collect();
                rewriter.finish().unwrap();
                assert_eq!(found, expected(rows, kind, &values).repeat(2), "{kind} in chunks of {size}");
            }
        }
    }

    #[test]
    fn a_times_zone_comes_back_where_it_is_known() {
        let types = vec!["DateTime('Europe/Berlin')".to_owned()];
        let rewritten = |kind: &str| {
            let mut rewriter = Rewriter::new(54_460);
            rewriter.know_types(types.clone());
            rewriter.rewrite(&block(1, kind, &[1, 0, 0, 0])).unwrap()
        };
        assert_eq!(rewritten("DateTime"), expected(1, "DateTime('Europe/Berlin')", &[1, 0, 0, 0]));
        assert_eq!(rewritten("UInt32"), expected(1, "UInt32", &[1, 0, 0, 0]));
    }

    #[test]
    fn a_client_gets_what_its_revision_knows() {
        let own = block(1, "UInt8", &[7]);
        let rewritten = |revision| Rewriter::new(revision).rewrite(&own).unwrap();
        let information = |revision: u64| rewritten(revision).iter().position(|byte| *byte == b'c').unwrap();
        // Behind the information stand the numbers of columns and rows, and the name's length.
        assert_eq!((information(54_405), information(54_480)), (11, 13));
        assert_eq!(rewritten(54_405).len() + 1, rewritten(54_454).len());
        assert!(rewritten(54_453).ends_with(b"\x05UInt8\x07"));
        assert!(rewritten(54_454).ends_with(b"\x05UInt8\x00\x07"));
    }

    #[test]
    fn what_cannot_be_passed_over_is_an_error_and_never_half_an_answer() {
        let states = block(1, "AggregateFunction(sum, UInt8)", &[7]);
        let error = Rewriter::new(54_460).rewrite(&states).unwrap_err();
        assert_eq!(
            error,
            BlockError::Type { name: "c".into(), kind: "AggregateFunction(sum, UInt8)".into() }
        );
        let mut rewriter = Rewriter::new(54_460);
        let whole = block(3, "UInt8", &[1, 2, 3]);
        assert_eq!(rewriter.rewrite(whole.get(..whole.len() - 1).unwrap()).unwrap(), b"");
        assert_eq!(rewriter.finish(), Err(BlockError::Damaged("it breaks off")));
        // A length of which the rest of the world would not be enough.
        let endless = block(1, "Array(UInt64)", &u64s(&[u64::MAX]));
        assert!(Rewriter::new(54_460).rewrite(&endless).is_err());
    }
}
