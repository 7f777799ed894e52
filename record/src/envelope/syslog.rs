//! Syslog's headers: the tag of a line, the header of RFC 5424.

/// Bytes of a line in which its tag stands.
const HEAD_BYTES: usize = 160;
/// Bytes of a process's number, at most.
const NUMBER_BYTES: usize = 24;

/// Who a line of syslog's says that it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'a> {
    /// The machine; empty where none is written.
    pub host: &'a [u8],
    /// The program's name.
    pub name: &'a [u8],
    /// A process stands behind it: `sshd[811]:`.
    pub has_process: bool,
    /// Its number; empty where none stands there.
    pub process: &'a [u8],
    /// What stands behind the colon and a space.
    pub rest: &'a [u8],
}

/// The tag of a line that begins with a time: `Nov 20 15:02:11 hv01 sshd[811]: `. What looks like one in a line that tools
/// write without a host (`2026-11-20T15:02:11,123456+00:00 Hardware name: x`, or behind a date in brackets) is none,
/// unless it is the kernel's.
pub fn tag(line: &[u8]) -> Option<Tag<'_>> {
    let head = line.get(..HEAD_BYTES.min(line.len()))?;
    if let Some(inner) = line.strip_prefix(b"[") {
        // `[2026/06/13 16:12:24 CEST] kernel: x`
        let close = memchr::memchr(b']', head.get(1..)?)?;
        let dated = memchr::memchr(b':', inner.get(..close)?).is_some();
        let rest = inner.get(close + 1..)?.strip_prefix(b" kernel: ").filter(|_| dated)?;
        return Some(Tag { host: b"", name: b"kernel", has_process: false, process: b"", rest });
    }
    if matches!(head.first()?, b'{' | b'(' | b' ' | b'\t') {
        return None;
    }
    // The time: its colons stand between digits, and a space ends it.
    let clock = memchr::memchr_iter(b':', head).find_map(|at| {
        let from = at.checked_sub(2)?;
        head.get(from..from + 8).filter(|text| is_clock(text)).map(|_| from + 8)
    })?;
    let comma = head.get(clock) == Some(&b',');
    let mut rest = behind_word(line.get(clock..)?)?;
    // A zone, a year or a half of the day may stand between the time and the host.
    while let Some(word) = word(rest).filter(|word| is_of_time(word)) {
        rest = behind_word(rest.get(word.len()..)?)?;
    }
    let host = word(rest)?;
    if host.ends_with(b":") || comma {
        let rest = rest.strip_prefix(b"kernel:")?;
        let rest = behind_space(rest);
        return Some(Tag { host: b"", name: b"kernel", has_process: false, process: b"", rest });
    }
    let behind = rest.get(host.len()..)?.strip_prefix(b" ")?;
    let end = behind.iter().take(HEAD_BYTES).position(|byte| matches!(byte, b':' | b'[' | b' '))?;
    let (name, behind) = behind.split_at_checked(end).filter(|_| end > 0)?;
    let mut number: &[u8] = b"";
    let (has_process, behind) = match behind {
        [b'[', process @ ..] => {
            let close = memchr::memchr(b']', process.get(..NUMBER_BYTES.min(process.len()))?)?;
            number = process.get(..close)?;
            (true, process.get(close + 1..)?)
        }
        _ => (false, behind),
    };
    Some(Tag { host, name, has_process, process: number, rest: behind_space(behind.strip_prefix(b":")?) })
}

fn behind_space(text: &[u8]) -> &[u8] {
    text.strip_prefix(b" ").unwrap_or(text)
}

/// `15:02:11`.
fn is_clock(text: &[u8]) -> bool {
    text.len() == 8
        && text.iter().enumerate().all(|(place, byte)| match place {
            2 | 5 => *byte == b':',
            _ => byte.is_ascii_digit(),
        })
}

/// A zone, a year, `AM` or `PM`.
fn is_of_time(word: &[u8]) -> bool {
    let year = word.len() == 4 && word.iter().all(u8::is_ascii_digit);
    let offset = matches!(word, [b'+' | b'-', digits @ ..] if digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b':'));
    year || offset || matches!(word, b"AM" | b"PM") || crate::stamp::zones::find(word).is_some()
}

fn word(text: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b' ', text).unwrap_or(text.len());
    text.get(..end).filter(|word| !word.is_empty())
}

/// What stands behind the rest of a word and the spaces that end it.
fn behind_word(text: &[u8]) -> Option<&[u8]> {
    let space = memchr::memchr(b' ', text)?;
    Some(text.get(space..)?.trim_ascii_start())
}

/// The message behind RFC 5424's header, and the program: `<4>1 2024-04-01T06:17:52+02:00 hv7 kernel - - - text`.
pub(super) fn behind_header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = line.get(1..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = line.get(digits + 1..)?.strip_prefix(b">1 ").filter(|_| (1..=3).contains(&digits))?;
    // Time, host, program, process, message id.
    let mut at = 0;
    let mut program: &[u8] = b"";
    for field in 0..5 {
        let word = word(rest.get(at..)?)?;
        if field == 2 {
            program = word;
        }
        at += word.len() + 1;
    }
    let mut rest = rest.get(at..)?;
    if let Some(behind) = rest.strip_prefix(b"-") {
        rest = behind;
    } else {
        while rest.first() == Some(&b'[') {
            rest = behind_element(rest)?;
        }
    }
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    Some((rest.strip_prefix("\u{feff}".as_bytes()).unwrap_or(rest), program))
}

/// What stands behind an element of structured data: `[id key="a \] value"]`.
fn behind_element(text: &[u8]) -> Option<&[u8]> {
    let (mut at, mut quoted) = (1, false);
    loop {
        at += memchr::memchr3(b'"', b'\\', b']', text.get(at..)?)?;
        match text.get(at)? {
            b'\\' => at += 1,
            b'"' => quoted = !quoted,
            _ if !quoted => return text.get(at + 1..),
            _ => {}
        }
        at += 1;
    }
}

/// What stands behind `[2024-06-29T10:52:39.030745602Z]: `; all of it where no such date stands in front.
pub(super) fn behind_bracketed_date(text: &[u8]) -> &[u8] {
    let behind = || {
        let text = text.trim_ascii_start();
        let inner = text.strip_prefix(b"[")?;
        (inner.get(4) == Some(&b'-') && inner.get(10) == Some(&b'T')).then_some(())?;
        let close = memchr::memchr(b']', inner.get(..48.min(inner.len()))?)?;
        let rest = inner.get(close + 1..)?.strip_prefix(b":")?;
        Some(rest.strip_prefix(b" ").unwrap_or(rest))
    };
    behind().unwrap_or(text)
}
