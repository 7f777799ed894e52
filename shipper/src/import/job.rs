//! What is to be imported, and what came of it.

use std::{io, path::PathBuf};

use jiff::tz::TimeZone;
use lastwords_record::{Guest, Host, NameError, Source};
use tokio::runtime::Handle;

use crate::{plan::PlanError, shipper::OutboxError, uplink::Uplink};

/// What is imported, and what is known about it.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The host that wrote it.
    pub host: String,
    /// The guest that wrote it.
    pub guest: Option<String>,
    /// What kind of source it is. `sample`: JSON lines of recorded counters.
    pub source: Source,
    /// Zone of times that name none.
    pub time_zone: TimeZone,
    /// Year of the first line, for times that name none.
    pub year: Option<i16>,
    /// When the kernel started, UTC nanoseconds, for lines with its clock alone.
    pub boot_ns: Option<i64>,
    /// Files, folders, standard input.
    pub inputs: Vec<Input>,
    /// Where imports are remembered.
    pub state_dir: PathBuf,
}

/// Something to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file, gzipped or not, or a folder of such.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Uncompressed bytes read or skipped so far.
    pub bytes: u64,
    /// Of how many, where that is known beforehand.
    pub bytes_total: Option<u64>,
}

/// What an import added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Lines.
    pub lines: u64,
    /// Records (readings, where samples were imported).
    pub records: u64,
    /// Events recognised.
    pub events: u64,
    /// Uncompressed bytes.
    pub bytes: u64,
    /// Batches that were set aside.
    pub quarantined: u64,
}

/// Why an import ended early. What it had planned goes on when it is started again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// An input cannot be read.
    #[error("{what} cannot be imported: {source}")]
    Read {
        /// Which.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// What is known of an earlier import is damaged.
    #[error(
        "{what} was not imported: it may be stored already, at least in part, but {plan} that says how far is damaged \
         ({why}). Look for its lines first; if they are missing, or may be stored twice, move that file away and \
         import again"
    )]
    Damaged {
        /// What was to be imported.
        what: String,
        /// The damaged file.
        plan: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The host's or guest's name.
    #[error("{0} (--host, --guest)")]
    Name(#[from] NameError),
    /// The state of imports.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A batch.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The other side will not take a batch.
    #[error("{batches} batches ({records} records) were rejected, the first because: {reason}")]
    Rejected {
        /// How many.
        batches: u64,
        /// Records in them.
        records: u64,
        /// Why.
        reason: String,
    },
    /// The uplink or the thread is gone.
    #[error("the import was interrupted")]
    Interrupted,
}

/// What all inputs of an import share.
pub(super) struct About<'a> {
    pub(super) host: Host,
    pub(super) guest: Option<Guest>,
    pub(super) options: &'a ImportOptions,
    pub(super) uplink: &'a Uplink,
    pub(super) handle: &'a Handle,
}

impl About<'_> {
    /// Contents are told apart by this first.
    pub(super) fn subject(&self) -> String {
        let guest = self.guest.as_ref().map_or("", |guest| guest.name.as_str());
        format!("import\u{0}{}\u{0}{guest}\u{0}{}", self.host.name, self.options.source)
    }
}
