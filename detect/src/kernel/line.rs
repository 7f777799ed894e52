//! A line of a console or of a log of the kernel's: what stands in front of the kernel's own text.

/// The parts of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// `T123` or `C1`: the task or CPU that printed it, where the kernel says so; `XEN`: the hypervisor.
    pub caller: &'a str,
    /// The kernel's clock stands in front.
    pub clock: bool,
    /// The kernel's own text, without a carriage return. One space behind the prefix is taken off, indentation stays.
    pub text: &'a str,
}

/// How far into a line the kernel's clock is looked for: consoles mix it with what programs print.
const CLOCK_WITHIN: usize = 120;

/// Takes a line apart.
pub fn parts(line: &str) -> Parts<'_> {
    let line = line.trim_end_matches(['\r', '\n']);
    if let Some(text) = xen(line) {
        return Parts { caller: XEN, clock: false, text };
    }
    let mut rest = line;
    let mut caller = "";
    let mut clock = false;
    let mut searched = 0;
    while let Some(open) = find_within(rest, CLOCK_WITHIN - searched.min(CLOCK_WITHIN)) {
        let Some(inner) = rest.get(open + 1..) else { break };
        let Some(close) = inner.find(']') else { break };
        let content = inner.get(..close).unwrap_or_default().trim();
        let after = inner.get(close + 1..).unwrap_or_default();
        if is_clock(content) {
            (rest, searched) = (after, 0);
            (caller, clock) = ("", true);
            if let Some((found, behind)) = caller_of(after) {
                (caller, rest) = (found, behind);
            }
            // Only what directly follows may be a second clock.
            if !rest.trim_start().starts_with('[') {
                break;
            }
        } else if rest.len() == line.len() {
            // Another bracket in front of the clock: a date, a name.
            let skipped = open + 1 + close;
            match after.get(..).and_then(|after| find_clock(after, CLOCK_WITHIN.saturating_sub(skipped))) {
                Some(clock) => {
                    rest = after.get(clock..).unwrap_or_default();
                    searched = skipped;
                }
                None => break,
            }
        } else {
            break;
        }
    }
    let rest = without_level(rest);
    Parts { caller, clock, text: rest.strip_prefix(' ').unwrap_or(rest) }
}

/// The hypervisor as a caller: its lines come in between those of the kernel of dom0.
pub const XEN: &str = "XEN";

/// A line of Xen's from its mark on.
fn xen(line: &str) -> Option<&str> {
    let at = memchr::memmem::find(line.as_bytes().get(..CLOCK_WITHIN.min(line.len()))?, b"(XEN) ")?;
    line.get(at..)
}

/// What stands behind the name of the program in a line of syslog's (`Nov 20 15:02:11 hv kernel: `).
pub fn behind_program(text: &str) -> &str {
    const KERNEL: &str = "kernel: ";
    if let Some(rest) = text.strip_prefix(KERNEL) {
        return rest;
    }
    let head = text.as_bytes().get(..text.len().min(CLOCK_WITHIN)).unwrap_or_default();
    let program = memchr::memmem::find(head, b" kernel: ");
    program.and_then(|at| text.get(at + 1 + KERNEL.len()..)).unwrap_or(text)
}

/// What stands behind `(XEN) `, and behind the date that the hypervisor may put there; everything where it is not Xen's.
pub fn behind_xen(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("(XEN) ") else { return text };
    rest.strip_prefix('[').and_then(|inner| inner.split_once("] ")).map_or(rest, |(_, rest)| rest)
}

/// Where two lines ran into one: what stands behind the second one's prefix.
pub fn second_line(text: &str) -> Option<&str> {
    let clock = find_clock(text, LINE_LOOKED_AT)?;
    text.get(clock..).map(|text| parts(text).text)
}

/// How much of a text is searched for a second clock.
const LINE_LOOKED_AT: usize = 1024;

fn find_within(text: &str, bytes: usize) -> Option<usize> {
    memchr::memchr(b'[', text.as_bytes().get(..bytes.min(text.len())).unwrap_or_default())
}

/// The place of a bracket that holds the kernel's clock.
fn find_clock(text: &str, within: usize) -> Option<usize> {
    let mut from = 0;
    while let Some(open) = find_within(text.get(from..)?, within.saturating_sub(from)) {
        let at = from + open;
        let content = text.get(at + 1..)?.split(']').next()?;
        if is_clock(content.trim()) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// `12.345678` and nothing else.
fn is_clock(content: &str) -> bool {
    content.split_once('.').is_some_and(|(seconds, fraction)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits(seconds) && digits(fraction) && fraction.len() >= 3
    })
}

/// `[  T123]` or `[    C1]`, directly behind the clock or a space away.
fn caller_of(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('[').or_else(|| text.strip_prefix(" ["))?;
    let (content, rest) = inner.split_once(']')?;
    let content = content.trim();
    let number = content.strip_prefix(['T', 'C'])?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some((content, rest))
}

/// Takes off `<4>`.
fn without_level(text: &str) -> &str {
    let inner = text.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    match inner {
        Some((level, rest))
            if level.len() <= 3 && !level.is_empty() && level.bytes().all(|b| b.is_ascii_digit()) =>
        {
            rest
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_ran_into_one_are_two() {
        assert_eq!(
            second_line("x: allocation failure: 3 bytes[   76.471107] BUG: unable"),
            Some("BUG: unable")
        );
        assert_eq!(second_line("BUG: unable to handle [12] and [0.1]"), None);
    }

    #[test]
    fn prefixes_are_taken_off_and_indentation_stays() {
        for (line, caller, text) in [
            ("[    4.895213] Kernel panic", "", "Kernel panic"),
            ("[    4.895213]  dump_stack_lvl+0x44/0x5c\r", "", " dump_stack_lvl+0x44/0x5c"),
            ("[   36.852785][ T3615] BUG: x", "T3615", "BUG: x"),
            ("syzkaller login: [   36.852785][    C1] BUG: x", "C1", "BUG: x"),
            ("<4>BUG: x", "", "BUG: x"),
            ("[2026-11-20 15:02:11] [    4.895213] BUG: x", "", "BUG: x"),
            ("Nov 20 15:02:11 hv kernel: [    4.895213] BUG: x", "", "BUG: x"),
            ("Nov 20 15:02:11 hv kernel: BUG: x", "", "Nov 20 15:02:11 hv kernel: BUG: x"),
            (" [<ffffffff81000000>] f+0x1/0x2", "", "[<ffffffff81000000>] f+0x1/0x2"),
            ("(XEN) Panic on CPU 0:", "XEN", "(XEN) Panic on CPU 0:"),
            (
                "(XEN) [2026-11-20 15:02:11] Panic on CPU 0:",
                "XEN",
                "(XEN) [2026-11-20 15:02:11] Panic on CPU 0:",
            ),
            ("", "", ""),
            ("[", "", "["),
        ] {
            let parts = parts(line);
            assert_eq!((parts.caller, parts.text), (caller, text), "{line}");
            assert_eq!(parts.clock, line.contains("4.895213") || line.contains("36.852785"), "{line}");
        }
    }
}
