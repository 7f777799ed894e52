//! Stretches of time as people say them: `yesterday`, `last night`, `this week`, `in november`, `week 47`, `around 15:25
//! on 2026-11-10`, `the last 24 hours`.

use jiff::civil;

use super::{
    asker::Asker,
    calendar::{date, days_from, local, midnight, monday, month, time_of_day, today, year},
    moment,
};

/// `around T` takes so long on either side: 15 minutes.
pub(super) const AROUND_NS: i64 = 900_000_000_000;
/// A night, from the hour in which it begins to that in which it ends.
const NIGHT: (i8, i8) = (18, 6);

/// From an instant on, before another one; none: up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    pub from_ns: i64,
    pub to_ns: Option<i64>,
}

/// What the first words say, and how many they are.
pub(super) fn period(words: &[&str], asker: &Asker) -> Option<(Period, usize)> {
    let days = |from: civil::Date, to: civil::Date, taken| {
        let (from_ns, to_ns) = (midnight(from, &asker.time_zone)?, midnight(to, &asker.time_zone)?);
        Some((Period { from_ns, to_ns: Some(to_ns) }, taken))
    };
    let since = |from: civil::Date, taken| {
        Some((Period { from_ns: midnight(from, &asker.time_zone)?, to_ns: None }, taken))
    };
    let today = today(asker)?;
    let week = monday(today)?;
    let first_of_month = civil::Date::new(today.year(), today.month(), 1).ok()?;
    match words {
        ["today", ..] => return since(today, 1),
        ["this", "week", ..] => return since(week, 2),
        ["this", "month", ..] => return since(first_of_month, 2),
        ["this", "year", ..] => return since(civil::Date::new(today.year(), 1, 1).ok()?, 2),
        ["last" | "previous", "week", ..] => return days(days_from(week, -7)?, week, 2),
        ["last" | "previous", "month", ..] => {
            let last = days_from(first_of_month, -1)?;
            return days(civil::Date::new(last.year(), last.month(), 1).ok()?, first_of_month, 2);
        }
        ["last" | "previous", "year", ..] => {
            let (last, this) = (today.year() - 1, today.year());
            return days(civil::Date::new(last, 1, 1).ok()?, civil::Date::new(this, 1, 1).ok()?, 2);
        }
        ["last", "night", ..] => return Some((night(today, asker)?, 2)),
        ["overnight", ..] => return Some((night(today, asker)?, 1)),
        ["the", rest @ ..] if matches!(rest.first(), Some(&("last" | "past" | "previous"))) => {
            return period(rest, asker).map(|(found, taken)| (found, taken + 1));
        }
        ["week" | "cw" | "kw", number, ..] if let Ok(number) = number.parse::<i8>() => {
            let said = words.get(2).and_then(|word| year(word));
            let first =
                |year: i16| Some(civil::ISOWeekDate::new(year, number, civil::Weekday::Monday).ok()?.date());
            let from = match said {
                Some(year) => first(year)?,
                // The last one that has begun.
                None => (0..3).filter_map(|ago| first(today.year() - ago)).find(|from| *from <= today)?,
            };
            return days(from, days_from(from, 7)?, 2 + usize::from(said.is_some()));
        }
        ["last" | "past", rest @ ..] => {
            let (length_ns, taken) = one_or_more(rest)?;
            return Some((
                Period { from_ns: asker.now_ns.saturating_sub(length_ns), to_ns: None },
                taken + 1,
            ));
        }
        _ => {}
    }
    if let Some((from, taken)) = whole_month(words, today) {
        return days(from, next_month(from)?, taken);
    }
    if let Some((length_ns, taken)) = moment::length(words) {
        // "3 days ago" as a stretch is that day; "2 hours ago" is none.
        const DAY_NS: i64 = 86_400_000_000_000;
        let ago = words.get(taken).copied() == Some("ago") && length_ns % DAY_NS == 0;
        let day = ago.then(|| days_from(today, -(length_ns / DAY_NS)))??;
        return days(day, days_from(day, 1)?, taken + 1);
    }
    // A day with a time is an instant.
    let (day, taken) = date(words, asker)?;
    let rest = words.get(taken..).unwrap_or_default();
    let has_time =
        time_of_day(rest).is_some() || matches!(rest, ["at", rest @ ..] if time_of_day(rest).is_some());
    if has_time { None } else { days(day, days_from(day, 1)?, taken) }
}

/// `24 hours`; `hour` is one.
fn one_or_more(words: &[&str]) -> Option<(i64, usize)> {
    moment::length(words).or_else(|| {
        let (length_ns, _) = moment::length(&["1", words.first()?])?;
        Some((length_ns, 1))
    })
}

/// From the evening before a day to its morning.
fn night(day: civil::Date, asker: &Asker) -> Option<Period> {
    let at = |date: civil::Date, hour| local(date.at(hour, 0, 0, 0), &asker.time_zone);
    Some(Period { from_ns: at(days_from(day, -1)?, NIGHT.0)?, to_ns: Some(at(day, NIGHT.1)?) })
}

/// `november`, `november 2025`, `2026-11`: its first day.
fn whole_month(words: &[&str], today: civil::Date) -> Option<(civil::Date, usize)> {
    let first = words.first()?;
    if let Some((of, number)) = first.split_once('-').filter(|(_, number)| number.len() == 2) {
        return Some((civil::Date::new(year(of)?, number.parse().ok()?, 1).ok()?, 1));
    }
    let number = month(first)?;
    // "nov 10" is a day.
    match words.get(1).and_then(|word| year(word)) {
        Some(year) => Some((civil::Date::new(year, number, 1).ok()?, 2)),
        None if words.get(1).is_some_and(|word| word.starts_with(|letter: char| letter.is_ascii_digit())) => {
            None
        }
        None => {
            let of = if number <= today.month() { today.year() } else { today.year() - 1 };
            Some((civil::Date::new(of, number, 1).ok()?, 1))
        }
    }
}

fn next_month(first: civil::Date) -> Option<civil::Date> {
    let (year, month) =
        if first.month() == 12 { (first.year() + 1, 1) } else { (first.year(), first.month() + 1) };
    civil::Date::new(year, month, 1).ok()
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};

    use super::*;

    #[test]
    fn stretches_of_time_are_read_as_people_say_them() {
        // Thursday, 12:00 in Berlin.
        let now: Timestamp = "2026-11-26T11:00:00Z".parse().unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let asker = Asker { now_ns: i64::try_from(now.as_nanosecond()).unwrap(), time_zone: zone.clone() };
        let at = |text: &str| local(text.parse().unwrap(), &zone).unwrap();
        for (text, from, to, taken) in [
            ("today", "2026-11-26T00:00", "", 1),
            ("yesterday by", "2026-11-25T00:00", "2026-11-26T00:00", 1),
            ("last night", "2026-11-25T18:00", "2026-11-26T06:00", 2),
            ("this week", "2026-11-23T00:00", "", 2),
            ("last week", "2026-11-16T00:00", "2026-11-23T00:00", 2),
            ("last month", "2026-10-01T00:00", "2026-11-01T00:00", 2),
            ("last 24 hours", "2026-11-25T12:00", "", 3),
            ("the last hour", "2026-11-26T11:00", "", 3),
            ("past week", "2026-11-19T12:00", "", 2),
            ("last 24h", "2026-11-25T12:00", "", 2),
            ("november", "2026-11-01T00:00", "2026-12-01T00:00", 1),
            ("december by", "2025-12-01T00:00", "2026-01-01T00:00", 1),
            ("november 2025", "2025-11-01T00:00", "2025-12-01T00:00", 2),
            ("2026-10", "2026-10-01T00:00", "2026-11-01T00:00", 1),
            ("week 47", "2026-11-16T00:00", "2026-11-23T00:00", 2),
            ("week 1 2026", "2025-12-29T00:00", "2026-01-05T00:00", 3),
            ("week 50", "2025-12-08T00:00", "2025-12-15T00:00", 2),
            ("2026-11-10", "2026-11-10T00:00", "2026-11-11T00:00", 1),
            ("nov 10", "2026-11-10T00:00", "2026-11-11T00:00", 2),
            ("3 days ago", "2026-11-23T00:00", "2026-11-24T00:00", 3),
            ("monday", "2026-11-23T00:00", "2026-11-24T00:00", 1),
        ] {
            let words: Vec<&str> = text.split(' ').collect();
            let period_said = Period { from_ns: at(from), to_ns: (!to.is_empty()).then(|| at(to)) };
            assert_eq!(period(&words, &asker), Some((period_said, taken)), "{text}");
        }
        for text in [
            "",
            "last",
            "week",
            "yesterday at 3pm",
            "2026-11-10 15:00",
            "2 hours ago",
            "panics",
            "last panics",
        ] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(period(&words, &asker), None, "{text}");
        }
    }
}
