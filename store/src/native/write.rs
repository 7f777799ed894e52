//! Columns become a block.

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
    rows: usize,
    columns_left: usize,
}

impl BlockWriter {
    /// Begins a block of so many columns and rows; `capacity` is the expected size in bytes.
    pub fn new(columns: usize, rows: usize, capacity: usize) -> Self {
        let mut bytes = BytesMut::with_capacity(capacity);
        put_varint(&mut bytes, columns as u64);
        put_varint(&mut bytes, rows as u64);
        BlockWriter { bytes, rows, columns_left: columns }
    }

    /// Adds a column.
    pub fn column(&mut self, name: &str, data: &impl Column) {
        debug_assert!(self.columns_left > 0, "more columns than announced");
        self.columns_left = self.columns_left.saturating_sub(1);
        put_string(&mut self.bytes, name.as_bytes());
        put_string(&mut self.bytes, data.type_name().as_bytes());
        // No rows are no bytes, whatever the type.
        if self.rows > 0 {
            data.put_prefix(&mut self.bytes);
            data.put(&mut self.bytes);
        }
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
pub fn put_string(out: &mut impl BufMut, value: &[u8]) {
    put_varint(out, value.len() as u64);
    out.put_slice(value);
}
