//! The plan: the shipper's durable memory, and delivery contract 2. Before a batch is sent for the first time, its
//! number and all that it is made of stand here, fsynced; a shipper that is started again sends exactly those
//! batches again. Checkpoints follow from it: a file is done up to the extents that were acknowledged.
//!
//! It is a journal of entries (grammar: [`entry`]), written anew now and then with what still counts. Ways in which
//! it counts as broken, and what is done then:
//!
//! - *The last entry is cut off, or only zeros follow* (a crash in the middle of a write): it is cut away. It may have
//!   been sent all the same, where a disk has lost what it had synced: the epoch is over.
//! - *The magic, the version or any other entry is damaged*: the file is moved
//!   aside (`plan.damaged-<time>`), which is reported. What stands before the damage is used; the epoch is over.
//! - *It cannot be read at all*: the same with nothing before the damage.
//! - *It was copied, or its machine was*: the epoch is over.
//! - *Its host has another name now*: a new epoch of a new identity; files and feeds go on where they were.
//! - *It cannot be written or synced*: where the disk is full, that is waited for; else an error that ends the shipper.
//!   Nothing is sent that is not planned.
//!
//! Where an **epoch is over**, numbers may have been used that are not known here. Batches that are under way go out under
//! their own numbers, where the other side knows them by their content; only then a new epoch begins, in which whatever
//! was refused goes out again. What was stored and is not known here any more may be stored twice; nothing is lost.

mod entry;
mod home;
mod memory;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use lastwords_record::{Host, ShipperId};
use lastwords_runtime::now_ns;

use crate::source::{Stop, followed::modified_ns};

pub use entry::{Broken, ENTRY_BYTES_MAX, Entry, Extent, MAGIC, Planned, Voice, decode, encode};
pub(crate) use memory::glance;
pub use memory::{Open, Remembered};

pub(crate) const FILE_NAME: &str = "plan";
/// A plan longer than this, and longer than twice what counts in it, is written anew.
const REWRITE_BYTES: u64 = 4 << 20;
/// Damaged plans of one epoch that are kept.
const ASIDE_MAX: u32 = 100;
/// How often a full disk is tried again.
const ROOM_POLL: Duration = Duration::from_millis(200);

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
    lock: File,
    /// What was wrong with the state that was found.
    damage: Option<String>,
    /// Says when a full disk is not waited for any longer; none: never is.
    giving_up: Option<Stop>,
}

impl Plan {
    /// Opens the plan in a folder; makes both where they are missing. `epoch` is used where a new one is needed.
    ///
    /// # Errors
    /// Where the folder cannot be used. Damage is no error: see [`Plan::damage`].
    pub fn open(folder: &Path, shipper: ShipperId, epoch: u64) -> Result<Plan, PlanError> {
        make_folder(folder)?;
        let lock = lock(folder)?;
        let path = folder.join(FILE_NAME);
        let (mut memory, damage) = match fs::read(&path) {
            Ok(bytes) => match memory::replay(&bytes, shipper) {
                memory::Replayed::Whole(memory) => (memory, None),
                memory::Replayed::Damaged { salvaged, why } => (salvaged, Some(why)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Remembered::new(shipper, epoch), None),
            Err(source) => (Remembered::new(shipper, 0), Some(format!("it cannot be read: {source}"))),
        };
        let damage = damage.map(|why| move_aside(folder, &path, epoch, &why)).transpose()?;
        if let Some(damage) = &damage {
            memory.epoch_over = Some(damage.clone());
            if memory.epoch == 0 {
                memory.begin_epoch(shipper, epoch);
            }
            tracing::error!(%damage, epoch = memory.epoch, "the shipper's state is damaged; going on in a new epoch, lines under way may be stored twice");
        }
        // The epoch may be younger than the state, or of a clock that was wrong.
        let made = lock.metadata().map_or(i64::MAX, |metadata| modified_ns(&metadata));
        memory.began_ns = i64::try_from(memory.epoch).unwrap_or(i64::MAX).min(made);
        let (file, length) = match rewrite(folder, &memory) {
            Err(PlanError::Io { source, .. }) if is_full(&source) && damage.is_none() && path.is_file() => {
                open_whole(&path)?
            }
            rewritten => rewritten?,
        };
        Ok(Plan {
            folder: folder.to_owned(),
            file,
            length,
            base_length: length,
            memory,
            scratch: Vec::new(),
            lock,
            damage,
            giving_up: None,
        })
    }

    /// Says that the epoch belongs to this machine and this folder. Where it belongs to another, it is over.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn settle_in(&mut self) -> Result<(), PlanError> {
        let home = home::find(&self.lock);
        let known = std::mem::replace(&mut self.memory.home, home.clone());
        if !known.is_empty() && known != home {
            tracing::warn!(folder = %self.folder.display(), "the shipper's state was copied, or this machine is a clone of another; going on in a new epoch");
            let why = "its state was copied, or its machine is a clone of another".to_owned();
            self.append(Entry::EpochOver { why }, Bytes::new())?;
        }
        self.rewrite()
    }

    /// Goes on under a host's new name, where the plan was begun under another.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn follow_name(&mut self, host: &Host, epoch: u64) -> Result<(), PlanError> {
        if !self.memory.is_renamed {
            return Ok(());
        }
        tracing::warn!(host = %host.name, "the shipper's state was begun under another name of the host; files go on where they were");
        self.memory.speak_for(host);
        self.begin_epoch(epoch)
    }

    /// Begins a new epoch: what was refused or is under way gets new numbers.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin_epoch(&mut self, epoch: u64) -> Result<(), PlanError> {
        let epoch = epoch.max(self.memory.epoch + 1);
        self.memory.begin_epoch(self.memory.shipper, epoch);
        self.rewrite()
    }

    /// From now on a full disk is waited for, until `giving_up` is set.
    pub fn wait_for_room(&mut self, giving_up: Stop) {
        self.giving_up = Some(giving_up);
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
        let write = || self.file.write_all_at(&self.scratch, self.length);
        self.insist(write).map_err(|source| io_error("written", &self.folder, source))?;
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
            return self.rewrite();
        }
        self.insist(|| self.file.sync_data()).map_err(|source| io_error("synced", &self.folder, source))
    }

    /// Writes what counts into a new file.
    fn rewrite(&mut self) -> Result<(), PlanError> {
        let rewritten = self.insist(|| match rewrite(&self.folder, &self.memory) {
            Err(PlanError::Io { source, .. }) if is_full(&source) => Err(source),
            other => Ok(other),
        });
        (self.file, self.length) =
            rewritten.map_err(|source| io_error("written", &self.folder, source))??;
        self.base_length = self.length;
        Ok(())
    }

    /// Attempts something until it works, as long as the disk is full and nobody says to give up.
    fn insist<T>(&self, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let mut is_told = false;
        loop {
            let outcome = attempt();
            let waits = self.giving_up.as_ref().is_some_and(|giving_up| !giving_up.is_set());
            match outcome {
                Err(error) if waits && is_full(&error) => {
                    if !is_told {
                        tracing::warn!(folder = %self.folder.display(), %error, "the shipper's state cannot be written; nothing is sent until there is room");
                    }
                    is_told = true;
                    std::thread::sleep(ROOM_POLL);
                }
                outcome => {
                    if is_told && outcome.is_ok() {
                        tracing::info!(folder = %self.folder.display(), "there is room for the shipper's state again");
                    }
                    return outcome;
                }
            }
        }
    }
}

/// Whether an error says that the disk, or a share of it, is full.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Moves a plan that cannot be used out of the way; says what was wrong, and where it is.
fn move_aside(folder: &Path, path: &Path, epoch: u64, why: &str) -> Result<String, PlanError> {
    let aside = set_aside(path, &folder.join(format!("plan.damaged-{epoch}")))?;
    Ok(format!("{why}; it was moved to {}", aside.display()))
}

/// Moves what is in the way to a name that nothing has.
fn set_aside(path: &Path, name: &Path) -> Result<PathBuf, PlanError> {
    let numbered = |number: u32| match number {
        0 => name.to_owned(),
        number => PathBuf::from(format!("{}.{number}", name.display())),
    };
    let free = (0..ASIDE_MAX).map(numbered).find(|aside| aside.symlink_metadata().is_err());
    let aside = free.unwrap_or_else(|| numbered(ASIDE_MAX));
    fs::rename(path, &aside).map_err(|source| io_error("moved aside", path, source))?;
    Ok(aside)
}

/// Makes the state folder; a file of its name is set aside.
fn make_folder(folder: &Path) -> Result<(), PlanError> {
    if folder.symlink_metadata().is_ok() && !folder.is_dir() {
        let aside = set_aside(folder, &PathBuf::from(format!("{}.damaged-{}", folder.display(), now_ns())))?;
        tracing::error!(aside = %aside.display(), "the shipper's state folder was none; what was there was moved aside");
    }
    fs::create_dir_all(folder).map_err(|source| io_error("made", folder, source))
}

/// A plan that is whole, to be gone on with as it is.
fn open_whole(path: &Path) -> Result<(File, u64), PlanError> {
    let failed = |source| io_error("written", path, source);
    let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
    let bytes = fs::read(path).map_err(failed)?;
    let length = memory::whole_length(&bytes);
    file.set_len(length).map_err(failed)?;
    Ok((file, length))
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
    if fresh.is_dir() {
        set_aside(&fresh, &folder.join(format!("plan.new.damaged-{}", now_ns())))?;
    }
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
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        // Whatever made it: no lock can be taken on it.
        let aside = set_aside(&path, &folder.join(format!("lock.damaged-{}", now_ns())))?;
        tracing::error!(aside = %aside.display(), "the lock of the shipper's state was no file; it was moved aside");
    }
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
