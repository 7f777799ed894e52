//! Finds events in an opened batch: one scan of its text blob.

use lastwords_detect::{Detector, Found, Provenance};
use lastwords_record::{Batch, Source};

/// What the detector finds in a batch's records, in their order.
pub fn scan(detector: &Detector, batch: &Batch) -> Vec<Found> {
    let records = &batch.records;
    let mut found = Vec::new();
    let provenance = |row: u32| {
        let row = row as usize;
        let stream = records.origin.get(row).copied().unwrap_or_default();
        let program = records.program.get(row).and_then(|word| batch.dictionary.get(*word as usize));
        Provenance {
            source: records.origins.get(stream as usize).map_or(Source::File, |origin| origin.source),
            program: program.map_or("", String::as_str),
            stream,
            time_ns: records.time_ns.get(row).copied(),
        }
    };
    detector.scan(&records.text, &records.text_end, provenance, &mut found);
    found
}
