//! Which instants of each unit count as near a partner.
//!
//! A window is a closed interval `[start, end]` of whole nanoseconds. The windows of a unit are
//! kept as their union: disjoint, in rising order, so that one pointer that only moves forward
//! decides membership for anchors in time order.

#![allow(
    clippy::indexing_slicing,
    reason = "columns are cut to one length on entry, and `begins` has units + 1 entries, the last of which is their length"
)]

use super::relation::Relation;

/// The end of an interval that had not ended when the data were read.
pub const OPEN: i64 = i64::MAX;

/// Intervals in columns: one unit, start and end per row.
///
/// A unit is the host (or guest) that the question compares on, numbered from 0; for `anywhere`
/// everything is unit 0. Sorted by unit and start they are read in place, otherwise sorted first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Intervals<'a> {
    /// The unit of each interval.
    pub unit: &'a [u32],
    /// Starts, nanoseconds since the epoch.
    pub start_ns: &'a [i64],
    /// Ends, inclusive; [`OPEN`] where there is none yet.
    pub end_ns: &'a [i64],
}

impl Intervals<'_> {
    /// How many rows every column has.
    pub fn len(&self) -> usize {
        self.unit.len().min(self.start_ns.len()).min(self.end_ns.len())
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Row `row` with an open end closed at the watermark, never ending before it starts.
    pub(super) fn closed(&self, row: usize, watermark_ns: i64) -> (u32, i64, i64) {
        let (start, end) = (self.start_ns[row], self.end_ns[row]);
        let end = if end == OPEN { watermark_ns } else { end };
        (self.unit[row], start, end.max(start))
    }

    fn sorted(&self) -> bool {
        (1..self.len()).all(|i| (self.unit[i - 1], self.start_ns[i - 1]) <= (self.unit[i], self.start_ns[i]))
    }
}

/// The union of windows of each unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    begins: Vec<u32>,
    start_ns: Vec<i64>,
    end_ns: Vec<i64>,
}

/// The windows of one unit, in rising order.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnitWindows<'a> {
    pub start_ns: &'a [i64],
    pub end_ns: &'a [i64],
}

impl<'a> UnitWindows<'a> {
    fn rows(&self) -> impl Iterator<Item = (i64, i64)> + use<'a> {
        self.start_ns.iter().copied().zip(self.end_ns.iter().copied())
    }

    /// Whether `[time, time + length]` touches a window. `at` is the pointer of the caller: it moves
    /// forward to the first window that has not ended by `time`, so times must not fall.
    pub(super) fn touches(&self, at: &mut usize, time: i64, length: i64) -> bool {
        while *at < self.end_ns.len() && self.end_ns[*at] < time {
            *at += 1;
        }
        *at < self.start_ns.len() && self.start_ns[*at] <= time.saturating_add(length)
    }
}

impl Windows {
    /// The windows around partners. Partners of units from `units` on are ignored.
    ///
    /// `after` opens `[s, e + D]`, `before` `[s − D, s]`, `of` `[s − D, e + D]`; the length of an
    /// anchor, which widens the last two to the left, is the anchor's own and applied where it is tested.
    pub fn around(
        partners: Intervals<'_>,
        relation: Relation,
        within_ns: i64,
        watermark_ns: i64,
        units: u32,
    ) -> Windows {
        let within = within_ns.max(0);
        let (left, right) = match relation {
            Relation::After => (0, within),
            Relation::Before => (within, 0),
            Relation::Of => (within, within),
        };
        let widen = |row: usize| {
            let (unit, start, end) = partners.closed(row, watermark_ns);
            // What comes before a partner comes before its start, however long it lasts.
            let end = if relation == Relation::Before { start } else { end };
            (unit, start.saturating_sub(left), end.saturating_add(right))
        };
        if partners.sorted() {
            Windows::union((0..partners.len()).map(widen), partners.len(), units)
        } else {
            let mut rows: Vec<_> = (0..partners.len()).map(widen).collect();
            rows.sort_unstable();
            Windows::union(rows.into_iter(), partners.len(), units)
        }
    }

    /// The windows of both.
    pub fn merged(&self, other: &Windows) -> Windows {
        let units = self.units().max(other.units());
        let rows = (0..units).flat_map(|unit| {
            let mut left = self.of_unit(unit).rows().peekable();
            let mut right = other.of_unit(unit).rows().peekable();
            std::iter::from_fn(move || match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if b < a => right.next(),
                (Some(_), _) => left.next(),
                (None, _) => right.next(),
            })
            .map(move |(start, end)| (unit, start, end))
        });
        Windows::union(rows, self.len() + other.len(), units)
    }

    /// How many windows there are.
    pub fn len(&self) -> usize {
        self.start_ns.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.start_ns.is_empty()
    }

    /// Whether a unit has any.
    pub fn any_of(&self, unit: u32) -> bool {
        !self.of_unit(unit).start_ns.is_empty()
    }

    /// The union of at most `most` closed intervals that come in order of unit and start.
    fn union(rows: impl Iterator<Item = (u32, i64, i64)>, most: usize, units: u32) -> Windows {
        let mut windows = Windows {
            begins: Vec::with_capacity(units as usize + 1),
            start_ns: Vec::with_capacity(most),
            end_ns: Vec::with_capacity(most),
        };
        let mut first = 0;
        for (unit, start, end) in rows {
            if unit >= units {
                break;
            }
            while windows.begins.len() <= unit as usize {
                first = windows.start_ns.len();
                windows.begins.push(position(first));
            }
            match windows.end_ns.last_mut() {
                // Times are whole nanoseconds: windows that follow one another without a gap are one.
                Some(last) if windows.start_ns.len() > first && start <= last.saturating_add(1) => {
                    *last = end.max(*last);
                }
                _ => {
                    windows.start_ns.push(start);
                    windows.end_ns.push(end);
                }
            }
        }
        while windows.begins.len() <= units as usize {
            windows.begins.push(position(windows.start_ns.len()));
        }
        windows.start_ns.shrink_to_fit();
        windows.end_ns.shrink_to_fit();
        windows
    }

    /// How many units there are.
    pub fn units(&self) -> u32 {
        position(self.begins.len().saturating_sub(1))
    }

    pub(super) fn of_unit(&self, unit: u32) -> UnitWindows<'_> {
        let unit = unit as usize;
        if unit + 1 >= self.begins.len() {
            return UnitWindows { start_ns: &[], end_ns: &[] };
        }
        let rows = self.begins[unit] as usize..self.begins[unit + 1] as usize;
        UnitWindows { start_ns: &self.start_ns[rows.clone()], end_ns: &self.end_ns[rows] }
    }
}

/// Row numbers are 32 bits wide: four billion windows would not fit in memory anyway.
fn position(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
