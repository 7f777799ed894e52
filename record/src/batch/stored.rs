//! What a batch becomes in the store: computed from lengths and indices, before a row is made.
//!
//! Rows refer to names, attributes and origins by an index; in the store each row has them itself. A few bytes here
//! can be gigabytes there. Therefore
//!
//! ```text
//! stored    = records + samples + events + placements
//! records   = sum over records of    160 + body + program + origin + attributes
//! origin    = host's name + guest's name + guest's UUID + attributes        of the record's origin
//! samples   = sum over samples of    160 + host's name + guest's name and UUID + metric + device + direction
//! events    = sum over events of     256 + host's name + guest's name and UUID + class + title + key + attributes
//! placements = sum over placements of 160 + host's name + guest's name and UUID + attributes
//! attributes = sum over them of       16 + key + value
//! ```
//!
//! where a text stands for its bytes, and every text counts as often as a row refers to it: also where the store keeps
//! repeated names once. The sum may be [`BATCH_STORED_BYTES_MAX`](crate::limits::BATCH_STORED_BYTES_MAX) at most.

use super::Batch;
use crate::{Guest, Host, Origin, Placement, RecordRef, Sample, ShipperEvent};

const RECORD: usize = 160;
const SAMPLE: usize = 160;
const EVENT: usize = 256;
const PLACEMENT: usize = 160;
const ATTRIBUTE: usize = 16;

impl Batch {
    /// Bytes that the rows become in all tables together, as the module `batch::stored` defines them. Allocates no
    /// more than a number for each word and origin.
    pub fn stored_bytes(&self) -> usize {
        let samples = self.samples.iter().map(sample);
        let placements = self.placements.iter().map(placement);
        let others = samples.chain(self.events.iter().map(event)).chain(placements);
        others.fold(self.records_bytes(), usize::saturating_add)
    }

    fn records_bytes(&self) -> usize {
        let records = &self.records;
        let words: Vec<usize> = self.dictionary.iter().map(String::len).collect();
        let origins: Vec<usize> = records.origins.iter().map(origin).collect();
        let looked_up = |indices: &[u32], lengths: &[usize]| {
            let length = |index: &u32| lengths.get(*index as usize).copied().unwrap_or(0);
            indices.iter().map(length).fold(0, usize::saturating_add)
        };
        [
            records.len().saturating_mul(RECORD),
            records.text.len(),
            looked_up(&records.origin, &origins),
            looked_up(&records.program, &words),
            records.attribute_key.len().saturating_mul(ATTRIBUTE),
            looked_up(&records.attribute_key, &words),
            looked_up(&records.attribute_value, &words),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}

/// A record of an origin that counts so much.
pub(super) fn record(record: &RecordRef<'_>, origin: usize) -> usize {
    let attribute = |(key, value): &(&str, &str)| ATTRIBUTE + key.len() + value.len();
    RECORD
        + record.body.len()
        + record.program.len()
        + origin
        + record.attributes.iter().map(attribute).sum::<usize>()
}

pub(super) fn origin(origin: &Origin) -> usize {
    machines(&origin.host, origin.guest.as_ref()) + attributes(&origin.attributes)
}

pub(super) fn sample(sample: &Sample) -> usize {
    SAMPLE
        + machines(&sample.host, sample.guest.as_ref())
        + sample.metric.len()
        + sample.device.len()
        + sample.direction.len()
}

pub(super) fn event(event: &ShipperEvent) -> usize {
    EVENT
        + machines(&event.host, event.guest.as_ref())
        + event.class.len()
        + event.title.len()
        + event.key.len()
        + attributes(&event.attributes)
}

pub(super) fn placement(placement: &Placement) -> usize {
    PLACEMENT + machines(&placement.host, Some(&placement.guest)) + attributes(&placement.attributes)
}

fn machines(host: &Host, guest: Option<&Guest>) -> usize {
    host.name.len() + guest.map_or(0, |guest| guest.name.len() + guest.uuid.len())
}

fn attributes(attributes: &[(String, String)]) -> usize {
    attributes.iter().map(|(key, value)| ATTRIBUTE + key.len() + value.len()).sum()
}
