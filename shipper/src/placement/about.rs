//! What is said about a list of placements beside it, and why one cannot be read.

use lastwords_record::Host;

/// What a file does not say by itself.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// The host, for forms that do not name it.
    pub host: Option<&'a str>,
    /// From when it holds, nanoseconds, for forms that do not say.
    pub since_ns: i64,
    /// The zone of times that do not say theirs.
    pub time_zone: &'a jiff::tz::TimeZone,
}

/// Why a file was not understood.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub(super) String);

/// A host of this name.
pub(super) fn host(name: &str) -> Host {
    Host { name: name.to_owned(), machine_id: String::new() }
}

/// The host that has to be named on the command line.
pub(super) fn named_host<'a>(about: &About<'a>, form: &str) -> Result<&'a str, Unreadable> {
    about.host.ok_or_else(|| Unreadable(format!("{form} does not name the host: say which with --host")))
}
