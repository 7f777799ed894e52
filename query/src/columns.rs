//! Reads the few column types that questions need out of ClickHouse's `Native` blocks as they come.
//!
//! A block is: number of columns, number of rows (both varints), then each column as name, type (strings with a
//! varint length) and values. `Int64`/`UInt64` are little-endian arrays. `LowCardinality(String)` is a version (1), a
//! type of indices with flags, the keys of the block and the indices into them, so a host's name is looked up once
//! a block and not once a row.

use std::collections::HashMap;

use thiserror::Error;

/// Numbers for names, from 0 in order of appearance.
#[derive(Debug, Default, Clone)]
pub struct Interner {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Interner {
    /// The number of a name.
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        // Four billion hosts do not fit in memory.
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }

    /// The name of a number.
    pub fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", String::as_str)
    }

    /// How many names there are.
    pub fn len(&self) -> u32 {
        u32::try_from(self.names.len()).unwrap_or(u32::MAX)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

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

/// Columns of one block: first to last.
#[derive(Debug, PartialEq, Eq)]
pub enum Column<'a> {
    /// `Int64` and `UInt64`, the latter by its bits.
    Number(Vec<i64>),
    /// `LowCardinality(String)`: keys of the block, and an index into them for each row.
    Name {
        /// The block's keys.
        keys: Vec<&'a str>,
        /// One a row; less than the number of keys.
        rows: Vec<u32>,
    },
}

/// Collects chunks and gives back blocks.
#[derive(Debug, Default)]
pub struct Blocks {
    waiting: Vec<u8>,
}

impl Blocks {
    /// Adds bytes; calls `take` with the columns of every block that is complete.
    pub fn push<E: From<BlockError>>(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(Vec<Column<'_>>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.waiting.extend_from_slice(bytes);
        let mut used = 0;
        loop {
            let mut cursor = Cursor(self.waiting.get(used..).unwrap_or_default());
            let whole = cursor.0.len();
            match cursor.block() {
                Ok(columns) => {
                    used += whole - cursor.0.len();
                    take(columns)?;
                }
                Err(Stop::Incomplete) => break,
                Err(Stop::Wrong(error)) => return Err(error.into()),
            }
        }
        self.waiting.drain(..used);
        Ok(())
    }

    /// To be called at the answer's end: whether it broke off within a block.
    pub fn finish(&self) -> Result<(), BlockError> {
        if self.waiting.is_empty() { Ok(()) } else { Err(BlockError::Damaged("it breaks off")) }
    }
}

enum Stop {
    Incomplete,
    Wrong(BlockError),
}

const KEYS_OF_BLOCK: u64 = 1 << 9;
const SHARED_KEYS: u64 = 1 << 8;

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn block(&mut self) -> Result<Vec<Column<'a>>, Stop> {
        if self.0.is_empty() {
            return Err(Stop::Incomplete);
        }
        let columns = self.varint()?;
        let rows = self.varint()?;
        let mut found = Vec::new();
        for _ in 0..columns {
            let name = self.string()?;
            let kind = self.string()?;
            let column = match (kind, rows) {
                ("Int64" | "UInt64", _) => Column::Number(self.numbers(rows)?),
                ("LowCardinality(String)", 0) => Column::Name { keys: Vec::new(), rows: Vec::new() },
                ("LowCardinality(String)", _) => self.names(rows)?,
                _ => {
                    return Err(Stop::Wrong(BlockError::Type {
                        name: name.to_owned(),
                        kind: kind.to_owned(),
                    }));
                }
            };
            found.push(column);
        }
        Ok(found)
    }

    fn numbers(&mut self, rows: usize) -> Result<Vec<i64>, Stop> {
        let bytes =
            self.bytes(rows.checked_mul(8).ok_or(Stop::Wrong(BlockError::Damaged("too many rows")))?)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|eight| i64::from_le_bytes(*eight)).collect())
    }

    fn names(&mut self, rows: usize) -> Result<Column<'a>, Stop> {
        let wrong = |what| Stop::Wrong(BlockError::Damaged(what));
        if self.u64()? != 1 {
            return Err(wrong("a version of LowCardinality that is not known"));
        }
        let kind = self.u64()?;
        if kind & SHARED_KEYS != 0 || kind & KEYS_OF_BLOCK == 0 {
            return Err(wrong("a dictionary beyond the block"));
        }
        let keys = usize::try_from(self.u64()?).map_err(|_| wrong("too many keys"))?;
        let keys = (0..keys).map(|_| self.string()).collect::<Result<Vec<&str>, Stop>>()?;
        if self.u64()? != rows as u64 {
            return Err(wrong("columns of different lengths"));
        }
        let width = 1_usize << (kind & 0xff).min(3);
        let bytes = self.bytes(rows.saturating_mul(width))?;
        let rows: Vec<u32> = match width {
            1 => bytes.iter().map(|byte| u32::from(*byte)).collect(),
            2 => bytes.as_chunks::<2>().0.iter().map(|two| u32::from(u16::from_le_bytes(*two))).collect(),
            4 => bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four)).collect(),
            _ => return Err(wrong("indices of 64 bits")),
        };
        if rows.iter().max().is_some_and(|most| *most as usize >= keys.len()) {
            return Err(wrong("an index beyond the keys"));
        }
        Ok(Column::Name { keys, rows })
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Stop::Incomplete)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn u64(&mut self) -> Result<u64, Stop> {
        let bytes = self.bytes(8)?;
        bytes.try_into().map(u64::from_le_bytes).map_err(|_| Stop::Incomplete)
    }

    fn varint(&mut self) -> Result<usize, Stop> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = *self.bytes(1)?.first().ok_or(Stop::Incomplete)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return usize::try_from(value)
                    .map_err(|_| Stop::Wrong(BlockError::Damaged("a number too large")));
            }
        }
        Err(Stop::Wrong(BlockError::Damaged("a number too large")))
    }

    fn string(&mut self) -> Result<&'a str, Stop> {
        let length = self.varint()?;
        std::str::from_utf8(self.bytes(length)?)
            .map_err(|_| Stop::Wrong(BlockError::Damaged("a name that is not UTF-8")))
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
        let expected = vec![
            Column::Name { keys: vec!["hv01", "hv02"], rows: vec![1, 0, 1] },
            Column::Number(vec![-1, 0, 7]),
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
        let mut index = whole.clone();
        let at = index.windows(3).position(|three| three == [1, 0, 1]).unwrap();
        *index.get_mut(at).unwrap() = 2;
        let mut blocks = Blocks::default();
        assert_eq!(
            blocks.push::<BlockError>(&index, |_| Ok(())),
            Err(BlockError::Damaged("an index beyond the keys"))
        );
        let mut blocks = Blocks::default();
        let other = b"\x01\x00\x01s\x06String";
        let error = blocks.push::<BlockError>(other, |_| Ok(())).unwrap_err();
        assert_eq!(error, BlockError::Type { name: "s".into(), kind: "String".into() });
    }
}
