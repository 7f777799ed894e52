//! What a plan's entries add up to. Pure.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use lastwords_record::{Batch, BatchId, Compression, ShipperId};

use super::{Broken, Entry, MAGIC, Planned, decode, encode};
use crate::source::identity::FileState;

/// A batch that is planned and neither acknowledged nor rejected.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// What it is made of.
    pub planned: Planned,
    /// Its envelope, where it cannot be formed again.
    pub envelope: Bytes,
}

/// The sum of all entries.
#[derive(Debug, Clone, PartialEq)]
pub struct Remembered {
    /// Whose plan it is.
    pub shipper: ShipperId,
    /// The incarnation.
    pub epoch: u64,
    /// The number of the next batch.
    pub next_sequence: u64,
    /// The id of the next file.
    pub next_file: u64,
    /// What an import is about.
    pub subject: String,
    /// Files by id.
    pub files: BTreeMap<u64, FileState>,
    /// Cursors by feed.
    pub streams: BTreeMap<String, Vec<u8>>,
    /// Batches under way, in the order of their numbers.
    pub open: VecDeque<Open>,
}

pub(super) enum Replayed {
    Whole(Remembered),
    Damaged { salvaged: Remembered, why: String },
}

/// A damaged plan: what stands before the damage, and what is wrong.
pub(crate) struct Damaged {
    pub salvaged: Remembered,
    pub why: String,
}

/// What a plan's bytes add up to, without opening it for writing.
pub(crate) fn glance(bytes: &[u8], shipper: ShipperId) -> Result<Remembered, Box<Damaged>> {
    match replay(bytes, shipper) {
        Replayed::Whole(memory) => Ok(memory),
        Replayed::Damaged { salvaged, why } => Err(Box::new(Damaged { salvaged, why })),
    }
}

/// Adds up a plan's bytes.
pub(super) fn replay(bytes: &[u8], shipper: ShipperId) -> Replayed {
    let mut memory = Remembered::new(shipper, 0);
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
        return Replayed::Damaged {
            salvaged: memory,
            why: "it does not begin as a plan of this version".to_owned(),
        };
    };
    let mut first = true;
    while !rest.is_empty() {
        match decode(rest) {
            Ok((entry, blob, length)) => {
                if first
                    && !matches!(&entry, Entry::Began { shipper: found, .. } if *found == shipper.to_string())
                {
                    return Replayed::Damaged {
                        salvaged: memory,
                        why: "it belongs to another shipper".to_owned(),
                    };
                }
                first = false;
                memory.apply(entry, Bytes::copy_from_slice(blob));
                rest = rest.get(length..).unwrap_or_default();
            }
            Err(broken) if !first && is_torn_end(broken, rest) => break,
            Err(broken) => {
                let why = format!("{broken}, at byte {} of {}", bytes.len() - rest.len(), bytes.len());
                return Replayed::Damaged { salvaged: memory, why };
            }
        }
    }
    if first {
        return Replayed::Damaged { salvaged: memory, why: "it has no first entry".to_owned() };
    }
    Replayed::Whole(memory)
}

/// Whether what is left is the last write, cut off: the file ends within the entry, or with it, or only zeros follow.
fn is_torn_end(broken: Broken, rest: &[u8]) -> bool {
    if rest.iter().all(|byte| *byte == 0) {
        return true;
    }
    let Broken::Damaged(_) = broken else { return true };
    let length = |at: usize| {
        rest.get(at..at + 4)
            .and_then(|bytes| bytes.first_chunk::<4>())
            .map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
    };
    let end = length(0).saturating_add(length(4)).saturating_add(16);
    end <= super::ENTRY_BYTES_MAX + 16
        && rest.get(end..).is_none_or(|after| after.iter().all(|byte| *byte == 0))
}

impl Remembered {
    /// Nothing yet.
    pub fn new(shipper: ShipperId, epoch: u64) -> Remembered {
        Remembered {
            shipper,
            epoch,
            next_sequence: 1,
            next_file: 1,
            subject: String::new(),
            files: BTreeMap::new(),
            streams: BTreeMap::new(),
            open: VecDeque::new(),
        }
    }

    /// Since when this shipper knows anything: its epoch is the time at which it began, UTC nanoseconds.
    pub fn began_ns(&self) -> i64 {
        i64::try_from(self.epoch).unwrap_or(i64::MAX)
    }

    /// The identity of the batch of a number.
    pub fn batch_id(&self, sequence: u64) -> BatchId {
        BatchId { shipper: self.shipper, epoch: self.epoch, sequence }
    }

    /// Where reading a file starts that may have extents under way: before the first of them.
    pub fn acknowledged_position(&self, file: u64) -> Option<u64> {
        let under_way =
            self.open.iter().flat_map(|open| &open.planned.extents).find(|extent| extent.file == file);
        under_way.map(|extent| extent.start).or_else(|| self.files.get(&file).map(|file| file.position))
    }

    pub(super) fn apply(&mut self, entry: Entry, blob: Bytes) {
        match entry {
            Entry::Began { epoch, next_sequence, next_file, subject, .. } => {
                self.epoch = epoch;
                self.next_sequence = next_sequence;
                self.next_file = next_file;
                self.subject = subject;
            }
            Entry::File(file) => {
                self.next_file = self.next_file.max(file.id + 1);
                self.files.insert(file.id, file);
            }
            Entry::Forget { file } => {
                self.files.remove(&file);
            }
            Entry::Stream { name, cursor } => {
                self.streams.insert(name, cursor);
            }
            Entry::Batch(planned) => self.plan(planned, blob),
            Entry::Acknowledged { through } => {
                while self.open.pop_front_if(|open| open.planned.sequence <= through).is_some() {}
            }
            Entry::Rejected { sequence } => self.open.retain(|open| open.planned.sequence != sequence),
        }
    }

    fn plan(&mut self, planned: Planned, envelope: Bytes) {
        for extent in &planned.extents {
            if let Some(file) = self.files.get_mut(&extent.file).filter(|file| file.position <= extent.end) {
                file.position = extent.end;
                file.stamp = extent.stamp_after;
                file.identity = extent.identity;
                file.digest.clone_from(&extent.digest);
            }
        }
        for (name, cursor) in &planned.cursors {
            self.streams.insert(name.clone(), cursor.clone());
        }
        if let Some(known) = self.open.iter_mut().find(|open| open.planned.sequence == planned.sequence) {
            *known = Open { planned, envelope };
            return;
        }
        self.next_sequence = self.next_sequence.max(planned.sequence + 1);
        self.open.push_back(Open { planned, envelope });
    }

    /// A new epoch after damage: what was under way goes under new numbers, or is read again.
    pub(super) fn begin_again(&mut self, shipper: ShipperId, epoch: u64) {
        (self.shipper, self.epoch, self.next_sequence) = (shipper, epoch, 1);
        for open in std::mem::take(&mut self.open) {
            // Backwards, so that a file ends up where the first of its extents under way begins.
            for extent in &open.planned.extents {
                if let Some(file) =
                    self.files.get_mut(&extent.file).filter(|file| file.position > extent.start)
                {
                    file.position = extent.start;
                    file.stamp = extent.stamp_before;
                }
            }
            if open.planned.sealed
                && let Ok(mut batch) = Batch::open(&open.envelope)
            {
                batch.header.id = self.batch_id(self.next_sequence);
                if let Ok(envelope) = batch.seal(Compression::DEFAULT) {
                    let planned = Planned { sequence: self.next_sequence, ..open.planned };
                    self.next_sequence += 1;
                    self.open.push_back(Open { planned, envelope });
                }
            }
        }
    }

    /// The entries that add up to this.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let began = Entry::Began {
            shipper: self.shipper.to_string(),
            epoch: self.epoch,
            next_sequence: self.next_sequence,
            next_file: self.next_file,
            subject: self.subject.clone(),
        };
        encode(&began, &[], out)?;
        for file in self.files.values() {
            encode(&Entry::File(file.clone()), &[], out)?;
        }
        for (name, cursor) in &self.streams {
            encode(&Entry::Stream { name: name.clone(), cursor: cursor.clone() }, &[], out)?;
        }
        for open in &self.open {
            encode(&Entry::Batch(open.planned.clone()), &open.envelope, out)?;
        }
        Ok(())
    }
}
