//! The whole days of the range in civil time, and matches of each day's anchors on every other day.
//!
//! Days are blocks of 24 h by the clock on the wall, counted back from the range's end, so that an
//! anchor moved to another day keeps its time of day across a change to or from daylight saving
//! time. The hour that such a change leaves out or repeats has no counterpart on that day and is left
//! out of all days. From seven days on, workdays and weekends are exchanged among themselves only.

#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "block numbers are checked against 0..days, which is at most DAYS_MAX, before they index"
)]
#![allow(clippy::cast_precision_loss, reason = "counts of days")]

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::episodes::Probes;
use super::permute::{Table, floor};
use super::windows::Windows;

const DAY_NS: i64 = 86_400 * 1_000_000_000;
/// More days than this would cost memory by their square and tell nothing new; the latest are kept.
const DAYS_MAX: i64 = 1_100;
/// Without this many days there are no strata.
const STRATA_DAYS_MIN: usize = 7;

/// From `utc_ns` on, wall clocks show UTC + `offset_ns`.
#[derive(Clone, Copy, Debug)]
struct Shift {
    utc_ns: i64,
    offset_ns: i64,
}

/// The blocks of the range.
#[derive(Debug)]
pub(super) struct Calendar {
    pub days: usize,
    /// Weekday of block 0 by its middle, 0 is Monday.
    pub first_weekday: u8,
    /// End of the last block on the wall clock.
    end_ns: i64,
    shifts: Vec<Shift>,
    /// Times since the start of a block that are left out.
    left_out: Vec<std::ops::Range<i64>>,
}

/// A stretch of a block over which UTC is time of block + `shift_ns`.
struct Piece {
    block: usize,
    from_ns: i64,
    shift_ns: i64,
}

impl Calendar {
    pub(super) fn new(from_ns: i64, to_ns: i64, time_zone: &TimeZone) -> Calendar {
        let shifts = shifts(from_ns, to_ns, time_zone);
        let end_ns = to_ns + offset_at(&shifts, to_ns);
        let whole = (end_ns - from_ns - offset_at(&shifts, from_ns)).max(0) / DAY_NS;
        let days = whole.min(DAYS_MAX);
        let start_ns = end_ns - days * DAY_NS;
        // The first day of 1970 was a Thursday.
        let first_weekday = ((start_ns + DAY_NS / 2).div_euclid(DAY_NS) + 3).rem_euclid(7) as u8;
        let left_out = left_out(&shifts, start_ns, end_ns);
        Calendar { days: days as usize, first_weekday, end_ns, shifts, left_out }
    }

    /// The block of an instant (below 0 before the first) and the time since the block's start.
    fn locate(&self, utc_ns: i64) -> (i64, i64) {
        let wall = utc_ns + offset_at(&self.shifts, utc_ns) - (self.end_ns - self.days as i64 * DAY_NS);
        (wall.div_euclid(DAY_NS), wall.rem_euclid(DAY_NS))
    }

    fn is_left_out(&self, time_of_block: i64) -> bool {
        self.left_out.iter().any(|range| range.contains(&time_of_block))
    }

    fn stratum(&self, block: i64) -> u8 {
        let weekday = (i64::from(self.first_weekday) + block).rem_euclid(7);
        u8::from(self.days >= STRATA_DAYS_MIN && weekday >= 5)
    }

    /// The blocks in order, each cut where the wall clock was changed.
    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for block in 0..self.days {
            let start = self.end_ns - (self.days - block) as i64 * DAY_NS;
            for (i, shift) in self.shifts.iter().enumerate() {
                let from = (shift.utc_ns + shift.offset_ns).max(start);
                let next = self.shifts.get(i + 1);
                let until = next.map_or(i64::MAX, |next| next.utc_ns + next.offset_ns);
                if from < (start + DAY_NS).min(until) {
                    pieces.push(Piece { block, from_ns: from - start, shift_ns: start - shift.offset_ns });
                }
            }
        }
        pieces
    }
}

/// The offsets in force from before the range to its end.
fn shifts(from_ns: i64, to_ns: i64, time_zone: &TimeZone) -> Vec<Shift> {
    let offset = |offset: jiff::tz::Offset| i64::from(offset.seconds()) * 1_000_000_000;
    let Ok(from) = Timestamp::from_nanosecond(i128::from(from_ns)) else { return Vec::new() };
    let first = Shift { utc_ns: i64::MIN / 2, offset_ns: offset(time_zone.to_offset(from)) };
    let mut shifts = vec![first];
    for transition in time_zone.following(from) {
        let Ok(utc_ns) = i64::try_from(transition.timestamp().as_nanosecond()) else { break };
        if utc_ns >= to_ns {
            break;
        }
        let offset_ns = offset(transition.offset());
        if shifts.last().is_some_and(|last| last.offset_ns != offset_ns) {
            shifts.push(Shift { utc_ns, offset_ns });
        }
    }
    shifts
}

fn offset_at(shifts: &[Shift], utc_ns: i64) -> i64 {
    shifts.iter().rev().find(|shift| shift.utc_ns <= utc_ns).map_or(0, |shift| shift.offset_ns)
}

/// Times of the block that some block lacks or has twice.
fn left_out(shifts: &[Shift], start_ns: i64, end_ns: i64) -> Vec<std::ops::Range<i64>> {
    let mut ranges = Vec::new();
    for pair in shifts.windows(2) {
        let (old, new) = (pair[1].utc_ns + pair[0].offset_ns, pair[1].utc_ns + pair[1].offset_ns);
        let (low, high) = (old.min(new), old.max(new));
        if high <= start_ns || low >= end_ns {
            continue;
        }
        let (length, low) = ((high - low).min(DAY_NS), (low - end_ns).rem_euclid(DAY_NS));
        ranges.push(low..(low + length).min(DAY_NS));
        ranges.push(0..(low + length - DAY_NS).max(0));
    }
    ranges
}

/// What the days gave.
#[derive(Debug)]
pub(super) struct Days {
    pub table: Table,
    /// The smallest p that permuting can give.
    pub floor: f64,
    /// For each anchor the share of other comparable days that match at its time of day; none where
    /// there is no such day or the hour is left out.
    pub share: Vec<Option<f64>>,
    /// For how many other days each anchor was compared, at least.
    pub compared: usize,
    /// Days with heads.
    pub used: usize,
}

pub(super) fn days(probes: &Probes, windows: &Windows, calendar: &Calendar) -> Days {
    let days = calendar.days;
    let stratum: Vec<u8> = (0..days as i64).map(|block| calendar.stratum(block)).collect();
    let places: Vec<(i64, i64)> = probes.time_ns.iter().map(|&time| calendar.locate(time)).collect();
    let in_blocks = |row: usize| (0..days as i64).contains(&places[row].0) && !calendar.is_left_out(places[row].1);

    // A row of the table for each day with heads.
    let mut row_of_day = vec![usize::MAX; days];
    let mut own = Vec::new();
    for row in (0..probes.len()).filter(|&row| probes.head[row] && in_blocks(row)) {
        row_of_day[places[row].0 as usize] = 0;
    }
    for (day, row) in row_of_day.iter_mut().enumerate().filter(|(_, row)| **row == 0) {
        *row = own.len();
        own.push(day);
    }

    let mut matches = vec![0_u32; own.len() * days];
    let mut covered = vec![0_u32; probes.len()];
    let pieces = calendar.pieces();
    let mut order = Vec::new();
    for (unit, rows) in probes.by_unit() {
        let windows = windows.of(unit);
        if windows.start_ns.is_empty() {
            continue;
        }
        // Anchors in order of time of day, so that on each day they pass the windows in order.
        order.clear();
        order.extend(rows.filter(|&row| !calendar.is_left_out(places[row].1)).map(|row| {
            let (block, time) = places[row];
            let target = if probes.head[row] && in_blocks(row) { row_of_day[block as usize] } else { usize::MAX };
            Moved { time, length: probes.length_ns[row], block, stratum: calendar.stratum(block), target, row }
        }));
        order.sort_unstable_by_key(|moved| moved.time);
        let mut at = 0;
        for (i, piece) in pieces.iter().enumerate() {
            let until = pieces.get(i + 1).filter(|next| next.block == piece.block).map_or(DAY_NS, |next| next.from_ns);
            let low = order.partition_point(|moved| moved.time < piece.from_ns);
            for moved in order[low..].iter().take_while(|moved| moved.time < until) {
                if windows.touches(&mut at, moved.time + piece.shift_ns, moved.length) {
                    let comparable = stratum[piece.block] == moved.stratum && moved.block != piece.block as i64;
                    covered[moved.row] += u32::from(comparable);
                    if moved.target != usize::MAX {
                        matches[moved.target * days + piece.block] += 1;
                    }
                }
            }
        }
    }

    let sizes = [0, 1].map(|s: u8| stratum.iter().filter(|&&of| of == s).count());
    let mut compared = usize::MAX;
    let share = (0..probes.len())
        .map(|row| {
            let (block, time) = places[row];
            let inside = usize::from((0..days as i64).contains(&block));
            let others = sizes[usize::from(calendar.stratum(block))].saturating_sub(inside);
            if others == 0 || calendar.is_left_out(time) {
                return None;
            }
            compared = compared.min(others);
            Some(f64::from(covered[row]) / others as f64)
        })
        .collect();
    let used = |s: u8| own.iter().filter(|&&day| stratum[day] == s).count();
    let floor = floor(sizes[0], used(0)) * floor(sizes[1], used(1));
    let used = own.len();
    Days { table: Table { matches, columns: days, own, stratum }, floor, share, compared, used }
}

/// An anchor on its way through the days.
struct Moved {
    time: i64,
    length: i64,
    block: i64,
    stratum: u8,
    target: usize,
    row: usize,
}
