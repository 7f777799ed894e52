//! Where a record was read.

use std::{fmt, str::FromStr};

/// Kinds of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The kernel's ring, `/dev/kmsg`.
    Kmsg,
    /// systemd's journal.
    Journald,
    /// A log file.
    File,
    /// A guest's console, as its host logs it.
    Console,
    /// netconsole packets.
    Netconsole,
    /// Syslog from the network.
    Syslog,
    /// The platform's persistent store of last words.
    Pstore,
    /// OpenTelemetry's protocol.
    Otlp,
    /// Numeric readings.
    Sample,
}

impl Source {
    /// Every kind.
    pub const ALL: [Source; 9] = [
        Source::Kmsg,
        Source::Journald,
        Source::File,
        Source::Console,
        Source::Netconsole,
        Source::Syslog,
        Source::Pstore,
        Source::Otlp,
        Source::Sample,
    ];

    /// The name used in configuration, storage and questions.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Kmsg => "kmsg",
            Source::Journald => "journald",
            Source::File => "file",
            Source::Console => "console",
            Source::Netconsole => "netconsole",
            Source::Syslog => "syslog",
            Source::Pstore => "pstore",
            Source::Otlp => "otlp",
            Source::Sample => "sample",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no source's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no source; known are kmsg, journald, file, console, netconsole, syslog, pstore, otlp, sample"
)]
pub struct UnknownSource(pub String);

impl FromStr for Source {
    type Err = UnknownSource;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Source::ALL
            .into_iter()
            .find(|source| source.as_str() == name)
            .ok_or_else(|| UnknownSource(name.to_owned()))
    }
}
