//! What tells one content from another under the same number.

use xxhash_rust::xxh3::Xxh3;

use super::Batch;

impl Batch {
    /// A hash of what the batch holds, whatever its number is. The same batch formed again has the same; one that another
    /// machine sealed under the same number has another, be it only for the nanosecond at which it was sealed. Never 0.
    pub fn content_hash(&self) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&self.header.sealed_time_ns.to_le_bytes());
        let rows = [self.records.len(), self.samples.len(), self.events.len(), self.placements.len()];
        rows.iter().for_each(|rows| hash.update(&(*rows as u64).to_le_bytes()));
        hash.update(self.records.text.as_ref());
        for times in [&self.records.time_ns, &self.records.observed_ns] {
            times.iter().for_each(|time| hash.update(&time.to_le_bytes()));
        }
        for sample in &self.samples {
            hash.update(&sample.time_ns.to_le_bytes());
            hash.update(&sample.mean.to_bits().to_le_bytes());
        }
        for event in &self.events {
            for text in [&event.class, &event.key, &event.title] {
                hash.update(&(text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
        }
        for placement in &self.placements {
            hash.update(placement.guest.name.as_bytes());
            hash.update(&[0]);
        }
        hash.digest().max(1)
    }
}

#[cfg(test)]
mod tests {
    use crate::{BatchBuilder, BatchId, Clock, Host, Origin, RecordRef, ShipperId, Source, TimeBasis};

    #[test]
    fn another_text_and_another_moment_are_other_contents_and_another_number_is_not() {
        let batch = |sequence: u64, sealed_ns: i64, body: &[u8]| {
            let mut builder = BatchBuilder::new();
            let origin = builder.origin(&Origin {
                host: Host::default(),
                guest: None,
                source: Source::File,
                attributes: Vec::new(),
            });
            let record = RecordRef {
                time_ns: 1,
                observed_ns: 2,
                body,
                severity: 0,
                program: "",
                time_basis: TimeBasis::Observed,
                attributes: &[],
            };
            builder.push(origin, &record).unwrap();
            let id = BatchId { shipper: ShipperId([1; 16]), epoch: 1, sequence };
            builder.finish(id, sealed_ns, Clock::default()).content_hash()
        };
        let hash = batch(1, 5, b"one");
        assert_eq!(hash, batch(2, 5, b"one"));
        assert_ne!(hash, batch(1, 6, b"one"));
        assert_ne!(hash, batch(1, 5, b"two"));
    }
}
