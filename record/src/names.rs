//! What names of machines may be: they stand in every row, in answers and in logs.

use crate::{
    Guest, Host,
    limits::{MACHINE_ID_BYTES_MAX, NAME_BYTES_MAX},
};

/// Why a name is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A host without one.
    #[error("a host has no name; configure one")]
    Empty,
    /// Too long.
    #[error("{what} has {found} bytes, at most {max} may be; use a shorter one")]
    Long {
        /// Whose.
        what: &'static str,
        /// Its bytes.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// Not to be printed.
    #[error("{0} has control characters; use a name without")]
    Control(&'static str),
    /// No machine-id.
    #[error(
        "the machine-id has {0} bytes that are not 32 hexadecimal digits; mend /etc/machine-id, or leave it empty"
    )]
    MachineId(usize),
}

impl Host {
    /// Whether its name is one, and its machine-id 32 hexadecimal digits or empty.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), NameError> {
        self.check_name()?;
        if self.machine_id.is_empty() || is_machine_id(&self.machine_id) {
            return Ok(());
        }
        Err(NameError::MachineId(self.machine_id.len()))
    }

    /// The same as far as the first programs kept to it: they took for a machine-id whatever the file held.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_version_1(&self) -> Result<(), NameError> {
        self.check_name()?;
        check_text("a machine-id", &self.machine_id, MACHINE_ID_BYTES_MAX)
    }

    fn check_name(&self) -> Result<(), NameError> {
        if self.name.is_empty() {
            return Err(NameError::Empty);
        }
        check_text("a host's name", &self.name, NAME_BYTES_MAX)
    }
}

impl Guest {
    /// Whether its name and UUID can be used as such.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), NameError> {
        check_text("a guest's name", &self.name, NAME_BYTES_MAX)?;
        check_text("a guest's UUID", &self.uuid, MACHINE_ID_BYTES_MAX)
    }
}

/// Whether a text is a machine-id.
pub fn is_machine_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn check_text(what: &'static str, text: &str, max: usize) -> Result<(), NameError> {
    if text.len() > max {
        return Err(NameError::Long { what, found: text.len(), max });
    }
    if text.chars().any(char::is_control) { Err(NameError::Control(what)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_printable() {
        let host = |name: &str, machine_id: &str| Host { name: name.into(), machine_id: machine_id.into() };
        let digits = "0123456789abcdefABCDEF0123456789";
        for (name, machine_id, wanted, wanted_version_1) in [
            ("hv01", digits, true, true),
            ("hv,x ü", "", true, true),
            ("", digits, false, false),
            (&"h".repeat(255), digits, true, true),
            (&"h".repeat(256), digits, false, false),
            ("hv\n01", digits, false, false),
            ("hv\u{9b}31m", digits, false, false),
            ("hv01", "uninitialized", false, true),
            ("hv01", &digits[1..], false, true),
            ("hv01", "\u{1b}[2J", false, false),
            ("hv01", &"0".repeat(129), false, false),
        ] {
            let host = host(name, machine_id);
            let found = (host.check().is_ok(), host.check_version_1().is_ok());
            assert_eq!(found, (wanted, wanted_version_1), "{host:?}");
        }
        assert!(Guest::default().check().is_ok());
        assert!(Guest { name: "g\t".into(), uuid: String::new() }.check().is_err());
        assert!(Guest { name: "g".into(), uuid: "u".repeat(129) }.check().is_err());
    }
}
