//! What is assessed.

use jiff::tz::TimeZone;

use super::relation::Relation;
use super::windows::{Intervals, Windows};

/// One question, ready to be assessed.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The anchors whose start lies in the range.
    pub anchors: Intervals<'a>,
    /// [`Windows::around`] the partners, those that began before the range included.
    pub windows: &'a Windows,
    /// As given to [`Windows::around`].
    pub relation: Relation,
    /// D, nanoseconds; as given to [`Windows::around`].
    pub within_ns: i64,
    /// Start of the range; not before the first thing that was observed, since a day without
    /// observations would pass for a day without partners.
    pub from_ns: i64,
    /// End of the range, exclusive. One in the future is taken to be the watermark.
    pub to_ns: i64,
    /// Up to here everything has arrived.
    pub watermark_ns: i64,
    /// The zone whose days and times of day the asker means.
    pub time_zone: &'a TimeZone,
    /// How many units (hosts, or 1 for `anywhere`) were observed, those without anchors or
    /// partners included; units are numbered below it.
    pub units: u32,
    /// From [`seed`], so that the same question gives the same figures.
    pub seed: u64,
    /// Whether an event may stand on both sides ("panics within 5 minutes after panics"). Every
    /// anchor would then be near itself, so nothing is tested.
    pub same_events: bool,
}

/// The seed of a question over a range.
pub fn seed(question: &str, from_ns: i64, to_ns: i64) -> u64 {
    let mut bytes = question.as_bytes().to_vec();
    bytes.extend_from_slice(&from_ns.to_le_bytes());
    bytes.extend_from_slice(&to_ns.to_le_bytes());
    xxhash_rust::xxh3::xxh3_64(&bytes)
}
