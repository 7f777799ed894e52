//! The data folder: what lies where in it, and the lock that gives it to one process at a time.
//!
//! ```text
//! DATA/lock          held (flock) by the process that has the engine open; its text says which one
//! DATA/engine        the embedded engine's own folder
//! DATA/engine.sock   ClickHouse's HTTP protocol: the engine's process, for the process that holds the lock
//! DATA/intents       the writer's open plans
//! DATA/shipper       state of this machine's own shipper
//! DATA/import        state of imports
//! DATA/import.lock   held by the import whose turn it is
//! DATA/clickhouse    passwords of the ClickHouse port
//! DATA/ingest.sock   gRPC: batches, while `up` runs
//! DATA/query.sock    HTTP: questions, while `up` runs
//! ```

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use lastwords_runtime::private::{self, PrivateError};
use rustix::fs::{FlockOperation, OFlags, flock};

/// Longest path of a unix socket, in bytes, less the terminating zero (Linux: 108).
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// The engine's folder: closed, and not searched, as it has very many files.
const ENGINE: &str = "engine";
/// What is read of a lock file.
const HOLDER_BYTES_MAX: u64 = 256;

/// A data folder's paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    /// The folder at `root`; nothing is touched.
    #[must_use]
    pub fn new(root: PathBuf) -> DataFolder {
        DataFolder { root }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The engine's folder.
    #[must_use]
    pub fn engine(&self) -> PathBuf {
        self.root.join(ENGINE)
    }

    /// Where the engine's process answers.
    #[must_use]
    pub fn engine_socket(&self) -> PathBuf {
        self.root.join("engine.sock")
    }

    /// The state of this machine's own shipper.
    #[must_use]
    pub fn shipper(&self) -> PathBuf {
        self.root.join("shipper")
    }

    /// Passwords of the ClickHouse port.
    #[must_use]
    pub fn clickhouse(&self) -> PathBuf {
        self.root.join("clickhouse")
    }

    /// The state of imports.
    #[must_use]
    pub fn import(&self) -> PathBuf {
        self.root.join("import")
    }

    /// Where `up` takes in batches.
    #[must_use]
    pub fn ingest_socket(&self) -> PathBuf {
        self.root.join("ingest.sock")
    }

    /// Where `up` answers questions.
    #[must_use]
    pub fn query_socket(&self) -> PathBuf {
        self.root.join("query.sock")
    }

    /// Copies of what says what the engine's tables are.
    #[must_use]
    pub fn schema_copies(&self) -> PathBuf {
        self.root.join("schema")
    }

    /// The lock file.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Makes the folder where it is missing, and closes it to others.
    ///
    /// # Errors
    /// Where it cannot be made, is no folder or not ours alone, or its path is too long for the sockets in it.
    pub fn create(&self) -> Result<(), DataError> {
        if let Some(mode) = private::make_private(&self.root)? {
            let mode = format!("{mode:04o}");
            tracing::warn!(folder = %self.root.display(), mode, "others could enter the data folder; it is closed now");
        }
        let longest = self.ingest_socket().as_os_str().len();
        if longest > SOCKET_PATH_BYTES_MAX {
            return Err(DataError::PathTooLong {
                folder: self.root.clone(),
                over: longest - SOCKET_PATH_BYTES_MAX,
            });
        }
        Ok(())
    }

    /// Makes the folder where it is missing, takes the lock if nobody holds it, and closes what lies in the folder to
    /// others.
    ///
    /// # Errors
    /// `Held` with the holder, or why the lock file cannot be used.
    pub fn try_lock(&self, purpose: &str) -> Result<Lock, DataError> {
        match self.create() {
            // Nothing is written here: whoever may enter all the same, as root may, can ask the one that has it.
            Err(DataError::Private(PrivateError::Owner { .. })) if let Some(holder) = self.holder() => {
                return Err(DataError::Held { folder: self.root.clone(), holder });
            }
            made => made?,
        }
        let lock = self.try_lock_file(self.lock_file(), purpose)?;
        let entries = private::close_contents(&self.root, &[ENGINE]);
        if entries > 0 {
            tracing::warn!(folder = %self.root.display(), entries, "others could read what lies in the data folder; it is closed now");
        }
        Ok(lock)
    }

    /// Takes the lock of a folder that is there, and leaves its modes as they are.
    ///
    /// # Errors
    /// As `try_lock`.
    pub fn try_lock_unchanged(&self, purpose: &str) -> Result<Lock, DataError> {
        private::look(&self.root)?;
        self.try_lock_file(self.lock_file(), purpose)
    }

    /// Takes an import's turn if no other has it: they go one after another, also through a running `up`.
    ///
    /// # Errors
    /// As `try_lock`.
    pub fn try_import_turn(&self, purpose: &str) -> Result<Lock, DataError> {
        self.create()?;
        self.try_lock_file(self.root.join("import.lock"), purpose)
    }

    fn try_lock_file(&self, path: PathBuf, purpose: &str) -> Result<Lock, DataError> {
        let failed = |source| DataError::LockFile { path: path.clone(), source };
        // Nobody can have locked what is no file.
        if std::fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            let aside = path.with_extension(format!("damaged-{}", std::process::id()));
            tracing::error!(path = %path.display(), aside = %aside.display(), "what stands in the place of the lock is moved aside");
            std::fs::rename(&path, &aside).map_err(failed)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = Holder::read(&mut file);
                return Err(DataError::Held { folder: self.root.clone(), holder });
            }
            Err(errno) => return Err(failed(errno.into())),
        }
        let text = format!("{} {purpose}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(failed)?;
        Ok(Lock { _file: file })
    }

    /// Who holds the lock now, if anybody; takes nothing and creates nothing.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let open =
            OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(self.lock_file());
        let mut file = open.ok()?;
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => None,
            Err(_) => Some(Holder::read(&mut file)),
        }
    }
}

/// The folder is ours until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The process that holds a data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process id, where it has written it already.
    pub pid: Option<u32>,
    /// What it is: `lastwords up`, `lastwords import`.
    pub purpose: String,
}

impl Holder {
    /// What the holder wrote only serves messages; it may be between truncating and writing.
    fn read(file: &mut File) -> Holder {
        let mut text = Vec::new();
        let _ = file.take(HOLDER_BYTES_MAX).read_to_end(&mut text);
        Holder::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> Holder {
        let (pid, purpose) = text.trim_end().split_once(' ').unwrap_or((text.trim_end(), ""));
        Holder { pid: pid.parse().ok(), purpose: purpose.to_owned() }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid} ({})", self.purpose),
            None => f.write_str("another process"),
        }
    }
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// It cannot be made, or not be ours alone.
    #[error("the data folder cannot be used: {0}; --data names another")]
    Private(#[from] PrivateError),
    /// The sockets in it would have paths longer than the system allows.
    #[error(
        "the path of the data folder {folder} is {over} bytes too long for the sockets in it; choose a shorter one"
    )]
    PathTooLong {
        /// Which.
        folder: PathBuf,
        /// By how much.
        over: usize,
    },
    /// The lock file cannot be used.
    #[error("the lock file {path} cannot be used: {source}")]
    LockFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it.
    #[error(
        "the data folder {folder} is in use by {holder}; end it first, or use another folder with --data"
    )]
    Held {
        /// Which.
        folder: PathBuf,
        /// By whom.
        holder: Holder,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_and_names_the_holder() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::new(folder.path().join("data"));
        let lock = data.try_lock("lastwords up").unwrap();
        let message = data.try_lock("lastwords import").unwrap_err().to_string();
        assert!(message.contains(&format!("process {} (lastwords up)", std::process::id())), "{message}");
        assert_eq!(data.holder().unwrap().pid, Some(std::process::id()));
        drop(lock);
        assert_eq!(data.holder(), None);
        data.try_lock("lastwords import").unwrap();
    }

    #[test]
    fn a_folder_in_place_of_the_lock_is_moved_aside() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::new(folder.path().join("data"));
        drop(data.try_lock("lastwords up").unwrap());
        std::fs::remove_file(data.lock_file()).unwrap();
        std::fs::create_dir(data.lock_file()).unwrap();
        let _lock = data.try_lock("lastwords up").unwrap();
        assert_eq!(data.holder().unwrap().purpose, "lastwords up");
    }

    #[test]
    fn a_path_too_long_for_sockets_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::new(folder.path().join("x".repeat(120)));
        assert!(matches!(data.create(), Err(DataError::PathTooLong { .. })));
    }
}
