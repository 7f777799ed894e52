//! Anchors in order of unit and time, and which of them begin an episode.
//!
//! The consequences of one crash would "precede" the next crash, so only the first anchor of each
//! episode is tested: an anchor within 2·D of the one before on its unit is left out.

#![allow(
    clippy::indexing_slicing,
    reason = "all columns of `Probes` have one length and `begins` ends with it"
)]

use super::input::Input;
use super::relation::Relation;

/// Anchors reduced to what is tested: an instant, and for what looks ahead a length after it.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// First row of each unit; units + 1 entries.
    pub begins: Vec<usize>,
    pub unit: Vec<u32>,
    pub time_ns: Vec<i64>,
    pub length_ns: Vec<i64>,
    /// Whether the anchor begins an episode.
    pub head: Vec<bool>,
    /// Anchors left out because a partner may still come.
    pub undecided: u64,
}

impl Probes {
    pub(super) fn new(input: &Input<'_>) -> Probes {
        let mut undecided = 0;
        let mut rows = Vec::with_capacity(input.anchors.len());
        for row in 0..input.anchors.len() {
            let (unit, start, end) = input.anchors.closed(row, input.watermark_ns);
            let (time, length) = match input.relation {
                Relation::After => (start, 0),
                Relation::Before | Relation::Of => (start, end.saturating_sub(start)),
            };
            if input.relation.is_undecided(end, input.within_ns, input.watermark_ns) {
                undecided += 1;
            } else if unit < input.units {
                rows.push((unit, time, length));
            }
        }
        if !rows.is_sorted() {
            rows.sort_unstable();
        }

        let mut probes = Probes { undecided, ..Probes::default() };
        probes.begins.push(0);
        let gap = input.within_ns.saturating_mul(2);
        let mut last: Option<(u32, i64)> = None;
        for (unit, time, length) in rows {
            while probes.begins.len() <= unit as usize {
                probes.begins.push(probes.unit.len());
                last = None;
            }
            let end = time.saturating_add(length);
            let before = last.filter(|&(last_unit, _)| last_unit == unit).map(|(_, end)| end);
            probes.unit.push(unit);
            probes.time_ns.push(time);
            probes.length_ns.push(length);
            probes.head.push(before.is_none_or(|before| time.saturating_sub(before) > gap));
            last = Some((unit, before.map_or(end, |before| before.max(end))));
        }
        while probes.begins.len() <= input.units as usize {
            probes.begins.push(probes.unit.len());
        }
        probes
    }

    pub(super) fn len(&self) -> usize {
        self.unit.len()
    }

    /// The units that have anchors, with their rows.
    pub(super) fn by_unit(&self) -> impl Iterator<Item = (u32, std::ops::Range<usize>)> {
        let rows = self.begins.windows(2).map(|pair| pair[0]..pair[1]);
        (0_u32..).zip(rows).filter(|(_, rows)| !rows.is_empty())
    }
}
