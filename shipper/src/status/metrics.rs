//! The status in the text format of Prometheus.

use lastwords_runtime::metrics::{Looked, look};

use super::state::{SourceState, Status};

type Value = fn(&SourceState) -> f64;

#[allow(clippy::cast_precision_loss, reason = "counts of bytes and records are far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

#[allow(clippy::cast_precision_loss, reason = "seconds need no more than microseconds")]
fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

/// What is told of each source.
const SOURCES: [(&str, &str, Value); 5] = [
    ("records", "Records read since the start, by source", |source| number(source.records)),
    ("bytes", "Bytes of texts read since the start, by source", |source| number(source.bytes)),
    ("last_read_seconds", "When a source was last read, seconds since 1970; 0: never", |source| {
        seconds(source.last_read_ns)
    }),
    ("source_errors", "How often a source failed since the start", |source| number(source.errors)),
    ("source_failing", "Whether a source fails", |source| f64::from(u8::from(source.failing.is_some()))),
];

impl Status {
    /// In the text format of Prometheus.
    pub fn metrics(&self) -> String {
        let status = self.clone();
        look(move |looked| tell(&status, looked))
    }
}

fn tell(status: &Status, looked: &mut Looked<'_>) {
    let state = status.lock();
    for (name, help, value) in SOURCES {
        let labelled: Vec<([(&str, &str); 1], f64)> = state
            .sources
            .iter()
            .map(|(source, found)| ([("source", source.as_str())], value(found)))
            .collect();
        let values = labelled.iter().map(|(labels, value)| (&labels[..], *value));
        looked.gauges(&format!("lastwords_shipper_{name}"), help, values);
    }
    let files = &state.files;
    let in_flight = &state.in_flight;
    let lag = in_flight
        .oldest_ns
        .map_or(0.0, |oldest_ns| seconds(lastwords_runtime::now_ns() - oldest_ns).max(0.0));
    for (name, help, value) in [
        ("files_followed", "Generations of files that are followed", number(files.followed)),
        ("files_open", "Of these, those with an open descriptor", number(files.open)),
        ("files_open_max", "Files that may be open at once", number(files.open_max)),
        ("files_refused", "Files and folders that are meant and cannot be read", number(files.refused)),
        ("unread_bytes", "Bytes of files that are there and were not read", number(files.unread_bytes)),
        (
            "blank_bytes",
            "NULs of files that a crash has left and that were left out",
            number(files.blank_bytes),
        ),
        ("dropped_records", "Records that rules left out", number(files.dropped)),
        ("redacted_records", "Records in which rules made something unreadable", number(files.redacted)),
        ("throttled", "How often a file had to wait for its share of bytes", number(files.throttled)),
        ("in_flight_batches", "Batches that are not acknowledged", number(in_flight.batches)),
        ("in_flight_bytes", "Their bytes", number(in_flight.bytes)),
        ("lag_seconds", "Age of the oldest batch that is not acknowledged", lag),
        ("connected", "Whether the ingester is reached", f64::from(u8::from(state.is_connected))),
    ] {
        looked.gauge(&format!("lastwords_shipper_{name}"), help, value);
    }
    looked.counter(
        "lastwords_shipper_acknowledged_batches",
        "Batches that are durable on the other side",
        state.acknowledged,
    );
    looked.counter("lastwords_shipper_losses", "Losses that were told as lastwords.loss", state.losses);
    let kinds = state.notices.kinds();
    let labelled: Vec<([(&str, &str); 1], f64)> =
        kinds.iter().map(|(kind, count)| ([("kind", kind.as_str())], number(*count))).collect();
    let values = labelled.iter().map(|(labels, value)| (&labels[..], *value));
    looked.gauges("lastwords_shipper_notices", "What stands in the way of collecting, by kind", values);
}
