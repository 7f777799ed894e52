//! Finished files through the same forming, plan and uplink, once. What was imported before is known by content:
//! host, guest, source and the hash of all (decompressed) bytes up to the checkpoint. The same file again adds
//! nothing, under whatever name; a file that grew goes on where it ended; an import that was killed goes on with
//! every line once, because its batches under way are formed again from their planned extents.
//!
//! - [`inputs`]: files, folders, standard input into contents,
//! - [`known`]: which import a content belongs to,
//! - [`stream`]: its bytes in order, hashed,
//! - [`one`]: the batches of one content,
//! - [`link`]: the uplink, waited for.

mod inputs;
mod known;
mod link;
mod one;
mod samples;
mod stream;

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

/// Imports everything, in the order given. Returns when all is acknowledged.
///
/// # Errors
/// Where an input cannot be read, or the state cannot be written, or a batch is rejected.
pub async fn import(
    options: ImportOptions,
    uplink: Uplink,
    progress: impl Fn(Progress) + Send + 'static,
) -> Result<Imported, ImportError> {
    let handle = Handle::current();
    tokio::task::spawn_blocking(move || all(&options, &uplink, &progress, &handle))
        .await
        .map_err(|_| ImportError::Interrupted)?
}

fn all(
    options: &ImportOptions,
    uplink: &Uplink,
    progress: &dyn Fn(Progress),
    handle: &Handle,
) -> Result<Imported, ImportError> {
    let _runtime = handle.enter();
    let inputs = inputs::expand(&options.inputs)?;
    let bytes_total = inputs::bytes_total(&inputs);
    let about = About {
        host: Host { name: options.host.clone(), machine_id: String::new() },
        guest: options.guest.clone().map(|name| Guest { name, uuid: String::new() }),
        options,
        uplink,
        handle,
    };
    about.host.check()?;
    about.guest.as_ref().map_or(Ok(()), Guest::check)?;
    let mut known = known::Known::read(&options.state_dir, &about.subject())?;
    let mut added = Imported::default();
    let mut before = 0;
    for input in inputs {
        let told = |bytes: u64| progress(Progress { bytes: before + bytes, bytes_total });
        before += one::import(&about, &mut known, input, &mut added, &told)?;
    }
    Ok(added)
}

/// What all inputs of an import share.
struct About<'a> {
    host: Host,
    guest: Option<Guest>,
    options: &'a ImportOptions,
    uplink: &'a Uplink,
    handle: &'a Handle,
}

impl About<'_> {
    /// Contents are told apart by this first.
    fn subject(&self) -> String {
        let guest = self.guest.as_ref().map_or("", |guest| guest.name.as_str());
        format!("import\u{0}{}\u{0}{guest}\u{0}{}", self.host.name, self.options.source)
    }
}

#[cfg(test)]
mod tests;
