//! PEM files, read whole, so that a change can be told by their bytes.

use std::{
    fmt, fs,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// No certificate or key is larger; a bundle of a whole system's roots is a fifth of it.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// What others may not do with a key, and what its group may not: a group that reads it is how services share one
/// (Debian's `ssl-cert`, Kubernetes' `fsGroup`).
const KEY_MODE_FORBIDDEN: u32 = 0o027;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// It cannot be read.
    #[error("{path}: cannot be read: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is larger than any such file.
    #[error("{path}: wanted a PEM file, found more than {FILE_BYTES_MAX} bytes")]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// What was wanted is not in it.
    #[error("{path}: wanted {wanted} in PEM, found {found}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// What it holds.
        found: String,
    },
    /// Others may read the key: whoever can log in could speak in its name.
    #[error("{path}: the key is open to others (mode {mode:04o}): wanted at most 0640; chmod 0600 {path}")]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl PemError {
    /// Which file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            PemError::Read { path, .. }
            | PemError::TooLarge { path }
            | PemError::Content { path, .. }
            | PemError::Exposed { path, .. } => path,
        }
    }
}

/// A file's content when it was read. Two are equal where path and content are.
#[derive(Clone)]
pub struct PemFile {
    path: PathBuf,
    bytes: Vec<u8>,
    stamp: Stamp,
}

impl PartialEq for PemFile {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, &self.bytes) == (&other.path, &other.bytes)
    }
}

impl Eq for PemFile {}

/// Never shows the content: it may be a key.
impl fmt::Debug for PemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl PemFile {
    /// Reads a file of certificates.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(path: &Path) -> Result<PemFile, PemError> {
        read(path, 0)
    }

    /// Reads a private key's file.
    ///
    /// # Errors
    /// Where it cannot be read, or others than its owner and its group can.
    pub fn read_key(path: &Path) -> Result<PemFile, PemError> {
        read(path, KEY_MODE_FORBIDDEN)
    }

    /// Where it was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the file is as it was when it was read, by what its file system says of it: it is not read for that.
    /// False also where that cannot be told yet.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        let is_same = |found: &fs::Metadata| Stamp::new(found, SystemTime::now()).file == self.stamp.file;
        self.stamp.is_settled && fs::metadata(&self.path).is_ok_and(|found| is_same(&found))
    }

    /// The certificates in it, in their order; at least one.
    ///
    /// # Errors
    /// Where there is none, or what there is cannot be read.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, PemError> {
        const WANTED: &str = "certificates (-----BEGIN CERTIFICATE-----)";
        let found: Vec<_> = CertificateDer::pem_slice_iter(&self.bytes)
            .collect::<Result<_, _>>()
            .map_err(|error| self.content(WANTED, error))?;
        if found.is_empty() { Err(self.content(WANTED, "none")) } else { Ok(found) }
    }

    /// The private key in it: PKCS#8, PKCS#1 or SEC1, not encrypted.
    ///
    /// # Errors
    /// Where there is none.
    pub fn key(&self) -> Result<PrivateKeyDer<'static>, PemError> {
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|error| {
            let encrypted = self.bytes.windows(b"ENCRYPTED".len()).any(|words| words == b"ENCRYPTED");
            let found = if encrypted { "an encrypted one".to_owned() } else { error.to_string() };
            self.content("a private key without a passphrase (-----BEGIN PRIVATE KEY-----)", found)
        })
    }

    /// The certificates in it as what is trusted.
    ///
    /// # Errors
    /// Where there is none, or one of them cannot be trusted as it is.
    pub fn roots(&self) -> Result<RootCertStore, PemError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| self.content("certificates of a CA", error))?;
        }
        Ok(roots)
    }

    fn content(&self, wanted: &'static str, found: impl ToString) -> PemError {
        PemError::Content { path: self.path.clone(), wanted, found: found.to_string() }
    }
}

/// What a file system says of a file.
#[derive(Debug, Clone, Copy)]
struct Stamp {
    /// Device, inode, size, and the time of the last change in seconds and nanoseconds.
    file: (u64, u64, u64, i64, i64),
    /// Whether that change was long before the look: file systems count time in ticks, and two changes in one tick look
    /// alike.
    is_settled: bool,
}

/// Longer than any file system's tick.
const TICK_MAX: Duration = Duration::from_secs(2);

impl Stamp {
    fn new(found: &fs::Metadata, now: SystemTime) -> Stamp {
        let file = (found.dev(), found.ino(), found.size(), found.ctime(), found.ctime_nsec());
        let changed = u64::try_from(found.ctime())
            .map_or(SystemTime::UNIX_EPOCH, |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        Stamp { file, is_settled: now.duration_since(changed).is_ok_and(|since| since > TICK_MAX) }
    }
}

fn read(path: &Path, mode_forbidden: u32) -> Result<PemFile, PemError> {
    let failed = |source| PemError::Read { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(failed)?;
    // Before the content, so that what changes meanwhile is noticed.
    let found = file.metadata().map_err(failed)?;
    let (mode, stamp) = (found.mode() & 0o7777, Stamp::new(&found, SystemTime::now()));
    if mode & mode_forbidden != 0 {
        return Err(PemError::Exposed { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(PemError::TooLarge { path: path.to_owned() });
    }
    Ok(PemFile { path: path.to_owned(), bytes, stamp })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_long_before_it_was_read_need_not_be_read_again_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        fs::write(&path, "one").unwrap();
        let mut file = PemFile::read(&path).unwrap();
        // It may be changed once more in the tick in which it was read, and look the same.
        assert!(!file.is_unchanged());
        let later = SystemTime::now() + TICK_MAX + Duration::from_secs(1);
        file.stamp = Stamp::new(&fs::metadata(&path).unwrap(), later);
        assert!(file.is_unchanged());
        let other = folder.path().join("other.pem");
        fs::write(&other, "two").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(!file.is_unchanged(), "another file of the same size has its name");
        fs::remove_file(&path).unwrap();
        assert!(!file.is_unchanged());
    }
}
