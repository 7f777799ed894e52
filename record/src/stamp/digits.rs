//! The smallest pieces of a written time: numbers, a time of day, an offset from UTC.

use super::{form::Zone, zones};

/// A time of day, and what stands behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeOfDay<'a> {
    pub hour: i64,
    pub minute: i64,
    /// Since the start of the minute.
    pub nanoseconds: i64,
    pub rest: &'a [u8],
}

/// `15:02:11`, with a fraction behind `.`, `,` or `:`. A leap second counts as the one before.
#[inline]
pub(super) fn time_of_day(text: &[u8]) -> Option<TimeOfDay<'_>> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = text else { return None };
    let (hour, minute, second) = (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_ns, rest) = fraction(rest);
    Some(TimeOfDay { hour, minute, nanoseconds: second.min(59) * 1_000_000_000 + fraction_ns, rest })
}

/// As [`time_of_day`], also with an hour of one digit, a fraction behind `:`, and `AM` or `PM` behind it.
pub(super) fn spoken_time(text: &[u8]) -> Option<TimeOfDay<'_>> {
    let mut padded = [b'0'; 8];
    let mut time = match text {
        [hour @ b'0'..=b'9', b':', ..] => {
            let behind = text.get(..7)?;
            padded.get_mut(1..)?.copy_from_slice(behind);
            (padded[1] == *hour).then_some(())?;
            let time = time_of_day(&padded)?;
            let (fraction_ns, rest) = fraction(text.get(7..)?);
            TimeOfDay {
                nanoseconds: time.nanoseconds + fraction_ns,
                rest,
                hour: time.hour,
                minute: time.minute,
            }
        }
        _ => time_of_day(text)?,
    };
    if let [b':', digits @ ..] = time.rest
        && digits.first().is_some_and(u8::is_ascii_digit)
        && let (fraction_ns, rest) = decimals(digits)
    {
        time.nanoseconds += fraction_ns;
        time.rest = rest;
    }
    if let [b' ', half @ (b'A' | b'P' | b'a' | b'p'), b'M' | b'm', rest @ ..] = time.rest
        && !rest.first().is_some_and(u8::is_ascii_alphanumeric)
        && (1..=12).contains(&time.hour)
    {
        time.hour = time.hour % 12 + if half.eq_ignore_ascii_case(&b'P') { 12 } else { 0 };
        time.rest = rest;
    }
    Some(time)
}

/// Nanoseconds of `.123456` or `,123`, and what follows. Digits beyond the ninth are passed over.
#[inline]
pub(super) fn fraction(text: &[u8]) -> (i64, &[u8]) {
    match text {
        [b'.' | b',', digits @ ..] if digits.first().is_some_and(u8::is_ascii_digit) => decimals(digits),
        _ => (0, text),
    }
}

#[inline]
fn decimals(digits: &[u8]) -> (i64, &[u8]) {
    let (mut nanoseconds, mut unit, mut count) = (0, 100_000_000, 0);
    for byte in digits {
        if !byte.is_ascii_digit() {
            break;
        }
        nanoseconds += i64::from(byte - b'0') * unit;
        unit /= 10;
        count += 1;
    }
    (nanoseconds, digits.get(count..).unwrap_or_default())
}

/// `Z`, `+01:00`, `-0330`, `+02`, ` UTC`, ` +0100`, ` CEST`; [`Zone::Local`] where no zone follows. What stands behind
/// it, and whether its meaning is in doubt.
#[inline]
pub(super) fn zone(text: &[u8]) -> (Zone, &[u8], bool) {
    let inner = match text {
        [b' ', inner @ ..] => inner,
        // Nothing is more frequent than nothing.
        [b'Z' | b'z' | b'+' | b'-' | b'A'..=b'Y', ..] => text,
        _ => return (Zone::Local, text, false),
    };
    match inner {
        [b'Z' | b'z', rest @ ..] if !rest.first().is_some_and(u8::is_ascii_alphanumeric) => {
            (Zone::Offset(0), rest, false)
        }
        [b'+' | b'-', ..] => match offset(inner) {
            Some((minutes, rest)) => (Zone::Offset(minutes), rest, false),
            None => (Zone::Local, text, false),
        },
        [b'A'..=b'Z', ..] => match named_zone(inner) {
            Some((zone, rest, doubt)) => (zone, rest, doubt),
            None => (Zone::Local, text, false),
        },
        _ => (Zone::Local, text, false),
    }
}

/// `+01:00`, `+0100`, `+01`.
#[inline]
fn offset(text: &[u8]) -> Option<(i16, &[u8])> {
    let (sign, digits) = text.split_first()?;
    let (hours, minutes, rest) = match digits {
        [h1, h2, b':', m1 @ b'0'..=b'9', m2 @ b'0'..=b'9', rest @ ..] => {
            (two(*h1, *h2)?, two(*m1, *m2)?, rest)
        }
        [h1, h2, m1 @ b'0'..=b'9', m2 @ b'0'..=b'9', rest @ ..] => (two(*h1, *h2)?, two(*m1, *m2)?, rest),
        [h1, h2, rest @ ..] => (two(*h1, *h2)?, 0, rest),
        _ => return None,
    };
    // Nobody is further from Greenwich, and `-12345` or `-12-31` is something else.
    if hours > 14
        || minutes > 59
        || rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    {
        return None;
    }
    let minutes = i16::try_from(hours * 60 + minutes).ok()?;
    Some((if *sign == b'-' { -minutes } else { minutes }, rest))
}

#[cold]
fn named_zone(text: &[u8]) -> Option<(Zone, &[u8], bool)> {
    let length = text.iter().take(6).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (name, rest) = text.split_at_checked(length)?;
    let number = zones::find(name)?;
    match rest {
        // `GMT+3`: most mean three hours east, POSIX means three hours west.
        [b'+' | b'-', sure @ ..] if zones::is_utc(number) && sure.first().is_some_and(u8::is_ascii_digit) => {
            let padded = [*rest.first()?, b'0', *sure.first()?];
            let (minutes, rest) = match offset(rest) {
                Some(found) => found,
                None => (offset(&padded)?.0, rest.get(2..)?),
            };
            Some((Zone::Offset(minutes), rest, true))
        }
        [next, ..] if next.is_ascii_alphanumeric() || *next == b'_' => None,
        _ if zones::is_utc(number) => Some((Zone::Offset(0), rest, false)),
        _ => Some((Zone::Named(number), rest, false)),
    }
}

#[inline]
pub(super) fn two(high: u8, low: u8) -> Option<i64> {
    (high.is_ascii_digit() && low.is_ascii_digit())
        .then(|| i64::from(high - b'0') * 10 + i64::from(low - b'0'))
}

/// A decimal number of at most 18 digits, nothing else.
#[inline]
pub(super) fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// The number of `min` to `max` digits at the beginning, and what follows; none where further digits do.
pub(super) fn leading_number(text: &[u8], min: usize, max: usize) -> Option<(i64, &[u8])> {
    let count = text.iter().take(max + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if count < min || count > max {
        return None;
    }
    let (digits, rest) = text.split_at_checked(count)?;
    Some((number(digits)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_read_and_words_are_none() {
        let named = |name: &str| Zone::Named(zones::find(name.as_bytes()).unwrap());
        for (text, expected, rest) in [
            ("Z x", Zone::Offset(0), " x"),
            ("+0000: x", Zone::Offset(0), ": x"),
            ("+02", Zone::Offset(120), ""),
            ("-03:30]", Zone::Offset(-210), "]"),
            (" +0530 x", Zone::Offset(330), " x"),
            (" -03 [1]", Zone::Offset(-180), " [1]"),
            (" UTC x", Zone::Offset(0), " x"),
            (" CEST 2026", named("CEST"), " 2026"),
            (" GMT+3 x", Zone::Offset(180), " x"),
            (" UTC-07:00 x", Zone::Offset(-420), " x"),
            (" INFO x", Zone::Local, " INFO x"),
            (" ESTABLISHED", Zone::Local, " ESTABLISHED"),
            (" EST_x", Zone::Local, " EST_x"),
            (" - x", Zone::Local, " - x"),
            (" -12345", Zone::Local, " -12345"),
            (" +99", Zone::Local, " +99"),
            (" 7 INFO", Zone::Local, " 7 INFO"),
            ("Zone", Zone::Local, "Zone"),
            ("", Zone::Local, ""),
        ] {
            let (found, behind, doubt) = zone(text.as_bytes());
            assert_eq!((found, behind), (expected, rest.as_bytes()), "{text}");
            assert_eq!(doubt, text.contains("GMT+") || text.contains("UTC-"), "{text}");
        }
    }

    #[test]
    fn times_of_day_are_read_as_they_are_spoken() {
        for (text, hour, nanoseconds, rest) in [
            ("15:02:11 x", 15, 11_000_000_000, " x"),
            ("15:02:11,5x", 15, 11_500_000_000, "x"),
            ("15:02:60", 15, 59_000_000_000, ""),
            ("15:02:11.1234567899Z", 15, 11_123_456_789, "Z"),
            ("6:02:11 PM x", 18, 11_000_000_000, " x"),
            ("12:02:11 AM", 0, 11_000_000_000, ""),
            ("12:02:11 PM", 12, 11_000_000_000, ""),
            ("18:02:11:250 CEST", 18, 11_250_000_000, " CEST"),
            ("18:02:11: text", 18, 11_000_000_000, ": text"),
            ("11:02:11 AMD", 11, 11_000_000_000, " AMD"),
        ] {
            let found = spoken_time(text.as_bytes()).unwrap();
            assert_eq!(
                (found.hour, found.nanoseconds, found.rest),
                (hour, nanoseconds, rest.as_bytes()),
                "{text}"
            );
        }
        for text in ["24:00:00", "1:2:3", "15:60:00", "15:02", ""] {
            assert_eq!(spoken_time(text.as_bytes()), None, "{text}");
        }
    }
}
