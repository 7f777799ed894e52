//! What a plan's entries add up to. Pure.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use lastwords_record::{Batch, BatchId, Compression, Host, ShipperId};

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
    /// Batches that the other side refused, because it holds another content under their numbers.
    pub refused: VecDeque<Open>,
    /// Why no new batch gets a number of this epoch.
    pub epoch_over: Option<String>,
    /// The machine and folder that the epoch belongs to.
    pub home: String,
    /// Since when this shipper knows anything, UTC nanoseconds.
    pub began_ns: i64,
    /// It was begun under another name of the host.
    pub is_renamed: bool,
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
                if first {
                    match belongs(&entry, shipper) {
                        Some(is_own) => memory.is_renamed = !is_own,
                        None => {
                            return Replayed::Damaged {
                                salvaged: memory,
                                why: "it belongs to another shipper".to_owned(),
                            };
                        }
                    }
                }
                first = false;
                memory.apply(entry, Bytes::copy_from_slice(blob));
                rest = rest.get(length..).unwrap_or_default();
            }
            Err(broken) if !first && is_torn_end(broken, rest) => {
                // It may have been synced and sent: its number cannot be told from one that was never used.
                memory.epoch_over.get_or_insert_with(|| "the end of its plan was cut off".to_owned());
                break;
            }
            Err(broken) => {
                let why = format!("{broken}, at byte {} of {}", bytes.len() - rest.len(), bytes.len());
                memory.drop_unfinished();
                return Replayed::Damaged { salvaged: memory, why };
            }
        }
    }
    if first {
        return Replayed::Damaged { salvaged: memory, why: "it has no first entry".to_owned() };
    }
    memory.drop_unfinished();
    Replayed::Whole(memory)
}

/// Whether the first entry of a plan is this shipper's own, or that of one whose host had another name: its files are
/// still the same. None: it is neither.
fn belongs(entry: &Entry, shipper: ShipperId) -> Option<bool> {
    let Entry::Began { shipper: found, subject, .. } = entry else { return None };
    let is_own = *found == shipper.to_string();
    (is_own || subject.is_empty()).then_some(is_own)
}

/// Bytes of a plan up to the end of its last whole entry.
pub(super) fn whole_length(bytes: &[u8]) -> u64 {
    let mut length = MAGIC.len();
    while let Some(Ok((.., entry))) = bytes.get(length..).filter(|rest| !rest.is_empty()).map(decode) {
        length += entry;
    }
    length as u64
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
            refused: VecDeque::new(),
            epoch_over: None,
            home: String::new(),
            began_ns: i64::try_from(epoch).unwrap_or(i64::MAX),
            is_renamed: false,
        }
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
            Entry::Began { epoch, next_sequence, next_file, subject, home, .. } => {
                self.epoch = epoch;
                self.home = home;
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
                self.finish_feed();
                self.streams.insert(name, cursor);
            }
            Entry::Batch(planned) => self.plan(planned, blob),
            Entry::Acknowledged { through } => {
                while self.open.pop_front_if(|open| open.planned.sequence <= through).is_some() {}
            }
            Entry::Rejected { sequence } => self.open.retain(|open| open.planned.sequence != sequence),
            Entry::Refused { sequence } => {
                let place = self.open.iter().position(|open| open.planned.sequence == sequence);
                self.refused.extend(place.and_then(|place| self.open.remove(place)));
            }
            Entry::EpochOver { why } => self.epoch_over = Some(why),
        }
    }

    fn finish_feed(&mut self) {
        self.open.iter_mut().rev().for_each(|open| open.planned.unfinished = false);
    }

    fn plan(&mut self, planned: Planned, envelope: Bytes) {
        if !planned.unfinished {
            self.finish_feed();
        }
        for extent in &planned.extents {
            if let Some(file) = self.files.get_mut(&extent.file).filter(|file| file.position <= extent.end) {
                file.position = extent.end;
                file.stamp = extent.stamp_after;
                file.identity = extent.identity;
                if !extent.trace.is_empty() {
                    file.trace.append(extent.start, &extent.trace);
                }
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

    /// A feed whose last batch is missing was never sent: it is read again.
    fn drop_unfinished(&mut self) {
        while let Some(last) = self.open.pop_back_if(|last| last.planned.unfinished) {
            self.next_sequence = last.planned.sequence;
        }
    }

    /// What is under way speaks for a host by its new name.
    pub(super) fn speak_for(&mut self, host: &Host) {
        for open in self.open.iter_mut().chain(&mut self.refused) {
            for voice in &mut open.planned.voices {
                voice.host = (host.name.clone(), host.machine_id.clone());
            }
            let Some(mut batch) = open.planned.sealed.then(|| Batch::open(&open.envelope).ok()).flatten()
            else {
                continue;
            };
            let hosts = batch.header.hosts.iter_mut();
            let hosts = hosts.chain(batch.records.origins.iter_mut().map(|origin| &mut origin.host));
            let hosts = hosts.chain(batch.samples.iter_mut().map(|sample| &mut sample.host));
            let hosts = hosts.chain(batch.events.iter_mut().map(|event| &mut event.host));
            let hosts = hosts.chain(batch.placements.iter_mut().map(|placement| &mut placement.host));
            hosts.for_each(|found| found.clone_from(host));
            if let Ok(envelope) = batch.seal(Compression::DEFAULT) {
                open.envelope = envelope;
            }
        }
        self.is_renamed = false;
    }

    /// A new epoch: what was refused or is under way gets new numbers, in its order.
    pub(super) fn begin_epoch(&mut self, shipper: ShipperId, epoch: u64) {
        let mut under_way: Vec<Open> = self.refused.drain(..).chain(self.open.drain(..)).collect();
        under_way.sort_by_key(|open| open.planned.sequence);
        (self.shipper, self.epoch, self.next_sequence, self.epoch_over) = (shipper, epoch, 1, None);
        for mut open in under_way {
            if open.planned.sealed {
                let Ok(mut batch) = Batch::open(&open.envelope) else { continue };
                batch.header.id = self.batch_id(self.next_sequence);
                let Ok(envelope) = batch.seal(Compression::DEFAULT) else { continue };
                open.envelope = envelope;
            }
            open.planned.sequence = self.next_sequence;
            self.next_sequence += 1;
            self.open.push_back(open);
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
            home: self.home.clone(),
        };
        encode(&began, &[], out)?;
        for refused in &self.refused {
            encode(&Entry::Batch(refused.planned.clone()), &refused.envelope, out)?;
            encode(&Entry::Refused { sequence: refused.planned.sequence }, &[], out)?;
        }
        // Files and feeds last: where they go on now counts, not where a batch under way once left them.
        for open in &self.open {
            encode(&Entry::Batch(open.planned.clone()), &open.envelope, out)?;
        }
        for file in self.files.values() {
            encode(&Entry::File(file.clone()), &[], out)?;
        }
        for (name, cursor) in &self.streams {
            encode(&Entry::Stream { name: name.clone(), cursor: cursor.clone() }, &[], out)?;
        }
        if let Some(why) = &self.epoch_over {
            encode(&Entry::EpochOver { why: why.clone() }, &[], out)?;
        }
        Ok(())
    }
}
