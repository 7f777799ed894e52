//! When a line was written.
//!
//! A time is looked for where programs write it: at the line's start, behind what transports and loggers put in front
//! of it, in a field of JSON or logfmt; all forms stand in one table (`table.rs`). The rules where a line does not say
//! everything:
//!
//! - **No zone**: the configured time zone. A time that a change of the clocks makes ambiguous is the reading that does
//!   not go back behind the line before, else the earlier one; one that it skips is moved forward by the gap (as
//!   RFC 5545 has it). An abbreviation is the configured zone's where that uses it; one that has several meanings
//!   (`CST`) is the one that does not go back, and so is a date whose day and month may be the other way round.
//!   What is left in doubt is marked ([`TimeBasis::LineInDoubt`]).
//! - **No year**: with a configured year, that year dates the first line, and a step back of more than 180 days
//!   adds one. Without, the year is the latest that does not put the line more than a day behind the file's
//!   modification time, or, for a file that grows, the time of reading.
//! - **Before 1970, or after 2262**: no time, since none can be stored.
//! - **The kernel's clock** (`[  123.456789]`): counted from the boots that are known ([`boots`]), anew where the clock
//!   begins anew. In a file that grows a line is written when it is read at the latest: where no boot is known, that
//!   tells when it was. A finished file without a known boot has no times by this clock.
//! - **Nothing**: in a file that grows, the time of reading, unless the last line with a time was read moments ago: then
//!   that one's. In a finished file the time of the line before; where there is none, the file's modification time.
//!   A time that has not come yet is never taken over.

pub mod boots;
mod dates;
mod digits;
mod fields;
mod form;
mod names;
mod numeric;
mod reading;
mod table;
mod worded;
pub(crate) mod zones;

use jiff::tz::TimeZone;

use crate::TimeBasis;
use boots::Boot;
pub(crate) use fields::is_time_field;
pub use form::{Form, Written};
use reading::Readings;

/// What a line says about its time, before any zone or year is decided.
#[inline]
pub fn find(line: &[u8]) -> Option<Form> {
    table::find(line)
}

/// What a source knows about the times of its lines.
#[derive(Debug, Clone)]
pub struct StampRules {
    /// The zone of times that don't name one.
    pub time_zone: TimeZone,
    /// The year of the first line, for times that don't name one.
    pub year: Option<i16>,
    /// When the file was last written, UTC nanoseconds; none for what is read as it grows.
    pub modified_ns: Option<i64>,
    /// When the kernel started, one boot after the other; empty where that is not known.
    pub boots: Vec<Boot>,
}

/// What a stamper has learned from lines so far: to be kept where reading goes on later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StampState {
    /// The time of the line before.
    pub last_ns: Option<i64>,
    /// The year that yearless times are in, where a year was configured.
    pub year: Option<i16>,
    /// The last yearless time.
    pub last_yearless_ns: Option<i64>,
    /// When the last line with a time was read.
    pub dated_read_ns: Option<i64>,
    /// When the kernel started that wrote the last line with its clock.
    pub boot_ns: Option<i64>,
    /// Nothing but the file's age says so.
    pub boot_by_age: bool,
    /// The clock's highest reading in that boot.
    pub clock_ns: Option<i64>,
    /// Boots before that one.
    pub boots_passed: u32,
    /// Further boots that were in the file when it was first seen: each began when the one before ended.
    pub boots_left: u32,
}

/// Dates the lines of one source, in their order.
#[derive(Debug, Clone)]
pub struct Stamper {
    rules: StampRules,
    state: StampState,
    minute: Minute,
}

/// The minute that was resolved last: most lines are in the same one.
#[derive(Debug, Clone, Copy)]
struct Minute {
    written: Option<Written>,
    start_ns: i64,
}

const SECOND_NS: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND_NS;
const STEP_BACK_NS: i64 = 180 * DAY_NS;
/// Lines of several writers are not in their order to the second: a step back of less is none.
const DISORDER_NS: i64 = 600 * SECOND_NS;
/// What is read so long after a line with a time does not belong to that.
const MOMENTS_NS: i64 = SECOND_NS;
/// A boot that a reading agrees with to so much is right.
const AGREED_NS: i64 = 5 * SECOND_NS;

impl Stamper {
    /// A stamper that has seen no line.
    pub fn new(rules: StampRules) -> Self {
        let state = StampState { year: rules.year, ..StampState::default() };
        Stamper::resume(rules, state)
    }

    /// A stamper that goes on where another one stopped.
    pub fn resume(rules: StampRules, state: StampState) -> Self {
        Stamper { rules, state, minute: Minute { written: None, start_ns: 0 } }
    }

    /// Goes back to what had been learned before.
    pub fn restore(&mut self, state: StampState) {
        self.state = state;
        self.minute.written = None;
    }

    /// What has been learned so far.
    pub fn state(&self) -> StampState {
        self.state
    }

    /// The time of a line in UTC nanoseconds, and how it was found. `observed_ns` is when it was read.
    #[inline]
    pub fn stamp(&mut self, line: &[u8], observed_ns: i64) -> (i64, TimeBasis) {
        let found = match table::find(line) {
            Some(Form::Calendar { minute, nanoseconds }) => self
                .minute_start(&minute, observed_ns)
                .and_then(|(start, basis)| Some((start.checked_add(nanoseconds)?, basis))),
            Some(Form::Epoch { time_ns }) => Some((time_ns, TimeBasis::Line)),
            Some(Form::KernelClock { clock_ns }) => self.by_kernel_clock(clock_ns, observed_ns),
            Some(Form::SinceBefore { delta_ns }) => {
                self.state.last_ns.map(|last| (last.saturating_add(delta_ns), TimeBasis::Line))
            }
            None => None,
        };
        match found {
            Some((time_ns, basis)) => {
                (self.state.last_ns, self.state.dated_read_ns) = (Some(time_ns), Some(observed_ns));
                (time_ns, basis)
            }
            None => self.undated(observed_ns),
        }
    }

    /// The time of a line that says nothing about it.
    #[inline(never)]
    fn undated(&self, observed_ns: i64) -> (i64, TimeBasis) {
        let latest_ns = self.rules.modified_ns.unwrap_or(observed_ns).saturating_add(DAY_NS);
        let follows = match (self.rules.modified_ns, self.state.dated_read_ns) {
            (None, Some(read_ns)) => observed_ns.saturating_sub(read_ns) <= MOMENTS_NS,
            (None, None) => false,
            (Some(_), _) => true,
        };
        let carried = self.state.last_ns.filter(|last_ns| follows && *last_ns <= latest_ns);
        carried
            .map(|last_ns| (last_ns, TimeBasis::Carried))
            .or(self.rules.modified_ns.map(|modified_ns| (modified_ns, TimeBasis::FileModified)))
            .unwrap_or((observed_ns, TimeBasis::Observed))
    }

    /// The time of a line with the kernel's clock alone.
    #[inline(never)]
    fn by_kernel_clock(&mut self, clock_ns: i64, observed_ns: i64) -> Option<(i64, TimeBasis)> {
        let before_ns = self.state.clock_ns;
        let anew = before_ns.is_some_and(|before_ns| boots::is_anew(before_ns, clock_ns));
        if anew {
            self.another_boot(before_ns);
        }
        self.state.clock_ns =
            Some(before_ns.filter(|_| !anew).map_or(clock_ns, |before| before.max(clock_ns)));
        if self.state.boot_ns.is_none() && self.state.boots_passed == 0 {
            let first = self.rules.boots.first();
            (self.state.boot_ns, self.state.boot_by_age) =
                (first.map(|boot| boot.start_ns), first.is_some_and(|boot| boot.by_age));
        }
        if self.rules.modified_ns.is_none() {
            let latest_ns = observed_ns.saturating_sub(clock_ns);
            match self.state.boot_ns {
                Some(boot_ns) if boot_ns <= latest_ns => {
                    // A line that was read as soon as it was written, by what was thought: that is right.
                    self.state.boot_by_age &= latest_ns - boot_ns > AGREED_NS;
                }
                _ => (self.state.boot_ns, self.state.boot_by_age) = (Some(latest_ns), false),
            }
        }
        let time_ns = self.state.boot_ns?.saturating_add(clock_ns);
        let by_age = self.state.boot_by_age;
        Some((time_ns, if by_age { TimeBasis::KernelClockByAge } else { TimeBasis::KernelClock }))
    }

    /// The kernel started anew after its clock read `before_ns`.
    fn another_boot(&mut self, before_ns: Option<i64>) {
        self.state.boots_passed = self.state.boots_passed.saturating_add(1);
        let passed = usize::try_from(self.state.boots_passed).unwrap_or(usize::MAX);
        let end_ns =
            self.state.boot_ns.zip(before_ns).map(|(boot_ns, clock_ns)| boot_ns.saturating_add(clock_ns));
        if let Some(boot) = self.rules.boots.get(passed) {
            (self.state.boot_ns, self.state.boot_by_age) = (Some(boot.start_ns), boot.by_age);
        } else if self.state.boots_left > 0 || self.rules.modified_ns.is_some() {
            // Not before the one before ended; nothing tells how much later.
            self.state.boots_left = self.state.boots_left.saturating_sub(1);
            (self.state.boot_ns, self.state.boot_by_age) = (end_ns, true);
        } else {
            // Reading tells.
            (self.state.boot_ns, self.state.boot_by_age) = (None, false);
        }
    }

    /// The start of a written minute in UTC nanoseconds.
    #[inline]
    fn minute_start(&mut self, written: &Written, observed_ns: i64) -> Option<(i64, TimeBasis)> {
        if self.minute.written.as_ref() == Some(written) {
            return Some((self.minute.start_ns, TimeBasis::Line));
        }
        self.another_minute(written, observed_ns)
    }

    #[inline(never)]
    fn another_minute(&mut self, written: &Written, observed_ns: i64) -> Option<(i64, TimeBasis)> {
        let readings = match written.year {
            Some(year) => Readings::new(written, year, &self.rules.time_zone, self.state.last_ns),
            None => self.yearless(written, observed_ns)?,
        };
        if let Some(start_ns) = readings.sure() {
            self.minute = Minute { written: Some(*written), start_ns };
            return Some((start_ns, TimeBasis::Line));
        }
        // Which one it is may differ from line to line: nothing is remembered.
        let latest_ns = self.rules.modified_ns.map_or(observed_ns, |_| i64::MAX).saturating_add(DAY_NS);
        let (start_ns, doubt) = readings.choose(self.state.last_ns, DISORDER_NS, latest_ns)?;
        Some((start_ns, if doubt { TimeBasis::LineInDoubt } else { TimeBasis::Line }))
    }

    fn yearless(&mut self, written: &Written, observed_ns: i64) -> Option<Readings> {
        let in_year = |year: i16| Readings::new(written, year, &self.rules.time_zone, self.state.last_ns);
        if let Some(year) = self.state.year {
            let mut readings = in_year(year);
            if let (Some(last), Some(start)) = (self.state.last_yearless_ns, readings.first())
                && last - start > STEP_BACK_NS
            {
                self.state.year = Some(year + 1);
                readings = in_year(year + 1);
            }
            self.state.last_yearless_ns = readings.first().or(self.state.last_yearless_ns);
            return Some(readings);
        }
        let reference_ns = self.rules.modified_ns.unwrap_or(observed_ns);
        let newest = jiff::Timestamp::from_nanosecond(i128::from(reference_ns + DAY_NS)).ok()?;
        let year = newest.to_zoned_datetime(self.rules.time_zone.clone()).year();
        // The 29th of February is not in every year: up to eight years back there is one.
        (0..=8)
            .map(|back| in_year(year - back))
            .find(|readings| readings.first().is_some_and(|start| start <= reference_ns + DAY_NS))
    }
}

#[cfg(test)]
mod tests;
