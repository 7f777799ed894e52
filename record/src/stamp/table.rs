//! Where in a line a time is looked for, and in which forms: the table. The most frequent forms come first and are
//! told apart by the line's first bytes; all others stand in [`RARE`], each with an example, by the byte that a line
//! must begin with. A time within a message is none of the line's.

use super::{
    dates::dated,
    digits::leading_number,
    fields,
    form::{Form, Written, Zone},
    numeric::{digits_first, iso, kernel_clock, klog, since_before},
    worded,
};

/// How far into a line a bracketed time is looked for: behind a client's address, name and user.
const BRACKET_WITHIN: usize = 128;
/// Bytes of a bracket, a name or a level in front of a time.
const LABEL_BYTES_MAX: usize = 80;
/// How many things may stand around each other in front of a time: a container's JSON around a level, say.
const DEPTH_MAX: u8 = 4;

/// Finds the time of a line.
#[inline]
pub(super) fn find(line: &[u8]) -> Option<Form> {
    within(line, DEPTH_MAX)
}

#[inline]
fn within(line: &[u8], depth: u8) -> Option<Form> {
    let line = without_priority(line);
    let found = match *line.first()? {
        b'0'..=b'9' => iso(line).or_else(|| common_log(line)),
        b'[' => {
            let inner = line.get(1..)?;
            kernel_clock(inner)
                .or_else(|| iso(inner))
                .or_else(|| worded::english(inner))
                .or_else(|| common_log(line))
        }
        b'A'..=b'Z' => worded::english(line).or_else(|| klog(line)).or_else(|| common_log(line)),
        b'{' => None,
        _ => common_log(line),
    };
    found.or_else(|| rare(line, depth))
}

/// A form that is not frequent.
struct Entry {
    /// What it looks like; a test reads each.
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers and tests"))]
    example: &'static str,
    /// The bytes that it can begin with.
    begins: fn(u8) -> bool,
    /// Reads it. The number is how many things may still stand around each other.
    read: fn(&[u8], u8) -> Option<Form>,
}

macro_rules! forms {
    ($($example:literal if $begins:pat => $read:expr,)*) => {
        &[$(Entry { example: $example, begins: |byte| matches!(byte, $begins), read: $read }),*]
    };
}

const RARE: &[Entry] = forms! {
    // Digits.
    "20260627T182629Z compact; 1782584807000 of epochs; 06/27/2026 18:26:43; 260627 18:26:46" if b'0'..=b'9' => |line, _| digits_first(line),
    "27-Jun-2026 18:26:37.000 SEVERE [main] Tomcat; 27 Jun 18:26:36 ntpd[12]: x" if b'0'..=b'9' => |line, _| worded::date(line),
    "1 2024-04-01T06:17:52+02:00 hv7 kernel - - - syslog's version" if b'1' => |line, _| iso(line.strip_prefix(b"1 ")?),
    "1234:M 27 Jun 2026 18:26:36.000 * Redis" if b'0'..=b'9' => |line, _| redis(line),
    " 1 | 06/27/2026 | 18:26:43 | Memory #0x01 | ipmitool" if b'0'..=b'9' | b' ' => |line, _| ipmi(line),
    // Brackets.
    "[Dec14 00:03] dmesg --human" if b'[' => |line, _| worded::human(line.get(1..)?),
    "[  +0.000012] dmesg --human, the same minute" if b'[' => |line, _| since_before(line.get(1..)?),
    "[20221108T10:22:31.120Z|debug|xenopsd] in brackets" if b'[' => |line, _| dated(line.get(1..)?),
    "[INFO] 2026-06-27 18:26:41; [pod/web/nginx] 2026-06-27T18:26:41Z" if b'[' => behind_bracket,
    // Letters.
    "Sun 2024-10-27 02:30:00 CET hv9 journalctl" if b'A'..=b'Z' | b'a'..=b'z' | 0x80.. => |line, _| iso(worded::behind_weekday(line)?),
    "Sat Jun 13 16:12:24 CEST 2026; mar 15 03:06:00; Sat, 27 Jun 2026 18:26:29 +0200" if b'A'..=b'Z' | b'a'..=b'z' | 0x80.. => |line, _| worded::date(line),
    "kern:     err: [2024-06-29T10:52:39.030Z]: Talos; kern  :warn  : [Dec14 00:03] dmesg --decode" if b'a'..=b'z' => behind_facility,
    "type=AVC msg=audit(1782584804.123:456): avc" if b'a'..=b'z' => |line, _| audit(line),
    "time=\"2026-06-27T18:26:34Z\" level=error" if b'a'..=b'z' | b'A'..=b'Z' | b'@' | b'_' => |line, _| fields::logfmt(line),
    "ERROR    2026-06-27T18:26:42Z level; E, [2026-06-27T18:26:42.1 #7] Ruby" if b'A'..=b'Z' | b'a'..=b'z' => |line, _| behind_level(line),
    "IN 0x55d1d2f0 20221108 10:22:31 READ xenstored" if b'I' | b'O' | b'i' => |line, _| xenstored(line),
    "web-7d9c nginx 2026-06-27T18:26:42.123456789Z stern; web-1  | 2026-06-27T18:26:42Z" if b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => behind_name,
    "Log started: 2026-06-27  18:26:29" if b'L' | b'S' | b'E' => |line, _| behind_label(line),
    // Others.
    "{\"time\":\"2026-06-27T18:26:29Z\"}" if b'{' => json,
    "(XEN) [2026-06-27 18:26:39.123] Xen" if b'(' => |line, _| xen(line),
    "*Nov 20 2026 15:02:11.123: %SYS" if b'*' | b'.' | b'\'' | b'"' => |line, _| dated(line.get(1..)?),
    "# Time: 260627 18:26:43" if b'#' => |line, _| dated(line.strip_prefix(b"# Time: ")?),
    "\u{feff}2026-06-27 18:26:43 a byte order mark" if 0xef => |line, depth| deeper(line.strip_prefix("\u{feff}".as_bytes())?, depth),
    "\u{1b}[32m2026-06-27 18:26:43 colours" if 0x1b => |line, depth| deeper(crate::envelope::behind_colours(line)?, depth),
    "\r[2026-06-27 18:26:43] a carriage return" if b'\r' => |line, depth| deeper(line.trim_ascii_start(), depth),
};

#[cold]
fn rare(line: &[u8], depth: u8) -> Option<Form> {
    let first = *line.first()?;
    RARE.iter().filter(|entry| (entry.begins)(first)).find_map(|entry| (entry.read)(line, depth))
}

fn deeper(line: &[u8], depth: u8) -> Option<Form> {
    within(line, depth.checked_sub(1)?)
}

fn without_priority(line: &[u8]) -> &[u8] {
    let Some(rest) = line.strip_prefix(b"<") else { return line };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (digits, rest.get(digits)) {
        (1..=3, Some(b'>')) => rest.get(digits + 1..).unwrap_or_default(),
        _ => line,
    }
}

/// `[20/Nov/2026:15:02:11 +0100]`, as web servers write it behind the client's address.
#[inline]
fn common_log(line: &[u8]) -> Option<Form> {
    let within = line.get(..BRACKET_WITHIN.min(line.len()))?;
    let bracket = memchr::memchr_iter(b'[', within).find(|at| line.get(at + 3) == Some(&b'/'))?;
    let text = line.get(bracket + 1..)?;
    worded::common_log(text)
}

/// `1234:M 27 Jun 2026 18:26:36.000 * `: the process and its role.
fn redis(line: &[u8]) -> Option<Form> {
    let (_, rest) = leading_number(line, 1, 8)?;
    match rest {
        [b':', b'A'..=b'Z', b' ', date @ ..] => worded::date(date),
        _ => None,
    }
}

/// `   1 | 06/27/2026 | 18:26:43 | `
fn ipmi(line: &[u8]) -> Option<Form> {
    let spaces = line.iter().take(8).take_while(|byte| **byte == b' ').count();
    let rest = line.get(spaces..)?;
    // Its numbers are hexadecimal.
    let number = rest.iter().take(5).take_while(|byte| byte.is_ascii_hexdigit()).count();
    digits_first(rest.get(number..).filter(|_| number > 0)?.strip_prefix(b" | ")?)
}

/// A time behind a bracket with a name, a level or a process.
fn behind_bracket(line: &[u8], depth: u8) -> Option<Form> {
    let looked_at = line.get(..LABEL_BYTES_MAX.min(line.len()))?;
    let close = memchr::memchr(b']', looked_at)?;
    let rest = line.get(close + 1..)?;
    let rest = rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start();
    depth.checked_sub(1)?;
    dated(rest)
}

/// A time behind facility and level: `kern: err: [`, `kern  :warn  : [`.
fn behind_facility(line: &[u8], depth: u8) -> Option<Form> {
    deeper(crate::envelope::behind_facility(line)?, depth)
}

/// `type=AVC msg=audit(1782584804.123:456): `, `node=hv1 type=…`, `audit: type=1400 audit(…)`.
fn audit(line: &[u8]) -> Option<Form> {
    [&b"type="[..], b"node=", b"audit"].iter().any(|begin| line.starts_with(begin)).then_some(())?;
    let looked_at = line.get(..BRACKET_WITHIN.min(line.len()))?;
    audit_epoch(looked_at)
}

/// The seconds in `audit(1782584804.123:456)`.
pub(super) fn audit_epoch(text: &[u8]) -> Option<Form> {
    let at = memchr::memmem::find(text, b"audit(")?;
    let text = text.get(at + 6..)?;
    let end = memchr::memchr(b':', text)?;
    super::numeric::epoch_number(text.get(..end)?)
}

/// `INFO 2026-…`, `WARNING: [2026-…`, `E, [2026-…`: a time behind a level.
fn behind_level(line: &[u8]) -> Option<Form> {
    const LEVELS: [&str; 25] = [
        "trace", "debug", "dbg", "info", "inf", "notice", "note", "warn", "warning", "wrn", "error", "err",
        "eror", "critical", "crit", "crt", "alert", "emerg", "fatal", "panic", "severe", "config", "fine",
        "finer", "verbose",
    ];
    let length = line.iter().take(9).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, rest) = line.split_at_checked(length)?;
    let ruby = length == 1 && rest.starts_with(b", [");
    if !ruby && !LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level.as_bytes())) {
        return None;
    }
    let separates =
        |byte: &&u8| matches!(byte, b' ' | b'\t' | b':' | b',' | b'|' | b'-' | b'[' | b'(' | b']');
    let gap = rest.iter().take(10).take_while(separates).count();
    dated(rest.get(gap..).filter(|_| gap > 0)?)
}

/// `IN 0x55d1d2f0 20221108 10:22:31 READ (`, `io OUT 0x55d1d2f0 (d3) 20221108 10:22:31 WRITE (`.
fn xenstored(line: &[u8]) -> Option<Form> {
    let rest = line.strip_prefix(b"io ").unwrap_or(line);
    let rest = rest.strip_prefix(b"IN 0x").or_else(|| rest.strip_prefix(b"OUT 0x"))?;
    let mut words = rest.get(..LABEL_BYTES_MAX.min(rest.len()))?.splitn(4, |byte| *byte == b' ').skip(1);
    let first = words.next()?;
    let from = if first.starts_with(b"(d") { words.next()? } else { first };
    // Two slices of one: the date begins where its word does.
    let at = memchr::memmem::find(rest, from)?;
    digits_first(rest.get(at..)?)
}

/// A time behind the names of a pod and a container, as stern and `kubectl logs --prefix` write them, or of a service,
/// as `docker compose logs` does. Only whole times, with their zone, count: kubectl and Docker write no others.
fn behind_name(line: &[u8], depth: u8) -> Option<Form> {
    let looked_at = line.get(..LABEL_BYTES_MAX.min(line.len()))?;
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    let mut from = 0;
    for words in 1..=2 {
        let length = looked_at.get(from..)?.iter().take_while(|byte| named(byte)).count();
        let rest = line.get(from + length..).filter(|_| length > 0)?;
        let spaces = rest.iter().take(LABEL_BYTES_MAX).take_while(|byte| **byte == b' ').count();
        let rest = rest.get(spaces..).filter(|_| spaces > 0)?;
        if words == 1
            && let Some(behind) = rest.strip_prefix(b"| ")
        {
            return deeper(behind, depth);
        }
        from += length + spaces;
        if rest.get(10) == Some(&b'T')
            && let Some(form @ Form::Calendar { minute: Written { zone: Zone::Offset(_), .. }, .. }) =
                iso(rest)
        {
            return Some(form);
        }
    }
    None
}

/// `Log started: 2026-06-27  18:26:29`, as apt writes it.
fn behind_label(line: &[u8]) -> Option<Form> {
    let labels = [&b"Log started: "[..], b"Log ended: ", b"Start-Date: ", b"End-Date: "];
    iso(labels.iter().find_map(|label| line.strip_prefix(*label))?)
}

/// The time in a field, or in front of the message in another.
fn json(line: &[u8], depth: u8) -> Option<Form> {
    fields::json(line).or_else(|| deeper(crate::envelope::message_of_json(line)?, depth))
}

/// `(XEN) [2026-06-27 18:26:39.123] `: the hypervisor's wall clock is UTC.
fn xen(line: &[u8]) -> Option<Form> {
    let rest = line.strip_prefix(b"(XEN) ")?;
    let inner = rest.strip_prefix(b"[")?;
    let mut form = kernel_clock(inner).or_else(|| iso(inner))?;
    if let Form::Calendar { minute: Written { zone: zone @ Zone::Local, .. }, .. } = &mut form {
        *zone = Zone::Offset(0);
    }
    Some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_example_of_the_table_is_read_by_its_entry() {
        for entry in RARE {
            for example in entry.example.split("; ") {
                let line = example.as_bytes();
                assert!((entry.begins)(line[0]), "{example}");
                assert!((entry.read)(line, DEPTH_MAX).is_some(), "{example}");
                assert!(find(line).is_some(), "{example}");
            }
        }
    }
}
