//! Days as people write them: `2026-11-20`, `Nov 10`, `10 Nov 2026`, `10.11.2026`, `monday`, `yesterday`.

use jiff::{
    Span, Timestamp,
    civil::{self, Weekday},
    tz::TimeZone,
};

use super::asker::Asker;

const MONTHS: [[&str; 2]; 12] = [
    ["january", "jan"],
    ["february", "feb"],
    ["march", "mar"],
    ["april", "apr"],
    ["may", "may"],
    ["june", "jun"],
    ["july", "jul"],
    ["august", "aug"],
    ["september", "sep"],
    ["october", "oct"],
    ["november", "nov"],
    ["december", "dec"],
];
/// Monday first.
const WEEKDAYS: [[&str; 2]; 7] = [
    ["monday", "mon"],
    ["tuesday", "tue"],
    ["wednesday", "wed"],
    ["thursday", "thu"],
    ["friday", "fri"],
    ["saturday", "sat"],
    ["sunday", "sun"],
];

/// The words for months and days of the week.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    MONTHS.iter().chain(&WEEKDAYS).flatten().copied()
}

/// The number of a month, from 1.
pub(super) fn month(word: &str) -> Option<i8> {
    let at =
        MONTHS.iter().position(|names| names.contains(&word) || (names[1] == "sep" && word == "sept"))?;
    i8::try_from(at + 1).ok()
}

/// A day of the week, Monday as 0; and whether the word is in the plural.
pub(super) fn weekday(word: &str) -> Option<(usize, bool)> {
    let singular = word.strip_suffix('s').filter(|word| word.len() > 4);
    let find = |word: &str| WEEKDAYS.iter().position(|names| names.contains(&word));
    find(word).map(|day| (day, false)).or_else(|| Some((find(singular?)?, true)))
}

/// The asker's day.
pub(super) fn today(asker: &Asker) -> Option<civil::Date> {
    let now = Timestamp::from_nanosecond(i128::from(asker.now_ns)).ok()?;
    Some(now.to_zoned_datetime(asker.time_zone.clone()).date())
}

/// Days later, or earlier.
pub(super) fn days_from(date: civil::Date, days: i64) -> Option<civil::Date> {
    date.checked_add(Span::new().try_days(days).ok()?).ok()
}

/// Monday of the week of a day.
pub(super) fn monday(date: civil::Date) -> Option<civil::Date> {
    days_from(date, -i64::from(date.weekday().to_monday_zero_offset()))
}

/// The day that the first words name, and how many they are. A day without a year is the last such day up to today.
pub(super) fn date(words: &[&str], asker: &Asker) -> Option<(civil::Date, usize)> {
    let today = today(asker)?;
    match words {
        ["today", ..] => return Some((today, 1)),
        ["yesterday", ..] => return Some((days_from(today, -1)?, 1)),
        ["the", "day", "before", "yesterday", ..] => return Some((days_from(today, -2)?, 4)),
        ["last", day, ..] if let Some((day, false)) = weekday(day) => {
            return Some((last_weekday(days_from(today, -1)?, day)?, 2));
        }
        _ => {}
    }
    let first = words.first()?;
    if let Some((day, false)) = weekday(first) {
        // "monday 2026-11-09" and "mon, nov 9" name the day itself.
        let rest = words.get(1..).unwrap_or_default();
        let named = rest.first().filter(|word| word.len() > 2).and_then(|_| date(rest, asker));
        if let Some((named, taken)) = named.filter(|_| !is_relative(rest)) {
            return Some((named, taken + 1));
        }
        return Some((last_weekday(today, day)?, 1));
    }
    if let Some(date) = numbers(first) {
        return Some((date, 1));
    }
    let (month, day, taken) = match words {
        [month_word, day_word, ..] if let (Some(month), Some(day)) = (month(month_word), day(day_word)) => {
            (month, day, 2)
        }
        [day_word, month_word, ..] if let (Some(day), Some(month)) = (day(day_word), month(month_word)) => {
            (month, day, 2)
        }
        [day_word, "of", month_word, ..]
            if let (Some(day), Some(month)) = (day(day_word), month(month_word)) =>
        {
            (month, day, 3)
        }
        _ => return None,
    };
    let (year, taken) = match words.get(taken).and_then(|word| year(word)) {
        Some(year) => (Some(year), taken + 1),
        None => (None, taken),
    };
    Some((of_year(year, month, day, today)?, taken))
}

/// Whether words name a day by today.
fn is_relative(words: &[&str]) -> bool {
    matches!(words.first(), Some(&("today" | "yesterday" | "last" | "the")))
        || words.first().is_some_and(|word| weekday(word).is_some())
}

/// `2026-11-20`, `2026/11/20`, `20.11.2026`; `20/11/2026` or `11/20/2026` where one of them alone can be a month.
fn numbers(word: &str) -> Option<civil::Date> {
    let parts = |separator: char| -> Option<[&str; 3]> {
        let parts: Vec<&str> = word.split(separator).collect();
        let all_digits =
            parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
        <[&str; 3]>::try_from(parts).ok().filter(|_| all_digits)
    };
    if word.contains('t') {
        return None;
    }
    let date = |year: &str, month: &str, day: &str| {
        civil::Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
    };
    if let Some([year, month, day]) = parts('-').filter(|[year, ..]| year.len() == 4) {
        return date(year, month, day);
    }
    if let Some([day, month, year]) = parts('.').filter(|[.., year]| year.len() == 4) {
        return date(year, month, day);
    }
    match parts('/')? {
        [year, month, day] if year.len() == 4 => date(year, month, day),
        [a, b, year] if year.len() == 4 => match (date(year, b, a), date(year, a, b)) {
            (Some(one), None) | (None, Some(one)) => Some(one),
            (Some(one), Some(other)) => (one == other).then_some(one),
            (None, None) => None,
        },
        _ => None,
    }
}

/// `10`, `10th`.
fn day(word: &str) -> Option<i8> {
    let number = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
    let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse().ok())?.filter(|day| (1..=31).contains(day))
}

/// A year of four digits.
pub(super) fn year(word: &str) -> Option<i16> {
    let is_year = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    is_year.then(|| word.parse().ok())?.filter(|year| (1970..=2261).contains(year))
}

fn of_year(year: Option<i16>, month: i8, day: i8, today: civil::Date) -> Option<civil::Date> {
    match year {
        Some(year) => civil::Date::new(year, month, day).ok(),
        // 29 February is not of every year.
        None => (0..8)
            .filter_map(|ago| civil::Date::new(today.year() - ago, month, day).ok())
            .find(|date| *date <= today),
    }
}

/// The last such day of the week up to another day.
fn last_weekday(upto: civil::Date, day: usize) -> Option<civil::Date> {
    let wanted = Weekday::from_monday_zero_offset(i8::try_from(day).ok()?).ok()?;
    let back = upto.weekday().since(wanted);
    days_from(upto, -i64::from(back))
}

/// The instant of a local time, nanoseconds since the epoch.
pub(super) fn local(time: civil::DateTime, zone: &TimeZone) -> Option<i64> {
    nanoseconds(time.to_zoned_datetime(zone.clone()).ok()?.timestamp())
}

/// The first instant of a day.
pub(super) fn midnight(date: civil::Date, zone: &TimeZone) -> Option<i64> {
    local(date.to_datetime(civil::Time::midnight()), zone)
}

/// Nanoseconds since the epoch.
pub(super) fn nanoseconds(time: Timestamp) -> Option<i64> {
    i64::try_from(time.as_nanosecond()).ok()
}

/// `15:00`, `15:00:30`, `3pm`, `3 pm`, `3:30pm`, `noon`, `midnight`, and how many words that is.
pub(super) fn time_of_day(words: &[&str]) -> Option<(civil::Time, usize)> {
    let first = *words.first()?;
    match first {
        "noon" => return Some((civil::Time::constant(12, 0, 0, 0), 1)),
        "midnight" => return Some((civil::Time::midnight(), 1)),
        _ => {}
    }
    let half = |word: &str| match word {
        "am" | "a.m" => Some(0),
        "pm" | "p.m" => Some(12),
        _ => None,
    };
    let (number, offset, taken) =
        match ["am", "pm"].iter().find_map(|end| Some((first.strip_suffix(end)?, *end))) {
            Some((number, end)) => (number, half(end), 1),
            None => match words.get(1).and_then(|word| half(word)) {
                Some(offset) => (first, Some(offset), 2),
                None => (first, None, 1),
            },
        };
    if !number.starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    let Some(offset) = offset else {
        // A number alone is no time of day.
        return number.contains(':').then(|| Some((padded(number).parse().ok()?, 1)))?;
    };
    let (hour, rest) = number.split_once(':').map_or((number, "00"), |(hour, rest)| (hour, rest));
    let hour: i8 = hour.parse().ok().filter(|hour| (1..=12).contains(hour))?;
    let time: civil::Time = format!("{:02}:{rest}", hour % 12 + offset).parse().ok()?;
    Some((time, taken))
}

/// `9:05` as `09:05`.
fn padded(time: &str) -> String {
    if time.find(':') == Some(1) { format!("0{time}") } else { time.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thursday.
    fn asker() -> Asker {
        let now: Timestamp = "2026-11-26T11:00:00Z".parse().unwrap();
        Asker { now_ns: nanoseconds(now).unwrap(), time_zone: TimeZone::get("Europe/Berlin").unwrap() }
    }

    #[test]
    fn days_are_read_as_people_write_them() {
        for (text, expected, taken) in [
            ("today", "2026-11-26", 1),
            ("yesterday at", "2026-11-25", 1),
            ("the day before yesterday", "2026-11-24", 4),
            ("2026-11-10", "2026-11-10", 1),
            ("2026/11/10", "2026-11-10", 1),
            ("10.11.2026", "2026-11-10", 1),
            ("20/11/2026", "2026-11-20", 1),
            ("11/20/2026", "2026-11-20", 1),
            ("nov 10", "2026-11-10", 2),
            ("november 10th 2025 by", "2025-11-10", 3),
            ("10 nov 2026", "2026-11-10", 3),
            ("10th of november", "2026-11-10", 3),
            ("dec 24", "2025-12-24", 2),
            ("29 feb", "2024-02-29", 2),
            ("monday", "2026-11-23", 1),
            ("thursday", "2026-11-26", 1),
            ("last thursday", "2026-11-19", 2),
            ("friday by", "2026-11-20", 1),
            ("mon nov 9", "2026-11-09", 3),
        ] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(date(&words, &asker()), Some((expected.parse().unwrap(), taken)), "{text}");
        }
        for text in ["", "11/10/2026", "mondays", "10", "2026", "nov", "32 nov", "2026-13-01", "10.13.2026"] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(date(&words, &asker()), None, "{text}");
        }
    }

    #[test]
    fn times_of_day_are_read_with_and_without_halves() {
        for (text, expected, taken) in [
            ("15:00", "15:00:00", 1),
            ("9:05", "09:05:00", 1),
            ("15:00:30", "15:00:30", 1),
            ("3pm", "15:00:00", 1),
            ("3 pm", "15:00:00", 2),
            ("12am", "00:00:00", 1),
            ("12pm", "12:00:00", 1),
            ("3:30pm", "15:30:00", 1),
            ("noon", "12:00:00", 1),
        ] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(time_of_day(&words), Some((expected.parse().unwrap(), taken)), "{text}");
        }
        for text in ["", "15", "25:00", "13pm", "0pm", "pm", "5 minutes"] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(time_of_day(&words), None, "{text}");
        }
    }
}
