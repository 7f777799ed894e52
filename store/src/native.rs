//! Columns encoded as a block of ClickHouse's `Native` format.
//!
//! A block is the number of columns and of rows (varints), then for each column its name, its type and its data, each
//! string with its length in front. What this module writes is protocol revision 0, which HTTP speaks: a column is its
//! values one after the other, little-endian. `LowCardinality` carries a dictionary per block, and `Map` is its
//! offsets, its keys and its values (facts from ClickHouse's format reference).

mod columns;
pub mod read;

pub use columns::{Fixed, LowCardinality, Map, NullableI64, Strings};

use bytes::{BufMut, Bytes, BytesMut};

/// A finished block of one table: bytes in the `Native` format and the columns they fill.
#[derive(Debug, Clone)]
pub struct NativeBlock {
    /// The block's bytes.
    pub bytes: Bytes,
    /// Names of the columns that the block has; the table's others take their defaults.
    pub columns: &'static [&'static str],
    /// Rows in the block.
    pub rows: usize,
}

/// Writes the columns of one block in their order.
#[derive(Debug)]
pub struct BlockWriter {
    bytes: BytesMut,
    columns_left: usize,
}

impl BlockWriter {
    /// Begins a block of so many columns and rows; `capacity` is the expected size in bytes.
    pub fn new(columns: usize, rows: usize, capacity: usize) -> Self {
        let mut bytes = BytesMut::with_capacity(capacity);
        put_varint(&mut bytes, columns as u64);
        put_varint(&mut bytes, rows as u64);
        BlockWriter { bytes, columns_left: columns }
    }

    /// Adds a column.
    pub fn column(&mut self, name: &str, data: &impl Column) {
        debug_assert!(self.columns_left > 0, "more columns than announced");
        self.columns_left = self.columns_left.saturating_sub(1);
        put_string(&mut self.bytes, name.as_bytes());
        put_string(&mut self.bytes, data.type_name().as_bytes());
        data.put_prefix(&mut self.bytes);
        data.put(&mut self.bytes);
    }

    /// The block's bytes.
    pub fn finish(self) -> Bytes {
        debug_assert_eq!(self.columns_left, 0, "fewer columns than announced");
        self.bytes.freeze()
    }
}

/// Values of one column.
pub trait Column {
    /// The column's type in ClickHouse's words.
    fn type_name(&self) -> &str;
    /// What stands before the data of this column (only dictionaries have something).
    fn put_prefix(&self, _out: &mut BytesMut) {}
    /// The data.
    fn put(&self, out: &mut BytesMut);
}

/// Appends a number, seven bits a byte, the lowest first.
pub fn put_varint(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8((value & 0x7f) as u8);
}

/// Appends a string with its length in front.
pub fn put_string(out: &mut BytesMut, value: &[u8]) {
    put_varint(out, value.len() as u64);
    out.put_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut BlockWriter), columns: usize, rows: usize, expected: &[u8]) {
        let mut writer = BlockWriter::new(columns, rows, 64);
        write(&mut writer);
        assert_eq!(writer.finish().as_ref(), expected);
    }

    #[test]
    fn numbers_are_little_endian_after_name_and_type() {
        let mut column = Fixed::<u16>::new("UInt16");
        column.push(0x0102);
        column.push(3);
        check(|w| w.column("n", &column), 1, 2, b"\x01\x02\x01n\x06UInt16\x02\x01\x03\x00");
    }

    #[test]
    fn strings_carry_their_length_as_a_varint() {
        let mut column = Strings::default();
        column.push(b"ab");
        column.push(&[b'x'; 200]);
        let mut expected = b"\x01\x02\x01s\x06String\x02ab\xc8\x01".to_vec();
        expected.extend_from_slice(&[b'x'; 200]);
        check(|w| w.column("s", &column), 1, 2, &expected);
    }

    #[test]
    fn a_dictionary_column_names_each_string_once() {
        let mut column = LowCardinality::default();
        for value in ["a", "b", "a"] {
            column.push(value);
        }
        let mut expected = b"\x01\x03\x01d\x16LowCardinality(String)".to_vec();
        expected.extend_from_slice(&1u64.to_le_bytes()); // version
        expected.extend_from_slice(&(1u64 << 9).to_le_bytes()); // own keys, one-byte indices
        expected.extend_from_slice(&2u64.to_le_bytes());
        expected.extend_from_slice(b"\x01a\x01b");
        expected.extend_from_slice(&3u64.to_le_bytes());
        expected.extend_from_slice(&[0, 1, 0]);
        check(|w| w.column("d", &column), 1, 3, &expected);
    }

    #[test]
    fn an_empty_dictionary_column_is_its_version_alone() {
        let column = LowCardinality::default();
        let mut expected = b"\x01\x00\x01d\x16LowCardinality(String)".to_vec();
        expected.extend_from_slice(&1u64.to_le_bytes());
        check(|w| w.column("d", &column), 1, 0, &expected);
    }

    #[test]
    fn a_map_is_its_offsets_keys_and_values() {
        let mut column = Map::default();
        column.push([("k", "v")].into_iter());
        column.push(std::iter::empty::<(&str, &str)>());
        let mut expected = b"\x01\x02\x01m".to_vec();
        expected.push(35);
        expected.extend_from_slice(b"Map(LowCardinality(String), String)");
        expected.extend_from_slice(&1u64.to_le_bytes()); // version of the keys' dictionary
        expected.extend_from_slice(&1u64.to_le_bytes());
        expected.extend_from_slice(&1u64.to_le_bytes());
        expected.extend_from_slice(&(1u64 << 9).to_le_bytes());
        expected.extend_from_slice(&1u64.to_le_bytes());
        expected.extend_from_slice(b"\x01k");
        expected.extend_from_slice(&1u64.to_le_bytes());
        expected.push(0);
        expected.extend_from_slice(b"\x01v");
        check(|w| w.column("m", &column), 1, 2, &expected);
    }
}
