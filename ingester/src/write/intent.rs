//! Intent files: what a block is going to insert, durable before the first insert.
//!
//! `DATA/intents/<nonce>-<number>.intent`, one per open block:
//!
//! ```text
//! intent = "LWI1" version:u32 nonce:u64 number:u64 attempt:u32 planned_s:u32 count:u32 batch* hash:u64
//! batch  = shipper:16 bytes  epoch:u64  sequence:u64
//! hash   = xxh3 of everything before it; numbers are little-endian
//! ```
//!
//! A file is written under another name, synced, renamed, and its folder synced. A file that is cut short, has
//! another magic or a hash that does not fit, or cannot be read at all, is moved aside as `*.damaged` and reported; what
//! was inserted under it is found in the store itself (`writer`). So is whatever else stands in the folder's place. A
//! newer version stops the start, since what it says must not be ignored.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use lastwords_record::{BatchId, ShipperId};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use super::unit::Unit;

const MAGIC: &[u8; 4] = b"LWI1";
const VERSION: u32 = 1;
/// A block of the smallest batches that the queue has room for is a hundredth of this.
const BYTES_MAX: u64 = 64 << 20;
const SUFFIX: &str = "intent";
/// Suffix of a file that is still being written.
const DRAFT: &str = "draft";

/// What a block is going to insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Drawn at every start, so that no token is ever used by two processes.
    pub nonce: u64,
    /// Number of the block in its process.
    pub number: u64,
    /// Number of the attempt, from 0.
    pub attempt: u32,
    /// The store's clock when the attempt was planned, seconds.
    pub planned_s: u32,
    /// The batches, none of them known to the ledger.
    pub batches: Vec<BatchId>,
}

/// Why an intent cannot be kept.
#[derive(Debug, Error)]
pub enum IntentError {
    /// The folder or a file in it.
    #[error("{what} {}: {source}; is the disk full, or the folder another user's?", path.display())]
    Io {
        /// What was wanted.
        what: &'static str,
        /// Of what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Written by a newer program.
    #[error("{} has version {found}, this program knows version {VERSION}: start the newer one, and let it finish", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

impl Intent {
    /// The deduplication token of one of the block's units.
    pub fn token(&self, unit: Unit) -> String {
        let hash = xxh3_64(&self.identities());
        format!(
            "direct-{:016x}-{}-{}-{hash:016x}-{}-{}",
            self.nonce,
            self.number,
            self.attempt,
            unit.table.name(),
            unit.day
        )
    }

    fn identities(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.batches.len() * 32);
        for id in &self.batches {
            bytes.extend_from_slice(&id.shipper.0);
            bytes.extend_from_slice(&id.epoch.to_le_bytes());
            bytes.extend_from_slice(&id.sequence.to_le_bytes());
        }
        bytes
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.nonce.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.attempt.to_le_bytes());
        bytes.extend_from_slice(&self.planned_s.to_le_bytes());
        // A block holds far fewer batches than u32 has values: the queue is bounded.
        bytes.extend_from_slice(&u32::try_from(self.batches.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&self.identities());
        let hash = xxh3_64(&bytes);
        bytes.extend_from_slice(&hash.to_le_bytes());
        bytes
    }

    /// Reads a file's bytes; `Err` has the version where that is not ours, none where the file is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Intent, Option<u32>> {
        let (content, hash) = bytes.split_last_chunk::<8>().ok_or(None)?;
        if xxh3_64(content) != u64::from_le_bytes(*hash) {
            return Err(None);
        }
        let mut rest = content.strip_prefix(MAGIC).ok_or(None)?;
        let version = u32::from_le_bytes(take(&mut rest)?);
        if version != VERSION {
            return Err(Some(version));
        }
        let nonce = u64::from_le_bytes(take(&mut rest)?);
        let number = u64::from_le_bytes(take(&mut rest)?);
        let attempt = u32::from_le_bytes(take(&mut rest)?);
        let planned_s = u32::from_le_bytes(take(&mut rest)?);
        let count = u32::from_le_bytes(take(&mut rest)?);
        if rest.len() != count as usize * 32 {
            return Err(None);
        }
        let mut batches = Vec::with_capacity(count as usize);
        for _ in 0..count {
            batches.push(BatchId {
                shipper: ShipperId(take(&mut rest)?),
                epoch: u64::from_le_bytes(take(&mut rest)?),
                sequence: u64::from_le_bytes(take(&mut rest)?),
            });
        }
        Ok(Intent { nonce, number, attempt, planned_s, batches })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Option<u32>> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(None)?;
    *rest = tail;
    Ok(*head)
}

/// The folder of intents.
#[derive(Debug, Clone)]
pub struct Intents {
    folder: PathBuf,
}

impl Intents {
    /// Opens the folder, which is made where it is missing.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn open(folder: PathBuf) -> Result<Intents, IntentError> {
        if fs::symlink_metadata(&folder).is_ok_and(|found| !found.is_dir()) {
            tracing::error!(path = %folder.display(), "what stands in the place of the intents' folder is moved aside");
            move_aside(&folder)?;
        }
        fs::create_dir_all(&folder).map_err(io_error("cannot make", &folder))?;
        Ok(Intents { folder })
    }

    /// Makes an intent durable, in place of the attempt before it.
    ///
    /// # Errors
    /// Where the disk does not take it.
    pub fn keep(&self, intent: &Intent) -> Result<(), IntentError> {
        let path = self.path(intent);
        let draft = path.with_extension(DRAFT);
        let write = || {
            let mut file = File::create(&draft)?;
            file.write_all(&intent.encode())?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(io_error("cannot write", &path))
    }

    /// Forgets an intent: all of its batches are in the ledger, or nothing of them is stored. Need not be durable: an
    /// intent too many is read back once more.
    ///
    /// # Errors
    /// Where the file cannot be removed.
    pub fn forget(&self, intent: &Intent) -> Result<(), IntentError> {
        let path = self.path(intent);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_error("cannot remove", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// The intents that a former process left open. Drafts that it left are removed.
    ///
    /// # Errors
    /// Where the folder cannot be read, or holds an intent of a newer version.
    pub fn open_ones(&self) -> Result<Vec<Intent>, IntentError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(io_error("cannot read", &self.folder))? {
            let path = entry.map_err(io_error("cannot read", &self.folder))?.path();
            if path.extension().is_some_and(|suffix| suffix == DRAFT) {
                // A process ended while it wrote this; nothing was inserted under it.
                if fs::remove_file(&path).is_err() {
                    move_aside(&path)?;
                }
            }
            if path.extension().is_none_or(|suffix| suffix != SUFFIX) {
                continue;
            }
            let decoded = match read_bounded(&path) {
                Ok(bytes) => Intent::decode(&bytes),
                Err(error) => {
                    tracing::error!(path = %path.display(), %error, "an intent cannot be read");
                    Err(None)
                }
            };
            match decoded {
                Ok(intent) => found.push(intent),
                Err(Some(version)) => return Err(IntentError::Version { path, found: version }),
                Err(None) => {
                    tracing::error!(path = %path.display(), "a damaged intent is moved aside; what was stored under it is looked for in the store");
                    move_aside(&path)?;
                }
            }
        }
        found.sort_by_key(|intent| (intent.nonce, intent.number));
        Ok(found)
    }

    fn path(&self, intent: &Intent) -> PathBuf {
        self.folder.join(format!("{:016x}-{:08}.{SUFFIX}", intent.nonce, intent.number))
    }
}

/// The bytes of a file; what is longer than any intent is none.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Gives a path another name that is free.
fn move_aside(path: &Path) -> Result<(), IntentError> {
    let names =
        std::iter::once("damaged".to_owned()).chain((1..1000).map(|number| format!("damaged-{number}")));
    let free = names.map(|name| path.with_extension(name)).find(|name| fs::symlink_metadata(name).is_err());
    let aside = free.unwrap_or_else(|| path.with_extension("damaged"));
    fs::rename(path, aside).map_err(io_error("cannot move aside", path))
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IntentError + use<> {
    let path = path.to_owned();
    move |source| IntentError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(count: u64) -> Intent {
        let shipper = ShipperId::of("hv01", "m");
        let batches = (1..=count).map(|sequence| BatchId { shipper, epoch: 3, sequence }).collect();
        Intent { nonce: 9, number: 4, attempt: 1, planned_s: 1_700_000_000, batches }
    }

    #[test]
    fn what_is_kept_is_found_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let intents = Intents::open(folder.path().join("intents")).unwrap();
        let (first, second) = (intent(3), Intent { number: 5, ..intent(1) });
        intents.keep(&first).unwrap();
        intents.keep(&second).unwrap();
        let again = Intent { attempt: 2, ..first.clone() };
        intents.keep(&again).unwrap();
        assert_eq!(intents.open_ones().unwrap(), [again.clone(), second.clone()]);
        intents.forget(&again).unwrap();
        intents.forget(&again).unwrap();
        assert_eq!(intents.open_ones().unwrap(), [second]);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_damage() {
        let bytes = intent(2).encode();
        assert_eq!(Intent::decode(&bytes), Ok(intent(2)));
        for length in 0..bytes.len() {
            assert_eq!(Intent::decode(&bytes[..length]), Err(None), "cut to {length}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Intent::decode(&flipped), Err(None), "bit {bit}");
        }
    }

    #[test]
    fn a_damaged_intent_is_moved_aside_and_a_newer_one_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let intents = Intents::open(folder.path().to_owned()).unwrap();
        fs::write(folder.path().join("1.intent"), b"LWI1").unwrap();
        assert_eq!(intents.open_ones().unwrap(), []);
        assert!(folder.path().join("1.damaged").exists());
        // Again under the same name; one that is a folder; and a draft that is one.
        fs::write(folder.path().join("1.intent"), b"LWI2").unwrap();
        fs::create_dir(folder.path().join("4.intent")).unwrap();
        fs::create_dir(folder.path().join("5.draft")).unwrap();
        assert_eq!(intents.open_ones().unwrap(), []);
        for aside in ["1.damaged", "1.damaged-1", "4.damaged", "5.damaged"] {
            assert!(folder.path().join(aside).exists(), "{aside}");
        }
        fs::write(folder.path().join("3.draft"), b"LWI1").unwrap();
        assert_eq!(intents.open_ones().unwrap(), []);
        assert!(!folder.path().join("3.draft").exists());
        let mut newer = b"LWI1\x02\x00\x00\x00".to_vec();
        let hash = xxh3_64(&newer);
        newer.extend_from_slice(&hash.to_le_bytes());
        fs::write(folder.path().join("2.intent"), newer).unwrap();
        assert!(matches!(intents.open_ones(), Err(IntentError::Version { found: 2, .. })));
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_moved_aside() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("intents");
        fs::write(&place, b"x").unwrap();
        let intents = Intents::open(place).unwrap();
        assert_eq!(intents.open_ones().unwrap(), []);
        assert_eq!(fs::read(folder.path().join("intents.damaged")).unwrap(), b"x");
    }

    #[test]
    fn tokens_differ_by_process_block_attempt_content_and_unit() {
        use crate::write::Table;
        let unit = Unit { table: Table::Logs, day: 20_000 };
        let others = [
            Intent { nonce: 10, ..intent(2) }.token(unit),
            Intent { number: 5, ..intent(2) }.token(unit),
            Intent { attempt: 2, ..intent(2) }.token(unit),
            intent(3).token(unit),
            intent(2).token(Unit { day: 20_001, ..unit }),
            intent(2).token(Unit { table: Table::Events, ..unit }),
            intent(2).token(unit),
        ];
        let different: std::collections::HashSet<_> = others.iter().collect();
        assert_eq!(different.len(), others.len());
    }
}
