//! Names and texts, and how they are written so that they can be read in one way only.

use std::fmt::Write as _;

use super::refusal::Place;

/// A name without quotation marks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) place: Place,
}

impl Name {
    pub(super) fn new(text: impl Into<String>) -> Name {
        Name { text: text.into(), place: Place::default() }
    }
}

/// A name in backquotes.
pub(super) fn quoted_name(name: &str) -> String {
    quoted(name.as_bytes(), '`')
}

/// A text in quotation marks.
pub(super) fn quoted_text(text: &[u8]) -> String {
    quoted(text, '\'')
}

fn quoted(bytes: &[u8], mark: char) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(mark);
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\\' => out.push_str("\\\\"),
                letter if letter == mark => {
                    out.push('\\');
                    out.push(mark);
                }
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                letter if letter.is_ascii_control() => push_hex(&mut out, u32::from(letter)),
                letter => out.push(letter),
            }
        }
        for byte in chunk.invalid() {
            push_hex(&mut out, u32::from(*byte));
        }
    }
    out.push(mark);
    out
}

fn push_hex(out: &mut String, byte: u32) {
    let _ = write!(out, "\\x{byte:02X}");
}
