//! Finds events in an opened batch: one scan of its text blob.

use lastwords_detect::{Detector, Found};
use lastwords_record::{Batch, Source};

/// What the detector finds in a batch's records, in their order.
pub fn scan(detector: &Detector, batch: &Batch) -> Vec<Found> {
    let records = &batch.records;
    let mut found = Vec::new();
    let source = |row: u32| {
        let origin =
            records.origin.get(row as usize).and_then(|origin| records.origins.get(*origin as usize));
        origin.map_or(Source::File, |origin| origin.source)
    };
    detector.scan(&records.text, &records.text_end, source, &mut found);
    found
}
