//! What a kernel's line looks like: its prefix, a stack's frame, a dump of registers or memory.

/// A line taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape<'a> {
    /// The kernel's clock in milliseconds, where the line has it.
    pub clock_ms: Option<u64>,
    /// The caller (`T123`, `C1`) as a number of its own.
    pub caller: Option<u64>,
    /// A program's name stands in front of the clock, as syslog writes it.
    pub syslog: bool,
    /// The kernel's own text, without the space behind the brackets.
    pub text: &'a [u8],
}

/// How far into a line the kernel's clock is looked for, behind what consoles and syslog put in front.
const PREFIX_BYTES_MAX: usize = 96;
/// Bytes of a bracket with a clock or a caller.
const BRACKET_BYTES_MAX: usize = 24;

/// Takes a line apart: `Nov 20 15:02:11 hv01 kernel: [   12.345678][  T123] text`. A line without a kernel's clock is
/// its own text.
pub(super) fn shape(line: &[u8]) -> Shape<'_> {
    let mut shape = Shape { clock_ms: None, caller: None, syslog: false, text: line };
    let mut rest = line;
    while let Some((before, inner, behind)) = bracket(rest) {
        if let Some(clock_ms) = clock(inner) {
            shape.clock_ms = Some(clock_ms);
            shape.syslog = before.trim_ascii_end().ends_with(b":");
        } else if let (Some(caller), true) = (caller(inner), before.is_empty()) {
            shape.caller = Some(caller);
        } else if shape.clock_ms.is_some() || !before.is_empty() {
            // The kernel's text has brackets, too; in front of the clock there can be a bracket with a date.
            break;
        }
        rest = behind;
        if shape.clock_ms.is_some() {
            shape.text = rest.strip_prefix(b" ").unwrap_or(rest);
        }
    }
    shape
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
        for (line, clock_ms, caller, syslog, text) in [
            ("[    4.895213] Call Trace:", Some(4_895), None, false, "Call Trace:"),
            ("[    4.895213][  T123]  f+0x1/0x2", Some(4_895), Some(246), false, " f+0x1/0x2"),
            ("<4>[   12.000001][    C1] x [<ff>]", Some(12_000), Some(3), false, "x [<ff>]"),
            ("[2026-11-20 15:02:11] [    1.250000] x", Some(1_250), None, false, "x"),
            ("Nov 20 15:02:11 hv01 kernel: [    1.250000] x", Some(1_250), None, true, "x"),
            ("2026-11-20T15:02:11.5+01:00 web07 kernel: [    1.250000] ", Some(1_250), None, true, ""),
            ("** 93 printk messages dropped ** [  1.250000] x", Some(1_250), None, false, "x"),
            ("Nov 20 15:02:11 hv01 sshd[12]: x", None, None, false, "Nov 20 15:02:11 hv01 sshd[12]: x"),
            (" indented", None, None, false, " indented"),
            ("[1.2.3] x", None, None, false, "[1.2.3] x"),
            ("", None, None, false, ""),
        ] {
            let expected = Shape { clock_ms, caller, syslog, text: text.as_bytes() };
            assert_eq!(shape(line.as_bytes()), expected, "{line}");
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
