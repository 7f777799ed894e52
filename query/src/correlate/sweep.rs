//! Which anchors are near which partners: one sweep over both, unit by unit in order of start. Pure.
//! What sweeps over parts of the partners found is merged.
//!
//! Events are closed intervals of whole nanoseconds. `within D after`: `p.start ≤ a.start ≤ p.end + D`. `within D
//! before`: `a.start ≤ p.start ≤ a.end + D`. `within D of`: either. An event is not its own partner. An open end
//! is [`OPEN`](crate::chance::OPEN) and lies after everything.
//!
//! Partners that began before an anchor and still reach it are kept in a list, from which each is dropped once; those
//! that begin later are a run in order of start. The cost is the number of rows plus the number of pairs.

#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "columns are built together and have one length; rows are counted in 32 bits, which `Events::push` ensures"
)]

use std::{cmp::Ordering, ops::Range};

use crate::{chance::Relation, event::Events};

/// A partner by how near it is: the least is nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nearest {
    /// Nanoseconds between the two, 0 where they overlap; then nanoseconds between their starts.
    pub nearness: (i64, i64),
    /// Its start, nanoseconds since the epoch.
    pub start_ns: i64,
    /// What tells it from every other.
    pub id: u64,
}

/// An anchor that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Row of the anchor.
    pub anchor: u32,
    /// How many partners it has.
    pub partners: u32,
    /// The nearest of them.
    pub nearest: Option<Nearest>,
}

/// What a sweep found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Found {
    /// In order of the anchors.
    pub matches: Vec<Hit>,
    /// Whether an anchor stands among the partners as well.
    pub same_events: bool,
}

impl Found {
    /// What two sweeps of the same anchors over different partners found together.
    pub fn merged(self, other: Found) -> Found {
        let same_events = self.same_events || other.same_events;
        let mut matches = Vec::with_capacity(self.matches.len().max(other.matches.len()));
        let (mut left, mut right) =
            (self.matches.into_iter().peekable(), other.matches.into_iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            matches.extend(match a.anchor.cmp(&b.anchor) {
                Ordering::Less => left.next(),
                Ordering::Greater => right.next(),
                Ordering::Equal => left.next().zip(right.next()).map(|(a, b)| Hit {
                    anchor: a.anchor,
                    partners: a.partners.saturating_add(b.partners),
                    nearest: a.nearest.into_iter().chain(b.nearest).min(),
                }),
            });
        }
        matches.extend(left.chain(right));
        Found { matches, same_events }
    }
}

/// Nanoseconds between two events, 0 where they overlap, then nanoseconds between their starts: nearest is least.
pub fn nearness(anchor: (i64, i64), partner: (i64, i64)) -> (i64, i64) {
    let gap = (anchor.0.saturating_sub(partner.1)).max(partner.0.saturating_sub(anchor.1)).max(0);
    (gap, anchor.0.saturating_sub(partner.0).saturating_abs())
}

/// Finds every anchor with a partner.
pub fn sweep(anchors: &Events, partners: &Events, relation: Relation, within_ns: i64) -> Found {
    let mut found = Found::default();
    pairs(anchors, partners, relation, within_ns, |anchor, row| {
        if partners.id[row] == anchors.id[anchor] {
            found.same_events = true;
            return;
        }
        let (start_ns, end_ns) = (partners.start_ns[row], partners.end_ns[row]);
        let span = (anchors.start_ns[anchor], anchors.end_ns[anchor]);
        let partner =
            Nearest { nearness: nearness(span, (start_ns, end_ns)), start_ns, id: partners.id[row] };
        // The pairs of an anchor follow one another.
        match found.matches.last_mut().filter(|last| last.anchor == anchor as u32) {
            Some(last) => {
                last.partners = last.partners.saturating_add(1);
                if last.nearest.is_none_or(|nearest| partner < nearest) {
                    last.nearest = Some(partner);
                }
            }
            None => found.matches.push(Hit { anchor: anchor as u32, partners: 1, nearest: Some(partner) }),
        }
    });
    found
}

/// Calls `visit` with the rows of each anchor and each partner near it, anchor by anchor; an event that stands on both
/// sides is near itself here.
pub fn pairs(
    anchors: &Events,
    partners: &Events,
    relation: Relation,
    within_ns: i64,
    mut visit: impl FnMut(usize, usize),
) {
    for unit in 0..anchors.units().min(partners.units()) {
        let (of_anchors, rows) = (anchors.rows_of(unit), partners.rows_of(unit));
        if of_anchors.is_empty() || rows.is_empty() {
            continue;
        }
        let sweep = UnitSweep { anchors, partners, relation, within_ns: within_ns.max(0), rows };
        sweep.run(sweep.in_reach(of_anchors), &mut visit);
    }
}

struct UnitSweep<'a> {
    anchors: &'a Events,
    partners: &'a Events,
    relation: Relation,
    within_ns: i64,
    rows: Range<usize>,
}

impl UnitSweep<'_> {
    /// Of the unit's anchors those that can be near any of its partners, which may be a few hours of many weeks.
    fn in_reach(&self, anchors: Range<usize>) -> Range<usize> {
        let rows = self.rows.clone();
        let Some(first_ns) = self.partners.start_ns[rows.clone()].first() else { return 0..0 };
        let last_ns = self.partners.end_ns[rows.clone()].iter().max().into_iter();
        // An end before its start is none.
        let last_ns = last_ns.chain(self.partners.start_ns[rows].last()).max().unwrap_or(first_ns);
        let earliest_ns = first_ns.saturating_sub(self.within_ns).saturating_sub(self.anchors.longest_ns);
        let latest_ns = last_ns.saturating_add(self.within_ns);
        let starts = &self.anchors.start_ns[anchors.clone()];
        let from = anchors.start + starts.partition_point(|start_ns| *start_ns < earliest_ns);
        from..anchors.start + starts.partition_point(|start_ns| *start_ns <= latest_ns)
    }

    fn run(&self, anchors: Range<usize>, visit: &mut impl FnMut(usize, usize)) {
        // Partners that began at or before the anchor and reach it.
        let mut reaching: Vec<u32> = Vec::new();
        let mut started = self.rows.start;
        // The first partner that begins at or after the anchor.
        let mut later = self.rows.start;
        for anchor in anchors {
            let (start, end) = (self.anchors.start_ns[anchor], self.anchors.end_ns[anchor]);
            if self.relation != Relation::Before {
                while started < self.rows.end && self.partners.start_ns[started] <= start {
                    reaching.push(started as u32);
                    started += 1;
                }
                reaching.retain(|row| {
                    self.partners.end_ns[*row as usize].saturating_add(self.within_ns) >= start
                });
                reaching.iter().for_each(|row| visit(anchor, *row as usize));
            }
            if self.relation != Relation::After {
                while later < self.rows.end && self.partners.start_ns[later] < start {
                    later += 1;
                }
                let latest = end.saturating_add(self.within_ns);
                let mut row = later;
                while row < self.rows.end && self.partners.start_ns[row] <= latest {
                    // Those that begin with the anchor were among the reaching ones.
                    if self.relation == Relation::Before || self.partners.start_ns[row] > start {
                        visit(anchor, row);
                    }
                    row += 1;
                }
            }
        }
    }
}
