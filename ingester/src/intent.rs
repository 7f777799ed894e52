//! What is about to be written, durable before it is: one small file for each block that is under way.
//!
//! ```text
//! file  = line "\n"
//! line  = hash " " json          hash: xxh3-64 of json, 16 hexadecimal digits
//! json  = {"version":1,"number":N,"attempt":N,"planned_s":N,"batches":[[shipper,epoch,sequence],…]}
//! ```
//!
//! A file counts as broken where the hash is another one, the JSON is none of ours or the version is unknown. It was
//! then not durable before its block began, or somebody changed it: it is moved aside under `.broken` and reported, and
//! the start looks at every row for batches that are not in the ledger.
//!
//! At a start the batches that open intents name are looked up in every table; what is partly stored is remembered,
//! and a resend inserts only what is missing. The file goes when all its batches are in the ledger.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use lastwords_record::{BatchId, ShipperId};
use xxhash_rust::xxh3::xxh3_64;

const VERSION: u32 = 1;

/// One block's plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its number in this folder.
    pub number: u64,
    /// How often it has been planned.
    pub attempt: u32,
    /// The store's clock at planning, seconds since 1970.
    pub planned_s: u32,
    /// The batches whose rows it has.
    pub batches: Vec<BatchId>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Stored {
    version: u32,
    number: u64,
    attempt: u32,
    planned_s: u32,
    batches: Vec<(String, u64, u64)>,
}

/// The folder of open intents.
#[derive(Debug)]
pub struct Intents {
    folder: PathBuf,
    open: BTreeMap<u64, Intent>,
    next: u64,
    broken: Vec<PathBuf>,
}

impl Intents {
    /// Reads what an earlier process left open. Broken files are moved aside and listed in [`Intents::broken`].
    ///
    /// # Errors
    /// Where the folder cannot be made or read.
    pub fn open(folder: &Path) -> io::Result<Intents> {
        fs::create_dir_all(folder)?;
        let mut intents = Intents { folder: folder.to_owned(), open: BTreeMap::new(), next: 1, broken: Vec::new() };
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let Some(number) = number_of(&path) else { continue };
            intents.next = intents.next.max(number + 1);
            match fs::read(&path).ok().and_then(|bytes| decode(&bytes)) {
                Some(intent) => {
                    intents.open.insert(number, intent);
                }
                None => {
                    let aside = path.with_extension("broken");
                    fs::rename(&path, &aside)?;
                    intents.broken.push(aside);
                }
            }
        }
        Ok(intents)
    }

    /// Files that were moved aside.
    pub fn broken(&self) -> &[PathBuf] {
        &self.broken
    }

    /// Every batch that an open intent names.
    pub fn batches(&self) -> impl Iterator<Item = BatchId> + '_ {
        self.open.values().flat_map(|intent| intent.batches.iter().copied())
    }

    /// Makes a new intent durable.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin(&mut self, planned_s: u32, batches: Vec<BatchId>) -> io::Result<Intent> {
        let intent = Intent { number: self.next, attempt: 1, planned_s, batches };
        self.write(&intent)?;
        self.next += 1;
        self.open.insert(intent.number, intent.clone());
        Ok(intent)
    }

    /// Makes a further attempt durable.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn plan_again(&mut self, intent: &Intent) -> io::Result<()> {
        self.write(intent)?;
        self.open.insert(intent.number, intent.clone());
        Ok(())
    }

    /// Removes every intent all of whose batches are stored. Losing a removal to a power cut costs a look-up.
    ///
    /// # Errors
    /// Where a file cannot be removed.
    pub fn settle(&mut self, is_stored: impl Fn(BatchId) -> bool) -> io::Result<()> {
        let done: Vec<u64> = self
            .open
            .values()
            .filter(|intent| intent.batches.iter().all(|id| is_stored(*id)))
            .map(|intent| intent.number)
            .collect();
        for number in done {
            fs::remove_file(self.path(number))?;
            self.open.remove(&number);
        }
        Ok(())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number}.intent"))
    }

    fn write(&self, intent: &Intent) -> io::Result<()> {
        let temporary = self.folder.join("new");
        let mut file = File::create(&temporary)?;
        file.write_all(&encode(intent))?;
        file.sync_all()?;
        fs::rename(&temporary, self.path(intent.number))?;
        File::open(&self.folder)?.sync_all()
    }
}

fn number_of(path: &Path) -> Option<u64> {
    if path.extension()? != "intent" {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}

fn encode(intent: &Intent) -> Vec<u8> {
    let stored = Stored {
        version: VERSION,
        number: intent.number,
        attempt: intent.attempt,
        planned_s: intent.planned_s,
        batches: intent.batches.iter().map(|id| (id.shipper.to_string(), id.epoch, id.sequence)).collect(),
    };
    let json = serde_json::to_string(&stored).unwrap_or_default();
    format!("{:016x} {json}\n", xxh3_64(json.as_bytes())).into_bytes()
}

fn decode(bytes: &[u8]) -> Option<Intent> {
    let (hash, json) = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?.split_once(' ')?;
    if u64::from_str_radix(hash, 16).ok()? != xxh3_64(json.as_bytes()) {
        return None;
    }
    let stored: Stored = serde_json::from_str(json).ok().filter(|stored: &Stored| stored.version == VERSION)?;
    let batches = stored.batches.iter().map(|(shipper, epoch, sequence)| {
        Some(BatchId { shipper: shipper_of(shipper)?, epoch: *epoch, sequence: *sequence })
    });
    Some(Intent {
        number: stored.number,
        attempt: stored.attempt,
        planned_s: stored.planned_s,
        batches: batches.collect::<Option<_>>()?,
    })
}

/// A shipper's identity from its 32 hexadecimal digits.
pub(crate) fn shipper_of(hex: &str) -> Option<ShipperId> {
    Some(ShipperId(u128::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 32)?.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(sequence: u64) -> BatchId {
        BatchId { shipper: ShipperId::of("h", "m"), epoch: 1, sequence }
    }

    #[test]
    fn what_was_open_is_open_after_a_start_and_what_is_stored_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut intents = Intents::open(folder.path()).unwrap();
        let first = intents.begin(10, vec![id(1), id(2)]).unwrap();
        intents.begin(11, vec![id(3)]).unwrap();
        intents.plan_again(&Intent { attempt: 2, planned_s: 90, ..first }).unwrap();
        let mut reopened = Intents::open(folder.path()).unwrap();
        assert_eq!(reopened.batches().map(|id| id.sequence).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((reopened.open[&1].attempt, reopened.open[&1].planned_s), (2, 90));
        reopened.settle(|id| id.sequence != 2).unwrap();
        assert_eq!(Intents::open(folder.path()).unwrap().batches().map(|id| id.sequence).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(reopened.begin(12, vec![id(4)]).unwrap().number, 3);
    }

    #[test]
    fn broken_files_are_moved_aside_and_the_rest_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let mut intents = Intents::open(folder.path()).unwrap();
        intents.begin(10, vec![id(1)]).unwrap();
        intents.begin(10, vec![id(2)]).unwrap();
        let path = folder.path().join("1.intent");
        let whole = fs::read(&path).unwrap();
        for broken in [&whole[..whole.len() - 3], b"", b"\xff\xff", &[&whole[..20], b"x", &whole[21..]].concat()] {
            fs::write(&path, broken).unwrap();
            let intents = Intents::open(folder.path()).unwrap();
            assert_eq!(intents.broken(), [folder.path().join("1.broken")]);
            assert_eq!(intents.batches().map(|id| id.sequence).collect::<Vec<_>>(), [2]);
        }
    }
}
