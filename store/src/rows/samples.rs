//! Table `samples`: readings of counters and gauges, aggregated over an interval.

use lastwords_record::batch::BatchId;

use crate::native::{Fixed, LowCardinality};

/// One aggregate.
#[derive(Debug, Clone, Copy)]
pub struct SampleRow<'a> {
    /// Corrected start of the interval, nanoseconds UTC.
    pub timestamp_ns: i64,
    /// Length of the interval, milliseconds.
    pub interval_ms: u32,
    /// The host's name.
    pub host: &'a str,
    /// The guest's name, empty for the host itself.
    pub guest: &'a str,
    /// The guest's UUID or empty.
    pub guest_uuid: &'a str,
    /// What was measured.
    pub metric: &'a str,
    /// On which device, or empty.
    pub device: &'a str,
    /// In which direction, or empty.
    pub direction: &'a str,
    /// Smallest reading of the interval.
    pub minimum: f64,
    /// Mean of the interval.
    pub mean: f64,
    /// Largest reading of the interval.
    pub maximum: f64,
    /// When the shipper read it, nanoseconds UTC.
    pub observed_ns: i64,
    /// The batch it came in.
    pub batch: BatchId,
    /// Its place among the batch's samples, from 0.
    pub row: u32,
    /// The store's clock when the insert was planned, seconds.
    pub planned_s: u32,
}

super::block!(
    /// Rows of `samples`; all of one day of `timestamp_ns`.
    SamplesBlock, table "samples", {
        timestamp: Fixed<i64> = Fixed::new("DateTime64(9, 'UTC')") => "Timestamp",
        interval_ms: Fixed<u32> = Fixed::new("UInt32") => "IntervalMs",
        host: LowCardinality = LowCardinality::default() => "Host",
        guest: LowCardinality = LowCardinality::default() => "Guest",
        guest_uuid: LowCardinality = LowCardinality::default() => "GuestUuid",
        metric: LowCardinality = LowCardinality::default() => "Metric",
        device: LowCardinality = LowCardinality::default() => "Device",
        direction: LowCardinality = LowCardinality::default() => "Direction",
        minimum: Fixed<f64> = Fixed::new("Float64") => "Minimum",
        mean: Fixed<f64> = Fixed::new("Float64") => "Mean",
        maximum: Fixed<f64> = Fixed::new("Float64") => "Maximum",
        observed: Fixed<i64> = Fixed::new("DateTime64(9, 'UTC')") => "ObservedTimestamp",
        shipper: Fixed<[u8; 16]> = Fixed::new("FixedString(16)") => "Shipper",
        epoch: Fixed<u64> = Fixed::new("UInt64") => "Epoch",
        sequence: Fixed<u64> = Fixed::new("UInt64") => "Sequence",
        row: Fixed<u32> = Fixed::new("UInt32") => "Row",
        planned: Fixed<u32> = Fixed::new("DateTime('UTC')") => "Planned",
    }
);

impl SamplesBlock {
    /// Adds a sample.
    pub fn push(&mut self, row: &SampleRow<'_>) {
        self.rows += 1;
        self.timestamp.push(row.timestamp_ns);
        self.interval_ms.push(row.interval_ms);
        self.host.push(row.host);
        self.guest.push(row.guest);
        self.guest_uuid.push(row.guest_uuid);
        self.metric.push(row.metric);
        self.device.push(row.device);
        self.direction.push(row.direction);
        self.minimum.push(row.minimum);
        self.mean.push(row.mean);
        self.maximum.push(row.maximum);
        self.observed.push(row.observed_ns);
        self.shipper.push(row.batch.shipper.0);
        self.epoch.push(row.batch.epoch);
        self.sequence.push(row.batch.sequence);
        self.row.push(row.row);
        self.planned.push(row.planned_s);
    }

    fn size_hint(&self) -> usize {
        self.rows * 110 + 4096
    }
}
