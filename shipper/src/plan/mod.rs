//! The plan: the shipper's durable memory, and delivery contract 2. Before a batch is sent for the first time, its
//! number and all that it is made of stand here, fsynced; a shipper that is started again sends exactly those
//! batches again. Checkpoints follow from it: a file is done up to the extents that were acknowledged.
//!
//! It is a journal of entries (grammar: [`entry`]), written anew now and then with what still counts. Ways in which
//! it counts as broken, and what is done then:
//!
//! - *The last entry is cut off, or only zeros follow* (a crash in the middle of a write): it was never synced, so
//!   nothing of it was sent. It is cut away, and work goes on in the same epoch.
//! - *The magic, the version or any other entry is damaged; or it belongs to another shipper*: the file is moved
//!   aside (`plan.damaged-<time>`), which is reported. What stands before the damage is used: files and feeds go
//!   on where the batches before it were acknowledged, in a **new epoch**, because numbers may have been used that
//!   are not known any more. Batches that were under way may be stored twice then; nothing is lost.
//! - *It cannot be read at all*: the same with nothing before the damage.
//! - *It cannot be written or synced*: an error that ends the shipper; nothing is sent that is not planned.

mod entry;
mod memory;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use lastwords_record::ShipperId;

pub(crate) use entry::Memory;
pub use entry::{Broken, ENTRY_BYTES_MAX, Entry, Extent, MAGIC, Planned, Voice, decode, encode};
pub(crate) use memory::glance;
pub use memory::{Open, Remembered};

pub(crate) const FILE_NAME: &str = "plan";
/// A plan longer than this, and longer than twice what counts in it, is written anew.
const REWRITE_BYTES: u64 = 4 << 20;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The disk.
    #[error(
        "the shipper's state in {path} cannot be {attempted}: {source}; nothing is sent that is not planned there"
    )]
    Io {
        /// `read`, `written`, …
        attempted: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process uses it.
    #[error("the shipper's state in {0} is in use by another process; end that one, or use another folder")]
    Held(PathBuf),
    /// An entry that cannot be written.
    #[error("a plan entry cannot be encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

/// The plan of one shipper in one folder.
#[derive(Debug)]
pub struct Plan {
    folder: PathBuf,
    file: File,
    length: u64,
    /// Length after the last rewriting.
    base_length: u64,
    memory: Remembered,
    scratch: Vec<u8>,
    /// Held as long as the plan is open.
    _lock: File,
    /// What was wrong with the state that was found.
    damage: Option<String>,
}

impl Plan {
    /// Opens the plan in a folder; makes both where they are missing. `epoch` is used where a new one is needed.
    ///
    /// # Errors
    /// Where the folder cannot be used. Damage is no error: see [`Plan::damage`].
    pub fn open(folder: &Path, shipper: ShipperId, epoch: u64) -> Result<Plan, PlanError> {
        fs::create_dir_all(folder).map_err(|source| io_error("made", folder, source))?;
        let lock = lock(folder)?;
        let path = folder.join(FILE_NAME);
        let (memory, damage) = match fs::read(&path) {
            Ok(bytes) => match memory::replay(&bytes, shipper) {
                memory::Replayed::Whole(memory) => (memory, None),
                memory::Replayed::Damaged { mut salvaged, why } => {
                    let aside = folder.join(format!("plan.damaged-{epoch}"));
                    fs::rename(&path, &aside).map_err(|source| io_error("moved aside", &path, source))?;
                    salvaged.begin_again(shipper, epoch.max(salvaged.epoch + 1));
                    (salvaged, Some(format!("{why}; it was moved to {}", aside.display())))
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Remembered::new(shipper, epoch), None),
            Err(source) => return Err(io_error("read", &path, source)),
        };
        if let Some(damage) = &damage {
            tracing::error!(%damage, epoch = memory.epoch, "the shipper's state is damaged; going on in a new epoch, lines under way may be stored twice");
        }
        let (file, length) = rewrite(folder, &memory)?;
        Ok(Plan {
            folder: folder.to_owned(),
            file,
            length,
            base_length: length,
            memory,
            scratch: Vec::new(),
            _lock: lock,
            damage,
        })
    }

    /// What is remembered now.
    pub fn memory(&self) -> &Remembered {
        &self.memory
    }

    /// What was wrong with the state that was found, for people.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Remembers a step. It is durable only after [`Plan::sync`].
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn append(&mut self, entry: Entry, blob: Bytes) -> Result<(), PlanError> {
        self.scratch.clear();
        encode(&entry, &blob, &mut self.scratch)?;
        self.file
            .write_all_at(&self.scratch, self.length)
            .map_err(|source| io_error("written", &self.folder, source))?;
        self.length += self.scratch.len() as u64;
        self.memory.apply(entry, blob);
        Ok(())
    }

    /// Makes all that was appended durable.
    ///
    /// # Errors
    /// Where the disk does not.
    pub fn sync(&mut self) -> Result<(), PlanError> {
        if self.length > REWRITE_BYTES && self.length > 2 * self.base_length {
            (self.file, self.length) = rewrite(&self.folder, &self.memory)?;
            self.base_length = self.length;
            return Ok(());
        }
        self.file.sync_data().map_err(|source| io_error("synced", &self.folder, source))
    }
}

/// Whether the plan in a folder was begun by this shipper.
pub(crate) fn is_of(folder: &Path, shipper: ShipperId) -> bool {
    fs::read(folder.join(FILE_NAME)).is_ok_and(|bytes| was_begun_by(&bytes, shipper))
}

/// The same of a plan's bytes.
pub(crate) fn was_begun_by(bytes: &[u8], shipper: ShipperId) -> bool {
    let first = bytes.strip_prefix(MAGIC).map(decode);
    matches!(first, Some(Ok((Entry::Began { shipper: found, .. }, ..))) if found == shipper.to_string())
}

/// Writes what counts into a new file that takes the old one's place.
fn rewrite(folder: &Path, memory: &Remembered) -> Result<(File, u64), PlanError> {
    let (path, fresh) = (folder.join(FILE_NAME), folder.join("plan.new"));
    let mut bytes = MAGIC.to_vec();
    memory.write(&mut bytes)?;
    let failed = |source| io_error("written", folder, source);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(failed)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&fresh, &path).map_err(failed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok((file, bytes.len() as u64))
}

fn lock(folder: &Path) -> Result<File, PlanError> {
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|source| io_error("locked", &path, source))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(PlanError::Held(folder.to_owned())),
        Err(errno) => Err(io_error("locked", &path, errno.into())),
    }
}

fn io_error(attempted: &'static str, path: &Path, source: io::Error) -> PlanError {
    PlanError::Io { attempted, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
