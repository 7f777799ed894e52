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
//! - **The kernel's clock** (`[  123.456789]`): counted from the configured time of boot; where there is none it
//!   says nothing.
//! - **Nothing**: the time of the line before; where there is none, the file's modification time; where that is not
//!   known, the time of reading.

mod digits;
mod fields;
mod form;
mod names;
mod numeric;
mod reading;
mod table;
mod worded;
mod zones;

use jiff::tz::TimeZone;

use crate::TimeBasis;
pub use form::{Form, Written};
use reading::Readings;

/// What a line says about its time, before any zone or year is decided.
#[inline]
pub fn find(line: &[u8]) -> Option<Form> {
    table::find(line)
}

/// Whether a word is an abbreviation of a time zone.
pub(crate) fn is_zone(word: &[u8]) -> bool {
    zones::find(word).is_some()
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
    /// When the kernel started, UTC nanoseconds.
    pub boot_ns: Option<i64>,
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
            Some(Form::KernelClock { clock_ns }) => {
                self.rules.boot_ns.map(|boot| (boot.saturating_add(clock_ns), TimeBasis::KernelClock))
            }
            Some(Form::SinceBefore { delta_ns }) => {
                self.state.last_ns.map(|last| (last.saturating_add(delta_ns), TimeBasis::Line))
            }
            None => None,
        };
        if let Some((time_ns, _)) = found {
            self.state.last_ns = Some(time_ns);
        }
        found
            .or(self.state.last_ns.map(|last| (last, TimeBasis::Carried)))
            .or(self.rules.modified_ns.map(|modified| (modified, TimeBasis::FileModified)))
            .unwrap_or((observed_ns, TimeBasis::Observed))
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
            Some(year) => Readings::new(written, year, &self.rules.time_zone),
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
        let in_year = |year: i16| Readings::new(written, year, &self.rules.time_zone);
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(zone: &str) -> StampRules {
        StampRules { time_zone: TimeZone::get(zone).unwrap(), year: None, modified_ns: None, boot_ns: None }
    }

    fn ns(time: &str) -> i64 {
        i64::try_from(time.parse::<jiff::Timestamp>().unwrap().as_nanosecond()).unwrap()
    }

    fn check(zone: &str, observed: &str, line: &str, expected: &str) {
        let mut stamper = Stamper::new(rules(zone));
        let (found, basis) = stamper.stamp(line.as_bytes(), ns(observed));
        let found = jiff::Timestamp::from_nanosecond(i128::from(found)).unwrap();
        assert_eq!(found.to_string(), expected, "{line}");
        let doubt = ["ambiguous", "skipped", "doubt"].iter().any(|word| line.contains(word));
        assert_eq!(basis, if doubt { TimeBasis::LineInDoubt } else { TimeBasis::Line }, "{line}");
        // A second line of the same minute takes the short way.
        assert_eq!(stamper.stamp(line.as_bytes(), ns(observed)).0, ns(expected));
    }

    #[test]
    fn times_as_programs_write_them() {
        let berlin = "Europe/Berlin";
        let now = "2026-11-23T12:00:00Z";
        for (line, expected) in [
            ("2026-11-20T15:02:11Z x", "2026-11-20T15:02:11Z"),
            ("2026-11-20T15:02:11.123456+01:00 web07 kernel: [ 12.34] text", "2026-11-20T14:02:11.123456Z"),
            ("2026-11-20T15:02:11,5-0330 x", "2026-11-20T18:32:11.5Z"),
            ("2026-11-20 15:02:11.25 UTC x", "2026-11-20T15:02:11.25Z"),
            ("2026-11-20 15:02:11 INFO local", "2026-11-20T14:02:11Z"),
            ("2026/11/20 15:02:11 [error] nginx", "2026-11-20T14:02:11Z"),
            ("[2026-11-20 15:02:11] [   12.345] xenconsoled", "2026-11-20T14:02:11Z"),
            ("Nov 20 15:02:11 hv01 sshd[1]: x", "2026-11-20T14:02:11Z"),
            ("<13>Nov  2 15:02:11.5 hv01 sshd[1]: x", "2026-11-02T14:02:11.5Z"),
            ("Dec 31 23:59:59 last year", "2025-12-31T22:59:59Z"),
            ("Nov 24 01:00:00 a clock ahead", "2026-11-24T00:00:00Z"),
            ("Fri Nov 20 15:02:11 2026 ctime", "2026-11-20T14:02:11Z"),
            ("[Fri Nov 20 15:02:11.123456 2026] [core:error] apache", "2026-11-20T14:02:11.123456Z"),
            ("192.0.2.1 - - [20/Nov/2026:15:02:11 +0200] \"GET / HTTP/1.1\" 200", "2026-11-20T13:02:11Z"),
            ("I1120 15:02:11.123456    1 klog.go:3] x", "2026-11-20T14:02:11.123456Z"),
            ("1795000000.123 squid", "2026-11-18T11:06:40.123Z"),
            ("2026-07-20T15:02:11 summer", "2026-07-20T13:02:11Z"),
            ("2026-10-25 02:30:00 ambiguous: the earlier", "2026-10-25T00:30:00Z"),
            ("2026-03-29 02:30:00 skipped: moved forward", "2026-03-29T01:30:00Z"),
            ("Feb 29 10:00:00 the last leap year", "2024-02-29T09:00:00Z"),
            ("2026-06-27 18:26:29 CST in doubt", "2026-06-28T00:26:29Z"),
            ("2026-06-27 18:26:29 GMT+3 in doubt", "2026-06-27T15:26:29Z"),
            ("06/07/2026 18:26:43 in doubt", "2026-06-07T16:26:43Z"),
            ("2026-06-27 18:26 x", "2026-06-27T16:26:00Z"),
            ("2026-06-27  9:26:46 0 [Note] x", "2026-06-27T07:26:46Z"),
            ("2026-06-27 18:26:29 GET /api 200", "2026-06-27T16:26:29Z"),
            ("{\"t\":{\"$date\":\"2026-06-27T18:26:29.5+00:00\"},\"s\":\"I\"}", "2026-06-27T18:26:29.5Z"),
            (
                "{\"instant\":{\"epochSecond\":1782584792,\"nanoOfSecond\":500000000}}",
                "2026-06-27T18:26:32.5Z",
            ),
            ("{\"level\":\"info\",\"ts\":1.7825847925e+09}", "2026-06-27T18:26:32.5Z"),
            ("{\"log\":\"2026-06-27T18:26:32Z x\\n\",\"stream\":\"stderr\"}", "2026-06-27T18:26:32Z"),
            ("\u{1b}[0;31m2026-06-27T18:26:32Z x", "2026-06-27T18:26:32Z"),
        ] {
            check(berlin, now, line, expected);
        }
    }

    #[test]
    fn a_configured_year_dates_the_first_line_and_a_step_back_adds_one() {
        let mut stamper = Stamper::new(StampRules { year: Some(2019), ..rules("UTC") });
        let lines = [
            "Dec 30 10:00:00 a",
            "Dec 30 09:59:00 late",
            "Jan  1 00:00:00 b",
            "Jun  1 00:00:00 c",
            "Dec  1 00:00:00 d",
            "Jan  2 00:00:00 e",
        ];
        let years: Vec<i16> = lines
            .iter()
            .map(|line| {
                let (time, _) = stamper.stamp(line.as_bytes(), 0);
                jiff::Timestamp::from_nanosecond(i128::from(time))
                    .unwrap()
                    .to_zoned_datetime(TimeZone::UTC)
                    .year()
            })
            .collect();
        assert_eq!(years, [2019, 2019, 2020, 2020, 2020, 2021]);
        let resumed = Stamper::resume(rules("UTC"), stamper.state());
        assert_eq!(resumed.state().year, Some(2021));
    }

    #[test]
    fn without_a_year_the_file_s_modification_dates_the_last_line() {
        let modified = ns("2021-02-03T04:05:06Z");
        let mut stamper = Stamper::new(StampRules { modified_ns: Some(modified), ..rules("UTC") });
        let observed = ns("2026-11-23T12:00:00Z");
        assert_eq!(stamper.stamp(b"Dec 31 23:59:59 x", observed).0, ns("2020-12-31T23:59:59Z"));
        assert_eq!(stamper.stamp(b"Feb  3 04:05:06 x", observed).0, modified);
    }

    #[test]
    fn a_line_without_a_time_takes_the_one_before() {
        let observed = ns("2026-11-23T12:00:00Z");
        let mut stamper = Stamper::new(rules("UTC"));
        assert_eq!(stamper.stamp(b"no time", observed), (observed, TimeBasis::Observed));
        let (time, _) = stamper.stamp(b"2026-11-20T15:02:11Z x", observed);
        assert_eq!(stamper.stamp(b"  at Foo.bar(Foo.java:1)", observed), (time, TimeBasis::Carried));
        let mut imported = Stamper::new(StampRules { modified_ns: Some(5), ..rules("UTC") });
        assert_eq!(imported.stamp(b"no time", observed), (5, TimeBasis::FileModified));
    }

    #[test]
    fn the_kernel_s_clock_counts_from_boot() {
        let mut stamper = Stamper::new(StampRules { boot_ns: Some(1_000 * SECOND_NS), ..rules("UTC") });
        assert_eq!(stamper.stamp(b"[   12.345678] x", 0), (1_012_345_678_000, TimeBasis::KernelClock));
        assert_eq!(Stamper::new(rules("UTC")).stamp(b"[   12.345678] x", 7), (7, TimeBasis::Observed));
    }

    #[test]
    fn what_only_looks_like_a_time_is_none() {
        let observed = ns("2026-11-23T12:00:00Z");
        for line in [
            "2026-13-20T15:02:11Z",
            "2026-11-31 10:00:00",
            "Nov 31 10:00:00",
            "Nov 20 25:02:11",
            "2026-11-20",
            "Novice 1 10:00:00",
            "12345",
            "[20/Nox/2026:15:02:11 +0000]",
            "",
            "[",
        ] {
            assert_eq!(
                Stamper::new(rules("UTC")).stamp(line.as_bytes(), observed).1,
                TimeBasis::Observed,
                "{line}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_instant_is_found_again(seconds in 0_i64..4_000_000_000, zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"])) {
            let at = jiff::Timestamp::from_second(seconds).unwrap();
            let zoned = at.to_zoned_datetime(TimeZone::get(zone).unwrap());
            for format in ["%Y-%m-%dT%H:%M:%S%:z x", "1.1.1.1 - - [%d/%b/%Y:%H:%M:%S %z] x", "%Y-%m-%d %H:%M:%S %z"] {
                let line = jiff::fmt::strtime::format(format, &zoned).unwrap();
                let found = Stamper::new(rules("UTC")).stamp(line.as_bytes(), 0);
                prop_assert_eq!(found, (seconds * SECOND_NS, TimeBasis::Line), "{}", line);
            }
        }

        #[test]
        fn arbitrary_bytes_are_no_danger(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..9)) {
            let mut stamper = Stamper::new(rules("Europe/Berlin"));
            for line in lines {
                stamper.stamp(&line, 0);
            }
        }
    }
}
