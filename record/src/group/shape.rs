//! What a kernel's line looks like: its prefix, a stack's frame, a dump of registers or memory.

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    envelope::{self, Opened, Writer},
    stamp,
};

/// A line taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape<'a> {
    /// The kernel's clock in milliseconds, where the line has it.
    pub clock_ms: Option<u64>,
    /// The caller (`T123`, `C1`) as a number of its own.
    pub caller: Option<u64>,
    /// When it was written, as far as the line says so.
    pub time: Option<Time>,
    /// Who wrote it, as far as the line says so.
    pub writer: Writer,
    /// The line names a program's process, so that it is no words of the kernel's that look like a program's name.
    pub has_process: bool,
    /// The name of a program begins with a small letter, as the kernel's words do not.
    pub begins_small: bool,
    /// The machine's name as a number; none where no machine is named.
    pub host: Option<u64>,
    opened: Opened<'a>,
    /// Where the kernel's own text begins.
    from: usize,
}

/// A time as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    has_year: bool,
    unzoned_ms: i64,
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

impl Time {
    fn in_line(line: &[u8]) -> Option<Time> {
        let form = stamp::find(line)?;
        Some(Time { has_year: form.has_year(), unzoned_ms: form.unzoned_ms()? })
    }

    /// Of a record whose time is known.
    pub fn at(time_ms: i64) -> Time {
        Time { has_year: true, unzoned_ms: time_ms }
    }

    /// Milliseconds from another one to this; none where they are not written alike.
    pub fn since(self, before: Time) -> Option<i64> {
        let passed = self.unzoned_ms.saturating_sub(before.unzoned_ms);
        match (self.has_year, before.has_year) {
            // From one year into the next; the year that is left open counts as one of 366 days.
            (false, false) if passed < -180 * DAY_MS => Some(passed + 366 * DAY_MS),
            // The clocks went back.
            (one, other) if one == other && (-HOUR_MS..-HOUR_MS / 2).contains(&passed) => {
                Some(passed + HOUR_MS)
            }
            (one, other) => (one == other).then_some(passed),
        }
    }
}

impl Shape<'_> {
    /// The kernel's own text, without the space behind the brackets.
    pub fn text(&self) -> &[u8] {
        self.opened.text.get(self.from..).unwrap_or_default()
    }
}

/// How far into a line the kernel's clock is looked for, behind what consoles and syslog put in front.
const PREFIX_BYTES_MAX: usize = 96;
/// Bytes of a bracket with a clock or a caller.
const BRACKET_BYTES_MAX: usize = 24;

/// Takes a line apart: `Nov 20 15:02:11 hv01 kernel: [   12.345678][  T123] text`. A line without a kernel's clock or
/// name is its own text.
pub(super) fn shape(line: &[u8]) -> Shape<'_> {
    let opened = envelope::open(line);
    let mut shape = Shape {
        clock_ms: None,
        caller: None,
        time: Time::in_line(line),
        writer: opened.writer,
        has_process: opened.writer == Writer::Program,
        begins_small: false,
        host: None,
        opened,
        from: 0,
    };
    let text: &[u8] = &shape.opened.text;
    let mut rest = text;
    let mut own = text;
    if let Some(tag) = envelope::tag(text) {
        shape.host = (!tag.host.is_empty()).then(|| xxh3_64(tag.host));
        shape.has_process |= tag.has_process;
        shape.begins_small = tag.name.first().is_some_and(u8::is_ascii_lowercase);
        shape.writer = Writer::named(tag.name);
        if shape.writer == Writer::Kernel {
            (rest, own) = (tag.rest, tag.rest);
        }
    }
    let mut tagged = own.len() < text.len();
    while let Some((before, inner, behind)) = bracket(rest) {
        if let Some(clock_ms) = clock(inner) {
            shape.clock_ms = Some(clock_ms);
        } else if let (Some(caller), true) = (caller(inner), before.is_empty()) {
            shape.caller = Some(caller);
        } else if shape.clock_ms.is_some() || tagged || !before.is_empty() {
            // The kernel's text has brackets, too; in front of the clock there can be a bracket with a date.
            break;
        }
        tagged = false;
        rest = behind;
        if shape.clock_ms.is_some() {
            own = rest.strip_prefix(b" ").unwrap_or(rest);
        }
    }
    if shape.clock_ms.is_some() {
        // The clock is the kernel's alone.
        if !shape.has_process {
            shape.writer = Writer::Kernel;
        }
        own = envelope::behind_level(own).unwrap_or(own);
    }
    let from = text.len() - own.len();
    Shape { from, ..shape }
}

/// What stands before, in and behind the next bracket.
fn bracket(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let open = memchr::memchr(b'[', text.get(..PREFIX_BYTES_MAX.min(text.len()))?)?;
    let (before, inner) = (text.get(..open)?, text.get(open + 1..)?);
    let close = memchr::memchr(b']', inner.get(..BRACKET_BYTES_MAX.min(inner.len()))?)?;
    Some((before, inner.get(..close)?, inner.get(close + 1..)?))
}

/// `   12.345678`.
fn clock(inner: &[u8]) -> Option<u64> {
    let inner = inner.trim_ascii();
    let dot = memchr::memchr(b'.', inner)?;
    let seconds = number(inner.get(..dot)?)?;
    let fraction = inner.get(dot + 1..)?;
    number(fraction)?;
    seconds.checked_mul(1_000)?.checked_add(number(fraction.get(..3)?)?)
}

/// `  T123`, `    C1`.
fn caller(inner: &[u8]) -> Option<u64> {
    let (kind, digits) = inner.trim_ascii().split_first()?;
    let number = number(digits)?;
    match kind {
        b'T' => number.checked_mul(2),
        b'C' => number.checked_mul(2)?.checked_add(1),
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 12 {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
}

/// `function+0x12/0x34`.
pub(super) fn is_frame(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"+0x").is_some_and(|at| {
        let behind = text.get(at + 3..).unwrap_or_default();
        let digits = behind.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        behind.get(digits..).is_some_and(|rest| rest.starts_with(b"/0x"))
    })
}

/// Registers or memory: nothing but labels and hexadecimal words, one of eight digits or more among them.
pub(super) fn is_dump(text: &[u8]) -> bool {
    let (mut words, mut long_words) = (0, 0);
    for word in text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        words += 1;
        let label = word.ends_with(b":") && word.len() <= 9;
        let digits = word.iter().all(u8::is_ascii_hexdigit);
        let register = word.len() <= 4 && word.iter().all(u8::is_ascii_alphanumeric);
        if !label && !digits && !register {
            return false;
        }
        long_words += usize::from(digits && word.len() >= 8);
    }
    words >= 2 && long_words >= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_taken_apart() {
        use Writer::{Kernel, Program, Unknown};
        for (line, clock_ms, caller, writer, text) in [
            ("[    4.895213] Call Trace:", Some(4_895), None, Kernel, "Call Trace:"),
            ("[    4.895213][  T123]  f+0x1/0x2", Some(4_895), Some(246), Kernel, " f+0x1/0x2"),
            ("<4>[   12.000001][    C1] x [<ff>]", Some(12_000), Some(3), Kernel, "x [<ff>]"),
            ("[2026-11-20 15:02:11] [    1.250000] x", Some(1_250), None, Kernel, "x"),
            ("Nov 20 15:02:11 hv01 kernel: [    1.250000] x", Some(1_250), None, Kernel, "x"),
            ("Nov 20 15:02:11 hv01 kernel:  f+0x1/0x2", None, None, Kernel, " f+0x1/0x2"),
            ("2026-11-20T15:02:11.5+01:00 web07 kernel: [    1.250000] ", Some(1_250), None, Kernel, ""),
            ("** 93 printk messages dropped ** [  1.250000] x", Some(1_250), None, Kernel, "x"),
            ("Nov 20 15:02:11 hv01 sshd[12]: x", None, None, Program, "Nov 20 15:02:11 hv01 sshd[12]: x"),
            ("[    1.250000]   WARN:  f+0x1/0x2", Some(1_250), None, Kernel, " f+0x1/0x2"),
            (
                r#"{"log":"[    1.250000] a \"b\"\n","stream":"stdout"}"#,
                Some(1_250),
                None,
                Kernel,
                r#"a "b""#,
            ),
            ("kern:    info: [2026-11-20T15:02:11Z]: Call Trace:", None, None, Kernel, "Call Trace:"),
            (" indented", None, None, Unknown, " indented"),
            ("[1.2.3] x", None, None, Unknown, "[1.2.3] x"),
            ("", None, None, Unknown, ""),
        ] {
            let shape = shape(line.as_bytes());
            assert_eq!((shape.clock_ms, shape.caller, shape.writer), (clock_ms, caller, writer), "{line}");
            assert_eq!(String::from_utf8_lossy(shape.text()), text, "{line}");
        }
    }

    #[test]
    fn times_of_lines_tell_how_far_they_are_apart() {
        let since = |before: &str, now: &str| {
            let at = |line: &str| Time::in_line(line.as_bytes());
            at(now)?.since(at(before)?)
        };
        for (before, now, expected) in [
            ("Nov 20 15:02:11 x", "Nov 20 15:02:21.5 x", Some(10_500)),
            ("Dec 31 23:59:59 x", "Jan  1 00:00:01 x", Some(2_000)),
            ("Oct 26 02:59:59 x", "Oct 26 02:00:01 x", Some(2_000)),
            ("2026-11-20T15:02:11Z x", "2026-11-20T17:02:11+01:00 x", Some(3_600_000)),
            ("2026-11-20T15:02:11Z x", "{\"ts\":1795186931.5}", Some(500)),
            ("Nov 20 15:02:11 x", "2026-11-20T15:02:11Z x", None),
            ("no time", "Nov 20 15:02:11 x", None),
        ] {
            assert_eq!(since(before, now), expected, "{before} {now}");
        }
    }

    #[test]
    fn frames_and_dumps_are_told_from_words() {
        for (text, frame, dump) in [
            ("? f.part.0+0x1a/0x2b [nfs]", true, false),
            ("f+0x1a", false, false),
            ("x19: fffffdfffec00201 x18: 00000000000011d8", false, true),
            ("x8 : 00000000ffffffff x7 : 205b5d3034343135", false, true),
            ("3840: 0000000041b58ab3 ffff200009e881a8", false, true),
            ("Control: 10c5387d  Table: 9b54806a  DAC: 00000051", false, true),
            ("request 4f2a done in 12 ms", false, false),
            ("12345678", false, false),
            ("", false, false),
        ] {
            assert_eq!((is_frame(text.as_bytes()), is_dump(text.as_bytes())), (frame, dump), "{text}");
        }
    }
}
