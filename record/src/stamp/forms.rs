//! The forms in which programs write a time at, or near, the start of a line. No zone or year is decided here.

/// What a line says about its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A date and a time of day.
    Calendar {
        /// Up to the minute.
        minute: Written,
        /// Nanoseconds since the start of that minute.
        nanoseconds: i64,
    },
    /// Nanoseconds since 1970.
    Epoch { time_ns: i64 },
    /// Nanoseconds of the kernel's clock.
    KernelClock { clock_ns: i64 },
}

/// A minute as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub year: Option<i16>,
    pub month: i8,
    pub day: i8,
    pub hour: i8,
    pub minute: i8,
    /// Minutes east of UTC, where the zone is written.
    pub offset_minutes: Option<i16>,
}

/// How far into a line a bracketed time is looked for: behind a client's address, name and user.
const BRACKET_WITHIN: usize = 128;

/// Finds the time of a line.
pub(super) fn find(line: &[u8]) -> Option<Form> {
    let line = without_priority(line);
    let first = *line.first()?;
    match first {
        b'0'..=b'9' => iso(line).or_else(|| epoch(line)).or_else(|| common_log(line)),
        b'[' => {
            let inner = line.get(1..)?;
            kernel_clock(inner)
                .or_else(|| iso(inner))
                .or_else(|| named_month(inner))
                .or_else(|| common_log(line))
        }
        b'A'..=b'Z' => named_month(line).or_else(|| klog(line)).or_else(|| common_log(line)),
        _ => common_log(line),
    }
}

fn without_priority(line: &[u8]) -> &[u8] {
    let Some(rest) = line.strip_prefix(b"<") else { return line };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (digits, rest.get(digits)) {
        (1..=3, Some(b'>')) => rest.get(digits + 1..).unwrap_or_default(),
        _ => line,
    }
}

/// `2026-11-20T15:02:11.123+01:00` and its relatives: `T` or a space, `-` or `/`, with or without fraction and zone.
fn iso(text: &[u8]) -> Option<Form> {
    let [y1, y2, y3, y4, s1, m1, m2, s2, d1, d2, sep, rest @ ..] = text else { return None };
    if s1 != s2 || !matches!(s1, b'-' | b'/') || !matches!(sep, b'T' | b't' | b' ') {
        return None;
    }
    let year = number(&[*y1, *y2, *y3, *y4])?;
    let (month, day) = (number(&[*m1, *m2])?, number(&[*d1, *d2])?);
    let clock = time_of_day(rest)?;
    let offset_minutes = offset(clock.rest);
    clock.calendar(Some(i16::try_from(year).ok()?), month, day, offset_minutes)
}

/// `Nov 20 15:02:11`, `Fri Nov 20 15:02:11 2026`, `Nov 20 2026 15:02:11`.
fn named_month(text: &[u8]) -> Option<Form> {
    let text = match text {
        [b'M' | b'T' | b'W' | b'F' | b'S', b'a'..=b'z', b'a'..=b'z', b' ', rest @ ..]
            if month(text).is_none() =>
        {
            rest
        }
        _ => text,
    };
    let month = month(text)?;
    let rest = text.get(3..)?.strip_prefix(b" ")?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let digits = rest.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    let (day, rest) = rest.split_at_checked(digits)?;
    let (day, rest) = (number(day)?, rest.strip_prefix(b" ")?);
    let year_in_front = rest.get(..4).and_then(number).filter(|_| rest.get(4) == Some(&b' '));
    let clock = time_of_day(if year_in_front.is_some() { rest.get(5..)? } else { rest })?;
    let year = year_in_front.or_else(|| {
        let behind = clock.rest.strip_prefix(b" ")?;
        let ends = !behind.get(4).is_some_and(u8::is_ascii_alphanumeric);
        behind.get(..4).and_then(number).filter(|year| ends && (1_970..2_200).contains(year))
    });
    clock.calendar(year.and_then(|year| i16::try_from(year).ok()), month, day, None)
}

/// `[20/Nov/2026:15:02:11 +0100]`, as web servers write it behind the client's address.
fn common_log(line: &[u8]) -> Option<Form> {
    let within = line.get(..BRACKET_WITHIN.min(line.len()))?;
    let bracket = memchr::memchr_iter(b'[', within).find(|at| line.get(at + 3) == Some(&b'/'))?;
    let text = line.get(bracket + 1..)?;
    let [d1, d2, b'/', rest @ ..] = text else { return None };
    let month = month(rest)?;
    let [b'/', y1, y2, y3, y4, b':', rest @ ..] = rest.get(3..)? else { return None };
    let clock = time_of_day(rest)?;
    let offset_minutes = offset(clock.rest);
    let year = i16::try_from(number(&[*y1, *y2, *y3, *y4])?).ok()?;
    clock.calendar(Some(year), month, number(&[*d1, *d2])?, offset_minutes)
}

/// `I1120 15:02:11.123456`, as Kubernetes' components write it.
fn klog(text: &[u8]) -> Option<Form> {
    let [b'I' | b'W' | b'E' | b'F', m1, m2, d1, d2, b' ', rest @ ..] = text else { return None };
    time_of_day(rest)?.calendar(None, number(&[*m1, *m2])?, number(&[*d1, *d2])?, None)
}

/// `1795000000.123`: ten digits of seconds, with or without a fraction.
fn epoch(text: &[u8]) -> Option<Form> {
    let (seconds, rest) = text.split_at_checked(10)?;
    let seconds = number(seconds)?;
    if rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'/')) {
        return None;
    }
    let (fraction_ns, _) = fraction(rest);
    Some(Form::Epoch { time_ns: seconds.checked_mul(1_000_000_000)?.checked_add(fraction_ns)? })
}

/// `   12.345678]`, behind the opening bracket.
fn kernel_clock(inner: &[u8]) -> Option<Form> {
    let inner = inner.trim_ascii_start();
    let digits = inner.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let (seconds, rest) = inner.split_at_checked(digits)?;
    let seconds = number(seconds)?;
    let (fraction_ns, rest) = fraction(rest.first().filter(|byte| **byte == b'.').map(|_| rest)?);
    // A space and the caller's id may stand behind it: `[   12.345678][    T1]`, `[   12.345678@3]`.
    if !matches!(rest.first(), Some(b']' | b'@' | b' ')) {
        return None;
    }
    Some(Form::KernelClock { clock_ns: seconds.checked_mul(1_000_000_000)?.checked_add(fraction_ns)? })
}

struct TimeOfDay<'a> {
    hour: i64,
    minute: i64,
    nanoseconds: i64,
    rest: &'a [u8],
}

impl TimeOfDay<'_> {
    fn calendar(&self, year: Option<i16>, month: i64, day: i64, offset_minutes: Option<i16>) -> Option<Form> {
        let minute = Written {
            year,
            month: i8::try_from(month).ok().filter(|month| (1..=12).contains(month))?,
            day: i8::try_from(day).ok().filter(|day| (1..=31).contains(day))?,
            hour: i8::try_from(self.hour).ok()?,
            minute: i8::try_from(self.minute).ok()?,
            offset_minutes,
        };
        Some(Form::Calendar { minute, nanoseconds: self.nanoseconds })
    }
}

/// `15:02:11`, with a fraction behind `.` or `,`. A leap second counts as the one before.
fn time_of_day(text: &[u8]) -> Option<TimeOfDay<'_>> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = text else { return None };
    let (hour, minute, second) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?, number(&[*s1, *s2])?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_ns, rest) = fraction(rest);
    Some(TimeOfDay { hour, minute, nanoseconds: second.min(59) * 1_000_000_000 + fraction_ns, rest })
}

/// Nanoseconds of `.123456` or `,123`, and what follows. Digits beyond the ninth are passed over.
fn fraction(text: &[u8]) -> (i64, &[u8]) {
    let Some(digits) = text.strip_prefix(b".").or_else(|| text.strip_prefix(b",")) else { return (0, text) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return (0, text);
    }
    let mut nanoseconds = 0;
    for place in 0..9 {
        let digit = digits.get(place).filter(|_| place < count).map_or(0, |byte| i64::from(byte - b'0'));
        nanoseconds = nanoseconds * 10 + digit;
    }
    (nanoseconds, digits.get(count..).unwrap_or_default())
}

/// `Z`, `+01:00`, `-0330`, ` UTC`, ` +0100`; none where no zone follows.
fn offset(text: &[u8]) -> Option<i16> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let (sign, digits) = match text {
        [b'Z' | b'z', rest @ ..] if !rest.first().is_some_and(u8::is_ascii_alphanumeric) => return Some(0),
        [b'U', b'T', b'C', ..] | [b'G', b'M', b'T', ..] => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [h1, h2, b':', m1, m2, ..] | [h1, h2, m1, m2, ..] => (number(&[*h1, *h2])?, number(&[*m1, *m2])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then(|| i16::try_from(sign * (hours * 60 + minutes)).ok()).flatten()
}

fn month(text: &[u8]) -> Option<i64> {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let name = text.first_chunk::<3>()?;
    MONTHS.iter().zip(1..).find(|(month, _)| **month == name).map(|(_, number)| number)
}

/// A decimal number of at most 18 digits, nothing else.
fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}
