//! Table `placement`: which host ran a guest, from when to when.

use lastwords_record::batch::BatchId;

use crate::native::{Fixed, LowCardinality, Map, NullableI64};

/// One version of a stay of a guest on a host.
#[derive(Debug, Clone, Copy)]
pub struct PlacementRow<'a> {
    /// The host's name.
    pub host: &'a str,
    /// The guest's name.
    pub guest: &'a str,
    /// The guest's UUID or empty.
    pub guest_uuid: &'a str,
    /// Corrected start, nanoseconds UTC.
    pub start_ns: i64,
    /// Corrected end, nanoseconds UTC; none while it lasts.
    pub end_ns: Option<i64>,
    /// Memory, vCPUs, disks and so on at that time.
    pub attributes: &'a [(String, String)],
    /// A later version of the same stay replaces an earlier one.
    pub version: u64,
    /// The batch it came in.
    pub batch: BatchId,
    /// Its place among the batch's placements, from 0.
    pub row: u32,
    /// The store's clock when the insert was planned, seconds.
    pub planned_s: u32,
}

super::block!(
    /// Rows of `placement`; all of one day of `start_ns`.
    PlacementBlock, table "placement", {
        host: LowCardinality = LowCardinality::default() => "Host",
        guest: LowCardinality = LowCardinality::default() => "Guest",
        guest_uuid: LowCardinality = LowCardinality::default() => "GuestUuid",
        start: Fixed<i64> = Fixed::new("DateTime64(9, 'UTC')") => "Start",
        end: NullableI64 = NullableI64::new("Nullable(DateTime64(9, 'UTC'))") => "End",
        attributes: Map = Map::default() => "Attributes",
        version: Fixed<u64> = Fixed::new("UInt64") => "Version",
        shipper: Fixed<[u8; 16]> = Fixed::new("FixedString(16)") => "Shipper",
        epoch: Fixed<u64> = Fixed::new("UInt64") => "Epoch",
        sequence: Fixed<u64> = Fixed::new("UInt64") => "Sequence",
        row: Fixed<u32> = Fixed::new("UInt32") => "Row",
        planned: Fixed<u32> = Fixed::new("DateTime('UTC')") => "Planned",
    }
);

impl PlacementBlock {
    /// Adds a stay.
    pub fn push(&mut self, row: &PlacementRow<'_>) {
        self.rows += 1;
        self.host.push(row.host);
        self.guest.push(row.guest);
        self.guest_uuid.push(row.guest_uuid);
        self.start.push(row.start_ns);
        self.end.push(row.end_ns);
        self.attributes.push(row.attributes.iter().map(|(key, value)| (key, value)));
        self.version.push(row.version);
        self.shipper.push(row.batch.shipper.0);
        self.epoch.push(row.batch.epoch);
        self.sequence.push(row.batch.sequence);
        self.row.push(row.row);
        self.planned.push(row.planned_s);
    }

    fn size_hint(&self) -> usize {
        self.rows * 256 + 4096
    }
}
