//! The nouns that a batch carries: records, samples, events, placements, and whom they are about.

use std::{fmt, str::FromStr};

use crate::Source;

/// A physical or hypervisor machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host {
    /// The configured name.
    pub name: String,
    /// `/etc/machine-id`; empty where unknown.
    pub machine_id: String,
}

/// A virtual machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guest {
    /// Its name at the time.
    pub name: String,
    /// Its identity, in canonical form; empty where unknown.
    pub uuid: String,
}

/// Where records come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The host.
    pub host: Host,
    /// The guest on it, where the records are a guest's.
    pub guest: Option<Guest>,
    /// The kind of source.
    pub source: Source,
    /// Attributes that all records share, e.g. `log.file.path`.
    pub attributes: Vec<(String, String)>,
}

/// How a record's time was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum TimeBasis {
    /// The line says nothing: the time at which it was read.
    #[default]
    Observed = 0,
    /// Written in the line.
    Line = 1,
    /// The kernel's monotonic clock and the boot time.
    KernelClock = 2,
    /// The journal.
    Journal = 3,
    /// The modification time of the file.
    FileModified = 4,
    /// The line says nothing: that of the line before.
    Carried = 5,
    /// Written in the line, which can be read in more than one way: an hour that happens twice, a zone or a date that
    /// may mean another one.
    LineInDoubt = 6,
    /// The kernel's monotonic clock, and a boot time that nothing but the file's age tells.
    KernelClockByAge = 7,
}

impl TimeBasis {
    /// The basis of a byte in a batch; unknown bytes count as observed.
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            1 => TimeBasis::Line,
            2 => TimeBasis::KernelClock,
            3 => TimeBasis::Journal,
            4 => TimeBasis::FileModified,
            5 => TimeBasis::Carried,
            6 => TimeBasis::LineInDoubt,
            7 => TimeBasis::KernelClockByAge,
            _ => TimeBasis::Observed,
        }
    }
}

/// One log entry on its way into a batch.
#[derive(Debug, Clone, Copy)]
pub struct RecordRef<'a> {
    /// Its own time, UTC nanoseconds, by the clock of the machine that wrote it.
    pub time_ns: i64,
    /// When it was read, UTC nanoseconds.
    pub observed_ns: i64,
    /// Exact bytes without line ends; lines of a group joined by `\n`.
    pub body: &'a [u8],
    /// OpenTelemetry severity number; 0: unknown.
    pub severity: u8,
    /// Syslog identifier, unit or the like; empty: unknown.
    pub program: &'a str,
    /// How `time_ns` was found.
    pub time_basis: TimeBasis,
    /// Further attributes.
    pub attributes: &'a [(&'a str, &'a str)],
}

/// A numeric reading, aggregated over an interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// End of the interval, UTC nanoseconds.
    pub time_ns: i64,
    /// Length of the interval in milliseconds.
    pub interval_ms: u32,
    /// The host.
    pub host: Host,
    /// The guest, where the reading is a guest's.
    pub guest: Option<Guest>,
    /// What was measured, e.g. `network.bytes_per_second`.
    pub metric: String,
    /// On what, e.g. `eth0`.
    pub device: String,
    /// `receive`, `transmit` or empty.
    pub direction: String,
    /// Lowest value in the interval.
    pub minimum: f64,
    /// Mean over the interval.
    pub mean: f64,
    /// Highest value in the interval.
    pub maximum: f64,
}

impl Sample {
    /// Start of the interval, UTC nanoseconds: the time under which it is stored.
    pub fn begins_ns(&self) -> i64 {
        self.time_ns.saturating_sub(i64::from(self.interval_ms) * 1_000_000)
    }
}

/// How bad an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth keeping, nothing wrong.
    Info,
    /// May lead to something.
    Warning,
    /// Something failed.
    Error,
    /// A machine or its data is at stake.
    Critical,
}

impl Severity {
    /// The name used in storage and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no severity's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no severity; known are info, warning, error, critical")]
pub struct UnknownSeverity(pub String);

impl FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical]
            .into_iter()
            .find(|severity| severity.as_str() == name)
            .ok_or_else(|| UnknownSeverity(name.to_owned()))
    }
}

/// An event that the shipper itself recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShipperEvent {
    /// Dotted class.
    pub class: String,
    /// UTC nanoseconds by the shipper's clock.
    pub start_ns: i64,
    /// None: still open.
    pub end_ns: Option<i64>,
    /// The host.
    pub host: Host,
    /// The guest, where it is a guest's.
    pub guest: Option<Guest>,
    /// For people.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// What makes two reports the same event.
    pub key: String,
    /// Further attributes.
    pub attributes: Vec<(String, String)>,
}

/// The attribute of a placement that says by what it was found out, where that is no more than a guess.
pub const FOUND_BY: &str = "lastwords.found_by";

/// Which host ran a guest, from when to when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The host.
    pub host: Host,
    /// The guest.
    pub guest: Guest,
    /// UTC nanoseconds.
    pub start_ns: i64,
    /// None: it still runs there.
    pub end_ns: Option<i64>,
    /// Memory, vCPUs, kernel and the like.
    pub attributes: Vec<(String, String)>,
}
