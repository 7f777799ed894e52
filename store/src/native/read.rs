//! Reads the few column types that questions need out of ClickHouse's `Native` blocks as they come.
//!
//! A block is: number of columns, number of rows (both varints), then each column as name, type (strings with a
//! varint length) and values. `Int64`/`UInt64` are little-endian arrays. `LowCardinality(String)` is a version (1), a
//! type of indices with flags, the keys of the block and the indices into them, so a host's name is looked up once
//! a block and not once a row.

use thiserror::Error;

/// Why a block could not be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BlockError {
    /// A column has a type that is not read here.
    #[error("the store sent a column {name} of type {kind}, which is not read here")]
    Type {
        /// The column.
        name: String,
        /// Its type.
        kind: String,
    },
    /// The bytes are not a block.
    #[error("the store sent a block that cannot be read: {0}")]
    Damaged(&'static str),
}

/// A column of a block, in place.
#[derive(Debug, PartialEq, Eq)]
pub enum Column<'a> {
    /// `Int64` and `UInt64`, little-endian.
    Number(&'a [[u8; 8]]),
    /// `LowCardinality(String)`: keys of the block, and an index into them for each row.
    Name {
        /// The block's keys.
        keys: Vec<&'a [u8]>,
        /// One a row.
        rows: Indices<'a>,
    },
    /// `String`: a text a row.
    Text(Vec<&'a [u8]>),
}

/// Indices into a block's keys, little-endian.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub struct Indices<'a> {
    bytes: &'a [u8],
    /// Bytes of one: 1, 2 or 4.
    width: usize,
}

impl Indices<'_> {
    /// What each row's key has been given.
    ///
    /// # Errors
    /// Where a row has an index beyond the keys.
    pub fn resolve<T: Copy>(&self, given: &[T]) -> Result<Vec<T>, BlockError> {
        let bytes = self.bytes;
        let rows: Option<Vec<T>> = match self.width {
            1 => bytes.iter().map(|one| given.get(usize::from(*one)).copied()).collect(),
            2 => {
                let all = bytes.as_chunks().0.iter();
                all.map(|two| given.get(usize::from(u16::from_le_bytes(*two))).copied()).collect()
            }
            _ => {
                let all = bytes.as_chunks().0.iter();
                all.map(|four| given.get(u32::from_le_bytes(*four) as usize).copied()).collect()
            }
        };
        rows.ok_or(BlockError::Damaged("an index beyond the keys"))
    }
}

/// Collects chunks and gives back blocks.
#[derive(Debug, Default)]
pub struct Blocks {
    waiting: Vec<u8>,
    /// With fewer bytes than this there is no whole block.
    needed: usize,
}

impl Blocks {
    /// Adds bytes; calls `take` with the columns of every block that is complete.
    pub fn push<E: From<BlockError>>(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(Vec<Column<'_>>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.waiting.is_empty() {
            // Chunks mostly are blocks.
            let used = self.whole_blocks(bytes, &mut take)?;
            self.waiting.extend_from_slice(bytes.get(used..).unwrap_or_default());
            return Ok(());
        }
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= self.needed {
            let waiting = std::mem::take(&mut self.waiting);
            let used = self.whole_blocks(&waiting, &mut take)?;
            self.waiting = waiting;
            self.waiting.drain(..used);
        }
        Ok(())
    }

    /// Takes the blocks that bytes begin with; gives how many bytes these are.
    fn whole_blocks<E: From<BlockError>>(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(Vec<Column<'_>>) -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut cursor = Cursor::new(bytes);
        loop {
            let rest = cursor.rest.len();
            match cursor.block() {
                Ok(columns) => take(columns)?,
                Err(Stop::Incomplete { lacking }) => {
                    self.needed = rest.saturating_add(lacking);
                    return Ok(bytes.len() - rest);
                }
                Err(Stop::Wrong(error)) => return Err(error.into()),
            }
        }
    }

    /// To be called at the answer's end: whether it broke off within a block.
    pub fn finish(&self) -> Result<(), BlockError> {
        if self.waiting.is_empty() { Ok(()) } else { Err(BlockError::Damaged("it breaks off")) }
    }
}

/// Why a block is not read.
#[derive(Debug)]
pub(super) enum Stop {
    /// At least so many bytes are to come.
    Incomplete {
        lacking: usize,
    },
    Wrong(BlockError),
}

const KEYS_OF_BLOCK: u64 = 1 << 9;
const SHARED_KEYS: u64 = 1 << 8;

/// Something that no block has.
pub(super) fn damaged(what: &'static str) -> Stop {
    Stop::Wrong(BlockError::Damaged(what))
}

/// The dictionary of a `LowCardinality` column.
pub(super) struct Dictionary {
    pub(super) keys: usize,
    /// Bytes of an index.
    pub(super) width: usize,
}

/// A place in a block's bytes.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Cursor<'a> {
        Cursor { rest }
    }

    /// What follows.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn block(&mut self) -> Result<Vec<Column<'a>>, Stop> {
        let columns = self.varint()?;
        let rows = self.varint()?;
        let mut found = Vec::new();
        for _ in 0..columns {
            let (name, kind) = (self.string()?, self.string()?);
            let column = match (kind, rows) {
                (b"Int64" | b"UInt64", _) => Column::Number(self.numbers(rows)?),
                (b"LowCardinality(String)", 0) => {
                    Column::Name { keys: Vec::new(), rows: Indices { bytes: &[], width: 1 } }
                }
                (b"LowCardinality(String)", _) => self.names(rows)?,
                (b"String", _) => {
                    Column::Text((0..rows).map(|_| self.string()).collect::<Result<_, Stop>>()?)
                }
                _ => {
                    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                    return Err(Stop::Wrong(BlockError::Type { name: text(name), kind: text(kind) }));
                }
            };
            found.push(column);
        }
        Ok(found)
    }

    fn numbers(&mut self, rows: usize) -> Result<&'a [[u8; 8]], Stop> {
        let length = rows.checked_mul(8).ok_or(Stop::Wrong(BlockError::Damaged("too many rows")))?;
        Ok(self.bytes(length)?.as_chunks().0)
    }

    fn names(&mut self, rows: usize) -> Result<Column<'a>, Stop> {
        if self.u64()? != 1 {
            return Err(damaged("a version of LowCardinality that is not known"));
        }
        let Dictionary { keys, width } = self.dictionary()?;
        let keys = (0..keys).map(|_| self.string()).collect::<Result<Vec<&[u8]>, Stop>>()?;
        if self.u64()? != rows as u64 {
            return Err(damaged("columns of different lengths"));
        }
        Ok(Column::Name { keys, rows: Indices { bytes: self.bytes(rows.saturating_mul(width))?, width } })
    }

    /// What stands before the keys of a dictionary.
    pub(super) fn dictionary(&mut self) -> Result<Dictionary, Stop> {
        let kind = self.u64()?;
        if kind & SHARED_KEYS != 0 || kind & KEYS_OF_BLOCK == 0 {
            return Err(damaged("a dictionary beyond the block"));
        }
        let keys = usize::try_from(self.u64()?).map_err(|_| damaged("too many keys"))?;
        let width = match kind & 0xff {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => return Err(damaged("indices of 64 bits")),
        };
        Ok(Dictionary { keys, width })
    }

    /// Passes over so many values of so many bytes.
    pub(super) fn pass_many(&mut self, values: usize, bytes: usize) -> Result<(), Stop> {
        let length = values.checked_mul(bytes).ok_or_else(|| damaged("too many rows"))?;
        self.bytes(length).map(drop)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let lacking = length.saturating_sub(self.rest.len());
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Stop::Incomplete { lacking })?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Stop> {
        let bytes = self.bytes(8)?;
        bytes.try_into().map(u64::from_le_bytes).map_err(|_| Stop::Incomplete { lacking: 8 })
    }

    pub(super) fn varint(&mut self) -> Result<usize, Stop> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = *self.bytes(1)?.first().ok_or(Stop::Incomplete { lacking: 1 })?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return usize::try_from(value)
                    .map_err(|_| Stop::Wrong(BlockError::Damaged("a number too large")));
            }
        }
        Err(Stop::Wrong(BlockError::Damaged("a number too large")))
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], Stop> {
        let length = self.varint()?;
        self.bytes(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> Vec<u8> {
        let mut bytes = vec![2, 3];
        for text in ["Host", "LowCardinality(String)"] {
            bytes.push(u8::try_from(text.len()).unwrap());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(&1_u64.to_le_bytes());
        bytes.extend_from_slice(&(KEYS_OF_BLOCK).to_le_bytes());
        bytes.extend_from_slice(&2_u64.to_le_bytes());
        bytes.extend_from_slice(b"\x04hv01\x04hv02");
        bytes.extend_from_slice(&3_u64.to_le_bytes());
        bytes.extend_from_slice(&[1, 0, 1]);
        bytes.extend_from_slice(b"\x01s\x05Int64");
        for value in [-1_i64, 0, 7] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn blocks_are_read_however_they_are_cut() {
        let values = [-1_i64, 0, 7].map(i64::to_le_bytes);
        let expected = vec![
            Column::Name { keys: vec![b"hv01", b"hv02"], rows: Indices { bytes: &[1, 0, 1], width: 1 } },
            Column::Number(&values),
        ];
        let twice = [block(), block()].concat();
        for size in 1..twice.len() + 1 {
            let mut blocks = Blocks::default();
            let mut found = 0;
            for chunk in twice.chunks(size) {
                blocks
                    .push::<BlockError>(chunk, |columns| {
                        assert_eq!(columns, expected, "chunks of {size}");
                        found += 1;
                        Ok(())
                    })
                    .unwrap();
            }
            blocks.finish().unwrap();
            assert_eq!(found, 2, "chunks of {size}");
        }
    }

    #[test]
    fn blocks_that_break_off_or_hold_other_things_are_errors() {
        let whole = block();
        let mut blocks = Blocks::default();
        blocks.push::<BlockError>(whole.get(..whole.len() - 1).unwrap(), |_| panic!("not complete")).unwrap();
        assert_eq!(blocks.finish(), Err(BlockError::Damaged("it breaks off")));
        let mut blocks = Blocks::default();
        let other = b"\x01\x00\x01s\x04UUID";
        let error = blocks.push::<BlockError>(other, |_| Ok(())).unwrap_err();
        assert_eq!(error, BlockError::Type { name: "s".into(), kind: "UUID".into() });
    }

    #[test]
    fn indices_of_each_width_give_what_their_keys_were_given() {
        for (bytes, width) in [(&[1, 0, 1][..], 1), (&[1, 0, 0, 0, 1, 0], 2), (&[1, 0, 0, 0, 0, 0, 0, 0], 4)]
        {
            let rows = Indices { bytes, width };
            assert_eq!(rows.resolve(&['a', 'b']).unwrap().get(..2), Some(&['b', 'a'][..]), "{width}");
            assert_eq!(rows.resolve(&['a']), Err(BlockError::Damaged("an index beyond the keys")), "{width}");
        }
    }
}
