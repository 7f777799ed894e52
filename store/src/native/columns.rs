//! The kinds of columns that the tables have. Each keeps its encoded bytes ready, so that nothing is allocated per row.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use bytes::{BufMut, BytesMut};

use super::write::{Column, put_varint};

/// A number of fixed width.
pub trait Number: Copy {
    /// Appends it, little-endian.
    fn put(self, out: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($type:ty),*) => { $(impl Number for $type {
        fn put(self, out: &mut Vec<u8>) { out.extend_from_slice(&self.to_le_bytes()); }
    })* };
}
numbers!(u8, u16, u32, u64, i64, f64);

impl Number for [u8; 16] {
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self);
    }
}

/// Values of fixed width: integers, floats, `DateTime`, `DateTime64`, `FixedString(16)`.
#[derive(Debug)]
pub struct Fixed<T> {
    type_name: &'static str,
    bytes: Vec<u8>,
    kind: std::marker::PhantomData<T>,
}

impl<T: Number> Fixed<T> {
    /// An empty column of the type, which has to be as wide as `T`.
    pub fn new(type_name: &'static str) -> Self {
        Fixed { type_name, bytes: Vec::new(), kind: std::marker::PhantomData }
    }

    /// Adds a value.
    #[inline]
    pub fn push(&mut self, value: T) {
        value.put(&mut self.bytes);
    }
}

impl<T> Column for Fixed<T> {
    fn type_name(&self) -> &str {
        self.type_name
    }
    fn put(&self, out: &mut BytesMut) {
        out.put_slice(&self.bytes);
    }
}

/// `String`.
#[derive(Debug, Default)]
pub struct Strings {
    bytes: Vec<u8>,
}

impl Strings {
    /// Adds a value.
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        put_varint(&mut self.bytes, value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// Size of the values so far.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl Column for Strings {
    fn type_name(&self) -> &str {
        "String"
    }
    fn put(&self, out: &mut BytesMut) {
        out.put_slice(&self.bytes);
    }
}

/// `LowCardinality(String)`: each different string once, and an index per row.
#[derive(Debug, Default)]
pub struct LowCardinality {
    places: HashMap<Box<str>, u32, BuildHasherDefault<Fnv>>,
    dictionary: Vec<u8>,
    indices: Vec<u32>,
    last: String,
    last_index: Option<u32>,
}

impl LowCardinality {
    /// Adds a value. Runs of equal values are cheapest.
    #[inline]
    pub fn push(&mut self, value: &str) {
        let index = match self.last_index {
            // Most values are empty or those of the row before: no call for what the lengths already say.
            Some(index) if self.last.len() == value.len() && (value.is_empty() || self.last == value) => {
                index
            }
            _ => self.place(value),
        };
        self.indices.push(index);
    }

    fn place(&mut self, value: &str) -> u32 {
        let index = match self.places.get(value) {
            Some(index) => *index,
            None => {
                // A block has fewer rows than u32 has values: BATCH_RECORDS_MAX bounds what one block is made of.
                let index = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
                self.places.insert(value.into(), index);
                put_varint(&mut self.dictionary, value.len() as u64);
                self.dictionary.extend_from_slice(value.as_bytes());
                index
            }
        };
        self.last.clear();
        self.last.push_str(value);
        self.last_index = Some(index);
        index
    }
}

impl Column for LowCardinality {
    fn type_name(&self) -> &str {
        "LowCardinality(String)"
    }
    fn put_prefix(&self, out: &mut BytesMut) {
        // Version 1: dictionaries travel with the blocks.
        out.put_u64_le(1);
    }
    fn put(&self, out: &mut BytesMut) {
        if self.indices.is_empty() {
            return;
        }
        const OWN_KEYS: u64 = 1 << 9;
        let width = match self.places.len() {
            0..=0x100 => 0u64,
            0x101..=0x1_0000 => 1,
            _ => 2,
        };
        out.put_u64_le(OWN_KEYS | width);
        out.put_u64_le(self.places.len() as u64);
        out.put_slice(&self.dictionary);
        out.put_u64_le(self.indices.len() as u64);
        #[expect(clippy::cast_possible_truncation, reason = "the width was chosen by the largest index")]
        match width {
            0 => out.extend(self.indices.iter().map(|index| *index as u8)),
            1 => self.indices.iter().for_each(|index| out.put_u16_le(*index as u16)),
            _ => self.indices.iter().for_each(|index| out.put_u32_le(*index)),
        }
    }
}

/// `Map(LowCardinality(String), String)`.
#[derive(Debug, Default)]
pub struct Map {
    offsets: Vec<u8>,
    entries: u64,
    keys: LowCardinality,
    values: Strings,
}

impl Map {
    /// Adds a row's entries.
    #[inline]
    pub fn push<K: AsRef<str>, V: AsRef<str>>(&mut self, entries: impl Iterator<Item = (K, V)>) {
        for (key, value) in entries {
            self.keys.push(key.as_ref());
            self.values.push(value.as_ref().as_bytes());
            self.entries += 1;
        }
        self.offsets.extend_from_slice(&self.entries.to_le_bytes());
    }
}

impl Column for Map {
    fn type_name(&self) -> &str {
        "Map(LowCardinality(String), String)"
    }
    fn put_prefix(&self, out: &mut BytesMut) {
        self.keys.put_prefix(out);
    }
    fn put(&self, out: &mut BytesMut) {
        out.put_slice(&self.offsets);
        self.keys.put(out);
        self.values.put(out);
    }
}

/// A nullable 64-bit number: one byte per row that says whether it is missing, then the values.
#[derive(Debug)]
pub struct NullableI64 {
    type_name: &'static str,
    missing: Vec<u8>,
    values: Vec<u8>,
}

impl NullableI64 {
    /// An empty column of the type, `Nullable(…)` of something 64 bits wide.
    pub fn new(type_name: &'static str) -> Self {
        NullableI64 { type_name, missing: Vec::new(), values: Vec::new() }
    }

    /// Adds a value.
    pub fn push(&mut self, value: Option<i64>) {
        self.missing.push(u8::from(value.is_none()));
        self.values.extend_from_slice(&value.unwrap_or(0).to_le_bytes());
    }
}

impl Column for NullableI64 {
    fn type_name(&self) -> &str {
        self.type_name
    }
    fn put(&self, out: &mut BytesMut) {
        out.put_slice(&self.missing);
        out.put_slice(&self.values);
    }
}

/// FNV-1a: the strings are short and the attacker who could choose them to collide only slows down his own block.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
