//! Table `events`: what was recognised in records or samples. The highest version of an id counts.

use lastwords_record::batch::BatchId;

use crate::native::{Fixed, LowCardinality, Map, NullableI64, Strings};

/// One version of an event.
#[derive(Debug, Clone)]
pub struct EventRow<'a> {
    /// Hash of what makes it the same event.
    pub id: u64,
    /// A later version of the same event replaces an earlier one.
    pub version: u64,
    /// Its class, a dotted name.
    pub class: &'a str,
    /// Corrected start, nanoseconds UTC.
    pub start_ns: i64,
    /// Corrected end, nanoseconds UTC; none while it lasts.
    pub end_ns: Option<i64>,
    /// The host's name.
    pub host: &'a str,
    /// The guest's name, empty for the host itself.
    pub guest: &'a str,
    /// The guest's UUID or empty.
    pub guest_uuid: &'a str,
    /// One line for people.
    pub title: &'a str,
    /// The function in which it happened, or empty.
    pub function: &'a str,
    /// Equal for equal crashes on different machines.
    pub fingerprint: u64,
    /// info, warning, error, critical.
    pub severity: &'a str,
    /// Id of the event that led to it, 0 for none.
    pub cause: u64,
    /// Kernel, taint, process, trace and what else was captured.
    pub attributes: &'a [(String, String)],
    /// Half the width of the interval in which the corrected times lie, nanoseconds.
    pub clock_uncertainty_ns: u64,
    /// Name of the rule that recognised it, empty for a shipper's own.
    pub rule: &'a str,
    /// The batch it came in.
    pub batch: BatchId,
    /// The record in that batch, from 0.
    pub row: u32,
    /// First line of the evidence within the record, from 0.
    pub line_start: u32,
    /// Last line of the evidence within the record.
    pub line_end: u32,
    /// The store's clock when the insert was planned, seconds.
    pub planned_s: u32,
}

super::block!(
    /// Rows of `events`; all of one day of `start_ns`.
    EventsBlock, table "events", {
        id: Fixed<u64> = Fixed::new("UInt64") => "Id",
        version: Fixed<u64> = Fixed::new("UInt64") => "Version",
        class: LowCardinality = LowCardinality::default() => "Class",
        start: Fixed<i64> = Fixed::new("DateTime64(9, 'UTC')") => "Start",
        end: NullableI64 = NullableI64::new("Nullable(DateTime64(9, 'UTC'))") => "End",
        host: LowCardinality = LowCardinality::default() => "Host",
        guest: LowCardinality = LowCardinality::default() => "Guest",
        guest_uuid: LowCardinality = LowCardinality::default() => "GuestUuid",
        title: Strings = Strings::default() => "Title",
        function: Strings = Strings::default() => "Function",
        fingerprint: Fixed<u64> = Fixed::new("UInt64") => "Fingerprint",
        severity: LowCardinality = LowCardinality::default() => "Severity",
        cause: Fixed<u64> = Fixed::new("UInt64") => "Cause",
        attributes: Map = Map::default() => "Attributes",
        clock_uncertainty: Fixed<u64> = Fixed::new("UInt64") => "ClockUncertainty",
        rule: LowCardinality = LowCardinality::default() => "Rule",
        shipper: Fixed<[u8; 16]> = Fixed::new("FixedString(16)") => "Shipper",
        epoch: Fixed<u64> = Fixed::new("UInt64") => "Epoch",
        sequence: Fixed<u64> = Fixed::new("UInt64") => "Sequence",
        row: Fixed<u32> = Fixed::new("UInt32") => "Row",
        line_start: Fixed<u32> = Fixed::new("UInt32") => "LineStart",
        line_end: Fixed<u32> = Fixed::new("UInt32") => "LineEnd",
        planned: Fixed<u32> = Fixed::new("DateTime('UTC')") => "Planned",
    }
);

impl EventsBlock {
    /// Adds an event.
    pub fn push(&mut self, row: &EventRow<'_>) {
        self.rows += 1;
        self.id.push(row.id);
        self.version.push(row.version);
        self.class.push(row.class);
        self.start.push(row.start_ns);
        self.end.push(row.end_ns);
        self.host.push(row.host);
        self.guest.push(row.guest);
        self.guest_uuid.push(row.guest_uuid);
        self.title.push(row.title.as_bytes());
        self.function.push(row.function.as_bytes());
        self.fingerprint.push(row.fingerprint);
        self.severity.push(row.severity);
        self.cause.push(row.cause);
        self.attributes.push(row.attributes.iter().map(|(key, value)| (key, value)));
        self.clock_uncertainty.push(row.clock_uncertainty_ns);
        self.rule.push(row.rule);
        self.shipper.push(row.batch.shipper.0);
        self.epoch.push(row.batch.epoch);
        self.sequence.push(row.batch.sequence);
        self.row.push(row.row);
        self.line_start.push(row.line_start);
        self.line_end.push(row.line_end);
        self.planned.push(row.planned_s);
    }

    fn size_hint(&self) -> usize {
        self.rows * 512 + 4096
    }
}
