//! Passwords, which stand in files or variables, and never in addresses.

use std::{
    io::{self, Read as _},
    path::Path,
};

use lastwords_config::Invalid;
use lastwords_runtime::address::{carries_secrets, redacted};

/// The password in a file.
///
/// # Errors
/// Where it cannot be read, or its first line is empty.
pub fn password(key: &str, path: &Path) -> Result<String, Invalid> {
    let password = first_line(path).map_err(|error| {
        Invalid::new(key, format_args!("the password file {} cannot be read: {error}", path.display()))
    })?;
    if password.is_empty() {
        let wanted = "a file whose first line is a password";
        return Err(Invalid::wanted(key, wanted, &path.display().to_string()));
    }
    Ok(password)
}

/// More of a file with a secret is not read.
const PASSWORD_FILE_BYTES_MAX: u64 = 64 << 10;

/// The first line of a file with a secret.
pub(super) fn first_line(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(PASSWORD_FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Refuses an address, or a list of them, in which a password may stand; never says it.
pub(super) fn without_secrets(key: &str, addresses: &str, way_out: &str) -> Result<(), Invalid> {
    if !carries_secrets(addresses) {
        return Ok(());
    }
    let found = redacted(addresses);
    let message =
        format!("wanted an address without user, password and parameters, found {found:?}: {way_out}");
    Err(Invalid::new(key, message))
}
