//! A block's rows as units: one table and one day each, one `Native` block, inserted as a whole or not at all.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use lastwords_detect::Found;
use lastwords_record::{Batch, BatchId};
use lastwords_store::{
    NativeBlock,
    rows::{
        BatchRow, BatchesBlock, EventRow, EventsBlock, LogRow, LogsBlock, PlacementBlock, PlacementRow, QuarantineBlock,
        QuarantineRow, SampleRow, SamplesBlock, day, storable,
    },
};
use xxhash_rust::xxh3::Xxh3;

/// The tables that rows go to, in the order in which they are written. The ledger is last: what is in it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// What was recognised.
    Events,
    /// Numeric readings.
    Samples,
    /// Which host ran which guest.
    Placement,
    /// What could not be opened or was refused.
    Quarantine,
    /// Records.
    Logs,
    /// The ledger.
    Batches,
}

impl Table {
    /// Every table.
    pub const ALL: [Table; 6] =
        [Table::Events, Table::Samples, Table::Placement, Table::Quarantine, Table::Logs, Table::Batches];

    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Table::Events => EventsBlock::TABLE,
            Table::Samples => SamplesBlock::TABLE,
            Table::Placement => PlacementBlock::TABLE,
            Table::Quarantine => QuarantineBlock::TABLE,
            Table::Logs => LogsBlock::TABLE,
            Table::Batches => BatchesBlock::TABLE,
        }
    }

    /// The column whose day is the partition; none where the table is not partitioned.
    pub fn day_column(self) -> Option<&'static str> {
        match self {
            Table::Events | Table::Placement => Some("Start"),
            Table::Samples | Table::Logs => Some("Timestamp"),
            Table::Quarantine | Table::Batches => None,
        }
    }
}

/// A table and a day (days since 1970, UTC; 0 where the table has no days).
pub type Place = (Table, i64);

/// Which units of batches are stored although the batch is not in the ledger.
pub type Parts = HashMap<BatchId, HashSet<Place>>;

/// A batch on its way to the store.
#[derive(Debug)]
pub struct Taken {
    /// Its identity.
    pub id: BatchId,
    /// Bytes of memory that it holds.
    pub bytes: usize,
    /// What there is of it.
    pub content: Content,
}

/// A batch's content.
#[derive(Debug)]
pub enum Content {
    /// Open, with what was found in it.
    Opened {
        /// The batch.
        batch: Box<Batch>,
        /// Events in its records.
        found: Vec<Found>,
    },
    /// To be set aside.
    Poison {
        /// The envelope.
        envelope: Bytes,
        /// Why.
        reason: String,
    },
}

/// Rows that are inserted together.
#[derive(Debug)]
pub struct Unit {
    /// Where they go.
    pub place: Place,
    /// The batches that have rows in it.
    pub batches: Vec<BatchId>,
    /// The rows.
    pub rows: NativeBlock,
}

/// Rows of one batch as they were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Records.
    pub records: u64,
    /// Bytes of their bodies.
    pub body_bytes: u64,
    /// Events: recognised in records, and reported by the shipper.
    pub events: u64,
    /// 1 where the batch is set aside.
    pub quarantined: u64,
}

impl Taken {
    /// What the batch amounts to.
    pub fn counts(&self) -> Counts {
        match &self.content {
            Content::Opened { batch, found } => Counts {
                records: batch.records.len() as u64,
                body_bytes: batch.records.text.len() as u64,
                // The begin and the end of one event are two reports of it.
                events: (found.len() + reported_events(batch)) as u64,
                quarantined: 0,
            },
            Content::Poison { .. } => Counts { quarantined: 1, ..Counts::default() },
        }
    }
}

/// Builds the units of a block. What `parts` says is stored already is left out.
pub fn units(block: &[Taken], parts: &Parts, planned_s: u32, now_ns: i64) -> Vec<Unit> {
    let mut builder = Builder::default();
    for taken in block {
        let stored = parts.get(&taken.id);
        let wanted = |place: Place| !stored.is_some_and(|stored| stored.contains(&place));
        match &taken.content {
            Content::Opened { batch, found } => {
                builder.events(batch, found, planned_s, &wanted);
                builder.samples(batch, planned_s, &wanted);
                builder.placements(batch, planned_s, &wanted);
                builder.logs(batch, found, planned_s, &wanted);
            }
            Content::Poison { envelope, reason } => {
                if wanted((Table::Quarantine, 0)) {
                    let row = QuarantineRow { batch: taken.id, reason, envelope, time_ns: now_ns, planned_s };
                    builder.quarantine.push(&row);
                    builder.spoke.entry((Table::Quarantine, 0)).or_default().push(taken.id);
                }
            }
        }
        builder.ledger(taken, planned_s, now_ns);
    }
    builder.finish()
}

#[derive(Default)]
struct Builder {
    events: BTreeMap<i64, EventsBlock>,
    samples: BTreeMap<i64, SamplesBlock>,
    placements: BTreeMap<i64, PlacementBlock>,
    logs: BTreeMap<i64, LogsBlock>,
    quarantine: QuarantineBlock,
    ledger: BatchesBlock,
    /// Which batches have rows in which unit, each once, in order.
    spoke: BTreeMap<Place, Vec<BatchId>>,
}

impl Builder {
    fn speaks(&mut self, place: Place, id: BatchId) {
        let batches = self.spoke.entry(place).or_default();
        if batches.last() != Some(&id) {
            batches.push(id);
        }
    }

    fn events(&mut self, batch: &Batch, found: &[Found], planned_s: u32, wanted: &impl Fn(Place) -> bool) {
        let offset = batch.header.clock.offset_ns.unwrap_or(0);
        let ids: Vec<u64> = found.iter().map(|found| found_id(batch.header.id, found)).collect();
        for (found, id) in found.iter().zip(&ids) {
            let row = found.record as usize;
            let Some(origin) = batch.records.origin.get(row).and_then(|o| batch.records.origins.get(*o as usize)) else {
                continue;
            };
            let written = batch.records.time_ns.get(row).copied().unwrap_or(0);
            let start_ns = storable(written.saturating_add(offset));
            let place = (Table::Events, day(start_ns));
            if !wanted(place) {
                continue;
            }
            let (guest, guest_uuid) = origin.guest.as_ref().map_or(("", ""), |g| (&g.name, &g.uuid));
            self.events.entry(place.1).or_default().push(&EventRow {
                id: *id,
                version: 1,
                class: &found.class,
                start_ns,
                end_ns: Some(start_ns),
                host: &origin.host.name,
                guest,
                guest_uuid,
                title: &found.title,
                function: found.function.as_deref().unwrap_or(""),
                fingerprint: found.fingerprint,
                severity: found.severity.as_str(),
                cause: found.cause.and_then(|cause| ids.get(cause)).copied().unwrap_or(0),
                attributes: &found.attributes,
                clock_uncertainty_ns: batch.header.clock.uncertainty_ns,
                rule: &found.rule,
                batch: batch.header.id,
                row: found.record,
                line_start: found.line_start,
                line_end: found.line_end,
                planned_s,
            });
            self.speaks(place, batch.header.id);
        }
        for (number, event) in batch.events.iter().enumerate() {
            let start_ns = storable(event.start_ns.saturating_add(offset));
            let place = (Table::Events, day(start_ns));
            if !wanted(place) {
                continue;
            }
            let (guest, guest_uuid) = event.guest.as_ref().map_or(("", ""), |g| (&g.name, &g.uuid));
            let end_ns = event.end_ns.map(|end| storable(end.saturating_add(offset)).max(start_ns));
            self.events.entry(place.1).or_default().push(&EventRow {
                id: reported_id(event),
                // The end replaces the begin, and a later report an earlier one.
                version: u64::from(end_ns.is_some()) << 63 | batch.header.id.sequence,
                class: &event.class,
                start_ns,
                end_ns,
                host: &event.host.name,
                guest,
                guest_uuid,
                title: &event.title,
                function: "",
                fingerprint: 0,
                severity: event.severity.as_str(),
                cause: 0,
                attributes: &event.attributes,
                clock_uncertainty_ns: batch.header.clock.uncertainty_ns,
                rule: "",
                batch: batch.header.id,
                row: u32::try_from(number).unwrap_or(u32::MAX),
                line_start: 0,
                line_end: 0,
                planned_s,
            });
            self.speaks(place, batch.header.id);
        }
    }

    fn samples(&mut self, batch: &Batch, planned_s: u32, wanted: &impl Fn(Place) -> bool) {
        let offset = batch.header.clock.offset_ns.unwrap_or(0);
        for (number, sample) in batch.samples.iter().enumerate() {
            let timestamp_ns = storable(sample.time_ns.saturating_add(offset));
            let place = (Table::Samples, day(timestamp_ns));
            if !wanted(place) {
                continue;
            }
            let (guest, guest_uuid) = sample.guest.as_ref().map_or(("", ""), |g| (&g.name, &g.uuid));
            self.samples.entry(place.1).or_default().push(&SampleRow {
                timestamp_ns,
                interval_ms: sample.interval_ms,
                host: &sample.host.name,
                guest,
                guest_uuid,
                metric: &sample.metric,
                device: &sample.device,
                direction: &sample.direction,
                minimum: sample.minimum,
                mean: sample.mean,
                maximum: sample.maximum,
                observed_ns: storable(batch.header.sealed_time_ns.saturating_add(offset)),
                batch: batch.header.id,
                row: u32::try_from(number).unwrap_or(u32::MAX),
                planned_s,
            });
            self.speaks(place, batch.header.id);
        }
    }

    fn placements(&mut self, batch: &Batch, planned_s: u32, wanted: &impl Fn(Place) -> bool) {
        let offset = batch.header.clock.offset_ns.unwrap_or(0);
        for (number, placement) in batch.placements.iter().enumerate() {
            let start_ns = storable(placement.start_ns.saturating_add(offset));
            let place = (Table::Placement, day(start_ns));
            if !wanted(place) {
                continue;
            }
            let end_ns = placement.end_ns.map(|end| storable(end.saturating_add(offset)));
            self.placements.entry(place.1).or_default().push(&PlacementRow {
                host: &placement.host.name,
                guest: &placement.guest.name,
                guest_uuid: &placement.guest.uuid,
                start_ns,
                end_ns,
                attributes: &placement.attributes,
                version: u64::from(end_ns.is_some()) << 63 | batch.header.id.sequence,
                batch: batch.header.id,
                row: u32::try_from(number).unwrap_or(u32::MAX),
                planned_s,
            });
            self.speaks(place, batch.header.id);
        }
    }

    fn logs(&mut self, batch: &Batch, found: &[Found], planned_s: u32, wanted: &impl Fn(Place) -> bool) {
        let records = &batch.records;
        let (offset, uncertainty) = (batch.header.clock.offset_ns.unwrap_or(0), batch.header.clock.uncertainty_ns);
        // The first event of a record gives it its class; events come in the order of records.
        let mut classes = found.iter().peekable();
        let mut text_start = 0;
        let columns = records.origin.iter().zip(&records.time_ns).zip(&records.observed_ns).zip(&records.text_end);
        // Records come day by day: the block of the record before is nearly always the one.
        let mut current: Option<(i64, bool)> = None;
        for (row, (((origin, time_ns), observed_ns), text_end)) in columns.enumerate() {
            let number = u32::try_from(row).unwrap_or(u32::MAX);
            let body = records.text.get(text_start..*text_end as usize).unwrap_or_default();
            text_start = *text_end as usize;
            let mut class = "";
            while let Some(found) = classes.next_if(|found| found.record <= number) {
                if found.record == number && class.is_empty() {
                    class = &found.class;
                }
            }
            let Some(origin) = records.origins.get(*origin as usize) else { continue };
            let timestamp_ns = storable(time_ns.saturating_add(offset));
            let today = day(timestamp_ns);
            let is_wanted = match current {
                Some((day, is_wanted)) if day == today => is_wanted,
                _ => {
                    let place = (Table::Logs, today);
                    let is_wanted = wanted(place);
                    current = Some((today, is_wanted));
                    if is_wanted {
                        self.speaks(place, batch.header.id);
                    }
                    is_wanted
                }
            };
            if !is_wanted {
                continue;
            }
            let (guest, guest_uuid) = origin.guest.as_ref().map_or(("", ""), |g| (&g.name, &g.uuid));
            let program = records.program.get(row).and_then(|program| batch.dictionary.get(*program as usize));
            self.logs.entry(today).or_default().push(LogRow {
                timestamp_ns,
                clock_offset_ns: offset,
                clock_uncertainty_ns: uncertainty,
                observed_ns: storable(observed_ns.saturating_add(offset)),
                severity: records.severity.get(row).copied().unwrap_or(0),
                body,
                resource_attributes: &origin.attributes,
                log_attributes: records.attributes(row, &batch.dictionary),
                host: &origin.host.name,
                guest,
                guest_uuid,
                source: origin.source.as_str(),
                program: program.map_or("", String::as_str),
                class,
                time_basis: records.time_basis.get(row).copied().unwrap_or(0),
                batch: batch.header.id,
                row: number,
                planned_s,
            });
        }
    }

    fn ledger(&mut self, taken: &Taken, planned_s: u32, now_ns: i64) {
        let counts = taken.counts();
        let (header, quarantined) = match &taken.content {
            Content::Opened { batch, .. } => (Some(&batch.header), ""),
            Content::Poison { reason, .. } => (None, reason.as_str()),
        };
        let hosts = header.map(|header| header.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(","));
        self.ledger.push(&BatchRow {
            batch: taken.id,
            records: header.map_or(0, |header| header.records),
            samples: header.map_or(0, |header| header.samples),
            events: u32::try_from(counts.events).unwrap_or(u32::MAX),
            placements: header.map_or(0, |header| header.placements),
            bytes: counts.body_bytes,
            hosts: hosts.as_deref().unwrap_or(""),
            quarantined,
            sealed_ns: storable(header.map_or(now_ns, |header| header.sealed_time_ns)),
            stored_ns: storable(now_ns),
            planned_s,
        });
        self.speaks((Table::Batches, 0), taken.id);
    }

    fn finish(mut self) -> Vec<Unit> {
        let mut units = Vec::new();
        for (place, mut batches) in std::mem::take(&mut self.spoke) {
            // A batch whose records go back and forth over midnight spoke more than once.
            batches.sort_unstable();
            batches.dedup();
            let rows = match place.0 {
                Table::Events => self.events.remove(&place.1).map(|block| block.encode()),
                Table::Samples => self.samples.remove(&place.1).map(|block| block.encode()),
                Table::Placement => self.placements.remove(&place.1).map(|block| block.encode()),
                Table::Logs => self.logs.remove(&place.1).map(|block| block.encode()),
                Table::Quarantine => Some(self.quarantine.encode()),
                Table::Batches => Some(self.ledger.encode()),
            };
            units.extend(rows.map(|rows| Unit { place, batches, rows }));
        }
        units
    }
}

/// How many different events a batch reports.
fn reported_events(batch: &Batch) -> usize {
    batch.events.iter().map(reported_id).collect::<HashSet<_>>().len()
}

/// The identity of an event that was recognised in a record: the same batch always gives the same.
fn found_id(batch: BatchId, found: &Found) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&batch.shipper.0);
    for number in [batch.epoch, batch.sequence, u64::from(found.record), u64::from(found.line_start)] {
        hash.update(&number.to_le_bytes());
    }
    hash.update(found.rule.as_bytes());
    hash.digest().max(1)
}

/// The identity of an event that a shipper reported: its begin and its end have the same.
fn reported_id(event: &lastwords_record::ShipperEvent) -> u64 {
    let mut hash = Xxh3::new();
    let guest = event.guest.as_ref();
    let texts = [&event.class, &event.host.name, &event.key];
    for text in texts.into_iter().map(String::as_str).chain(guest.map(|g| g.uuid.as_str())).chain(guest.map(|g| g.name.as_str())) {
        hash.update(text.as_bytes());
        hash.update(&[0]);
    }
    hash.update(&event.start_ns.to_le_bytes());
    hash.digest().max(1)
}
