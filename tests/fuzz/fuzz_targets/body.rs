//! Whatever body a header with the right hash and counts comes with: `open` alone would never get past the hash.
//! `cargo +nightly fuzz run body -- -max_total_time=60` in `record/`.
#![no_main]

use bytes::Bytes;
use lastwords_proto::v1;
use lastwords_record::{Batch, Compression};
use prost::Message;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let Ok(wire) = v1::BatchBody::decode(body) else { return };
    let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
    let header = v1::BatchHeader {
        format_version: 0x0001_0001,
        shipper: vec![7; 16],
        sequence: 1,
        hosts: vec![v1::Host { name: "hv01".to_owned(), machine_id: String::new() }],
        guests: vec![v1::Guest { name: "web01".to_owned(), uuid: String::new() }],
        body_bytes: count(body.len()),
        body_hash: xxhash_rust::xxh3::xxh3_64(body),
        records: count(wire.records.map_or(0, |records| records.origin.len())),
        samples: count(wire.samples.map_or(0, |samples| samples.time_delta_ns.len())),
        events: count(wire.events.map_or(0, |events| events.events.len())),
        placements: count(wire.placements.map_or(0, |placements| placements.placements.len())),
        ..v1::BatchHeader::default()
    }
    .encode_to_vec();
    let mut envelope = b"LWB1".to_vec();
    envelope.extend(count(header.len()).to_le_bytes());
    envelope.extend(header);
    envelope.extend(body);
    let Ok(batch) = Batch::open(&Bytes::from(envelope)) else { return };
    // What it becomes is bounded, and no row says otherwise.
    let stored_bytes = batch.stored_bytes();
    assert!(stored_bytes <= lastwords_record::limits::BATCH_STORED_BYTES_MAX);
    let attributes =
        (0..batch.records.len()).flat_map(|row| batch.records.attributes(row, &batch.dictionary));
    let texts: usize = attributes.map(|(key, value)| key.len() + value.len()).sum();
    assert!(texts + batch.records.text.len() <= stored_bytes);
    for row in 0..batch.records.len() {
        let _ = (batch.records.body(row), batch.records.attributes(row, &batch.dictionary).count());
    }
    if let Ok(sealed) = batch.seal(Compression::DEFAULT) {
        let again = Batch::open(&sealed).expect("what was sealed opens");
        assert_eq!(again.records.text, batch.records.text);
        assert_eq!(again.stored_bytes(), stored_bytes);
    }
});
