//! A batch as columns in memory.

use bytes::Bytes;

use super::Header;
use crate::{Origin, Placement, Sample, ShipperEvent, TimeBasis};

/// An open batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// What an ingester knows of it.
    pub header: Header,
    /// Strings that records refer to; index 0 is the empty string.
    pub dictionary: Vec<String>,
    /// Log records.
    pub records: Records,
    /// Numeric readings.
    pub samples: Vec<Sample>,
    /// Events that the shipper recognised.
    pub events: Vec<ShipperEvent>,
    /// Which host ran which guest.
    pub placements: Vec<Placement>,
}

/// Columns of equal length, one value a record. `severity`, `program`, `time_basis` and `attribute_end` are empty
/// where every value would be 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records {
    /// Where records come from.
    pub origins: Vec<Origin>,
    /// Index into `origins`.
    pub origin: Vec<u32>,
    /// The records' own times, UTC nanoseconds.
    pub time_ns: Vec<i64>,
    /// When they were read, UTC nanoseconds.
    pub observed_ns: Vec<i64>,
    /// Where each body ends in `text`; it begins where the one before ends.
    pub text_end: Vec<u32>,
    /// All bodies.
    pub text: Bytes,
    /// OpenTelemetry severity numbers.
    pub severity: Vec<u8>,
    /// Index into the dictionary.
    pub program: Vec<u32>,
    /// See [`TimeBasis`].
    pub time_basis: Vec<u8>,
    /// Where each record's attributes end in `attribute_key` and `attribute_value`.
    pub attribute_end: Vec<u32>,
    /// Index into the dictionary.
    pub attribute_key: Vec<u32>,
    /// Index into the dictionary.
    pub attribute_value: Vec<u32>,
}

impl Records {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.origin.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.origin.is_empty()
    }

    /// A record's body; empty where there is no such record.
    pub fn body(&self, row: usize) -> &[u8] {
        self.text.get(range(&self.text_end, row)).unwrap_or_default()
    }

    /// How a record's time was found.
    pub fn time_basis(&self, row: usize) -> TimeBasis {
        self.time_basis.get(row).map_or(TimeBasis::Observed, |byte| TimeBasis::from_byte(*byte))
    }

    /// A record's attributes, by the batch's dictionary.
    pub fn attributes<'a>(
        &'a self,
        row: usize,
        dictionary: &'a [String],
    ) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        let word = |index: &u32| dictionary.get(*index as usize).map_or("", String::as_str);
        let range = range(&self.attribute_end, row);
        let keys = self.attribute_key.get(range.clone()).unwrap_or_default();
        let values = self.attribute_value.get(range).unwrap_or_default();
        keys.iter().zip(values).map(move |(key, value)| (word(key), word(value)))
    }
}

fn range(ends: &[u32], row: usize) -> std::ops::Range<usize> {
    let end = |row: usize| ends.get(row).map_or(0, |end| *end as usize);
    let start = row.checked_sub(1).map_or(0, end);
    start..end(row).max(start)
}
