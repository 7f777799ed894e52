//! Which anchors are near which partners: one sweep over both, unit by unit in order of start. Pure.
//! What sweeps over parts of the partners found is merged.
//!
//! Events are closed intervals of whole nanoseconds. `within D after`: `p.start ≤ a.start ≤ p.end + D`. `within D
//! before`: `a.start ≤ p.start ≤ a.end + D`. `within D of`: either. An event is not its own partner. An open end
//! is [`OPEN`] and lies after everything.
//!
//! Partners that began before an anchor and still reach it are kept in a list, from which each is dropped once; those
//! that begin later are a run in order of start. The cost is the number of rows plus the number of pairs.

#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "columns are built together and have one length; rows are counted in 32 bits, which `Events::push` ensures"
)]

use std::{cmp::Ordering, ops::Range};

use crate::chance::{Intervals, OPEN, Relation};

/// Events in columns, sorted by unit and start.
#[derive(Debug, Default, Clone)]
pub struct Events {
    /// The unit on which the question compares: a host, a guest, or 0 for everything.
    pub unit: Vec<u32>,
    /// Starts, nanoseconds since the epoch.
    pub start_ns: Vec<i64>,
    /// Ends; [`OPEN`] where there is none yet.
    pub end_ns: Vec<i64>,
    /// What tells an event from every other.
    pub id: Vec<u64>,
    /// Numbers that belong to the event: its host, its guest ([`NO_GUEST`] for none) and the key that it is counted by.
    pub host: Vec<u32>,
    /// See `host`.
    pub guest: Vec<u32>,
    /// See `host`.
    pub key: Vec<u32>,
    /// The first row of each unit, and after the last unit their number.
    begins: Vec<u32>,
    /// How long the longest lasts, nanoseconds.
    longest_ns: i64,
}

/// The guest of what happened to a host itself.
pub const NO_GUEST: u32 = u32::MAX;

/// One event, before it is sorted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// See [`Events::unit`].
    pub unit: u32,
    /// See [`Events::host`].
    pub host: u32,
    /// See [`Events::host`].
    pub guest: u32,
    /// See [`Events::key`].
    pub key: u32,
    /// See [`Events::start_ns`].
    pub start_ns: i64,
    /// See [`Events::end_ns`].
    pub end_ns: i64,
    /// See [`Events::id`].
    pub id: u64,
}

impl Events {
    /// Memory of one, bytes.
    pub const ROW_BYTES: usize = 4 * size_of::<u32>() + 3 * size_of::<i64>();

    /// Sorts rows by unit, start and id: by counting over units, of which there are few, then within each.
    pub fn sorted(mut rows: Vec<Row>, units: u32) -> Events {
        rows.truncate(u32::MAX as usize);
        let mut begins = vec![0_u32; units as usize + 1];
        for row in &rows {
            begins[row.unit as usize + 1] += 1;
        }
        for unit in 0..units as usize {
            begins[unit + 1] += begins[unit];
        }
        let mut next = begins.clone();
        let mut order = vec![0_u32; rows.len()];
        for (at, row) in rows.iter().enumerate() {
            order[next[row.unit as usize] as usize] = at as u32;
            next[row.unit as usize] += 1;
        }
        let mut events = Events::with_capacity(rows.len());
        events.begins = begins;
        let mut of_unit: Vec<Row> = Vec::new();
        for unit in 0..units {
            of_unit.clear();
            of_unit.extend(order[events.rows_of(unit)].iter().map(|at| rows[*at as usize]));
            // They mostly come as a few sorted runs, which this sort merges.
            of_unit.sort_by_key(|row| (row.start_ns, row.id));
            of_unit.iter().for_each(|row| events.push(row));
        }
        events
    }

    fn with_capacity(rows: usize) -> Events {
        Events {
            unit: Vec::with_capacity(rows),
            start_ns: Vec::with_capacity(rows),
            end_ns: Vec::with_capacity(rows),
            id: Vec::with_capacity(rows),
            host: Vec::with_capacity(rows),
            guest: Vec::with_capacity(rows),
            key: Vec::with_capacity(rows),
            begins: Vec::new(),
            longest_ns: 0,
        }
    }

    fn push(&mut self, row: &Row) {
        self.unit.push(row.unit);
        self.start_ns.push(row.start_ns);
        self.end_ns.push(row.end_ns);
        self.id.push(row.id);
        self.host.push(row.host);
        self.guest.push(row.guest);
        self.key.push(row.key);
        self.longest_ns = self.longest_ns.max(row.end_ns.saturating_sub(row.start_ns));
    }

    /// The rows of a unit.
    fn rows_of(&self, unit: u32) -> Range<usize> {
        self.begins[unit as usize] as usize..self.begins[unit as usize + 1] as usize
    }

    /// Units are numbered below this.
    fn units(&self) -> u32 {
        self.begins.len().saturating_sub(1) as u32
    }

    /// A row again.
    pub fn row(&self, at: usize) -> Row {
        Row {
            unit: self.unit[at],
            host: self.host[at],
            guest: self.guest[at],
            key: self.key[at],
            start_ns: self.start_ns[at],
            end_ns: self.end_ns[at],
            id: self.id[at],
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.unit.len()
    }

    /// Memory of them, bytes.
    pub fn bytes(&self) -> usize {
        self.len() * Events::ROW_BYTES
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.unit.is_empty()
    }

    /// As the statistics take them.
    pub fn intervals(&self) -> Intervals<'_> {
        Intervals { unit: &self.unit, start_ns: &self.start_ns, end_ns: &self.end_ns }
    }
}

/// A partner by how near it is: the least is nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Partner {
    /// Nanoseconds between the two, 0 where they overlap; then nanoseconds between their starts.
    pub nearness: (i64, i64),
    /// Its start, nanoseconds since the epoch.
    pub start_ns: i64,
    /// What tells it from every other.
    pub id: u64,
}

/// An anchor that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Row of the anchor.
    pub anchor: u32,
    /// How many partners it has.
    pub partners: u32,
    /// The nearest of them.
    pub nearest: Option<Partner>,
}

/// What a sweep found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Found {
    /// In order of the anchors.
    pub matches: Vec<Match>,
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
                Ordering::Equal => left.next().zip(right.next()).map(|(a, b)| Match {
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
            Partner { nearness: nearness(span, (start_ns, end_ns)), start_ns, id: partners.id[row] };
        // The pairs of an anchor follow one another.
        match found.matches.last_mut().filter(|last| last.anchor == anchor as u32) {
            Some(last) => {
                last.partners = last.partners.saturating_add(1);
                if last.nearest.is_none_or(|nearest| partner < nearest) {
                    last.nearest = Some(partner);
                }
            }
            None => found.matches.push(Match { anchor: anchor as u32, partners: 1, nearest: Some(partner) }),
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
        let mut begun = self.rows.start;
        // The first partner that begins at or after the anchor.
        let mut later = self.rows.start;
        for anchor in anchors {
            let (start, end) = (self.anchors.start_ns[anchor], self.anchors.end_ns[anchor]);
            if self.relation != Relation::Before {
                while begun < self.rows.end && self.partners.start_ns[begun] <= start {
                    reaching.push(begun as u32);
                    begun += 1;
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

/// An end as it is stored: none is open.
pub fn end_of(end_ns: i64) -> Option<i64> {
    (end_ns != OPEN).then_some(end_ns)
}
