//! What was found in a line so far, within its bounds.

use std::borrow::Cow;

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
    pub(super) is_kernels: bool,
}

impl<'a> Fields<'a> {
    /// What a text of its own said, where nothing said so before.
    pub(super) fn take_over(&mut self, inner: Fields<'_>) {
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
    pub(super) fn set_program(&mut self, name: Cow<'a, str>) {
        let is_name =
            !name.is_empty() && name.len() <= PROGRAM_BYTES_MAX && !name.chars().any(char::is_control);
        if self.program.is_empty() && is_name {
            self.program = name;
        }
    }

    pub(super) fn set_program_bytes(&mut self, name: &'a [u8]) {
        if let Ok(name) = std::str::from_utf8(name) {
            self.set_program(Cow::Borrowed(name));
        }
    }

    /// The severity, unless one is known.
    pub(super) fn set_severity(&mut self, severity: u8) {
        if self.severity == 0 {
            self.severity = severity;
        }
    }

    /// One more attribute, as far as there is room. The first of a name counts.
    pub(super) fn add(&mut self, key: Cow<'a, str>, value: Cow<'a, str>) {
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

    pub(super) fn add_bytes(&mut self, key: &'static str, value: &'a [u8]) {
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
