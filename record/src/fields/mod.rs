//! What a line says about itself beside its time: program, process, severity, facility, and the fields of JSON, logfmt and
//! structured data. Pure; the line itself stays as it is.
//!
//! Looked at are, by the first byte and within each other as transports put them:
//!
//! - JSON and logfmt: all fields become attributes, those of nested objects as `outer.inner`, but the message and the times;
//!   which of them name program, process and level stands in [`structured`],
//! - priority and headers of syslog (RFC 3164, RFC 5424 with its structured data), the kernel's own numbers,
//! - the time, stream and tags of containers' logs,
//! - the tag of a line that begins with a time (`Nov 20 15:02:11 hv01 nginx[811]: `),
//! - a level near the line's beginning, as programs write it ([`level`]).
//!
//! All of it is bounded: [`FIELDS_MAX`] attributes of [`KEY_BYTES_MAX`] and [`VALUE_BYTES_MAX`] bytes, [`TOTAL_BYTES_MAX`]
//! together; a longer value is cut, further fields are left out.

mod level;
mod prefix;
mod structured;

use std::borrow::Cow;

pub use level::severity_of_syslog;

use crate::envelope;

/// Attributes of one line, at most.
pub const FIELDS_MAX: usize = 64;
/// Bytes of an attribute's name, at most.
pub const KEY_BYTES_MAX: usize = 128;
/// Bytes of an attribute's value, at most.
pub const VALUE_BYTES_MAX: usize = 1024;
/// Bytes of a line's attributes together, at most.
pub const TOTAL_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a program's name, at most.
const PROGRAM_BYTES_MAX: usize = 128;
/// How many layers may stand around each other.
const DEPTH_MAX: usize = 4;

/// The attribute with the number of the process.
pub const PROCESS: &str = "process.pid";
/// The attribute with syslog's facility.
pub const FACILITY: &str = "syslog.facility";

/// What a line says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields<'a> {
    /// Who wrote it; empty: it does not say.
    pub program: Cow<'a, str>,
    /// OpenTelemetry's severity number; 0: it does not say.
    pub severity: u8,
    /// Everything else.
    pub attributes: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    bytes: usize,
    /// Its number or its facility is the kernel's.
    is_kernels: bool,
}

impl<'a> Fields<'a> {
    /// Of a line.
    pub fn of(line: &'a [u8]) -> Fields<'a> {
        let mut fields = Fields::default();
        fields.read(Cow::Borrowed(line), 0);
        fields
    }

    /// Takes in what a text says, whose envelopes so far are taken off.
    fn read(&mut self, text: Cow<'a, [u8]>, depth: usize) {
        match text {
            Cow::Borrowed(text) => self.read_borrowed(text, depth),
            Cow::Owned(text) => {
                let mut inner = Fields::default();
                inner.read_borrowed(&text, depth);
                self.take_over(inner);
            }
        }
    }

    fn read_borrowed(&mut self, text: &'a [u8], depth: usize) {
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        let text = envelope::behind_colours(text).unwrap_or(text);
        if depth >= DEPTH_MAX {
            return;
        }
        match text.first() {
            Some(b'{') => {
                if let Some(message) = structured::json(text, self) {
                    self.read(message, depth + 1);
                }
            }
            Some(b'<') => match prefix::priority(text, self) {
                Some(rest) => self.read_borrowed(rest, depth + 1),
                None => prefix::plain(text, self),
            },
            Some(b'0'..=b'9') => match prefix::numbered(text, self) {
                Some(rest) => self.read_borrowed(rest, depth + 1),
                None => prefix::plain(text, self),
            },
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'@') => {
                if let Some(message) = structured::logfmt(text, self) {
                    if let Some(message) = message {
                        self.read(message, depth + 1);
                    }
                } else if let Some(rest) = prefix::facility(text, self) {
                    prefix::plain(rest, self);
                } else {
                    prefix::plain(text, self);
                }
            }
            Some(_) => prefix::plain(text, self),
            None => {}
        }
    }

    /// What a text of its own said, where nothing said so before.
    fn take_over(&mut self, inner: Fields<'_>) {
        if self.program.is_empty() {
            self.program = Cow::Owned(inner.program.into_owned());
        }
        if self.severity == 0 {
            self.severity = inner.severity;
        }
        for (key, value) in inner.attributes {
            self.add(Cow::Owned(key.into_owned()), Cow::Owned(value.into_owned()));
        }
    }

    /// The program, unless one is known.
    fn set_program(&mut self, name: Cow<'a, str>) {
        let is_name =
            !name.is_empty() && name.len() <= PROGRAM_BYTES_MAX && !name.chars().any(char::is_control);
        if self.program.is_empty() && is_name {
            self.program = name;
        }
    }

    fn set_program_bytes(&mut self, name: &'a [u8]) {
        if let Ok(name) = std::str::from_utf8(name) {
            self.set_program(Cow::Borrowed(name));
        }
    }

    /// The severity, unless one is known.
    fn set_severity(&mut self, severity: u8) {
        if self.severity == 0 {
            self.severity = severity;
        }
    }

    /// One more attribute, as far as there is room. The first of a name counts.
    fn add(&mut self, key: Cow<'a, str>, value: Cow<'a, str>) {
        let value = cut(value);
        let bytes = key.len() + value.len();
        let fits = self.attributes.len() < FIELDS_MAX && self.bytes + bytes <= TOTAL_BYTES_MAX;
        if key.is_empty() || key.len() > KEY_BYTES_MAX || !fits {
            return;
        }
        if self.attributes.iter().any(|(known, _)| *known == key) {
            return;
        }
        self.bytes += bytes;
        self.attributes.push((key, value));
    }

    fn add_bytes(&mut self, key: &'static str, value: &'a [u8]) {
        if let Ok(value) = std::str::from_utf8(value) {
            self.add(Cow::Borrowed(key), Cow::Borrowed(value));
        }
    }
}

/// A value within its limit, cut between two characters.
fn cut(value: Cow<'_, str>) -> Cow<'_, str> {
    if value.len() <= VALUE_BYTES_MAX {
        return value;
    }
    let end = (0..=VALUE_BYTES_MAX).rev().find(|end| value.is_char_boundary(*end)).unwrap_or(0);
    match value {
        Cow::Borrowed(value) => Cow::Borrowed(value.get(..end).unwrap_or_default()),
        Cow::Owned(mut value) => {
            value.truncate(end);
            Cow::Owned(value)
        }
    }
}

#[cfg(test)]
mod tests;
