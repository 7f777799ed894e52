//! Packs records onto columns. In the steady state nothing is allocated per record.

use super::{Batch, BatchId, Clock, Compression, FORMAT_VERSION, Header, Records, dictionary::Dictionary};
use crate::{
    Guest, Host, Origin, Placement, RecordRef, Sample, ShipperEvent,
    limits::{BATCH_BODY_BYTES_MAX, BATCH_RECORDS_MAX},
};

/// An origin that the builder knows. It stays valid for the builder's life, over all batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OriginId(usize);

/// The batch has no room for more: finish it, then push again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the batch is full")]
pub struct Full;

/// Collects one batch after another.
#[derive(Debug)]
pub struct BatchBuilder {
    known: Vec<Origin>,
    /// For each known origin: 1 + its index in the current batch, 0 where it is not in it.
    in_batch: Vec<u32>,
    hosts: Vec<Host>,
    guests: Vec<Guest>,
    dictionary: Dictionary,
    records: Records,
    text: Vec<u8>,
    samples: Vec<Sample>,
    events: Vec<ShipperEvent>,
    placements: Vec<Placement>,
    /// Bytes that what was pushed takes in the body, at most; without the dictionary.
    bytes: usize,
    /// Bytes that records leave free.
    free: usize,
}

/// Most bytes that a record's numbers take on their columns.
const RECORD_OVERHEAD: usize = 34;
const ATTRIBUTE_OVERHEAD: usize = 6;
const ROW_OVERHEAD: usize = 96;
/// Tags, lengths and the like of the sections.
const BODY_OVERHEAD: usize = 256;

impl Default for BatchBuilder {
    fn default() -> Self {
        BatchBuilder::new()
    }
}

impl BatchBuilder {
    /// A builder with nothing in it.
    pub fn new() -> Self {
        BatchBuilder {
            known: Vec::new(),
            in_batch: Vec::new(),
            hosts: Vec::new(),
            guests: Vec::new(),
            dictionary: Dictionary::new(),
            records: Records::default(),
            text: Vec::new(),
            samples: Vec::new(),
            events: Vec::new(),
            placements: Vec::new(),
            bytes: BODY_OVERHEAD,
            free: 0,
        }
    }

    /// Has records leave room in every batch for a placement that is pushed last.
    pub fn keep_room_for(&mut self, placement: &Placement) {
        self.free = placement_bytes(placement);
    }

    /// Makes an origin known. The same origin gives the same id.
    pub fn origin(&mut self, origin: &Origin) -> OriginId {
        let found = self.known.iter().position(|known| known == origin);
        OriginId(found.unwrap_or_else(|| {
            self.known.push(origin.clone());
            self.in_batch.push(0);
            self.known.len() - 1
        }))
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`Full`] where it does not fit any more; nothing has changed then. A record within
    /// [`RECORD_BYTES_MAX`](crate::limits::RECORD_BYTES_MAX) always fits an empty batch.
    pub fn push(&mut self, origin: OriginId, record: &RecordRef<'_>) -> Result<(), Full> {
        let origin_bytes = match self.in_batch.get(origin.0) {
            Some(0) => self.known.get(origin.0).map_or(0, origin_bytes),
            _ => 0,
        };
        let mut bytes = RECORD_OVERHEAD
            + record.body.len()
            + origin_bytes
            + record.attributes.len() * ATTRIBUTE_OVERHEAD
            + self.dictionary.cost(record.program);
        for (key, value) in record.attributes {
            bytes += self.dictionary.cost(key) + self.dictionary.cost(value);
        }
        let entries = 1 + 2 * record.attributes.len() + if origin_bytes > 0 { 64 } else { 0 };
        if self.records.len() >= BATCH_RECORDS_MAX || !self.dictionary.has_room(entries) {
            return Err(Full);
        }
        self.reserve(bytes + self.free)?;
        // What the dictionary takes is counted there; here it must not be counted a second time.
        self.bytes +=
            RECORD_OVERHEAD + record.body.len() + origin_bytes + record.attributes.len() * ATTRIBUTE_OVERHEAD;

        let origin = self.origin_in_batch(origin);
        let program = self.dictionary.insert(record.program);
        let before = self.records.len();
        let records = &mut self.records;
        records.origin.push(origin);
        records.time_ns.push(record.time_ns);
        records.observed_ns.push(record.observed_ns);
        self.text.extend_from_slice(record.body);
        records.text_end.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        sparse(&mut records.severity, before, record.severity);
        sparse(&mut records.program, before, program);
        sparse(&mut records.time_basis, before, record.time_basis as u8);
        for (key, value) in record.attributes {
            records.attribute_key.push(self.dictionary.insert(key));
            records.attribute_value.push(self.dictionary.insert(value));
        }
        let end = u32::try_from(records.attribute_key.len()).unwrap_or(u32::MAX);
        sparse(&mut records.attribute_end, before, end);
        Ok(())
    }

    /// Adds a sample.
    ///
    /// # Errors
    /// [`Full`] where it does not fit any more.
    pub fn push_sample(&mut self, sample: &Sample) -> Result<(), Full> {
        let names = sample.metric.len() + sample.device.len() + sample.direction.len();
        let machines = machine_bytes(&sample.host, sample.guest.as_ref());
        self.reserve(ROW_OVERHEAD + names + machines)?;
        self.bytes += ROW_OVERHEAD + names + machines;
        self.speak_for(&sample.host, sample.guest.as_ref());
        self.samples.push(sample.clone());
        Ok(())
    }

    /// Adds an event.
    ///
    /// # Errors
    /// [`Full`] where it does not fit any more.
    pub fn push_event(&mut self, event: &ShipperEvent) -> Result<(), Full> {
        let bytes = ROW_OVERHEAD
            + event.class.len()
            + event.title.len()
            + event.key.len()
            + attribute_bytes(&event.attributes)
            + machine_bytes(&event.host, event.guest.as_ref());
        self.reserve(bytes)?;
        self.bytes += bytes;
        self.speak_for(&event.host, event.guest.as_ref());
        self.events.push(event.clone());
        Ok(())
    }

    /// Adds a placement.
    ///
    /// # Errors
    /// [`Full`] where it does not fit any more.
    pub fn push_placement(&mut self, placement: &Placement) -> Result<(), Full> {
        let bytes = placement_bytes(placement);
        self.reserve(bytes)?;
        self.bytes += bytes;
        self.speak_for(&placement.host, Some(&placement.guest));
        self.placements.push(placement.clone());
        Ok(())
    }

    /// Whether nothing has been pushed since the last batch.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.samples.is_empty()
            && self.events.is_empty()
            && self.placements.is_empty()
    }

    /// From the earliest to the latest of the current batch's records, UTC nanoseconds; none without records.
    pub fn span_ns(&self) -> Option<(i64, i64)> {
        let times = &self.records.time_ns;
        times.iter().min().copied().zip(times.iter().max().copied())
    }

    /// Records in the current batch.
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// Bytes that the current batch's body takes at most.
    pub fn body_bytes(&self) -> usize {
        self.bytes + self.dictionary.bytes()
    }

    /// Gives what was pushed as a batch of this identity; the builder is empty afterwards. An empty batch is a
    /// batch, too: it uses up its number.
    pub fn finish(&mut self, id: BatchId, sealed_time_ns: i64, clock: Clock) -> Batch {
        let mut records = std::mem::take(&mut self.records);
        let text_bytes = self.text.len();
        records.text = std::mem::take(&mut self.text).into();
        self.text.reserve(text_bytes);
        self.in_batch.fill(0);
        self.bytes = BODY_OVERHEAD;
        let (samples, events) = (std::mem::take(&mut self.samples), std::mem::take(&mut self.events));
        let placements = std::mem::take(&mut self.placements);
        Batch {
            header: Header {
                format_version: FORMAT_VERSION,
                id,
                sealed_time_ns,
                clock,
                hosts: std::mem::take(&mut self.hosts),
                guests: std::mem::take(&mut self.guests),
                compression: Compression::None,
                body_bytes: 0,
                records: count(records.len()),
                samples: count(samples.len()),
                events: count(events.len()),
                placements: count(placements.len()),
            },
            dictionary: self.dictionary.take(),
            records,
            samples,
            events,
            placements,
        }
    }

    fn reserve(&self, bytes: usize) -> Result<(), Full> {
        if self.body_bytes() + bytes > BATCH_BODY_BYTES_MAX { Err(Full) } else { Ok(()) }
    }

    fn origin_in_batch(&mut self, id: OriginId) -> u32 {
        let Some(origin) = self.known.get(id.0) else { return 0 };
        match self.in_batch.get_mut(id.0) {
            Some(index) if *index > 0 => *index - 1,
            Some(index) => {
                let new = count(self.records.origins.len());
                *index = new + 1;
                self.records.origins.push(origin.clone());
                let (host, guest) = (origin.host.clone(), origin.guest.clone());
                self.speak_for(&host, guest.as_ref());
                new
            }
            None => 0,
        }
    }

    fn speak_for(&mut self, host: &Host, guest: Option<&Guest>) {
        if !self.hosts.contains(host) {
            self.hosts.push(host.clone());
        }
        if let Some(guest) = guest.filter(|guest| !self.guests.contains(guest)) {
            self.guests.push(guest.clone());
        }
    }
}

/// Pushes onto a column that stays empty as long as every value is the default.
fn sparse<T: Copy + Default + PartialEq>(column: &mut Vec<T>, before: usize, value: T) {
    if column.is_empty() {
        if value == T::default() {
            return;
        }
        column.resize(before, T::default());
    }
    column.push(value);
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn machine_bytes(host: &Host, guest: Option<&Guest>) -> usize {
    host.name.len()
        + host.machine_id.len()
        + guest.map_or(0, |guest| guest.name.len() + guest.uuid.len())
        + 32
}

fn placement_bytes(placement: &Placement) -> usize {
    let machines = machine_bytes(&placement.host, Some(&placement.guest));
    ROW_OVERHEAD + attribute_bytes(&placement.attributes) + machines
}

fn attribute_bytes(attributes: &[(String, String)]) -> usize {
    attributes.iter().map(|(key, value)| key.len() + value.len() + 16).sum()
}

fn origin_bytes(origin: &Origin) -> usize {
    32 + attribute_bytes(&origin.attributes) + machine_bytes(&origin.host, origin.guest.as_ref())
}
