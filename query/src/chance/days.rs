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

/// A stretch of a block, by times since its start, over which UTC is time of block + `shift_ns`.
pub(super) struct Piece {
    block: usize,
    from_ns: i64,
    until_ns: i64,
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

    /// Calls for an instant moved to each day, its own included, at its time of day.
    pub(super) fn moved(&self, pieces: &[Piece], utc_ns: i64, mut each: impl FnMut(i64)) {
        let (_, time) = self.locate(utc_ns);
        if self.is_left_out(time) {
            return;
        }
        let here = pieces.iter().filter(|piece| (piece.from_ns..piece.until_ns).contains(&time));
        here.for_each(|piece| each(time + piece.shift_ns));
    }

    fn is_left_out(&self, time_of_block: i64) -> bool {
        self.left_out.iter().any(|range| range.contains(&time_of_block))
    }

    fn stratum(&self, block: i64) -> u8 {
        let weekday = (i64::from(self.first_weekday) + block).rem_euclid(7);
        u8::from(self.days >= STRATA_DAYS_MIN && weekday >= 5)
    }

    /// The blocks in order, each cut where the wall clock was changed.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for block in 0..self.days {
            let start = self.end_ns - (self.days - block) as i64 * DAY_NS;
            for (i, shift) in self.shifts.iter().enumerate() {
                let from = (shift.utc_ns + shift.offset_ns).max(start);
                let next = self.shifts.get(i + 1);
                let until = next.map_or(i64::MAX, |next| next.utc_ns + next.offset_ns).min(start + DAY_NS);
                if from < until {
                    let shift_ns = start - shift.offset_ns;
                    pieces.push(Piece { block, from_ns: from - start, until_ns: until - start, shift_ns });
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
    /// With how many other days an anchor was compared, on average.
    pub compared: f64,
    /// Days with heads.
    pub used: usize,
}

pub(super) fn days(probes: &Probes, windows: &Windows, calendar: &Calendar) -> Days {
    let days = calendar.days;
    let stratum: Vec<u8> = (0..days as i64).map(|block| calendar.stratum(block)).collect();
    let places: Vec<(i64, i64)> = probes.time_ns.iter().map(|&time| calendar.locate(time)).collect();
    let in_blocks =
        |row: usize| (0..days as i64).contains(&places[row].0) && !calendar.is_left_out(places[row].1);

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
        let windows = windows.of_unit(unit);
        if windows.start_ns.is_empty() {
            continue;
        }
        // Anchors in order of time of day, so that on each day they pass the windows in order.
        order.clear();
        order.extend(rows.filter(|&row| !calendar.is_left_out(places[row].1)).map(|row| {
            let (block, time) = places[row];
            let target =
                if probes.head[row] && in_blocks(row) { row_of_day[block as usize] } else { usize::MAX };
            Moved {
                time,
                length: probes.length_ns[row],
                block,
                stratum: calendar.stratum(block),
                target,
                row,
            }
        }));
        order.sort_unstable_by_key(|moved| moved.time);
        let mut at = 0;
        for piece in &pieces {
            let low = order.partition_point(|moved| moved.time < piece.from_ns);
            for moved in order[low..].iter().take_while(|moved| moved.time < piece.until_ns) {
                if windows.touches(&mut at, moved.time + piece.shift_ns, moved.length) {
                    let comparable =
                        stratum[piece.block] == moved.stratum && moved.block != piece.block as i64;
                    covered[moved.row] += u32::from(comparable);
                    if moved.target != usize::MAX {
                        matches[moved.target * days + piece.block] += 1;
                    }
                }
            }
        }
    }

    let sizes = [0, 1].map(|s: u8| stratum.iter().filter(|&&of| of == s).count());
    let mut compared = (0_usize, 0_usize);
    let share: Vec<Option<f64>> = (0..probes.len())
        .map(|row| {
            let (block, time) = places[row];
            let inside = usize::from((0..days as i64).contains(&block));
            let others = sizes[usize::from(calendar.stratum(block))].saturating_sub(inside);
            if others == 0 || calendar.is_left_out(time) {
                return None;
            }
            compared = (compared.0 + others, compared.1 + 1);
            Some(f64::from(covered[row]) / others as f64)
        })
        .collect();
    let compared = compared.0 as f64 / compared.1.max(1) as f64;
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

#[cfg(test)]
mod tests {
    use super::super::input::Input;
    use super::super::relation::Relation;
    use super::super::windows::Intervals;
    use super::*;
    use jiff::ToSpan;
    use jiff::civil::{DateTime, date};
    use proptest::prelude::*;

    const MINUTE_NS: i64 = 60_000_000_000;

    fn ns(zone: &TimeZone, civil: DateTime) -> i64 {
        zone.to_timestamp(civil).unwrap().as_nanosecond() as i64
    }

    fn civil(zone: &TimeZone, utc_ns: i64) -> DateTime {
        zone.to_datetime(Timestamp::from_nanosecond(i128::from(utc_ns)).unwrap())
    }

    /// The days with heads and their rows of the table.
    type Rows = Vec<(usize, Vec<u32>)>;

    /// Matches of each head on each day by the calendar alone; and shares of the other days.
    fn brute(input: &Input<'_>, near: impl Fn(u32, i64) -> bool, heads: &Probes) -> (Rows, Vec<Option<f64>>) {
        let zone = input.time_zone;
        let (from, end) = (civil(zone, input.from_ns), civil(zone, input.to_ns));
        let starts: Vec<DateTime> = (1..)
            .map(|k: i64| end.checked_sub((24 * k).hours()).unwrap())
            .take_while(|start| *start >= from)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        let weekend = |start: DateTime| {
            starts.len() >= 7 && start.checked_add(12.hours()).unwrap().weekday().to_monday_zero_offset() >= 5
        };
        let mut table = std::collections::BTreeMap::<usize, Vec<u32>>::new();
        let mut shares = Vec::new();
        for row in 0..heads.len() {
            let at = civil(zone, heads.time_ns[row]);
            let mut own = end;
            while own > at {
                own = own.checked_sub(24.hours()).unwrap();
            }
            let time_of_block = own.until((jiff::Unit::Hour, at)).unwrap();
            let moved: Vec<_> = starts
                .iter()
                .map(|s| zone.to_ambiguous_timestamp(s.checked_add(time_of_block).unwrap()))
                .collect();
            // An hour that is repeated after the range's end only is none of the range's.
            let doubtful = |m: &jiff::tz::AmbiguousTimestamp| {
                let instants = m.is_ambiguous().then(|| m.earlier().unwrap());
                let change = instants.and_then(|first| zone.following(first).next());
                change.is_some_and(|change| (change.timestamp().as_nanosecond() as i64) < input.to_ns)
            };
            if moved.iter().any(doubtful) {
                shares.push(None);
                continue;
            }
            let hits: Vec<u32> = moved
                .into_iter()
                .map(|m| u32::from(near(heads.unit[row], m.earlier().unwrap().as_nanosecond() as i64)))
                .collect();
            let others: Vec<u32> = (starts.iter().zip(&hits))
                .filter(|&(s, _)| *s != own && weekend(*s) == weekend(own))
                .map(|(_, &hit)| hit)
                .collect();
            shares.push(
                (!others.is_empty()).then(|| f64::from(others.iter().sum::<u32>()) / others.len() as f64),
            );
            if let Some(block) = starts.iter().position(|s| *s == own).filter(|_| heads.head[row]) {
                let counts = table.entry(block).or_insert_with(|| vec![0; starts.len()]);
                counts.iter_mut().zip(hits).for_each(|(count, hit)| *count += hit);
            }
        }
        (table.into_iter().collect(), shares)
    }

    proptest! {
        #[test]
        fn days_equal_the_calendar_across_changes_of_the_clock(
            zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
            first in prop::sample::select(vec![date(2024, 3, 6), date(2024, 3, 28), date(2024, 10, 1), date(2024, 10, 24)]),
            start_minute in 0_i64..1440, length in 0_i64..15 * 1440,
            anchors in prop::collection::vec((0_u32..2, 0.0..1.0_f64), 1..60),
            partners in prop::collection::vec((0_u32..2, 0.0..1.0_f64, 0_i64..300), 0..60),
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let from_ns = ns(&zone, first.at(0, 0, 0, 0)) + start_minute * MINUTE_NS;
            let to_ns = from_ns + (length + 1) * MINUTE_NS;
            let place = |share: f64| from_ns + (share * (length + 1) as f64) as i64 * MINUTE_NS;
            let unit: Vec<u32> = anchors.iter().map(|a| a.0).collect();
            let start: Vec<i64> = anchors.iter().map(|a| place(a.1)).collect();
            let p_unit: Vec<u32> = partners.iter().map(|p| p.0).collect();
            let p_start: Vec<i64> = partners.iter().map(|p| place(p.1)).collect();
            let p_end: Vec<i64> = partners.iter().map(|p| place(p.1) + p.2 * MINUTE_NS).collect();
            let within_ns = 5 * MINUTE_NS;
            let windows = Windows::around(
                Intervals { unit: &p_unit, start_ns: &p_start, end_ns: &p_end }, Relation::After, within_ns, to_ns, 2,
            );
            let input = Input {
                anchors: Intervals { unit: &unit, start_ns: &start, end_ns: &start }, windows: &windows,
                relation: Relation::After, within_ns, from_ns, to_ns, watermark_ns: to_ns, time_zone: &zone, units: 2,
                seed: 1, same_events: false,
            };
            let probes = Probes::new(&input);
            let found = days(&probes, &windows, &Calendar::new(from_ns, to_ns, &zone));
            let near = |unit: u32, t: i64| {
                (0..partners.len()).any(|i| p_unit[i] == unit && p_start[i] <= t && t <= p_end[i] + within_ns)
            };
            let (table, shares) = brute(&input, near, &probes);
            let rows: Vec<(usize, Vec<u32>)> = found.table.own.iter().enumerate()
                .map(|(row, &own)| (own, found.table.matches[row * found.table.columns..][..found.table.columns].to_vec()))
                .collect();
            prop_assert_eq!(rows, table);
            prop_assert_eq!(&found.share, &shares);
        }
    }

    #[test]
    fn a_fortnight_across_a_change_of_the_clock_has_fourteen_days() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for (first, last) in [(date(2024, 3, 25), date(2024, 4, 8)), (date(2024, 10, 21), date(2024, 11, 4))]
        {
            let bounds = [first, last].map(|day| ns(&zone, day.at(0, 0, 0, 0)));
            let calendar = Calendar::new(bounds[0], bounds[1], &zone);
            assert_eq!((calendar.days, calendar.first_weekday), (14, 0));
            let lost_hour = 2 * 60 * MINUTE_NS..3 * 60 * MINUTE_NS;
            assert_eq!(calendar.left_out.iter().filter(|r| !r.is_empty()).collect::<Vec<_>>(), [&lost_hour]);
        }
    }
}
