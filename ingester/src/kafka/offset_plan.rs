//! What a partition's writer is going to insert, as it stands in the metadata of the committed offset.
//!
//! ```text
//! metadata = "" | mark | mark SP plan | "lw1" SP end SP attempt SP planned_s SP mode SP hash SP skipped
//! mark = "lw2" SP last SP time_ms
//! last = what the message before the committed offset was: the hash of its batch's identity
//! time_ms = when it came, by its own stamp, milliseconds since 1970
//! plan = end SP attempt SP planned_s SP mode SP hash SP skipped SP renumbered SP read
//! mode = "b" (block) | "s" (every batch by itself)
//! skipped = "-" | ranges of offsets that are not inserted, relative to the committed offset: 3,7-9
//! read = hash of all messages of the range, skipped ones as well: what they were, and when they came
//! renumbered = "-" | ranges of offsets whose batches are stored under an epoch of their own, likewise
//! ```
//!
//! By the mark whoever takes the partition up sees whether the log is still the one that was read. Version 1 had none.
//!
//! It is text, so that any tool that shows a group's offsets shows it. Kafka takes 4,096 bytes of metadata by default;
//! a plan that would not fit is made for a shorter range.

use std::fmt::Write as _;

use lastwords_record::BatchId;
use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

/// Bytes of metadata that a broker takes by default.
pub const METADATA_BYTES_MAX: usize = 4_096;
const MAGIC: &str = "lw2";
const MAGIC_1: &str = "lw1";

/// The last message before an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Hash of its batch's identity.
    pub last: u64,
    /// When it came, by its own stamp, milliseconds since 1970; 0: unknown.
    pub time_ms: i64,
}

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
    /// Offsets whose batches are stored under an epoch of their own, likewise.
    pub renumbered: Vec<(i64, i64)>,
    /// Hash of all messages of the range, skipped ones as well; 0: not known.
    pub read: u64,
}

/// Hash of messages in their order.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ReadHash(u64);

impl ReadHash {
    /// With one more message.
    pub fn add(&mut self, mark: &Mark) {
        let mut hash = Xxh3::new();
        for number in [self.0, mark.last] {
            hash.update(&number.to_le_bytes());
        }
        hash.update(&mark.time_ms.to_le_bytes());
        self.0 = hash.digest();
    }

    /// As a plan has it; never 0.
    pub fn value(self) -> u64 {
        self.0.max(1)
    }
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

    /// Whether an offset's batch is stored under an epoch of its own.
    pub fn renumbers(&self, begin: i64, offset: i64) -> bool {
        let relative = offset - begin;
        self.renumbered.iter().any(|(from, to)| (*from..*to).contains(&relative))
    }

    fn write(&self, text: &mut String) {
        let mode = if self.single { 's' } else { 'b' };
        // Writing to a String cannot fail.
        let _ = write!(text, " {} {} {} {mode} {:016x} ", self.end, self.attempt, self.planned_s, self.hash);
        write_ranges(text, &self.skipped);
        text.push(' ');
        write_ranges(text, &self.renumbered);
        let _ = write!(text, " {:016x}", self.read);
    }
}

/// The metadata of an offset: the message before it, if one is known, and what is planned from it on.
pub fn encode(mark: Option<Mark>, plan: Option<&OffsetPlan>) -> String {
    let mark = match (mark, plan) {
        (None, None) => return String::new(),
        (mark, _) => mark.unwrap_or(Mark { last: 0, time_ms: 0 }),
    };
    let mut text = format!("{MAGIC} {:016x} {}", mark.last, mark.time_ms);
    if let Some(plan) = plan {
        plan.write(&mut text);
    }
    text
}

/// Reads metadata.
///
/// # Errors
/// Where it is something else.
pub fn decode(metadata: &str) -> Result<(Option<Mark>, Option<OffsetPlan>), NoPlan> {
    if metadata.is_empty() {
        return Ok((None, None));
    }
    parse(metadata).ok_or_else(|| NoPlan(metadata.to_owned()))
}

fn write_ranges(text: &mut String, ranges: &[(i64, i64)]) {
    for (number, (from, to)) in ranges.iter().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        let _ = match to - from {
            1 => write!(text, "{comma}{from}"),
            _ => write!(text, "{comma}{from}-{}", to - 1),
        };
    }
    if ranges.is_empty() {
        text.push('-');
    }
}

fn parse(text: &str) -> Option<(Option<Mark>, Option<OffsetPlan>)> {
    let mut fields = text.split(' ').peekable();
    let mark = match fields.next()? {
        MAGIC_1 => None,
        MAGIC => {
            let last = u64::from_str_radix(fields.next()?, 16).ok()?;
            let time_ms = fields.next()?.parse().ok()?;
            Some(Mark { last, time_ms })
        }
        _ => return None,
    };
    if mark.is_some() && fields.peek().is_none() {
        return Some((mark, None));
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
    let skipped = parse_ranges(fields.next()?)?;
    let (mut renumbered, mut read) = (Vec::new(), 0);
    if mark.is_some() {
        renumbered = parse_ranges(fields.next()?)?;
        read = u64::from_str_radix(fields.next()?, 16).ok()?;
    }
    let plan = OffsetPlan { end, attempt, planned_s, single, hash, skipped, renumbered, read };
    // Nothing is known of a message where the numbers are none.
    let mark = mark.filter(|mark| *mark != Mark { last: 0, time_ms: 0 });
    fields.next().is_none().then_some((mark, Some(plan)))
}

fn parse_ranges(text: &str) -> Option<Vec<(i64, i64)>> {
    match text {
        "-" => Some(Vec::new()),
        ranges => ranges.split(',').map(range).collect(),
    }
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
            renumbered in prop::collection::btree_set(0..500_i64, 0..6),
            mark in prop::option::of((1_u64.., 0_i64..)),
            attempt: u32, planned_s: u32, single: bool, hash: u64, read: u64, planned: bool,
        ) {
            let relative = |offsets: std::collections::BTreeSet<i64>| ranges(begin, offsets.into_iter().map(|at| begin + at));
            let (skipped, renumbered) = (relative(skipped), relative(renumbered));
            let plan = OffsetPlan { end: begin + 500, attempt, planned_s, single, hash, skipped, renumbered, read };
            let (plan, mark) = (planned.then_some(plan), mark.map(|(last, time_ms)| Mark { last, time_ms }));
            prop_assert_eq!(decode(&encode(mark, plan.as_ref())), Ok((mark, plan)));
        }

        #[test]
        fn other_metadata_is_an_error_and_no_panic(text in ".{1,80}") {
            prop_assert_eq!(decode(&text), Err(NoPlan(text)));
        }
    }

    #[test]
    fn skipped_offsets_are_not_kept() {
        let skipped = ranges(10, [11, 12, 15].into_iter());
        let renumbered = ranges(10, [13].into_iter());
        let plan = OffsetPlan {
            end: 17,
            attempt: 0,
            planned_s: 0,
            single: false,
            hash: 0,
            skipped,
            renumbered,
            read: 5,
        };
        let kept: Vec<i64> = (10..20).filter(|offset| plan.keeps(10, *offset)).collect();
        assert_eq!(kept, [10, 13, 14, 16]);
        let own: Vec<i64> = kept.into_iter().filter(|offset| plan.renumbers(10, *offset)).collect();
        assert_eq!(own, [13]);
        let mark = Mark { last: 7, time_ms: 9 };
        assert_eq!(
            encode(Some(mark), Some(&plan)),
            "lw2 0000000000000007 9 17 0 0 b 0000000000000000 1-2,5 3 0000000000000005"
        );
        assert_eq!(
            (encode(Some(mark), None), encode(None, None)),
            ("lw2 0000000000000007 9".to_owned(), String::new())
        );
    }

    #[test]
    fn a_plan_of_version_1_is_taken_up() {
        let plan = OffsetPlan {
            end: 17,
            attempt: 2,
            planned_s: 5,
            single: true,
            hash: 0xff,
            skipped: vec![(1, 3), (5, 6)],
            renumbered: Vec::new(),
            read: 0,
        };
        assert_eq!(decode("lw1 17 2 5 s 00000000000000ff 1-2,5"), Ok((None, Some(plan))));
    }

    #[test]
    fn a_broken_range_is_no_plan() {
        for ranges in ["5-3", "-1", "", "1,", "9223372036854775807"] {
            for text in [format!("lw1 9 0 0 b 0 {ranges}"), format!("lw2 1 1 9 0 0 b 0 - {ranges} 1")] {
                assert!(decode(&text).is_err(), "{text}");
            }
        }
    }
}
