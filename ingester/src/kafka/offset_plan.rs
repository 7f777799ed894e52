//! What a partition's writer is going to insert, as it stands in the metadata of the committed offset.
//!
//! ```text
//! plan = "lw1" SP end SP attempt SP planned_s SP mode SP hash SP skipped
//! mode = "b" (block) | "s" (every batch by itself)
//! skipped = "-" | ranges of offsets that are not inserted, relative to the committed offset: 3,7-9
//! ```
//!
//! It is text, so that any tool that shows a group's offsets shows it. Kafka takes 4,096 bytes of metadata by default;
//! a plan that would not fit is made for a shorter range.

use std::fmt::Write as _;

use lastwords_record::BatchId;
use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

/// Bytes of metadata that a broker takes by default.
pub const METADATA_BYTES_MAX: usize = 4_096;
const MAGIC: &str = "lw1";

/// What is going to be inserted from the committed offset on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OffsetPlan {
    /// The offset after the last one.
    pub end: i64,
    /// Number of the attempt, from 0.
    pub attempt: u32,
    /// The store's clock when the attempt was planned, seconds.
    pub planned_s: u32,
    /// Every batch by itself, because the store refused a block.
    pub single: bool,
    /// Hash of the kept batches' identities, in order.
    pub hash: u64,
    /// Offsets that are skipped, as half-open ranges relative to the committed offset.
    pub skipped: Vec<(i64, i64)>,
}

/// Metadata that is no plan of this version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the committed offset's metadata {0:?} is no plan that this version knows: was another program in this group?"
)]
pub struct NoPlan(pub String);

impl OffsetPlan {
    /// Whether an offset's batch is inserted; `begin` is the committed offset.
    pub fn keeps(&self, begin: i64, offset: i64) -> bool {
        let relative = offset - begin;
        offset < self.end && !self.skipped.iter().any(|(from, to)| (*from..*to).contains(&relative))
    }

    /// As metadata.
    pub fn encode(&self) -> String {
        let mode = if self.single { 's' } else { 'b' };
        let mut text =
            format!("{MAGIC} {} {} {} {mode} {:016x} ", self.end, self.attempt, self.planned_s, self.hash);
        for (number, (from, to)) in self.skipped.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            // Writing to a String cannot fail.
            let _ = match to - from {
                1 => write!(text, "{comma}{from}"),
                _ => write!(text, "{comma}{from}-{}", to - 1),
            };
        }
        if self.skipped.is_empty() {
            text.push('-');
        }
        text
    }

    /// Reads metadata; none where it is empty.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn decode(metadata: &str) -> Result<Option<OffsetPlan>, NoPlan> {
        if metadata.is_empty() {
            return Ok(None);
        }
        parse(metadata).map(Some).ok_or_else(|| NoPlan(metadata.to_owned()))
    }
}

fn parse(text: &str) -> Option<OffsetPlan> {
    let mut fields = text.split(' ');
    if fields.next()? != MAGIC {
        return None;
    }
    let end = fields.next()?.parse().ok()?;
    let attempt = fields.next()?.parse().ok()?;
    let planned_s = fields.next()?.parse().ok()?;
    let single = match fields.next()? {
        "b" => false,
        "s" => true,
        _ => return None,
    };
    let hash = u64::from_str_radix(fields.next()?, 16).ok()?;
    let skipped = match fields.next()? {
        "-" => Vec::new(),
        ranges => ranges.split(',').map(range).collect::<Option<_>>()?,
    };
    fields.next().is_none().then_some(OffsetPlan { end, attempt, planned_s, single, hash, skipped })
}

fn range(text: &str) -> Option<(i64, i64)> {
    let (from, last) = match text.split_once('-') {
        Some((from, last)) => (from.parse().ok()?, last.parse::<i64>().ok()?),
        None => (text.parse().ok()?, text.parse().ok()?),
    };
    (0 <= from && from <= last).then_some((from, last.checked_add(1)?))
}

/// Hash of identities in order, so that a plan is known to be formed of the batches it was made for.
pub fn identities_hash<'a>(ids: impl Iterator<Item = &'a BatchId>) -> u64 {
    let mut hash = Xxh3::new();
    for id in ids {
        hash.update(&id.shipper.0);
        hash.update(&id.epoch.to_le_bytes());
        hash.update(&id.sequence.to_le_bytes());
    }
    hash.digest()
}

/// Offsets as ranges relative to `begin`; they rise.
pub fn ranges(begin: i64, offsets: impl Iterator<Item = i64>) -> Vec<(i64, i64)> {
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for offset in offsets {
        let relative = offset - begin;
        match ranges.last_mut() {
            Some((_, to)) if *to == relative => *to += 1,
            _ => ranges.push((relative, relative + 1)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            begin in 0..1_000_000_i64,
            skipped in prop::collection::btree_set(0..500_i64, 0..60),
            attempt: u32, planned_s: u32, single: bool, hash: u64,
        ) {
            let skipped = ranges(begin, skipped.into_iter().map(|at| begin + at));
            let plan = OffsetPlan { end: begin + 500, attempt, planned_s, single, hash, skipped };
            prop_assert_eq!(OffsetPlan::decode(&plan.encode()), Ok(Some(plan)));
        }

        #[test]
        fn other_metadata_is_an_error_and_no_panic(text in ".{1,80}") {
            prop_assert_eq!(OffsetPlan::decode(&text), Err(NoPlan(text)));
        }
    }

    #[test]
    fn skipped_offsets_are_not_kept() {
        let skipped = ranges(10, [11, 12, 15].into_iter());
        let plan = OffsetPlan { end: 17, attempt: 0, planned_s: 0, single: false, hash: 0, skipped };
        let kept: Vec<i64> = (10..20).filter(|offset| plan.keeps(10, *offset)).collect();
        assert_eq!(kept, [10, 13, 14, 16]);
        assert_eq!(plan.encode(), "lw1 17 0 0 b 0000000000000000 1-2,5");
    }

    #[test]
    fn a_broken_range_is_no_plan() {
        for ranges in ["5-3", "-1", "", "1,", "9223372036854775807"] {
            let text = format!("lw1 9 0 0 b 0 {ranges}");
            assert!(OffsetPlan::decode(&text).is_err(), "{text}");
        }
    }
}
