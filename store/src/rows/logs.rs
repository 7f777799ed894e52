//! Table `logs`: one row per record.

use lastwords_record::batch::BatchId;

use crate::native::{Fixed, LowCardinality, Map, Strings};

/// One record.
#[derive(Debug, Clone, Copy)]
pub struct LogRow<'a, R> {
    /// Corrected time, nanoseconds UTC: what was written plus the clock's offset.
    pub timestamp_ns: i64,
    /// Corrected minus written time, nanoseconds.
    pub clock_offset_ns: i64,
    /// Half the width of the interval in which the corrected time lies, nanoseconds.
    pub clock_uncertainty_ns: u64,
    /// When the shipper read it, nanoseconds UTC.
    pub observed_ns: i64,
    /// OpenTelemetry's number, 0 where unknown.
    pub severity: u8,
    /// The record's bytes.
    pub body: &'a [u8],
    /// Attributes of the origin; equal for all of one origin's records.
    pub resource_attributes: &'a [(String, String)],
    /// The record's own attributes.
    pub log_attributes: R,
    /// The host's name.
    pub host: &'a str,
    /// The guest's name, empty for the host itself.
    pub guest: &'a str,
    /// The guest's UUID or empty.
    pub guest_uuid: &'a str,
    /// Where it was read.
    pub source: &'a str,
    /// The program that wrote it, or empty.
    pub program: &'a str,
    /// The first class recognised in it, or empty.
    pub class: &'a str,
    /// Fingerprint of its message's template.
    pub template: u64,
    /// What the time rests on, as its number.
    pub time_basis: u8,
    /// The batch it came in.
    pub batch: BatchId,
    /// Its place in that batch, from 0.
    pub row: u32,
    /// The store's clock when the insert was planned, seconds.
    pub planned_s: u32,
}

super::block!(
    /// Rows of `logs`; all of one day of `timestamp_ns`.
    LogsBlock, table "logs", {
        timestamp: Fixed<i64> = Fixed::new("DateTime64(9, 'UTC')") => "Timestamp",
        clock_offset: Fixed<i64> = Fixed::new("Int64") => "ClockOffset",
        clock_uncertainty: Fixed<u64> = Fixed::new("UInt64") => "ClockUncertainty",
        observed: Fixed<i64> = Fixed::new("DateTime64(9, 'UTC')") => "ObservedTimestamp",
        severity: Fixed<u8> = Fixed::new("UInt8") => "SeverityNumber",
        body: Strings = Strings::default() => "Body",
        resource_attributes: Map = Map::default() => "ResourceAttributes",
        log_attributes: Map = Map::default() => "LogAttributes",
        host: LowCardinality = LowCardinality::default() => "Host",
        guest: LowCardinality = LowCardinality::default() => "Guest",
        guest_uuid: LowCardinality = LowCardinality::default() => "GuestUuid",
        source: LowCardinality = LowCardinality::default() => "Source",
        program: LowCardinality = LowCardinality::default() => "Program",
        class: LowCardinality = LowCardinality::default() => "Class",
        template: Fixed<u64> = Fixed::new("UInt64") => "Template",
        time_basis: Fixed<u8> = Fixed::new("UInt8") => "TimeBasis",
        shipper: Fixed<[u8; 16]> = Fixed::new("FixedString(16)") => "Shipper",
        epoch: Fixed<u64> = Fixed::new("UInt64") => "Epoch",
        sequence: Fixed<u64> = Fixed::new("UInt64") => "Sequence",
        row: Fixed<u32> = Fixed::new("UInt32") => "Row",
        planned: Fixed<u32> = Fixed::new("DateTime('UTC')") => "Planned",
    }
);

impl LogsBlock {
    /// Adds a record.
    #[inline]
    pub fn push<K: AsRef<str>, V: AsRef<str>, R: Iterator<Item = (K, V)>>(&mut self, row: LogRow<'_, R>) {
        self.rows += 1;
        self.timestamp.push(row.timestamp_ns);
        self.clock_offset.push(row.clock_offset_ns);
        self.clock_uncertainty.push(row.clock_uncertainty_ns);
        self.observed.push(row.observed_ns);
        self.severity.push(row.severity);
        self.body.push(row.body);
        self.resource_attributes.push(row.resource_attributes.iter().map(|(key, value)| (key, value)));
        self.log_attributes.push(row.log_attributes);
        self.host.push(row.host);
        self.guest.push(row.guest);
        self.guest_uuid.push(row.guest_uuid);
        self.source.push(row.source);
        self.program.push(row.program);
        self.class.push(row.class);
        self.template.push(row.template);
        self.time_basis.push(row.time_basis);
        self.shipper.push(row.batch.shipper.0);
        self.epoch.push(row.batch.epoch);
        self.sequence.push(row.batch.sequence);
        self.row.push(row.row);
        self.planned.push(row.planned_s);
    }

    /// Size of the bodies so far, by which a writer bounds its blocks.
    pub fn body_bytes(&self) -> usize {
        self.body.bytes()
    }

    fn size_hint(&self) -> usize {
        // The other columns take about 110 bytes a row with one resource attribute.
        self.body.bytes() + self.rows * 160 + 4096
    }
}
