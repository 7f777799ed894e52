//! Times that are written in digits alone.

use super::{
    digits::{TimeOfDay, leading_number, number, spoken_time, time_of_day, two, zone},
    form::{Form, Written, Zone},
};

/// `2026-11-20T15:02:11.123+01:00` and its relatives: `T` or a space, `-`, `/` or `.`, with or without fraction and zone.
#[inline]
pub(super) fn iso(text: &[u8]) -> Option<Form> {
    let [y1, y2, y3, y4, s1, m1, m2, s2, d1, d2, sep, rest @ ..] = text else { return None };
    if s1 != s2 || !matches!(s1, b'-' | b'/' | b'.') || !matches!(sep, b'T' | b't' | b' ' | b'_') {
        return None;
    }
    let year = two(*y1, *y2)? * 100 + two(*y3, *y4)?;
    let (month, day) = (two(*m1, *m2)?, two(*d1, *d2)?);
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let clock = match time_of_day(rest) {
        Some(clock) if !matches!(clock.rest, [b' ', b'A' | b'P', b'M', ..]) => clock,
        _ => spoken_time(rest).or_else(|| without_seconds(rest))?,
    };
    clock.dated(Some(year), month, day)
}

/// `15:02` and nothing that goes on with it.
fn without_seconds(text: &[u8]) -> Option<TimeOfDay<'_>> {
    let [h1, h2, b':', m1, m2, rest @ ..] = text else { return None };
    let (hour, minute) = (two(*h1, *h2)?, two(*m1, *m2)?);
    let ends = match rest.first() {
        None => true,
        Some(b'Z') => !rest.get(1).is_some_and(u8::is_ascii_alphanumeric),
        Some(next) => matches!(next, b' ' | b']' | b',' | b'+' | b'-' | b'"' | b'|'),
    };
    (hour < 24 && minute < 60 && ends).then_some(TimeOfDay { hour, minute, nanoseconds: 0, rest })
}

impl TimeOfDay<'_> {
    /// With a date in front and the zone behind it.
    #[inline]
    pub(super) fn dated(&self, year: Option<i64>, month: i64, day: i64) -> Option<Form> {
        let (zone, _, doubt) = zone(self.rest);
        self.zoned(year, month, day, zone, doubt)
    }

    #[inline]
    pub(super) fn zoned(
        &self,
        year: Option<i64>,
        month: i64,
        day: i64,
        zone: Zone,
        doubt: bool,
    ) -> Option<Form> {
        let minute = Written::new(year, month, day, self.hour, self.minute, zone)?;
        Some(Form::Calendar { minute: Written { doubt, ..minute }, nanoseconds: self.nanoseconds })
    }
}

/// Digits that begin with anything but a year and a hyphen, told apart by how many they are.
pub(super) fn digits_first(text: &[u8]) -> Option<Form> {
    let count = text.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    match count {
        1 | 2 => month_or_day_first(text),
        6 => two_digit_year(text),
        8 | 14 => compact(text, count),
        10 | 13 | 16 | 19 => epoch(text, count),
        _ => None,
    }
}

/// `06/27/2026 18:26:43`, `27.06.2026 18:26:43`, `6/27/2026, 6:26:43 PM`, `06-27 18:26:43.123` as Android's log writes it.
fn month_or_day_first(text: &[u8]) -> Option<Form> {
    let (first, rest) = leading_number(text, 1, 2)?;
    let (separator, rest) = rest.split_first()?;
    if !matches!(separator, b'/' | b'.' | b'-') {
        return None;
    }
    let (second, rest) = leading_number(rest, 1, 2)?;
    if let [b' ', time @ ..] = rest {
        let clock = time_of_day(time).filter(|_| *separator == b'-')?;
        return clock.dated(None, first, second);
    }
    let rest = rest.strip_prefix(&[*separator])?;
    let (year, rest) = leading_number(rest, 4, 4)?;
    // `06/27/2026 | 18:26:43 |` is how ipmitool lists events.
    let gap = rest.iter().take_while(|byte| matches!(byte, b' ' | b',' | b'|' | b'-')).count();
    let time = rest.get(gap..).filter(|_| (1..=3).contains(&gap))?;
    let clock = spoken_time(time).or_else(|| without_seconds(time))?;
    let (zone, _, doubt) = zone(clock.rest);
    // With dots, or beyond twelve, the first is the day.
    let (month, day) = if *separator == b'.' || first > 12 { (second, first) } else { (first, second) };
    let mut form = clock.zoned(Some(year), month, day, zone, doubt)?;
    if let Form::Calendar { minute, .. } = &mut form {
        minute.swappable = *separator != b'.' && first <= 12 && second <= 12 && first != second;
    }
    Some(form)
}

/// `260627 18:26:46`, as MySQL wrote it; an hour below ten has a space in front.
fn two_digit_year(text: &[u8]) -> Option<Form> {
    let [y1, y2, m1, m2, d1, d2, b' ', rest @ ..] = text else { return None };
    let clock = spoken_time(rest.strip_prefix(b" ").unwrap_or(rest))?;
    clock.dated(Some(2000 + two(*y1, *y2)?), two(*m1, *m2)?, two(*d1, *d2)?)
}

/// `20260627T182629Z`, `20260627 18:26:29.123`, `20260627-18:26:29`, `20260627182629`.
fn compact(text: &[u8], count: usize) -> Option<Form> {
    let [y1, y2, y3, y4, m1, m2, d1, d2, rest @ ..] = text else { return None };
    let year = two(*y1, *y2)? * 100 + two(*y3, *y4)?;
    let (month, day) = (two(*m1, *m2)?, two(*d1, *d2)?);
    let joined = match rest {
        _ if count == 14 => rest,
        [b'T' | b't' | b' ' | b'-' | b'_', time @ ..] => time,
        _ => return None,
    };
    if let Some(clock) = time_of_day(joined).filter(|_| count == 8) {
        return clock.dated(Some(year), month, day);
    }
    let [h1, h2, m1, m2, s1, s2, behind @ ..] = joined else { return None };
    let (hour, minute, second) = (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?);
    if hour > 23 || minute > 59 || second > 60 || behind.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    // A plain number of fourteen digits is a time only as one of our days.
    if count == 14 && (!(1990..2100).contains(&year) || behind.first().is_some_and(u8::is_ascii_alphabetic)) {
        return None;
    }
    let (fraction_ns, rest) = super::digits::fraction(behind);
    let nanoseconds = second.min(59) * 1_000_000_000 + fraction_ns;
    TimeOfDay { hour, minute, nanoseconds, rest }.dated(Some(year), month, day)
}

/// `1795000000.123`, `1795000000123`: seconds with or without a fraction, milli-, micro- or nanoseconds.
fn epoch(text: &[u8], count: usize) -> Option<Form> {
    let (digits, rest) = text.split_at_checked(count)?;
    if rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'/')) {
        return None;
    }
    // Nineteen digits fit, as long as they are nanoseconds of this and the next two centuries.
    let value = digits
        .iter()
        .try_fold(0_i64, |value, byte| value.checked_mul(10)?.checked_add(i64::from(byte - b'0')))?;
    let unit_ns = match count {
        10 => 1_000_000_000,
        13 => 1_000_000,
        16 => 1_000,
        _ => 1,
    };
    let fraction_ns = if count == 10 { super::digits::fraction(rest).0 } else { 0 };
    Some(Form::Epoch { time_ns: value.checked_mul(unit_ns)?.checked_add(fraction_ns)? })
}

/// The number of a field: seconds, milli-, micro- or nanoseconds since 1970, told apart by size; none before 1990.
pub(super) fn epoch_number(text: &[u8]) -> Option<Form> {
    let text = text.trim_ascii();
    let whole_digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (whole, rest) = text.split_at_checked(whole_digits)?;
    let (decimals, rest) = match rest {
        [b'.', behind @ ..] => {
            let count = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
            behind.split_at_checked(count)?
        }
        _ => (&[][..], rest),
    };
    // Zap writes 1.7825847925e+09.
    let exponent = match rest {
        [] => 0,
        [b'e' | b'E', digits @ ..] => {
            usize::try_from(number(digits.strip_prefix(b"+").unwrap_or(digits))?).ok().filter(|e| *e <= 18)?
        }
        _ => return None,
    };
    let mut digits = whole.iter().chain(decimals).copied();
    let mut take = |count: usize, pad: bool| {
        let mut value = 0_i64;
        for _ in 0..count {
            let digit = digits.next().or(pad.then_some(b'0'))?;
            value = value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
        }
        Some(value)
    };
    let value = take(whole_digits + exponent, exponent > 0).filter(|_| whole_digits > 0)?;
    let unit_digits = match value {
        631_152_000..100_000_000_000 => 9,
        100_000_000_000..100_000_000_000_000 => 6,
        100_000_000_000_000..100_000_000_000_000_000 => 3,
        100_000_000_000_000_000.. => 0,
        _ => return None,
    };
    let fraction_ns = take(unit_digits, true)?;
    let unit_ns = 10_i64.pow(u32::try_from(unit_digits).ok()?);
    Some(Form::Epoch { time_ns: value.checked_mul(unit_ns)?.checked_add(fraction_ns)? })
}

/// `I1120 15:02:11.123456` and `I20261120 15:02:11.123456`, as Kubernetes' components and glog write it.
pub(super) fn klog(text: &[u8]) -> Option<Form> {
    let [b'I' | b'W' | b'E' | b'F', digits @ ..] = text else { return None };
    match digits {
        [m1, m2, d1, d2, b' ', rest @ ..] => {
            let clock = time_of_day(rest)?;
            clock.zoned(None, two(*m1, *m2)?, two(*d1, *d2)?, Zone::Local, false)
        }
        [y1, y2, y3, y4, m1, m2, d1, d2, b' ', rest @ ..] => {
            let year = two(*y1, *y2)? * 100 + two(*y3, *y4)?;
            time_of_day(rest)?.zoned(Some(year), two(*m1, *m2)?, two(*d1, *d2)?, Zone::Local, false)
        }
        _ => None,
    }
}

/// `   12.345678]`, behind the opening bracket.
#[inline]
pub(super) fn kernel_clock(inner: &[u8]) -> Option<Form> {
    let inner = inner.trim_ascii_start();
    let digits = inner.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let (seconds, rest) = inner.split_at_checked(digits)?;
    let seconds = number(seconds)?;
    if rest.first() == Some(&b']') {
        // Nagios: `[1795000000] SERVICE ALERT`.
        return (digits == 10).then_some(Form::Epoch { time_ns: seconds.checked_mul(1_000_000_000)? });
    }
    let (fraction_ns, rest) =
        super::digits::fraction(rest.first().filter(|byte| **byte == b'.').map(|_| rest)?);
    // A space and the caller's id may stand behind it: `[   12.345678][    T1]`, `[   12.345678@3]`.
    if !matches!(rest.first(), Some(b']' | b'@' | b' ')) {
        return None;
    }
    let clock_ns = seconds.checked_mul(1_000_000_000)?.checked_add(fraction_ns)?;
    // No kernel runs for thirty years.
    Some(if digits == 10 { Form::Epoch { time_ns: clock_ns } } else { Form::KernelClock { clock_ns } })
}

/// `  +0.000012]`, behind the opening bracket: what `dmesg --human` writes for lines of the same minute.
pub(super) fn since_before(inner: &[u8]) -> Option<Form> {
    let digits = inner.trim_ascii_start().strip_prefix(b"+")?;
    let (seconds, rest) = leading_number(digits, 1, 9)?;
    let (fraction_ns, rest) = super::digits::fraction(rest);
    (fraction_ns != 0 || rest.first() == Some(&b']')).then_some(())?;
    matches!(rest.first(), Some(b']' | b' ')).then_some(())?;
    Some(Form::SinceBefore { delta_ns: seconds.checked_mul(1_000_000_000)?.checked_add(fraction_ns)? })
}
