//! Times of day and days of the week: `between 15:00 and 16:00`, `at night`, `on weekdays`.

use std::fmt::{self, Display, Formatter};

use jiff::{Timestamp, civil, tz::TimeZone};

use super::calendar::{time_of_day, weekday};

const MINUTES: u16 = 24 * 60;
const WEEKDAYS: u8 = 0b001_1111;
const WEEKEND: u8 = 0b110_0000;
const ALL_DAYS: u8 = 0b111_1111;
const NAMES: [&str; 7] =
    ["Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"];
/// Parts of the day, by the hours in which they begin and end.
const PARTS: &[(&str, u16, u16)] =
    &[("night", 22, 6), ("morning", 6, 12), ("afternoon", 12, 18), ("evening", 18, 22)];

/// Hours of the asker's day and days of the asker's week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Minutes of the day, from the first on, before the second; over midnight where that is not later.
    minutes: Option<(u16, u16)>,
    /// Bits of days, Monday first.
    days: u8,
}

impl Default for Clock {
    /// All of them.
    fn default() -> Clock {
        Clock { minutes: None, days: ALL_DAYS }
    }
}

impl Clock {
    /// From a time of day on, before another; over midnight where that is not later.
    pub(super) fn between(from: civil::Time, to: civil::Time) -> Clock {
        Clock { minutes: Some((minute(from), minute(to))), ..Clock::default() }
    }

    /// From a time of day to the day's end.
    pub(super) fn from(time: civil::Time) -> Clock {
        Clock { minutes: Some((minute(time), MINUTES)), ..Clock::default() }
    }

    /// From midnight to a time of day.
    pub(super) fn until(time: civil::Time) -> Clock {
        Clock { minutes: Some((0, minute(time))), ..Clock::default() }
    }

    /// So many minutes on either side of a time of day.
    pub(super) fn around(time: civil::Time, minutes: u16) -> Clock {
        let at = minute(time) + MINUTES;
        Clock { minutes: Some(((at - minutes) % MINUTES, (at + minutes) % MINUTES)), ..Clock::default() }
    }

    /// What both say; none where they contradict one another or both name hours.
    pub(super) fn and(self, other: Clock) -> Option<Clock> {
        let days = self.days & other.days;
        let minutes = match (self.minutes, other.minutes) {
            (Some(_), Some(_)) => return None,
            (one, other) => one.or(other),
        };
        (days != 0).then_some(Clock { minutes, days })
    }

    /// Whether an instant is at such a time.
    pub fn holds(&self, time_ns: i64, zone: &TimeZone) -> bool {
        let Ok(time) = Timestamp::from_nanosecond(i128::from(time_ns)) else { return false };
        let local = time.to_zoned_datetime(zone.clone());
        let day = local.weekday().to_monday_zero_offset();
        let now = minute(local.time());
        let hours = self.minutes.is_none_or(|(from, to)| {
            if from < to { from <= now && now < to } else { now >= from || now < to }
        });
        hours && self.days & (1 << day) != 0
    }
}

fn minute(time: civil::Time) -> u16 {
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

/// What the first words say, how many they are, and whether they could mean one day as well.
pub(super) fn clock(words: &[&str]) -> Option<(Clock, usize, bool)> {
    match words {
        ["between", rest @ ..] => {
            let (from, first) = time_of_day(rest)?;
            let rest = rest.get(first..).unwrap_or_default();
            let rest = rest.strip_prefix(&["and"])?;
            let (to, second) = time_of_day(rest)?;
            Some((Clock::between(from, to), 2 + first + second, false))
        }
        ["from", rest @ ..] => {
            let (from, first) = time_of_day(rest)?;
            let rest = rest.get(first..).unwrap_or_default();
            let rest = rest.strip_prefix(&["to"]).or_else(|| rest.strip_prefix(&["until"]))?;
            let (to, second) = time_of_day(rest)?;
            Some((Clock::between(from, to), 2 + first + second, false))
        }
        ["after", rest @ ..] => {
            let (time, taken) = time_of_day(rest)?;
            Some((Clock::from(time), 1 + taken, false))
        }
        ["before", rest @ ..] => {
            let (time, taken) = time_of_day(rest)?;
            Some((Clock::until(time), 1 + taken, false))
        }
        ["around" | "about" | "near" | "at", rest @ ..] if time_of_day(rest).is_some() => {
            let (time, taken) = time_of_day(rest)?;
            Some((Clock::around(time, 15), 1 + taken, false))
        }
        ["at", part, ..] | ["in", "the", part, ..] | ["during", "the", part, ..] => {
            let taken = if words.first() == Some(&"at") { 2 } else { 3 };
            let part = part.strip_suffix('s').unwrap_or(part);
            let (_, from, to) = PARTS.iter().find(|(name, ..)| *name == part)?;
            Some((Clock { minutes: Some((from * 60, to * 60)), ..Clock::default() }, taken, false))
        }
        ["on", days, ..] => {
            let (days, ambiguous) = days_of(days)?;
            Some((Clock { days, ..Clock::default() }, 2, ambiguous))
        }
        ["weekdays" | "weekends" | "weekend", ..] => {
            Some((Clock { days: days_of(words.first()?)?.0, ..Clock::default() }, 1, false))
        }
        _ => None,
    }
}

fn days_of(word: &str) -> Option<(u8, bool)> {
    match word {
        "weekdays" | "workdays" | "weekday" => Some((WEEKDAYS, false)),
        "weekends" | "weekend" => Some((WEEKEND, false)),
        _ => {
            let (day, plural) = weekday(word)?;
            Some((1 << day, !plural))
        }
    }
}

impl Display for Clock {
    /// As the language reads it.
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let mut words = Vec::new();
        match self.minutes {
            Some((from, MINUTES)) => words.push(format!("after {}", clock(from))),
            Some((from, to)) => words.push(format!("between {} and {}", clock(from), clock(to))),
            None => {}
        }
        match self.days {
            ALL_DAYS => {}
            WEEKDAYS => words.push("on weekdays".to_owned()),
            WEEKEND => words.push("on weekends".to_owned()),
            days => {
                let named = NAMES.iter().enumerate().filter(|(at, _)| days & (1 << at) != 0);
                words.extend(named.map(|(_, name)| format!("on {name}")));
            }
        }
        out.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<(String, usize)> {
        let words: Vec<&str> = text.split(' ').collect();
        clock(&words).map(|(clock, taken, _)| (clock.to_string(), taken))
    }

    #[test]
    fn times_of_day_are_read_as_people_say_them() {
        for (text, expected, taken) in [
            ("between 15:00 and 16:00", "between 15:00 and 16:00", 4),
            ("between 3pm and 4 pm yesterday", "between 15:00 and 16:00", 5),
            ("from 22:00 to 06:00", "between 22:00 and 06:00", 4),
            ("after 3pm", "after 15:00", 2),
            ("before 6am", "between 00:00 and 06:00", 2),
            ("around 15:05", "between 14:50 and 15:20", 2),
            ("at night", "between 22:00 and 06:00", 2),
            ("in the afternoon", "between 12:00 and 18:00", 3),
            ("on weekdays", "on weekdays", 2),
            ("on monday", "on Mondays", 2),
        ] {
            assert_eq!(said(text), Some((expected.to_owned(), taken)), "{text}");
            let expected = expected.to_ascii_lowercase();
            assert_eq!(
                said(&expected).map(|found| found.0.to_ascii_lowercase()),
                Some(expected.clone()),
                "{text}"
            );
        }
        for text in ["between 2026-11-10 and 2026-11-12", "after panics", "on hv01", "at hv01", "in november"]
        {
            assert_eq!(said(text), None, "{text}");
        }
    }

    #[test]
    fn an_instant_is_at_a_time_of_the_askers_day() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let holds = |clock: &str, time: &str| {
            let words: Vec<&str> = clock.split(' ').collect();
            let time: Timestamp = time.parse().unwrap();
            super::clock(&words).unwrap().0.holds(i64::try_from(time.as_nanosecond()).unwrap(), &zone)
        };
        // Thursday, and an hour ahead of UTC.
        assert!(holds("between 15:00 and 16:00", "2026-11-26T14:00:00Z"));
        assert!(holds("between 15:00 and 16:00", "2026-11-26T14:59:59.999Z"));
        assert!(!holds("between 15:00 and 16:00", "2026-11-26T15:00:00Z"));
        assert!(holds("at night", "2026-11-26T22:30:00Z") && holds("at night", "2026-11-26T04:59:00Z"));
        assert!(!holds("at night", "2026-11-26T12:00:00Z"));
        assert!(
            holds("on weekdays", "2026-11-26T12:00:00Z") && !holds("on weekends", "2026-11-26T12:00:00Z")
        );
        // Saturday begins an hour earlier there.
        assert!(holds("on weekends", "2026-11-27T23:30:00Z"));
    }

    #[test]
    fn hours_and_days_go_together_and_two_of_a_kind_do_not() {
        let of = |text: &str| clock(&text.split(' ').collect::<Vec<_>>()).unwrap().0;
        let both = of("after 3pm").and(of("on weekdays")).unwrap();
        assert_eq!(both.to_string(), "after 15:00 on weekdays");
        assert_eq!(of("after 3pm").and(of("before 6am")), None);
        assert_eq!(of("on mondays").and(of("on weekends")), None);
    }
}
