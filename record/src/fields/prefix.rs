//! What stands in front of a line's text: syslog's numbers and headers, containers' streams, tags.

use std::borrow::Cow;

use super::{
    found::{FACILITY, Fields, PROCESS},
    level,
};
use crate::envelope;

/// Names of syslog's facilities by their numbers.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

/// Syslog's number in front, `<13>`, and the header of RFC 5424 behind it. Gives what stands behind both.
pub(super) fn priority<'a>(text: &'a [u8], fields: &mut Fields<'a>) -> Option<&'a [u8]> {
    let digits = text.get(1..)?.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text.get(digits + 1..)?.strip_prefix(b">").filter(|_| (1..=3).contains(&digits))?;
    let number: u16 = std::str::from_utf8(text.get(1..=digits)?).ok()?.parse().ok()?;
    set_priority(number, fields)?;
    if let Some(header) = rest.strip_prefix(b"1 ")
        && let Some(message) = header_of_5424(header, fields)
    {
        return Some(message);
    }
    Some(rest)
}

fn set_priority<'a>(number: u16, fields: &mut Fields<'a>) -> Option<()> {
    let facility = FACILITIES.get(usize::from(number >> 3))?;
    fields.set_severity(level::severity_of_syslog(u8::try_from(number & 7).ok()?));
    fields.add(Cow::Borrowed(FACILITY), Cow::Borrowed(facility));
    if number < 8 && fields.program.is_empty() {
        // A program's own tag behind it counts more.
        fields.is_kernels = true;
    }
    Some(())
}

/// Time, host, program, process, message id and structured data; gives the message.
fn header_of_5424<'a>(text: &'a [u8], fields: &mut Fields<'a>) -> Option<&'a [u8]> {
    let mut rest = text;
    let mut words: [&[u8]; 5] = [b""; 5];
    for word in &mut words {
        let end = memchr::memchr(b' ', rest)?;
        (*word, rest) = (rest.get(..end)?, rest.get(end + 1..)?);
    }
    let [_, _, program, process, message_id] = words.map(|word| if word == b"-" { &b""[..] } else { word });
    fields.set_program_bytes(program);
    if !process.is_empty() {
        fields.add_bytes(PROCESS, process);
    }
    if !message_id.is_empty() {
        fields.add_bytes("syslog.msg_id", message_id);
    }
    if let Some(behind) = rest.strip_prefix(b"-") {
        rest = behind;
    }
    while rest.first() == Some(&b'[') {
        rest = element(rest, fields)?;
    }
    Some(rest.strip_prefix(b" ").unwrap_or(rest))
}

/// One element of structured data, `[id key="value"]`: its parameters as `id.key`. Gives what stands behind it.
fn element<'a>(text: &'a [u8], fields: &mut Fields<'a>) -> Option<&'a [u8]> {
    let end = text.iter().position(|byte| matches!(byte, b' ' | b']'))?;
    let id = std::str::from_utf8(text.get(1..end)?).ok()?;
    let mut rest = text.get(end..)?;
    while let Some(parameter) = rest.strip_prefix(b" ") {
        let equals = memchr::memchr(b'=', parameter)?;
        let key = std::str::from_utf8(parameter.get(..equals)?).ok()?;
        let quoted = parameter.get(equals + 1..)?.strip_prefix(b"\"")?;
        let mut close = 0;
        loop {
            close += memchr::memchr2(b'"', b'\\', quoted.get(close..)?)?;
            if quoted.get(close) == Some(&b'"') {
                break;
            }
            close += 2;
        }
        let value = String::from_utf8_lossy(quoted.get(..close)?);
        let value = if value.contains('\\') { Cow::Owned(unescape(&value)) } else { value };
        fields.add(Cow::Owned(format!("{id}.{key}")), value);
        rest = quoted.get(close + 1..)?;
    }
    rest.strip_prefix(b"]")
}

/// RFC 5424 escapes a quotation mark, a backslash and a bracket.
fn unescape(value: &str) -> String {
    value.replace("\\\"", "\"").replace("\\]", "]").replace("\\\\", "\\")
}

/// What begins with a digit and says more than a time: a container's line (`2026-11-20T15:02:11.1Z stderr F `), or a
/// message of the kernel's ring as netconsole sends it (`6,339,5140900,-;`). Gives what stands behind.
pub(super) fn numbered<'a>(text: &'a [u8], fields: &mut Fields<'a>) -> Option<&'a [u8]> {
    if let Some((stream, rest)) = envelope::behind_stream(text) {
        fields.add_bytes("log.iostream", stream);
        return Some(rest);
    }
    let comma = text.iter().take(4).position(|byte| *byte == b',')?;
    let semicolon = memchr::memchr(b';', text.get(..80.min(text.len()))?)?;
    let numbers = text.get(..semicolon)?;
    let is_ring = numbers
        .split(|byte| *byte == b',')
        .take(3)
        .all(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit));
    let number: u16 = std::str::from_utf8(text.get(..comma)?).ok()?.parse().ok()?;
    (is_ring && numbers.iter().filter(|byte| **byte == b',').count() >= 3).then_some(())?;
    set_priority(number, fields)?;
    text.get(semicolon + 1..)
}

/// Facility and level in words: `kern  :warn  : `, `kern:     err: `.
pub(super) fn facility<'a>(text: &'a [u8], fields: &mut Fields<'a>) -> Option<&'a [u8]> {
    let (rest, facility, word) = envelope::facility_and_level(text)?;
    fields.set_severity(level::of_word(word));
    fields.add_bytes(FACILITY, facility);
    fields.is_kernels |= facility == b"kern";
    Some(rest)
}

/// A line of text: the tag behind its time, the kernel's clock, a level.
pub(super) fn plain<'a>(text: &'a [u8], fields: &mut Fields<'a>) {
    let mut own = text;
    if let Some(tag) = envelope::tag(text) {
        own = tag.rest;
        fields.set_program_bytes(tag.name);
        if !tag.process.is_empty() {
            fields.add_bytes(PROCESS, tag.process);
        }
    } else if fields.program.is_empty()
        && let Some((name, process, rest)) = named(text).filter(|_| fields.is_kernels || fields.severity > 0)
    {
        // A line of RFC 3164 without its time, as Docker's syslog driver and local sockets have them.
        own = rest;
        fields.set_program_bytes(name);
        fields.add_bytes(PROCESS, process);
    }
    let clocked = behind_clock(own);
    let is_kernel =
        fields.program == "kernel" || (fields.program.is_empty() && (clocked.is_some() || fields.is_kernels));
    if is_kernel {
        // Programs write to the kernel's ring, too.
        match named(clocked.unwrap_or(own)) {
            Some((name, process, _)) if fields.program.is_empty() => {
                fields.set_program_bytes(name);
                fields.add_bytes(PROCESS, process);
            }
            _ => fields.set_program(Cow::Borrowed("kernel")),
        }
        return;
    }
    if fields.severity == 0 {
        fields.severity = level::near_beginning(own);
    }
}

/// What stands behind the kernel's clock at the beginning: `[   12.345678][  T123] `.
fn behind_clock(text: &[u8]) -> Option<&[u8]> {
    let inner = text.strip_prefix(b"[")?;
    let close = memchr::memchr(b']', inner.get(..24.min(inner.len()))?)?;
    let clock = inner.get(..close)?.trim_ascii();
    let dot = clock.iter().position(|byte| *byte == b'.')?;
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    (digits(clock.get(..dot)?) && digits(clock.get(dot + 1..)?)).then_some(())?;
    let rest = inner.get(close + 1..)?;
    let rest = match rest.strip_prefix(b"[") {
        Some(caller) => caller.get(memchr::memchr(b']', caller.get(..16.min(caller.len()))?)? + 1..)?,
        None => rest,
    };
    Some(rest.trim_ascii_start())
}

/// `systemd[1]: `: a program's name with its process.
fn named(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let name = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'@' | b'(' | b')')
    };
    let length = text.iter().take(64).take_while(|byte| name(byte)).count();
    let rest = text.get(length..).filter(|_| length > 0)?.strip_prefix(b"[")?;
    let digits = rest.iter().take(12).take_while(|byte| byte.is_ascii_digit()).count();
    let behind = rest.get(digits..).filter(|_| digits > 0)?.strip_prefix(b"]:")?;
    Some((text.get(..length)?, rest.get(..digits)?, behind))
}
