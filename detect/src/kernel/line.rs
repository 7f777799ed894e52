//! A line of a console or of a log of the kernel's: what stands in front of the kernel's own text.

use std::borrow::Cow;

use lastwords_record::envelope;

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

/// A line's text, without what a terminal does not show: colours, zero bytes.
pub fn shown(raw: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(raw);
    if memchr::memchr2(0, ESCAPE, raw).is_none() {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(at) = rest.find(['\0', char::from(ESCAPE)]) {
        shown.push_str(rest.get(..at).unwrap_or_default());
        let behind = rest.get(at + 1..).unwrap_or_default();
        rest = match behind.strip_prefix('[').filter(|_| rest.as_bytes().get(at) == Some(&ESCAPE)) {
            // `ESC [ 0;31 m`: up to its letter.
            Some(sequence) => {
                let end =
                    sequence.find(|c: char| ('@'..='~').contains(&c)).map_or(sequence.len(), |end| end + 1);
                sequence.get(end..).unwrap_or_default()
            }
            None => behind,
        };
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

const ESCAPE: u8 = 0x1b;

/// Takes a line apart.
pub fn parts(line: &str) -> Parts<'_> {
    let line = line.trim_end_matches(['\r', '\n']);
    if let Some(text) = xen(line) {
        return Parts { caller: XEN, clock: false, text };
    }
    if let Some(parts) = of_tool(line) {
        return parts;
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
                None => {
                    rest = without_date(rest);
                    break;
                }
            }
        } else {
            break;
        }
    }
    let rest = without_level(rest);
    let rest = if clock { without_level_word(rest) } else { rest };
    Parts { caller, clock, text: rest.strip_prefix(' ').unwrap_or(rest) }
}

/// A line as a tool writes it that reads the kernel's log without syslog: `dmesg -T`, `dmesg --time-format iso`, and
/// `/dev/kmsg` or netconsole (`4,1234,100000001,-,caller=T123;`).
fn of_tool(line: &str) -> Option<Parts<'_>> {
    if let Some((head, text)) = line.strip_prefix('[').and_then(|inner| inner.split_once("] "))
        && is_weekday_date(head)
    {
        let (caller, text) = caller_of(text).map_or(("", text), |(caller, rest)| (caller, rest.trim_start()));
        return Some(Parts { caller, clock: true, text });
    }
    // Talos: `kern:     err: [2026-11-20T15:02:11.123456Z]: text`
    if let Some((head, text)) = line.strip_prefix("kern:").and_then(|rest| rest.split_once("]: "))
        && head.split_once('[').is_some_and(|(_, date)| is_shaped(date, "0000-00-00A00:00:00"))
    {
        return Some(Parts { caller: "", clock: true, text });
    }
    if !line.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let head = line.get(..line.len().min(CLOCK_WITHIN)).unwrap_or_default();
    if let Some((time, _)) = head.split_once(' ')
        && is_iso_with_comma(time)
    {
        return Some(Parts { caller: "", clock: true, text: line.get(time.len() + 1..)? });
    }
    let (fields, _) = head.split_once(';')?;
    let mut numbers = fields.split(',');
    let is_record = numbers.by_ref().take(3).filter(|number| is_number(number)).count() == 3
        && matches!(numbers.next(), Some("-" | "c" | "+"));
    let caller = numbers.find_map(|field| field.strip_prefix("caller=")).unwrap_or_default();
    is_record.then_some(Parts { caller, clock: true, text: line.get(fields.len() + 1..)? })
}

/// What stands behind a shell's prompt.
pub fn behind_prompt(text: &str) -> Option<&str> {
    text.get(text.len() - envelope::behind_prompt(text.as_bytes())?.len()..)
}

/// The kernel's own text in what a terminal shows last of a line with carriage returns in it.
pub fn last_shown(text: &str) -> Option<&str> {
    let text = text.trim_ascii_end();
    let last = text.get(text.len() - envelope::last_shown(text.as_bytes())?.len()..)?;
    Some(behind_program(parts(last).text).trim_start())
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
    const KERNEL: &str = "kernel:";
    // What `syslogd` sends to every terminal has no space behind it.
    if let Some(rest) = text.strip_prefix(KERNEL) {
        return rest.strip_prefix(' ').unwrap_or(rest);
    }
    let head = text.as_bytes().get(..text.len().min(CLOCK_WITHIN)).unwrap_or_default();
    for program in [" kernel: ", " kernel - - - "] {
        if let Some(at) = memchr::memmem::find(head, program.as_bytes()) {
            return text.get(at + program.len()..).unwrap_or(text);
        }
    }
    text
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

/// `12.345678` and nothing else, or `+0.000012` since the line before.
fn is_clock(content: &str) -> bool {
    content
        .strip_prefix('+')
        .unwrap_or(content)
        .split_once('.')
        .is_some_and(|(seconds, fraction)| is_number(seconds) && is_number(fraction) && fraction.len() >= 3)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Takes off `[2026-11-20 15:02:11] `, as consoles' loggers put it in front.
fn without_date(line: &str) -> &str {
    let dated = line.strip_prefix('[').and_then(|inner| inner.split_once("] "));
    dated.filter(|(date, _)| is_shaped(date, "0000-00-00")).map_or(line, |(_, text)| without_date(text))
}

/// `Thu Nov 20 15:02:11 2026`
fn is_weekday_date(text: &str) -> bool {
    is_shaped(text, "Aaa Aaa 00 00:00:00 0000") || is_shaped(text, "Aaa Aaa  0 00:00:00 0000")
}

/// `2026-11-20T15:02:11,123456+00:00`: with a comma only `dmesg` writes it.
fn is_iso_with_comma(text: &str) -> bool {
    is_shaped(text, "0000-00-00A00:00:00,0")
}

/// Whether a text begins as a shape says, in which `0` stands for a digit, `A` and `a` for a letter.
fn is_shaped(text: &str, shape: &str) -> bool {
    text.len() >= shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_uppercase(),
            b'a' => byte.is_ascii_lowercase(),
            _ => byte == shape,
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

/// Takes off a word for the level, as XenServer's logger of dom0 puts it behind the clock, in seven columns: `  ALERT: `.
fn without_level_word(text: &str) -> &str {
    const WORDS: [&str; 8] =
        ["  EMERG", "  ALERT", "   CRIT", "    ERR", "   WARN", " NOTICE", "   INFO", "  DEBUG"];
    text.get(..LEVEL_COLUMNS)
        .filter(|word| WORDS.contains(word))
        .and_then(|_| text.get(LEVEL_COLUMNS..)?.strip_prefix(": "))
        .unwrap_or(text)
}

const LEVEL_COLUMNS: usize = 7;

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
            ("[Thu Nov 20 15:02:11 2026] BUG: x", "", "BUG: x"),
            ("[Thu Nov  6 15:02:11 2026] [ T3615] BUG: x", "T3615", "BUG: x"),
            ("2026-11-20T15:02:11,123456+00:00 BUG: x", "", "BUG: x"),
            ("4,1234,100000001,-,caller=T12;BUG: x; y", "T12", "BUG: x; y"),
            ("[2026-11-20 15:02:11] BUG: x", "", "BUG: x"),
            ("[2026-11-20 15:02:11] [2026-11-20 15:02:12] BUG: x", "", "BUG: x"),
            ("2026-11-20T15:02:11.123456+00:00 BUG: x", "", "2026-11-20T15:02:11.123456+00:00 BUG: x"),
            ("1,2,3;BUG: x", "", "1,2,3;BUG: x"),
            ("[    4.895213]  ALERT: BUG: x", "", "BUG: x"),
            ("[    4.895213]   WARN:  <TASK>", "", "<TASK>"),
            ("[    4.895213] INFO: task x", "", "INFO: task x"),
            ("kern:     err: [2026-11-20T15:02:11.123456Z]: BUG: x", "", "BUG: x"),
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
            let clocks = ["4.895213", "36.852785", "[Thu ", ",123456+", ",100000001,-", "kern:  "];
            assert_eq!(parts.clock, clocks.iter().any(|clock| line.contains(clock)), "{line}");
        }
    }

    #[test]
    fn what_a_terminal_does_not_show_is_taken_off() {
        for (raw, text) in [
            ("plain", "plain"),
            ("\x1b[32m[    4.8] \x1b[0m\x1b[0;31mBUG: x\x1b[0m", "[    4.8] BUG: x"),
            ("\0\0BUG: x\0", "BUG: x"),
            ("\x1bBUG: x\x1b[", "BUG: x"),
            ("\x1b[31", ""),
        ] {
            assert_eq!(shown(raw.as_bytes()), text, "{raw:?}");
        }
    }
}
