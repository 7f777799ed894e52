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

mod found;
mod level;
mod prefix;
mod structured;

use std::borrow::Cow;

pub use found::{FACILITY, FIELDS_MAX, Fields, KEY_BYTES_MAX, PROCESS, TOTAL_BYTES_MAX, VALUE_BYTES_MAX};
pub use level::severity_of_syslog;

use crate::envelope;

/// How many layers may stand around each other.
const DEPTH_MAX: usize = 4;

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
}

#[cfg(test)]
mod tests;
