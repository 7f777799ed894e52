//! Recognised events as rows of the store, when a batch is stored and when it is looked at again.

use std::collections::BTreeMap;

use lastwords_detect::Found;
use lastwords_record::{Batch, Guest, ShipperEvent};
use lastwords_store::{
    NativeBlock,
    rows::{EventRow, EventsBlock, day},
};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::footprint::offset_ns;

/// Recognised events as rows.
pub(super) fn found_rows<'a>(
    batch: &'a Batch,
    found: &'a [Found],
    ids: &'a [u64],
    planned_s: u32,
) -> impl Iterator<Item = EventRow<'a>> {
    let records = &batch.records;
    let offset_ns = offset_ns(batch);
    found.iter().zip(ids).filter_map(move |(event, id)| {
        let row = event.record as usize;
        let origin = records.origins.get(*records.origin.get(row)? as usize)?;
        let start_ns = records.time_ns.get(row)?.saturating_add(offset_ns);
        let (guest, guest_uuid) = guest(origin.guest.as_ref());
        Some(EventRow {
            id: *id,
            version: 1,
            class: &event.class,
            start_ns,
            end_ns: Some(start_ns),
            host: &origin.host.name,
            guest,
            guest_uuid,
            title: &event.title,
            function: event.function.as_deref().unwrap_or(""),
            fingerprint: event.fingerprint,
            severity: event.severity.as_str(),
            cause: event.cause.and_then(|cause| ids.get(cause)).copied().unwrap_or(0),
            attributes: &event.attributes,
            clock_uncertainty_ns: batch.header.clock.uncertainty_ns,
            rule: &event.rule,
            batch: batch.header.id,
            row: event.record,
            line_start: event.line_start,
            line_end: event.line_end,
            planned_s,
        })
    })
}

/// An event that was recognised in a stored record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFound {
    /// Corrected start, nanoseconds UTC.
    pub start_ns: i64,
    /// Its class.
    pub class: String,
    /// info, warning, error, critical.
    pub severity: String,
    /// The host's name.
    pub host: String,
    /// The guest's name, empty for the host itself.
    pub guest: String,
    /// What happened, in a line.
    pub title: String,
    /// The rule that found it.
    pub rule: String,
}

/// Collects events of stored batches that are not stored themselves.
#[derive(Debug, Default)]
pub(crate) struct FoundAgain {
    blocks: BTreeMap<i64, EventsBlock>,
    events: Vec<EventFound>,
}

impl FoundAgain {
    /// Adds those of a batch that `lacks` says of, by their id and start.
    pub fn add(&mut self, batch: &Batch, found: &[Found], planned_s: u32, lacks: impl Fn(u64, i64) -> bool) {
        let ids = event_ids(batch, found);
        for row in found_rows(batch, found, &ids, planned_s).filter(|row| lacks(row.id, row.start_ns)) {
            self.blocks.entry(day(row.start_ns)).or_default().push(&row);
            self.events.push(EventFound {
                start_ns: row.start_ns,
                class: row.class.to_owned(),
                severity: row.severity.to_owned(),
                host: row.host.to_owned(),
                guest: row.guest.to_owned(),
                title: row.title.to_owned(),
                rule: row.rule.to_owned(),
            });
        }
    }

    /// Blocks of the events table, one a day, and the events.
    pub fn finish(self) -> (Vec<NativeBlock>, Vec<EventFound>) {
        (self.blocks.into_values().map(|block| block.encode()).collect(), self.events)
    }
}

/// Ids of recognised events: the same batch gives the same ones when it comes again.
pub(super) fn event_ids(batch: &Batch, found: &[Found]) -> Vec<u64> {
    let id = batch.header.id;
    let mut hash = Xxh3::new();
    let one = |event: &Found| {
        hash.reset();
        hash.update(&id.shipper.0);
        hash.update(&id.epoch.to_le_bytes());
        hash.update(&id.sequence.to_le_bytes());
        hash.update(&event.record.to_le_bytes());
        hash.update(&event.line_start.to_le_bytes());
        hash.update(event.rule.as_bytes());
        hash.digest()
    };
    found.iter().map(one).collect()
}

/// Id of a shipper's own event: the report of its end gives the same one.
pub(super) fn shipped_id(event: &ShipperEvent) -> u64 {
    let mut hash = Xxh3::new();
    let (guest, guest_uuid) = guest(event.guest.as_ref());
    for part in [&event.class, &event.host.name, &event.host.machine_id, guest, guest_uuid, &event.key] {
        hash.update(part.as_bytes());
        hash.update(&[0]);
    }
    hash.update(&event.start_ns.to_le_bytes());
    hash.digest()
}

/// A guest's name and UUID, empty where there is none.
pub(super) fn guest(guest: Option<&Guest>) -> (&str, &str) {
    guest.map_or(("", ""), |guest| (&guest.name, &guest.uuid))
}
