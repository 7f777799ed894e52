//! Times with the name of a month, in any order, and the weekdays in front of them.

use std::sync::LazyLock;

use super::{
    digits::{TimeOfDay, leading_number, number, spoken_time, time_of_day, two, zone},
    form::{Form, Zone},
    names,
};

/// Bytes of a name, at most.
const NAME_BYTES_MAX: usize = 24;

/// `Nov 20 15:02:11` in English, as most lines of syslog's begin.
#[inline]
pub(super) fn english(text: &[u8]) -> Option<Form> {
    let month = english_month(text)?;
    let rest = text.get(3..)?.strip_prefix(b" ")?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let digits = rest.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    let (day, rest) = rest.split_at_checked(digits)?;
    let (day, rest) = (number(day)?, rest.strip_prefix(b" ")?);
    let clock = time_of_day(rest)?;
    behind_time(&clock, None, month, day)
}

#[inline]
fn english_month(text: &[u8]) -> Option<i64> {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let name = text.first_chunk::<3>()?;
    MONTHS.iter().zip(1..).find(|(month, _)| **month == name).map(|(_, number)| number)
}

/// A date with a month's name, behind a weekday or not:
///
/// - `Nov 20 15:02:11`, `Nov 20 2026 15:02:11`, `Jun 27, 2026 6:26:29 PM`,
/// - `20 Nov 15:02:11`, `27 Jun 2026 18:26:29`, `27-Jun-2026 18:26:29`, `13. Juni 2026, 16:12:24`, `20/Nov/2026:15:02:11`,
/// - `2026 Nov 20 15:02:11`, `2026-Nov-20 15:02:11`,
/// - each with a zone, a year or both behind it.
pub(super) fn date(text: &[u8]) -> Option<Form> {
    let text = match word(text) {
        // `mar` is a weekday in some languages and a month in others: what follows decides.
        Some((name, rest)) if is_weekday(name) => match bare_date(text) {
            Some(form) => return Some(form),
            None => between(rest).trim_ascii_start(),
        },
        _ => text,
    };
    bare_date(text)
}

fn bare_date(text: &[u8]) -> Option<Form> {
    let (year, month, day, rest) = match text.first()? {
        b'0'..=b'9' => digits_first(text)?,
        _ => {
            let (name, rest) = word(text)?;
            let month = month(name)?;
            let (day, rest) = leading_number(between(rest), 1, 2)?;
            (None, month, day, rest)
        }
    };
    let rest = between_time(rest)?;
    let (year, rest) = match (year, leading_number(rest, 4, 4)) {
        (None, Some((year, behind))) => (Some(year), between_time(behind)?),
        (year, _) => (year, rest),
    };
    behind_time(&spoken_time(rest)?, year, month, day)
}

/// Year or none, month, day, and what follows: `27 Jun`, `27-Jun-2026`, `2026-Nov-20`, `11月 20`.
fn digits_first(text: &[u8]) -> Option<(Option<i64>, i64, i64, &[u8])> {
    let (first, rest) = leading_number(text, 1, 4)?;
    if let Some(rest) = rest.strip_prefix("月".as_bytes()).or_else(|| rest.strip_prefix("월".as_bytes())) {
        let (day, rest) = leading_number(between(rest), 1, 2)?;
        return Some((None, first, day, rest.strip_prefix("日".as_bytes()).unwrap_or(rest)));
    }
    if let Some(date) = east_asian(first, rest) {
        return Some(date);
    }
    let (name, rest) = word(between(rest))?;
    let month = month(name)?;
    match rest.first()? {
        // With hyphens and slashes the year follows the month or stands in front.
        _ if first > 31 => {
            let (day, rest) = leading_number(between(rest), 1, 2)?;
            Some((Some(first), month, day, rest))
        }
        b'-' | b'/' => {
            let (year, rest) = leading_number(rest.get(1..)?, 4, 4)?;
            Some((Some(year), month, first, rest))
        }
        _ => Some((None, month, first, rest)),
    }
}

/// `2026年 06月 27日 土曜日`, `2026. 06. 27. (토)`, behind the year.
fn east_asian(year: i64, rest: &[u8]) -> Option<(Option<i64>, i64, i64, &[u8])> {
    let unit = |text, unit: [&str; 3]| {
        let text: &[u8] = text;
        let rest = unit.iter().find_map(|unit| text.strip_prefix(unit.as_bytes()))?;
        Some(rest.trim_ascii_start())
    };
    let rest = unit(rest, ["年", "년", ". "]).filter(|_| year > 31)?;
    let (month, rest) = leading_number(rest, 1, 2)?;
    let (day, rest) = leading_number(unit(rest, ["月", "월", ". "])?, 1, 2)?;
    let rest = ["日", "일", "."].iter().find_map(|unit| rest.strip_prefix(unit.as_bytes()))?;
    // The weekday, in brackets or not.
    let behind = rest.trim_ascii_start();
    let weekday = behind
        .iter()
        .take(NAME_BYTES_MAX)
        .take_while(|byte| !byte.is_ascii_digit() && **byte != b' ')
        .count();
    Some((Some(year), month, day, if weekday == 0 { rest } else { behind.get(weekday..)? }))
}

/// What stands behind the separators between the parts of a date.
fn between(text: &[u8]) -> &[u8] {
    let count =
        text.iter().take(3).take_while(|byte| matches!(byte, b' ' | b',' | b'.' | b'-' | b'/')).count();
    text.get(count..).unwrap_or_default()
}

/// What stands behind the separators between a date and a time; none where there are none.
fn between_time(text: &[u8]) -> Option<&[u8]> {
    let count =
        text.iter().take(3).take_while(|byte| matches!(byte, b' ' | b',' | b'.' | b':' | b'T')).count();
    text.get(count..).filter(|_| count > 0 || text.first().is_some_and(|byte| *byte > 0x7f))
}

/// Zone and year behind the time: ` CEST 2026`, ` 2026`, ` +0200`.
#[inline]
fn behind_time(clock: &TimeOfDay<'_>, year: Option<i64>, month: i64, day: i64) -> Option<Form> {
    // `16:12:24, CEST`
    let rest = match clock.rest {
        [b',', zone @ ..] if year.is_some() => zone,
        rest => rest,
    };
    let (zone, rest, doubt) = zone(rest);
    let year = match (year, rest) {
        (None, [b' ', y1 @ b'0'..=b'9', y2, y3, y4, behind @ ..])
            if !behind
                .first()
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':')) =>
        {
            two(*y1, *y2)
                .zip(two(*y3, *y4))
                .map(|(high, low)| high * 100 + low)
                .filter(|year| (1_970..2_200).contains(year))
        }
        (year, _) => year,
    };
    clock.zoned(year, month, day, zone, doubt)
}

/// `Dec14 00:03]`, behind the opening bracket, as `dmesg --human` writes the first line of a minute.
pub(super) fn human(inner: &[u8]) -> Option<Form> {
    let month = english_month(inner)?;
    let [d1, d2, b' ', h1, h2, b':', m1, m2, b']', ..] = inner.get(3..)? else { return None };
    let day = two(if *d1 == b' ' { b'0' } else { *d1 }, *d2)?;
    let clock = TimeOfDay { hour: two(*h1, *h2)?, minute: two(*m1, *m2)?, nanoseconds: 0, rest: &[] };
    (clock.hour < 24 && clock.minute < 60).then_some(())?;
    clock.zoned(None, month, day, Zone::Local, false)
}

/// `20/Nov/2026:15:02:11 +0100`
#[inline]
pub(super) fn common_log(text: &[u8]) -> Option<Form> {
    let [d1, d2, b'/', rest @ ..] = text else { return None };
    let month = english_month(rest)?;
    let [b'/', y1, y2, y3, y4, b':', rest @ ..] = rest.get(3..)? else { return None };
    let year = two(*y1, *y2)? * 100 + two(*y3, *y4)?;
    time_of_day(rest)?.dated(Some(year), month, two(*d1, *d2)?)
}

/// Whether a line begins with a weekday, and what stands behind it.
pub(super) fn behind_weekday(text: &[u8]) -> Option<&[u8]> {
    let (name, rest) = word(text)?;
    is_weekday(name).then(|| between(rest)).filter(|rest| rest.first().is_some_and(u8::is_ascii_digit))
}

/// The word at the beginning: letters of any script. It is never long.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte > 0x7f;
    let length = text.iter().take(NAME_BYTES_MAX + 1).take_while(|byte| letter(byte)).count();
    if length == 0 || length > NAME_BYTES_MAX {
        return None;
    }
    text.split_at_checked(length)
}

static MONTHS: LazyLock<Vec<(&str, i64)>> = LazyLock::new(|| {
    let mut months: Vec<(&str, i64)> = names::MONTHS
        .iter()
        .zip(1..)
        .flat_map(|(names, number)| names.split_ascii_whitespace().map(move |name| (name, number)))
        .collect();
    months.sort_unstable();
    months
});

static WEEKDAYS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let mut days: Vec<&str> = names::WEEKDAYS.split_ascii_whitespace().collect();
    days.sort_unstable();
    days
});

/// The number of a month's name in any language and any letters.
fn month(name: &[u8]) -> Option<i64> {
    with_small(name, |name| {
        let place = MONTHS.binary_search_by_key(&name, |(known, _)| known).ok()?;
        MONTHS.get(place).map(|(_, number)| *number)
    })
}

fn is_weekday(name: &[u8]) -> bool {
    with_small(name, |name| WEEKDAYS.binary_search(&name).ok()).is_some()
}

/// Calls with the name in small letters.
fn with_small<T>(name: &[u8], call: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let name = std::str::from_utf8(name).ok()?;
    let (mut small, mut length) = ([0; NAME_BYTES_MAX + 4], 0);
    for letter in name.chars().flat_map(char::to_lowercase) {
        let room = small.get_mut(length..length + letter.len_utf8())?;
        letter.encode_utf8(room);
        length += letter.len_utf8();
    }
    call(std::str::from_utf8(small.get(..length)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_short_enough() {
        for (one, other) in MONTHS.iter().zip(MONTHS.iter().skip(1)) {
            assert!(one.0 != other.0, "{one:?} {other:?}");
        }
        assert!(MONTHS.iter().all(|(name, _)| name.len() <= NAME_BYTES_MAX));
        assert!(WEEKDAYS.iter().all(|name| name.len() <= NAME_BYTES_MAX));
        for (name, number) in
            [("Mär", 3), ("ЯНВ", 1), ("août", 8), ("październik", 10), ("мая", 5), ("Şub", 2), ("März", 3)]
        {
            assert_eq!(month(name.as_bytes()), Some(number), "{name}");
        }
        assert_eq!(month(b"Nox"), None);
        assert!(is_weekday("Сб".as_bytes()) && is_weekday(b"Sat") && !is_weekday(b"error"));
    }
}
