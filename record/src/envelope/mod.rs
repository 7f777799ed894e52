//! What transports put around a line of the kernel's or of a program's, taken off in one step that dating, grouping and
//! detection share. The line itself stays as it is; every place in what is left has its place in the line.
//!
//! Taken off are, also around each other:
//!
//! - a byte order mark, colours and carriage returns at the beginning,
//! - JSON of Docker, the journal, KubeVirt, Kubernetes and others (`log`, `MESSAGE`, `msg`, `message`),
//! - logfmt (`msg=`, and Kata's `vmconsole=`),
//! - the time and the stream of containers' logs (CRI), the names that stern, `kubectl logs --prefix` and
//!   `docker compose logs` put in front,
//! - facility and level of Talos and `dmesg --decode`,
//! - syslog's header of RFC 5424,
//! - a shell's prompt.
//!
//! The kernel's own prefix (its clock, its caller) stays: what it means is for those who read it. The level that some
//! hosts put behind the clock is taken off by [`behind_level`].

mod escapes;
pub(crate) mod json;
pub(crate) mod logfmt;
mod syslog;
mod terminal;

use std::borrow::Cow;

pub(crate) use escapes::unescape;
pub use syslog::{Tag, tag};
pub(crate) use terminal::behind_colours;
pub use terminal::{behind_level, behind_prompt, last_shown};

/// How many envelopes may stand around each other.
const DEPTH_MAX: usize = 4;

/// A line without its envelopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened<'a> {
    /// What is left, without escapes and line ends.
    pub text: Cow<'a, [u8]>,
    /// Who wrote it, as far as an envelope says so.
    pub writer: Writer,
    /// The name that it gives; empty where it gives none.
    pub program: &'a [u8],
    /// Where in the line the text stands, as it is written there.
    start: usize,
    written: &'a [u8],
    /// Its bytes are a list of numbers, so that no place in it has one in the line.
    listed: bool,
}

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Writer {
    /// Nothing says so.
    #[default]
    Unknown,
    /// The kernel, or the hypervisor.
    Kernel,
    /// A program.
    Program,
}

impl Writer {
    /// The one of a name that syslog, the journal or a logger gives.
    pub fn named(name: &[u8]) -> Writer {
        match name {
            b"" => Writer::Unknown,
            b"kernel" | b"klogd" | b"kern" | b"vmkernel" | b"xen" | b"hypervisor" | b"netconsole" => {
                Writer::Kernel
            }
            _ => Writer::Program,
        }
    }
}

impl Opened<'_> {
    /// The place in the line of a place in the text.
    pub fn place_in_line(&self, place: usize) -> usize {
        self.start
            + match self.text {
                _ if self.listed => 0,
                Cow::Borrowed(_) => place,
                Cow::Owned(_) => escapes::place_of(self.written, place),
            }
    }
}

/// Takes a line out of its envelopes.
pub fn open(line: &[u8]) -> Opened<'_> {
    let mut opened = Opened {
        text: Cow::Borrowed(line),
        writer: Writer::Unknown,
        program: b"",
        start: 0,
        written: line,
        listed: false,
    };
    for _ in 0..DEPTH_MAX {
        let Cow::Borrowed(text) = opened.text else { break };
        let Some(layer) = layer(text) else { break };
        match layer {
            Layer::Front { rest, program } => {
                opened.start += text.len() - rest.len();
                opened.text = Cow::Borrowed(rest);
                opened.is_from(program);
            }
            Layer::Field { written, start, program } => {
                opened.start += start;
                opened.written = written;
                opened.text = escapes::unescape(written);
                opened.is_from(program);
            }
            Layer::List { bytes, start, program } => {
                opened.start += start;
                opened.listed = true;
                opened.text = Cow::Owned(bytes);
                opened.is_from(program);
            }
        }
    }
    if let Cow::Owned(text) = &mut opened.text {
        // A container's line has its end within the field, and another envelope may stand within.
        let length = text.trim_ascii_end().len();
        if text.get(length..).is_some_and(|end| end.contains(&b'\n')) {
            text.truncate(length);
        }
    }
    opened
}

impl<'a> Opened<'a> {
    /// The innermost envelope that names somebody counts.
    fn is_from(&mut self, program: &'a [u8]) {
        if !program.is_empty() {
            (self.writer, self.program) = (Writer::named(program), program);
        }
    }
}

/// One envelope.
enum Layer<'a> {
    /// Something stood in front.
    Front { rest: &'a [u8], program: &'a [u8] },
    /// The text is a field.
    Field { written: &'a [u8], start: usize, program: &'a [u8] },
    /// The text is a list of numbers: the journal's form of what is no UTF-8.
    List { bytes: Vec<u8>, start: usize, program: &'a [u8] },
}

/// The outermost envelope of a text.
fn layer(text: &[u8]) -> Option<Layer<'_>> {
    let nobody: &[u8] = b"";
    let front = |rest, program| Some(Layer::Front { rest, program });
    match text.first()? {
        b'{' => object(text),
        0xef => front(text.strip_prefix("\u{feff}".as_bytes())?, nobody),
        0x1b => front(behind_colours(text)?, nobody),
        b'\r' => front(text.trim_ascii_start(), nobody),
        b'0'..=b'9' => front(behind_stream(text)?.1, nobody),
        b'<' => {
            let (rest, app) = syslog::behind_header(text)?;
            front(rest, app)
        }
        b'[' => front(behind_pod(text).or_else(|| behind_prompt(text))?, nobody),
        _ => {
            if let Some((rest, facility, _)) = facility_and_level(text) {
                let program = if facility == b"kern" { b"kernel" } else { facility };
                return front(syslog::behind_bracketed_date(rest), program);
            }
            if let Some(rest) = behind_name(text) {
                return front(rest, nobody);
            }
            fields(text).or_else(|| front(behind_prompt(text)?, nobody))
        }
    }
}

/// Names of fields with a message, the innermost first: a guest's console within a program's message.
const MESSAGES: [&[u8]; 5] = [b"vmconsole", b"MESSAGE", b"log", b"message", b"msg"];
/// Names of fields with the name of who wrote it.
const WRITERS: [&[u8]; 6] = [b"SYSLOG_IDENTIFIER", b"ident", b"program", b"appname", b"component", b"_COMM"];

fn object(text: &[u8]) -> Option<Layer<'_>> {
    message(json::Fields::new(text)?)
}

fn fields(text: &[u8]) -> Option<Layer<'_>> {
    message(logfmt::Fields::new(text)?)
}

fn message<'a>(fields: impl Iterator<Item = (&'a [u8], json::Value<'a>)>) -> Option<Layer<'a>> {
    let mut found: Option<(usize, Layer<'a>)> = None;
    let mut program: &[u8] = b"";
    for (name, value) in fields {
        if let Some(rank) = message_rank(name)
            && found.as_ref().is_none_or(|(best, _)| rank < *best)
        {
            let layer = match value {
                json::Value::Text(written, start) => Layer::Field { written, start, program },
                json::Value::Nested(list, start) => {
                    let Some(bytes) = numbers(list) else { continue };
                    Layer::List { bytes, start, program }
                }
                json::Value::Bare(_) => continue,
            };
            found = Some((rank, layer));
        } else if let json::Value::Text(value, _) = value {
            let is_kernel = name == b"_TRANSPORT" && value == b"kernel";
            if is_kernel || (WRITERS.contains(&name) && program.is_empty()) {
                program = value;
            }
        }
    }
    let (rank, mut layer) = found?;
    // What a guest says on its console is not the program's that heard it.
    let speaks: &[u8] = if rank == 0 { b"" } else { program };
    match &mut layer {
        Layer::Field { program, .. } | Layer::List { program, .. } | Layer::Front { program, .. } => {
            *program = speaks;
        }
    }
    Some(layer)
}

/// How surely a field of this name has the message; none: it has not.
pub(crate) fn message_rank(name: &[u8]) -> Option<usize> {
    MESSAGES.iter().position(|known| *known == name)
}

/// `[72, 105]`, bytes as the journal's JSON has them.
fn numbers(list: &[u8]) -> Option<Vec<u8>> {
    let inner = list.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let number = |digits: &[u8]| std::str::from_utf8(digits.trim_ascii()).ok()?.parse().ok();
    inner.split(|byte| *byte == b',').map(number).collect()
}

/// The message of a JSON object, with its escapes.
pub(crate) fn message_of_json(line: &[u8]) -> Option<&[u8]> {
    match object(line)? {
        Layer::Field { written, .. } => Some(written),
        _ => None,
    }
}

/// The stream of a container's line, and what stands behind: `2024-06-29T10:52:39.030745602Z stdout F `.
pub(crate) fn behind_stream(text: &[u8]) -> Option<(&[u8], &[u8])> {
    (text.get(10) == Some(&b'T')).then_some(())?;
    let looked_at = text.get(..HEAD_BYTES.min(text.len()))?;
    let space = memchr::memchr(b' ', looked_at)?;
    let rest = text.get(space + 1..)?;
    let (stream, rest) =
        rest.split_at_checked(6).filter(|(stream, _)| matches!(*stream, b"stdout" | b"stderr"))?;
    let rest = match rest.strip_prefix(b" ")? {
        [b'F' | b'P', b' ', rest @ ..] => rest,
        // Tags may stand behind it.
        [b'F' | b'P', b':', tags @ ..] => tags.get(memchr::memchr(b' ', tags)? + 1..)?,
        _ => return None,
    };
    Some((stream, rest))
}

/// Bytes of a time in front, at most.
const HEAD_BYTES: usize = 48;
/// Bytes of names in front, at most.
const NAME_BYTES: usize = 128;

/// What stands behind `[pod/web-7d9c/nginx] `, and the time behind that.
fn behind_pod(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"[pod/")?;
    let close = memchr::memchr(b']', rest.get(..NAME_BYTES.min(rest.len()))?)?;
    let rest = rest.get(close + 1..)?.strip_prefix(b" ")?;
    Some(behind_instant(rest).unwrap_or(rest))
}

/// What stands behind the names of a pod and a container with a time (stern), or of a service (`web-1  | `), and the time
/// behind that.
fn behind_name(text: &[u8]) -> Option<&[u8]> {
    let looked_at = text.get(..NAME_BYTES.min(text.len()))?;
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    let mut from = 0;
    for words in 1..=2 {
        let length = looked_at.get(from..)?.iter().take_while(|byte| named(byte)).count();
        let rest = text.get(from + length..).filter(|_| length > 0)?;
        let spaces = rest.iter().take(NAME_BYTES).take_while(|byte| **byte == b' ').count();
        let rest = rest.get(spaces..).filter(|_| spaces > 0)?;
        if words == 1
            && let Some(behind) = rest.strip_prefix(b"| ")
        {
            return Some(behind_instant(behind).unwrap_or(behind));
        }
        from += length + spaces;
        if words == 2
            && let Some(behind) = behind_instant(rest)
        {
            return Some(behind);
        }
    }
    None
}

/// What stands behind a whole time with its zone, as kubectl and Docker write it.
fn behind_instant(text: &[u8]) -> Option<&[u8]> {
    let space = memchr::memchr(b' ', text.get(..HEAD_BYTES.min(text.len()))?)?;
    let (time, rest) = text.split_at_checked(space)?;
    let whole = time.get(10) == Some(&b'T') && time.first().is_some_and(u8::is_ascii_digit);
    (whole && (time.ends_with(b"Z") || time.contains(&b'+'))).then(|| rest.get(1..)).flatten()
}

const FACILITIES: [&str; 20] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// What stands behind facility and level: `kern:     err: `, as Talos writes it, `kern  :warn  : ` as dmesg does.
pub(crate) fn behind_facility(line: &[u8]) -> Option<&[u8]> {
    facility_and_level(line).map(|(rest, ..)| rest)
}

/// The same, with facility and level.
pub(crate) fn facility_and_level(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (facility, rest) = padded_word(line)?;
    FACILITIES.iter().any(|known| known.as_bytes() == facility).then_some(())?;
    let (level, rest) = padded_word(rest.trim_ascii_start())?;
    let levels: [&[u8]; 9] =
        [b"emerg", b"alert", b"crit", b"err", b"warn", b"warning", b"notice", b"info", b"debug"];
    // One space: the kernel's text may be indented.
    levels.contains(&level).then(|| (rest.strip_prefix(b" ").unwrap_or(rest), facility, level))
}

/// A word, and what stands behind the colon that follows it.
fn padded_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = text.iter().take(9).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (word, rest) = text.split_at_checked(length).filter(|_| length > 0)?;
    let spaces = rest.iter().take(8).take_while(|byte| **byte == b' ').count();
    Some((word, rest.get(spaces..)?.strip_prefix(b":")?))
}

#[cfg(test)]
mod tests;
