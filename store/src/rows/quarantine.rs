//! Table `quarantine`: batches that cannot be opened or that the store refuses, whole, with the reason.

use lastwords_record::batch::BatchId;

use crate::native::{Fixed, Strings};

/// One batch that was set aside.
#[derive(Debug, Clone, Copy)]
pub struct QuarantineRow<'a> {
    /// The batch, as far as its header could be read (zeros otherwise).
    pub batch: BatchId,
    /// Why, for people.
    pub reason: &'a str,
    /// The bytes as they came.
    pub envelope: &'a [u8],
    /// When, nanoseconds UTC.
    pub time_ns: i64,
    /// The store's clock when the insert was planned, seconds.
    pub planned_s: u32,
}

super::block!(
    /// Rows of `quarantine`.
    QuarantineBlock, table "quarantine", {
        time: Fixed<i64> = Fixed::new("DateTime64(9, 'UTC')") => "Time",
        shipper: Fixed<[u8; 16]> = Fixed::new("FixedString(16)") => "Shipper",
        epoch: Fixed<u64> = Fixed::new("UInt64") => "Epoch",
        sequence: Fixed<u64> = Fixed::new("UInt64") => "Sequence",
        reason: Strings = Strings::default() => "Reason",
        envelope: Strings = Strings::default() => "Envelope",
        planned: Fixed<u32> = Fixed::new("DateTime('UTC')") => "Planned",
    }
);

impl QuarantineBlock {
    /// Adds a batch.
    pub fn push(&mut self, row: &QuarantineRow<'_>) {
        self.rows += 1;
        self.time.push(row.time_ns);
        self.shipper.push(row.batch.shipper.0);
        self.epoch.push(row.batch.epoch);
        self.sequence.push(row.batch.sequence);
        self.reason.push(row.reason.as_bytes());
        self.envelope.push(row.envelope);
        self.planned.push(row.planned_s);
    }

    fn size_hint(&self) -> usize {
        self.envelope.bytes() + self.reason.bytes() + self.rows * 64 + 4096
    }
}
