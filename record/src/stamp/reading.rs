//! The instants that a written minute may mean: one, mostly; more where a clock's hour happens twice, an abbreviation
//! has several meanings, or day and month may be the other way round.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, Offset, TimeZone},
};

use super::{
    form::{Written, Zone},
    zones,
};

/// Nanoseconds within which a line before tells in which pass of an hour that happens twice a line is.
const FOLD_NS_MAX: i128 = 3 * 3_600_000_000_000;

/// Instants, at most: two orders, three meanings of an abbreviation.
const READINGS_MAX: usize = 6;

/// What a written minute may mean, UTC nanoseconds of its start, the most likely first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Readings {
    instants_ns: [i64; READINGS_MAX],
    length: usize,
    /// Even a single one is no more than likely.
    doubt: bool,
    /// The line before tells which pass of an hour that happens twice it is: the first reading.
    settled: bool,
}

impl Readings {
    /// Of a minute in a year, behind a line of another time.
    pub(super) fn new(written: &Written, year: i16, time_zone: &TimeZone, last_ns: Option<i64>) -> Readings {
        let mut readings = Readings { doubt: written.doubt, ..Readings::default() };
        readings.add(written, year, (written.month, written.day), time_zone, last_ns);
        if written.swappable {
            readings.add(written, year, (written.day, written.month), time_zone, last_ns);
        }
        readings
    }

    pub(super) fn as_slice(&self) -> &[i64] {
        self.instants_ns.get(..self.length).unwrap_or_default()
    }

    /// The only one, where it is sure.
    pub(super) fn sure(&self) -> Option<i64> {
        self.first().filter(|_| self.length == 1 && !self.doubt)
    }

    /// The most likely one.
    pub(super) fn first(&self) -> Option<i64> {
        self.as_slice().first().copied()
    }

    /// The one that fits best behind the line before, and whether another one would do as well. A reading that lies
    /// more than `slack_ns` before the line before goes back; one behind `latest_ns` has not come yet.
    pub(super) fn choose(&self, last_ns: Option<i64>, slack_ns: i64, latest_ns: i64) -> Option<(i64, bool)> {
        let fits = |instant: &i64| {
            *instant <= latest_ns && last_ns.is_none_or(|last| *instant >= last.saturating_sub(slack_ns))
        };
        let mut fitting = self.as_slice().iter().copied().filter(fits);
        let Some(first) = fitting.next() else { return self.first().map(|first| (first, true)) };
        let second = fitting.clone().next();
        let doubt = self.doubt || second.is_some();
        let Some(last) = last_ns.filter(|_| !self.settled) else { return Some((first, doubt)) };
        // The nearest behind the line before.
        let nearest = fitting.fold(first, |best, other| {
            if other.saturating_sub(last).saturating_abs() < best.saturating_sub(last).saturating_abs() {
                other
            } else {
                best
            }
        });
        Some((nearest, doubt))
    }

    fn add(
        &mut self,
        written: &Written,
        year: i16,
        (month, day): (i8, i8),
        time_zone: &TimeZone,
        last_ns: Option<i64>,
    ) {
        let Ok(date) = Date::new(year, month, day) else { return };
        let time = date.at(written.hour, written.minute, 0, 0);
        match written.zone {
            Zone::Offset(minutes) => self.push(at_offset(time, minutes)),
            Zone::Local => self.local(time, time_zone, last_ns),
            Zone::Named(number) => self.named(time, number, time_zone),
        }
    }

    /// By the configured zone: the earlier one first where the hour happens twice, unless the line before was of the
    /// second pass already; moved forward by the gap where it is
    /// skipped (as RFC 5545 has it).
    fn local(&mut self, time: DateTime, time_zone: &TimeZone, last_ns: Option<i64>) {
        match time_zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                self.push(offset.to_timestamp(time).ok().map(|at| at.as_nanosecond()));
            }
            AmbiguousOffset::Gap { before, .. } => {
                self.push(before.to_timestamp(time).ok().map(|at| at.as_nanosecond()));
                self.doubt = true;
            }
            AmbiguousOffset::Fold { before, after } => {
                let at = |offset: Offset| offset.to_timestamp(time).ok().map(|at| at.as_nanosecond());
                let last = last_ns.and_then(|last| Timestamp::from_nanosecond(i128::from(last)).ok());
                // From the change on the first pass is over.
                self.settled = last.is_some_and(|last| {
                    let since_ns = at(before).map(|first_ns| last.as_nanosecond() - first_ns);
                    since_ns.is_some_and(|since_ns| since_ns.abs() < FOLD_NS_MAX)
                        && time_zone.to_offset(last) == after
                });
                let order = if self.settled { [after, before] } else { [before, after] };
                for offset in order {
                    self.push(at(offset));
                }
            }
        }
    }

    /// The configured zone's where it uses this abbreviation at this time, else each that the abbreviation may mean.
    fn named(&mut self, time: DateTime, number: u8, time_zone: &TimeZone) {
        let offsets = match time_zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => [offset, offset],
            AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
                [before, after]
            }
        };
        let own = offsets
            .iter()
            .filter_map(|offset| offset.to_timestamp(time).ok())
            .find(|at| time_zone.to_offset_info(*at).abbreviation() == zones::name(number));
        if own.is_some() {
            return self.push(own.map(|at| at.as_nanosecond()));
        }
        for minutes in zones::offsets(number) {
            self.push(at_offset(time, *minutes));
        }
    }

    fn push(&mut self, instant_ns: Option<i128>) {
        let Some(instant_ns) = instant_ns.and_then(|ns| i64::try_from(ns).ok()) else { return };
        // What the store cannot hold is no time: its days begin in 1970.
        if instant_ns < 0 || self.as_slice().contains(&instant_ns) {
            return;
        }
        if let Some(place) = self.instants_ns.get_mut(self.length) {
            *place = instant_ns;
            self.length += 1;
        }
    }
}

fn at_offset(time: DateTime, minutes_east: i16) -> Option<i128> {
    let utc_ns = Offset::UTC.to_timestamp(time).ok()?.as_nanosecond();
    Some(utc_ns - i128::from(minutes_east) * 60_000_000_000)
}
