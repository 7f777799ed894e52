//! Lengths of time and instants.

use jiff::{Timestamp, civil};

use super::{
    asker::Asker,
    calendar::{date, days_from, local, midnight, nanoseconds, time_of_day, today},
};

const SECOND_NS: f64 = 1e9;
/// Names of units with their length in seconds.
const UNITS: &[(&[&str], f64)] = &[
    (&["ms", "millisecond", "milliseconds"], 0.001),
    (&["s", "sec", "secs", "second", "seconds"], 1.0),
    (&["m", "min", "mins", "minute", "minutes"], 60.0),
    (&["h", "hr", "hrs", "hour", "hours"], 3600.0),
    (&["d", "day", "days"], 86_400.0),
    (&["w", "week", "weeks"], 604_800.0),
];

/// Reads a length of time from the first words, such as `5m`, `5 minutes`, `1h30m`, `an hour`, `1 hour 30 minutes`:
/// nanoseconds and how many words it took.
pub(super) fn length(words: &[&str]) -> Option<(i64, usize)> {
    let mut seconds = 0.0;
    let mut taken = 0;
    loop {
        let rest = words.get(taken..).unwrap_or_default();
        let part = match rest {
            [word, ..] if let Some(part) = compact(word) => Some((part, 1)),
            [number, name, ..] => number_of(number).zip(unit(name)).map(|(n, unit)| (n * unit, 2)),
            _ => None,
        };
        match part {
            Some((part, words)) => {
                seconds += part;
                taken += words;
            }
            None => break,
        }
    }
    // The bound is far above every length that a question may have.
    if taken == 0 || !seconds.is_finite() || seconds > 1e9 {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "at most 1e18, which an i64 holds")]
    let length_ns = (seconds * SECOND_NS).round() as i64;
    Some((length_ns, taken))
}

/// What units of time are called.
pub(super) fn unit_names() -> impl Iterator<Item = &'static str> {
    UNITS.iter().flat_map(|(names, _)| names.iter().copied())
}

fn unit(name: &str) -> Option<f64> {
    UNITS.iter().find(|(names, _)| names.contains(&name)).map(|(_, seconds)| *seconds)
}

fn number_of(word: &str) -> Option<f64> {
    match word {
        "a" | "an" | "one" => Some(1.0),
        "two" => Some(2.0),
        "three" => Some(3.0),
        "four" => Some(4.0),
        "five" => Some(5.0),
        "six" => Some(6.0),
        "seven" => Some(7.0),
        "eight" => Some(8.0),
        "nine" => Some(9.0),
        "ten" => Some(10.0),
        "twelve" => Some(12.0),
        "fifteen" => Some(15.0),
        "twenty" => Some(20.0),
        "thirty" => Some(30.0),
        "sixty" => Some(60.0),
        _ if word.starts_with(|first: char| first.is_ascii_digit()) => {
            word.chars().all(|letter| letter.is_ascii_digit() || letter == '.').then(|| word.parse().ok())?
        }
        _ => None,
    }
}

/// `5m`, `1h30m`, `1.5h`.
fn compact(word: &str) -> Option<f64> {
    let mut rest = word;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (name, tail) = tail.split_at(letters);
        seconds += number_of(number)? * unit(name)?;
        rest = tail;
    }
    (!word.is_empty()).then_some(seconds)
}

/// Reads an instant from the first words: `now`, `7 days ago`, `2026-11-20`, `2026-11-20 15:00`, `yesterday at 3pm`,
/// `3pm`, `15:25 on nov 10`, `2026-11-20t15:00:00z`: nanoseconds since the epoch and how many words it took. Words are in
/// lower case. A day is its first instant; a time without a day the last such time up to now.
pub(super) fn instant(words: &[&str], asker: &Asker) -> Option<(i64, usize)> {
    if words.first() == Some(&"now") {
        return Some((asker.now_ns, 1));
    }
    if let Some((length_ns, taken)) = length(words) {
        return (words.get(taken).copied() == Some("ago"))
            .then(|| (asker.now_ns.saturating_sub(length_ns), taken + 1));
    }
    let first = words.first()?.to_ascii_uppercase();
    if let Ok(time) = first.parse::<Timestamp>() {
        return Some((nanoseconds(time)?, 1));
    }
    if first.contains('T')
        && let Ok(time) = first.parse::<civil::DateTime>()
    {
        return Some((local(time, &asker.time_zone)?, 1));
    }
    if let Some((time, taken)) = time_of_day(words) {
        let rest = words.get(taken..).unwrap_or_default();
        let skipped = usize::from(rest.first() == Some(&"on"));
        let day = rest.get(skipped..).and_then(|rest| date(rest, asker));
        return match day {
            Some((day, more)) => {
                Some((local(day.to_datetime(time), &asker.time_zone)?, taken + skipped + more))
            }
            None => Some((last_time(time, asker)?, taken)),
        };
    }
    let (day, taken) = date(words, asker)?;
    let rest = words.get(taken..).unwrap_or_default();
    let skipped = usize::from(rest.first() == Some(&"at"));
    match rest.get(skipped..).and_then(time_of_day) {
        Some((time, more)) => Some((local(day.to_datetime(time), &asker.time_zone)?, taken + skipped + more)),
        None => Some((midnight(day, &asker.time_zone)?, taken)),
    }
}

/// The last such time of day up to now.
fn last_time(time: civil::Time, asker: &Asker) -> Option<i64> {
    let today = today(asker)?;
    let on = |day: civil::Date| local(day.to_datetime(time), &asker.time_zone);
    on(today).filter(|at_ns| *at_ns <= asker.now_ns).or_else(|| on(days_from(today, -1)?))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    #[test]
    fn lengths_are_read_in_every_usual_form() {
        for (text, minutes, taken) in [
            ("5m", 5, 1),
            ("5 minutes of", 5, 2),
            ("1h30m", 90, 1),
            ("1 hour 30 minutes", 90, 4),
            ("1.5h", 90, 1),
            ("an hour", 60, 2),
            ("90min before", 90, 1),
            ("2 weeks", 20_160, 2),
            ("1h 30 min", 90, 3),
        ] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(length(&words), Some((minutes * MINUTE, taken)), "{text}");
        }
        for text in ["", "minutes", "5", "5 parsecs", "-5m", "5mm", "1e9d", "99999999999w", "."] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(length(&words), None, "{text}");
        }
    }

    #[test]
    fn instants_are_read_in_the_askers_time_zone() {
        let at = |text: &str| nanoseconds(text.parse().unwrap()).unwrap();
        let asker =
            Asker { now_ns: at("2026-11-23T14:30:00Z"), time_zone: TimeZone::get("Europe/Berlin").unwrap() };
        for (text, expected, taken) in [
            ("now", "2026-11-23T14:30:00Z", 1),
            ("today", "2026-11-22T23:00:00Z", 1),
            ("yesterday by", "2026-11-21T23:00:00Z", 1),
            ("7 days ago", "2026-11-16T14:30:00Z", 3),
            ("90m ago", "2026-11-23T13:00:00Z", 2),
            ("2026-11-20", "2026-11-19T23:00:00Z", 1),
            ("2026-07-20 15:00", "2026-07-20T13:00:00Z", 2),
            ("2026-11-20 and", "2026-11-19T23:00:00Z", 1),
            ("2026-11-20t15:00", "2026-11-20T14:00:00Z", 1),
            ("2026-11-20t15:00:00z", "2026-11-20T15:00:00Z", 1),
            ("2026-11-20t15:00:00.5+01:00", "2026-11-20T14:00:00.5Z", 1),
            ("yesterday at 3pm", "2026-11-22T14:00:00Z", 3),
            ("nov 10 15:25 by", "2026-11-10T14:25:00Z", 3),
            ("15:25 on 2026-11-10", "2026-11-10T14:25:00Z", 3),
            ("15:00", "2026-11-23T14:00:00Z", 1),
            ("3:45pm", "2026-11-22T14:45:00Z", 1),
            ("monday", "2026-11-22T23:00:00Z", 1),
        ] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(instant(&words, &asker), Some((at(expected), taken)), "{text}");
        }
        for text in ["", "tomorrowish", "5 days", "2026-13-01", "15"] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(instant(&words, &asker), None, "{text}");
        }
    }
}
