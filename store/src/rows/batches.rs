//! Table `batches`: the ledger of batches whose rows are all stored. It outlives the rows.

use lastwords_record::batch::BatchId;

use crate::native::{Fixed, LowCardinality, Strings};

/// One stored batch.
#[derive(Debug, Clone, Copy)]
pub struct BatchRow<'a> {
    /// The batch.
    pub batch: BatchId,
    /// Records in it.
    pub records: u32,
    /// Samples in it.
    pub samples: u32,
    /// Events in `events` that come from it, recognised and shipped.
    pub events: u32,
    /// Placements in it.
    pub placements: u32,
    /// Size of its uncompressed body.
    pub bytes: u64,
    /// Names of the hosts it speaks for, a line each.
    pub hosts: &'a str,
    /// Empty, or why the batch is in quarantine.
    pub quarantined: &'a str,
    /// What tells it from another batch under its number; 0: not known.
    pub content: u64,
    /// When the shipper sealed it, nanoseconds UTC.
    pub sealed_ns: i64,
    /// When it was stored, nanoseconds UTC.
    pub stored_ns: i64,
    /// The store's clock when the insert was planned, seconds.
    pub planned_s: u32,
}

super::block!(
    /// Rows of `batches`.
    BatchesBlock, table "batches", {
        shipper: Fixed<[u8; 16]> = Fixed::new("FixedString(16)") => "Shipper",
        epoch: Fixed<u64> = Fixed::new("UInt64") => "Epoch",
        sequence: Fixed<u64> = Fixed::new("UInt64") => "Sequence",
        records: Fixed<u32> = Fixed::new("UInt32") => "Records",
        samples: Fixed<u32> = Fixed::new("UInt32") => "Samples",
        events: Fixed<u32> = Fixed::new("UInt32") => "Events",
        placements: Fixed<u32> = Fixed::new("UInt32") => "Placements",
        bytes: Fixed<u64> = Fixed::new("UInt64") => "Bytes",
        hosts: LowCardinality = LowCardinality::default() => "Hosts",
        host_names: LowCardinality = LowCardinality::default() => "HostNames",
        quarantined: Strings = Strings::default() => "Quarantined",
        content: Fixed<u64> = Fixed::new("UInt64") => "Content",
        sealed: Fixed<i64> = Fixed::new("DateTime64(9, 'UTC')") => "Sealed",
        stored: Fixed<i64> = Fixed::new("DateTime64(9, 'UTC')") => "Stored",
        planned: Fixed<u32> = Fixed::new("DateTime('UTC')") => "Planned",
    }
);

impl BatchesBlock {
    /// Adds a batch.
    pub fn push(&mut self, row: &BatchRow<'_>) {
        self.rows += 1;
        self.shipper.push(row.batch.shipper.0);
        self.epoch.push(row.batch.epoch);
        self.sequence.push(row.batch.sequence);
        self.records.push(row.records);
        self.samples.push(row.samples);
        self.events.push(row.events);
        self.placements.push(row.placements);
        self.bytes.push(row.bytes);
        // A name may have a comma in it, but no line's end. The older column goes on for those who read it.
        match row.hosts.contains('\n') {
            true => self.hosts.push(&row.hosts.replace('\n', ",")),
            false => self.hosts.push(row.hosts),
        }
        self.host_names.push(row.hosts);
        self.quarantined.push(row.quarantined.as_bytes());
        self.content.push(row.content);
        self.sealed.push(row.sealed_ns);
        self.stored.push(row.stored_ns);
        self.planned.push(row.planned_s);
    }

    fn size_hint(&self) -> usize {
        self.rows * 128 + 4096
    }
}
