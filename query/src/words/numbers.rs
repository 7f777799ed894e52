//! Numbers, lengths of time and instants in words.

use jiff::{Timestamp, tz::TimeZone};

/// An instant to the minute, in the asker's zone.
pub(crate) fn local(time_ns: i64, zone: &TimeZone) -> String {
    match Timestamp::from_nanosecond(i128::from(time_ns)) {
        Ok(time) => time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        // Every i64 of nanoseconds lies within jiff's range.
        Err(_) => String::new(),
    }
}

/// A length of time in its two largest units.
pub(crate) fn duration(length_ns: i64) -> String {
    const UNITS: [(i64, &str); 5] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "min"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
    ];
    let mut parts = Vec::new();
    let mut rest = length_ns;
    for (unit_ns, unit) in UNITS {
        if rest >= unit_ns && parts.len() < 2 {
            parts.push(format!("{} {unit}", rest / unit_ns));
            rest %= unit_ns;
        } else if !parts.is_empty() {
            break;
        }
    }
    match parts.is_empty() {
        true if length_ns == 0 => "0 s".to_owned(),
        true => "1 ms".to_owned(),
        false => parts.join(" "),
    }
}

/// A size in its largest unit.
#[allow(clippy::cast_precision_loss, reason = "a size with one decimal")]
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} bytes"),
    }
}

/// So many of something.
pub(crate) fn count(number: u64, word: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {word}{s}", group_digits(number))
}

/// A number with its thousands apart.
pub(crate) fn group_digits(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_numbers_are_worded_shortly() {
        for (length_ns, words) in [
            (0, "0 s"),
            (10, "1 ms"),
            (300_000_000_000, "5 min"),
            (5_400_000_000_000, "1 h 30 min"),
            (90_061_000_000_000, "1 d 1 h"),
            (86_401_000_000_000, "1 d"),
            (1_500_000_000, "1 s 500 ms"),
        ] {
            assert_eq!(duration(length_ns), words);
        }
        assert_eq!([0, 999, 1000, 1_234_567].map(group_digits), ["0", "999", "1,000", "1,234,567"]);
    }
}
