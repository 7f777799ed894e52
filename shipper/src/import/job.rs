//! What is to be imported, and what came of it.

use std::{
    io,
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;
use lastwords_record::{Guest, Host, NameError, Source};
use tokio::runtime::Handle;

use crate::{config::guest_at, plan::PlanError, shipper::OutboxError, uplink::Uplink};

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
    /// A file, compressed or not, an archive, or a folder of such.
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// Records whose lines say nothing of their time and follow none that does.
    pub undated: u64,
    /// NULs that a crash has left, and that were left out.
    pub blank_bytes: u64,
    /// What was not imported, or not whole.
    pub troubles: Vec<Trouble>,
    /// Further ones.
    pub more_troubles: u64,
}

/// A content that was not imported, or not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Which.
    pub what: String,
    /// Why.
    pub why: String,
    /// The import has not done what it was asked to.
    pub is_failure: bool,
}

/// Troubles that are told one by one.
const TROUBLES_MAX: usize = 200;

impl Imported {
    /// Tells of a content; a pipe is called standard input.
    pub(super) fn tell(&mut self, path: &str, why: impl Into<String>, is_failure: bool) {
        let what = if path.is_empty() { "standard input" } else { path };
        let trouble = Trouble { what: what.to_owned(), why: why.into(), is_failure };
        tracing::debug!(?trouble, "not imported whole");
        // What makes the import fail is always among them.
        if self.troubles.len() < TROUBLES_MAX || (is_failure && !self.has_failed()) {
            self.troubles.push(trouble);
        } else {
            self.more_troubles += 1;
        }
    }

    /// Whether something was not done that was asked for.
    pub fn has_failed(&self) -> bool {
        self.troubles.iter().any(|trouble| trouble.is_failure)
    }
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

/// For whom a content speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whose {
    pub(super) guest: Option<Guest>,
    pub(super) source: Source,
}

impl About<'_> {
    /// For whom the content at a path speaks: as was said, else as the places say where hypervisors keep their guests' logs.
    pub(super) fn whose(&self, path: &Path) -> Whose {
        let said = Whose { guest: self.guest.clone(), source: self.options.source };
        if said.guest.is_some() || said.source != Source::File {
            return said;
        }
        match guest_at(path) {
            Some((name, source)) => Whose { guest: Some(Guest { name, uuid: String::new() }), source },
            None => said,
        }
    }

    /// Contents are told apart by this first.
    pub(super) fn subject(&self, whose: &Whose) -> String {
        let guest = whose.guest.as_ref().map_or("", |guest| guest.name.as_str());
        format!("import\u{0}{}\u{0}{guest}\u{0}{}", self.host.name, whose.source)
    }
}
