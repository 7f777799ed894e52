//! Packs records onto columns. In the steady state nothing is allocated per record.

use super::{
    Batch, BatchId, Clock, Compression, FORMAT_VERSION, Header, Records, days::Days, dictionary::Dictionary,
    stored,
};
use crate::{
    Guest, Host, Origin, Placement, RecordRef, Sample, ShipperEvent,
    limits::{
        BATCH_BODY_BYTES_MAX, BATCH_RECORDS_MAX, BATCH_STORED_BYTES_MAX, BUILT_DAYS_MAX, HEADER_BYTES_MAX,
    },
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
    /// What was pushed takes so much; the body without the dictionary.
    used: Size,
    /// What records leave free.
    free: Size,
    /// For each known origin: what it adds to each of its records in the store.
    origin_stored: Vec<usize>,
    record_days: Days,
    sample_days: Days,
    event_days: Days,
    placement_days: Days,
    /// The latest time that the shipper has seen by its own clock.
    latest_ns: i64,
    /// What was planned before is formed again: by whatever bounds there were then.
    again: bool,
}

/// What a row takes of what a batch has.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// Bytes of the body, at most.
    body: usize,
    /// Bytes of the header, at most.
    header: usize,
    /// Bytes in the store, as [`Batch::stored_bytes`] counts them.
    stored: usize,
    /// Days.
    days: usize,
}

/// Most bytes that a record's numbers take on their columns.
const RECORD_OVERHEAD: usize = 34;
const ATTRIBUTE_OVERHEAD: usize = 6;
const ROW_OVERHEAD: usize = 96;
/// Tags, lengths and the like of the sections.
const BODY_OVERHEAD: usize = 256;
/// What of the header is no list of machines.
const HEADER_OVERHEAD: usize = 256;
/// Tags and lengths of a machine in the header.
const MACHINE_OVERHEAD: usize = 12;
const EMPTY: Size = Size { body: BODY_OVERHEAD, header: HEADER_OVERHEAD, stored: 0, days: 0 };

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
            used: EMPTY,
            free: Size::default(),
            origin_stored: Vec::new(),
            record_days: Days::default(),
            sample_days: Days::default(),
            event_days: Days::default(),
            placement_days: Days::default(),
            latest_ns: i64::MIN,
            again: false,
        }
    }

    /// Has records leave room in every batch for a placement that is pushed last.
    pub fn keep_room_for(&mut self, placement: &Placement) {
        self.free = Size {
            body: placement_bytes(placement),
            header: machine_bytes(&placement.host, Some(&placement.guest)),
            stored: stored::placement(placement),
            days: 1,
        };
    }

    /// What is pushed from now on was a batch before, or a part of one: how many days it has, and what it becomes in the
    /// store, counts no more. A program that knew no such bounds may have planned it.
    pub fn form_again(&mut self, again: bool) {
        self.again = again;
    }

    /// Whether the current batch surely takes rows of so many bytes, of a few more days and machines.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        const MORE_DAYS: usize = 4;
        self.body_bytes() + bytes <= BATCH_BODY_BYTES_MAX
            && self.used.stored + bytes * 2 <= BATCH_STORED_BYTES_MAX
            && self.used.header + bytes.min(HEADER_BYTES_MAX / 2) <= HEADER_BYTES_MAX
            && (self.is_empty() || self.used.days + MORE_DAYS <= BUILT_DAYS_MAX)
    }

    /// Makes an origin known. The same origin gives the same id.
    pub fn origin(&mut self, origin: &Origin) -> OriginId {
        let found = self.known.iter().position(|known| known == origin);
        OriginId(found.unwrap_or_else(|| {
            self.known.push(origin.clone());
            self.origin_stored.push(stored::origin(origin));
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
        let new = match self.in_batch.get(origin.0) {
            Some(0) => self.known.get(origin.0),
            _ => None,
        };
        let origin_bytes = new.map_or(0, origin_bytes);
        let mut words = self.dictionary.cost(record.program);
        for (key, value) in record.attributes {
            words += self.dictionary.cost(key) + self.dictionary.cost(value);
        }
        let entries = 1 + 2 * record.attributes.len() + if new.is_some() { 64 } else { 0 };
        if self.records.len() >= BATCH_RECORDS_MAX || !self.dictionary.has_room(entries) {
            return Err(Full);
        }
        let mut size = Size {
            body: RECORD_OVERHEAD
                + record.body.len()
                + origin_bytes
                + record.attributes.len() * ATTRIBUTE_OVERHEAD
                + words,
            header: new.map_or(0, |origin| self.header_bytes(&origin.host, origin.guest.as_ref())),
            stored: stored::record(record, self.origin_stored.get(origin.0).copied().unwrap_or(0)),
            days: usize::from(self.record_days.lacks(record.time_ns)),
        };
        self.reserve(size, self.free)?;
        // What the dictionary takes is counted there; here it must not be counted a second time.
        size.body -= words;
        self.use_up(size);
        self.record_days.add(record.time_ns);
        self.latest_ns = self.latest_ns.max(record.observed_ns);

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

    /// Adds records of one origin without attributes: all of them or none.
    ///
    /// # Errors
    /// [`Full`] where they do not fit together; nothing has changed then.
    pub fn push_all(&mut self, origin: OriginId, records: &[RecordRef<'_>]) -> Result<(), Full> {
        let known = self.known.get(origin.0);
        let origin_stored = self.origin_stored.get(origin.0).copied().unwrap_or(0);
        let mut days = self.record_days.clone();
        let mut size = Size {
            body: known.map_or(0, origin_bytes),
            header: known.map_or(0, |origin| self.header_bytes(&origin.host, origin.guest.as_ref())),
            ..Size::default()
        };
        for record in records {
            size.body += RECORD_OVERHEAD + record.body.len() + self.dictionary.cost(record.program);
            size.stored += stored::record(record, origin_stored);
            size.days += usize::from(days.lacks(record.time_ns));
            days.add(record.time_ns);
        }
        let fits = self.records.len() + records.len() <= BATCH_RECORDS_MAX
            && self.dictionary.has_room(64 + records.len());
        if !fits {
            return Err(Full);
        }
        self.reserve(size, self.free)?;
        records.iter().try_for_each(|record| self.push(origin, record))
    }

    /// Adds a sample.
    ///
    /// # Errors
    /// [`Full`] where it does not fit any more.
    pub fn push_sample(&mut self, sample: &Sample) -> Result<(), Full> {
        let names = sample.metric.len() + sample.device.len() + sample.direction.len();
        let machines = machine_bytes(&sample.host, sample.guest.as_ref());
        let begins_ns = sample.begins_ns();
        let size = Size {
            body: ROW_OVERHEAD + names + machines,
            header: self.header_bytes(&sample.host, sample.guest.as_ref()),
            stored: stored::sample(sample),
            days: usize::from(self.sample_days.lacks(begins_ns)),
        };
        self.reserve(size, Size::default())?;
        self.use_up(size);
        self.sample_days.add(begins_ns);
        self.latest_ns = self.latest_ns.max(sample.time_ns);
        self.speak_for(&sample.host, sample.guest.as_ref());
        self.samples.push(sample.clone());
        Ok(())
    }

    /// Adds an event.
    ///
    /// # Errors
    /// [`Full`] where it does not fit any more.
    pub fn push_event(&mut self, event: &ShipperEvent) -> Result<(), Full> {
        let size = Size {
            body: ROW_OVERHEAD
                + event.class.len()
                + event.title.len()
                + event.key.len()
                + attribute_bytes(&event.attributes)
                + machine_bytes(&event.host, event.guest.as_ref()),
            header: self.header_bytes(&event.host, event.guest.as_ref()),
            stored: stored::event(event),
            days: usize::from(self.event_days.lacks(event.start_ns)),
        };
        self.reserve(size, Size::default())?;
        self.use_up(size);
        self.event_days.add(event.start_ns);
        self.latest_ns = self.latest_ns.max(event.start_ns).max(event.end_ns.unwrap_or(i64::MIN));
        self.speak_for(&event.host, event.guest.as_ref());
        self.events.push(event.clone());
        Ok(())
    }

    /// Adds a placement.
    ///
    /// # Errors
    /// [`Full`] where it does not fit any more.
    pub fn push_placement(&mut self, placement: &Placement) -> Result<(), Full> {
        let size = Size {
            body: placement_bytes(placement),
            header: self.header_bytes(&placement.host, Some(&placement.guest)),
            stored: stored::placement(placement),
            days: usize::from(self.placement_days.lacks(placement.start_ns)),
        };
        self.reserve(size, Size::default())?;
        self.use_up(size);
        self.placement_days.add(placement.start_ns);
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
        self.used.body + self.dictionary.bytes()
    }

    /// Bytes that the current batch's rows become in the store, as [`Batch::stored_bytes`] counts them.
    pub fn stored_bytes(&self) -> usize {
        self.used.stored
    }

    /// Gives what was pushed as a batch of this identity; the builder is empty afterwards. An empty batch is a
    /// batch, too: it uses up its number. Where the clock was set back since something was read, the batch counts as
    /// sealed when that was read.
    pub fn finish(&mut self, id: BatchId, sealed_time_ns: i64, clock: Clock) -> Batch {
        let mut records = std::mem::take(&mut self.records);
        let text_bytes = self.text.len();
        records.text = std::mem::take(&mut self.text).into();
        self.text.reserve(text_bytes);
        self.in_batch.fill(0);
        self.used = EMPTY;
        let sealed_time_ns = sealed_time_ns.max(std::mem::replace(&mut self.latest_ns, i64::MIN));
        for days in
            [&mut self.record_days, &mut self.sample_days, &mut self.event_days, &mut self.placement_days]
        {
            days.clear();
        }
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

    /// Whether a row of this size fits, and what is to be kept free beside it.
    fn reserve(&self, size: Size, free: Size) -> Result<(), Full> {
        let fits = self.body_bytes() + size.body + free.body <= BATCH_BODY_BYTES_MAX
            && self.used.header + size.header + free.header <= HEADER_BYTES_MAX;
        let is_small = self.used.stored + size.stored + free.stored <= BATCH_STORED_BYTES_MAX
            && (size.days == 0 || self.used.days + size.days + free.days <= BUILT_DAYS_MAX);
        if fits && (is_small || self.again) { Ok(()) } else { Err(Full) }
    }

    fn use_up(&mut self, size: Size) {
        self.used.body += size.body;
        self.used.header += size.header;
        self.used.stored += size.stored;
        self.used.days += size.days;
    }

    /// Bytes by which the header grows with these machines.
    fn header_bytes(&self, host: &Host, guest: Option<&Guest>) -> usize {
        let host_bytes = if self.hosts.contains(host) {
            0
        } else {
            host.name.len() + host.machine_id.len() + MACHINE_OVERHEAD
        };
        let guest = guest.filter(|guest| !self.guests.contains(guest));
        host_bytes + guest.map_or(0, |guest| guest.name.len() + guest.uuid.len() + MACHINE_OVERHEAD)
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
