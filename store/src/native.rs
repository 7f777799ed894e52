//! Blocks of ClickHouse's `Native` format, in both directions.
//!
//! A block is the number of columns and of rows (varints), then for each column its name, its type and its data, each
//! string with its length in front. What is written and read here is protocol revision 0, which HTTP speaks unless a
//! client states another ([`Rewriter`]): a column is
//! its values one after the other, little-endian. `LowCardinality` carries a dictionary per block, and `Map` is its
//! offsets, its keys and its values (facts from ClickHouse's format reference).

mod columns;
mod layout;
pub mod read;
mod revision;
mod write;

pub use columns::{Fixed, LowCardinality, Map, NullableI64, Strings};
pub(crate) use revision::Rewriter;
pub use write::{BlockWriter, Column, NativeBlock, put_string, put_varint};

#[cfg(test)]
mod tests;
