//! What stands in front of a message and differs between machines and sources: dates, names, clocks.

use super::bounds::BODY_BYTES_MAX;

/// How far into a line a program's name is looked for.
const PREFIX_BYTES_MAX: usize = 128;
/// Bytes of a bracket in front of a message: a date, a clock, a caller.
const BRACKET_BYTES_MAX: usize = 40;
const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
/// `Nov 20 15:02:11 `
const DATE_BYTES: usize = 16;

/// The first line's message, behind dates, names and clocks.
pub fn message<'a>(body: &'a [u8], program: &[u8]) -> &'a [u8] {
    let looked_at = body.get(..BODY_BYTES_MAX).unwrap_or(body);
    let end = memchr::memchr(b'\n', looked_at).unwrap_or(looked_at.len());
    let line = looked_at.get(..end).unwrap_or(looked_at);
    let mut rest = behind_program(line, program).unwrap_or_else(|| behind_date(line));
    while let Some(inner) = rest.trim_ascii_start().strip_prefix(b"[") {
        let Some(close) =
            memchr::memchr(b']', inner.get(..BRACKET_BYTES_MAX.min(inner.len())).unwrap_or_default())
        else {
            break;
        };
        let (content, behind) = inner.split_at(close);
        let content = content.trim_ascii();
        let content = content.strip_prefix(b"T").or(content.strip_prefix(b"C")).unwrap_or(content);
        let counts = |byte: &u8| {
            byte.is_ascii_digit() || matches!(byte, b'.' | b':' | b'-' | b' ' | b'+' | b'T' | b'Z')
        };
        if content.is_empty() || !content.iter().all(counts) {
            break;
        }
        rest = behind.get(1..).unwrap_or_default();
    }
    rest
}

/// What follows a date as syslog writes it and the name of the host: `Nov 20 15:02:11 hv01 `, `2026-11-20T15:02:11Z hv01 `.
/// The kernel's own tag is left out as well: consoles do not have it.
fn behind_date(line: &[u8]) -> &[u8] {
    let digits = |range: std::ops::Range<usize>| {
        line.get(range).is_some_and(|bytes| bytes.iter().all(u8::is_ascii_digit))
    };
    let short = line.get(9) == Some(&b':') && MONTHS.iter().any(|month| line.starts_with(month));
    let long = digits(0..4) && digits(5..7) && digits(8..10) && line.get(10) == Some(&b'T');
    let dated = if short {
        line.get(DATE_BYTES..)
    } else if long {
        memchr::memchr(b' ', line.get(..BRACKET_BYTES_MAX.min(line.len())).unwrap_or_default())
            .and_then(|space| line.get(space + 1..))
    } else {
        None
    };
    let Some(dated) = dated else { return line };
    // The host's name is followed by a tag; what has none is a message at once.
    let words = memchr::memchr(b' ', dated).and_then(|space| {
        let behind = dated.get(space + 1..)?;
        let tag = behind.get(..memchr::memchr(b' ', behind).unwrap_or(behind.len()))?;
        tag.ends_with(b":").then_some(behind)
    });
    let behind = words.unwrap_or(dated);
    behind.strip_prefix(b"kernel:").unwrap_or(behind)
}

/// What follows `program:` or `program[123]:`.
fn behind_program<'a>(line: &'a [u8], program: &[u8]) -> Option<&'a [u8]> {
    let prefix = line.get(..PREFIX_BYTES_MAX).unwrap_or(line);
    // A search that is made ready for each line anew costs more than to look at the few places.
    let at = memchr::memchr_iter(*program.first()?, prefix)
        .find(|at| prefix.get(*at..).is_some_and(|rest| rest.starts_with(program)))?;
    let mut behind = line.get(at + program.len()..)?;
    if let Some(inner) = behind.strip_prefix(b"[") {
        let close = memchr::memchr(b']', inner.get(..BRACKET_BYTES_MAX.min(inner.len()))?)?;
        behind = inner.get(close + 1..)?;
    }
    behind.strip_prefix(b":")
}
