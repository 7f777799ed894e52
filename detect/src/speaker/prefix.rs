//! What stands in front of a message: dates, names of hosts and programs, places in a program.

/// `(function@file.c:12) `
pub(super) fn without_place(text: &str) -> &str {
    let place = text.strip_prefix('(').and_then(|inner| inner.split_once(')'));
    place
        .filter(|(place, _)| place.contains('@') && !place.contains(' '))
        .map_or(text, |(_, behind)| behind.trim_start())
}

/// RFC 5424's structured data, and a byte order mark.
pub(super) fn without_data(text: &str) -> &str {
    let behind = match text.strip_prefix('[') {
        Some(inner) => inner.split_once("] ").map_or(text, |(_, behind)| behind),
        None => text.strip_prefix("- ").unwrap_or(text),
    };
    behind.strip_prefix('\u{feff}').unwrap_or(behind)
}

pub(super) fn without_priority(text: &str) -> &str {
    let inner = text.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    inner
        .filter(|(priority, _)| {
            (1..=3).contains(&priority.len()) && priority.bytes().all(|byte| byte.is_ascii_digit())
        })
        .map_or(text, |(_, behind)| behind)
}

/// `program: `, `program[123]: `.
pub(super) struct Tag<'a> {
    pub(super) program: &'a str,
    /// A process id follows the name.
    pub(super) pid: bool,
    pub(super) behind: &'a str,
}

/// Bytes of a tag, at most.
const TAG_BYTES_MAX: usize = 64;

pub(super) fn tag(text: &str) -> Option<Tag<'_>> {
    let end = text.bytes().take(TAG_BYTES_MAX).position(|byte| matches!(byte, b':' | b'[' | b' '))?;
    let program = text.get(..end).filter(|program| is_program(program))?;
    let rest = text.get(end..)?;
    if let Some(inner) = rest.strip_prefix('[') {
        let (pid, behind) = inner.split_once(']')?;
        let is_pid = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
        let behind = behind.strip_prefix(':').filter(|_| is_pid)?;
        return Some(Tag { program, pid: true, behind: behind.trim_start() });
    }
    let behind = rest.strip_prefix(": ")?;
    let is_level = LEVELS.iter().any(|level| program.eq_ignore_ascii_case(level));
    (!is_level).then_some(Tag { program, pid: false, behind: behind.trim_start() })
}

/// What stands in front of a message as a program's name would, and is none.
const LEVELS: &[&str] = &[
    "error", "warning", "warn", "info", "notice", "debug", "fatal", "critical", "crit", "alert", "emerg",
    "panic", "BUG",
];

pub(super) fn is_program(text: &str) -> bool {
    !text.is_empty()
        && text
            .starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '(' | '-' | '_'))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./@+()".contains(&byte))
}

/// A date in front of a line.
pub(super) struct Date<'a> {
    pub(super) behind: &'a str,
    /// Host and program follow.
    pub(super) of_syslog: bool,
    pub(super) of_rfc5424: bool,
}

pub(super) fn date(text: &str) -> Option<Date<'_>> {
    if let Some(inner) = text.strip_prefix('[') {
        let (date, behind) = inner.split_once(']')?;
        let digits = date.bytes().filter(u8::is_ascii_digit).count();
        return (digits >= 8 && date.contains(':')).then_some(Date {
            behind: behind.trim_start_matches(':'),
            of_syslog: false,
            of_rfc5424: false,
        });
    }
    let mut words = Words { rest: text };
    let first = words.next()?;
    // `Nov 20 15:02:11 `, `mar 15 03:06:00 `, `2 Nov 15:02:11 `
    if is_month(first) {
        words.next().filter(|day| is_number(day))?;
        let clock = words.next()?;
        // `Nov 20 2026 15:02:11`
        let clock = if is_number(clock) && clock.len() == 4 { words.next()? } else { clock };
        return is_clock(clock).then_some(Date { behind: words.rest, of_syslog: true, of_rfc5424: false });
    }
    let first = match first {
        "1" => words.next()?,
        _ if first.len() == 3 && first.bytes().all(|byte| byte.is_ascii_alphabetic()) => words.next()?,
        _ => first,
    };
    if !is_day(first) || first.contains('|') {
        return None;
    }
    let of_rfc5424 = text.starts_with("1 ");
    if first.len() > DAY_BYTES {
        // As syslog's daemons write it; containers and consoles' loggers write `Z`.
        let has_offset = first.len() > 6
            && !first.contains(',')
            && first.bytes().rev().take(6).enumerate().all(|(place, byte)| match place {
                2 => byte == b':',
                5 => matches!(byte, b'+' | b'-'),
                _ => byte.is_ascii_digit(),
            });
        return Some(Date { behind: words.rest, of_syslog: of_rfc5424 || has_offset, of_rfc5424 });
    }
    let clock = words.next()?;
    if !is_clock(clock) {
        return None;
    }
    // `Sun 2026-11-20 15:02:11 CET hv01 kernel: `
    let has_weekday = !text.starts_with(|first: char| first.is_ascii_digit());
    let behind = words.rest;
    let zone = Words { rest: behind }.next().filter(|zone| is_zone(zone));
    let behind = zone.and_then(|zone| behind.trim_start().get(zone.len()..)).unwrap_or(behind);
    Some(Date { behind, of_syslog: has_weekday, of_rfc5424: false })
}

struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start_matches(' ');
        let end = text.find(' ')?;
        let (word, rest) = text.split_at_checked(end)?;
        self.rest = rest;
        Some(word)
    }
}

/// `2026-11-20`
const DAY_BYTES: usize = 10;

fn is_day(text: &str) -> bool {
    text.len() >= DAY_BYTES
        && text.bytes().take(DAY_BYTES).enumerate().all(|(place, byte)| match place {
            4 | 7 => matches!(byte, b'-' | b'/'),
            _ => byte.is_ascii_digit(),
        })
        && text.as_bytes().get(DAY_BYTES).is_none_or(|byte| matches!(byte, b'T' | b't' | b'_'))
}

fn is_month(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    (3..=5).contains(&text.chars().count()) && text.chars().all(char::is_alphabetic)
}

fn is_zone(text: &str) -> bool {
    let is_name = (3..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase());
    is_name
        || (text.starts_with(['+', '-'])
            && text.bytes().skip(1).all(|byte| byte.is_ascii_digit() || byte == b':'))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `15:02:11`, and what may stand behind it: a fraction, a zone, a colon.
fn is_clock(text: &str) -> bool {
    text.len() >= 8
        && text.bytes().take(8).enumerate().all(|(place, byte)| match place {
            2 | 5 => byte == b':',
            _ => byte.is_ascii_digit(),
        })
        && text.bytes().skip(8).all(|byte| byte.is_ascii_digit() || b".,:+-Z".contains(&byte))
}

/// The second of a day that a line's date names.
pub(crate) fn second_of_day(text: &str) -> Option<u32> {
    let head = text.get(..text.len().min(CLOCK_WITHIN)).unwrap_or_default().as_bytes();
    head.windows(8).find_map(|window| {
        let [h, a, c1, m, b, c2, s, c] = *<&[u8; 8]>::try_from(window).ok()?;
        let pair = |tens: u8, ones: u8| {
            (tens.is_ascii_digit() && ones.is_ascii_digit())
                .then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
        };
        (c1 == b':' && c2 == b':').then_some(())?;
        Some(pair(h, a)? * 3600 + pair(m, b)? * 60 + pair(s, c)?)
    })
}

/// How far into a line a time of day is looked for.
const CLOCK_WITHIN: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read() {
        assert_eq!(second_of_day("Nov 20 15:02:11 hv01 kernel: x"), Some(54_131));
        assert_eq!(second_of_day("no time 1:2:3"), None);
    }
}
