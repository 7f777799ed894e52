//! Events in columns of numbers: what is fetched, swept and compared.

#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "columns are built together and have one length; rows are counted in 32 bits, which `Events::push` ensures"
)]

use std::ops::Range;

use crate::chance::{Intervals, OPEN};

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
    pub(crate) longest_ns: i64,
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
    pub(crate) fn rows_of(&self, unit: u32) -> Range<usize> {
        self.begins[unit as usize] as usize..self.begins[unit as usize + 1] as usize
    }

    /// Units are numbered below this.
    pub(crate) fn units(&self) -> u32 {
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

/// An end as it is stored: none is open.
pub fn end_of(end_ns: i64) -> Option<i64> {
    (end_ns != OPEN).then_some(end_ns)
}
