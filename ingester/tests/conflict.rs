//! A number that was used twice, on the real engine: what is the same is acknowledged, what is not is refused.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "helpers of tests assert, too")]

use std::{path::Path, sync::Arc};

use lastwords_detect::Detector;
use lastwords_ingester::{Direct, DirectOptions, Incoming, WriteError};
use lastwords_record::{
    Batch, BatchBuilder, BatchId, Clock, Compression, Host, Origin, RecordRef, ShipperId, Source, TimeBasis,
};
use lastwords_store::{Engine, EngineOptions, Store};

const NOON_NS: i64 = 1_763_640_000_000_000_000;

fn batch(sequence: u64, body: &str, sealed_ns: i64) -> Batch {
    let mut builder = BatchBuilder::new();
    let host = Host { name: "hv01".into(), machine_id: String::new() };
    let origin = builder.origin(&Origin { host, guest: None, source: Source::File, attributes: vec![] });
    let record = RecordRef {
        time_ns: NOON_NS,
        observed_ns: NOON_NS,
        body: body.as_bytes(),
        severity: 9,
        program: "p",
        time_basis: TimeBasis::Line,
        attributes: &[],
    };
    builder.push(origin, &record).unwrap();
    let id = BatchId { shipper: ShipperId::of("hv01", ""), epoch: 3, sequence };
    builder.finish(id, sealed_ns, Clock::default())
}

async fn open(folder: &Path) -> (Store, Direct) {
    let engine = Engine::open(&EngineOptions::new(folder.join("engine")))
        .unwrap_or_else(|error| panic!("run scripts/setup first: {error}"));
    let store = Store::embedded(Arc::new(engine));
    store.migrate().await.unwrap();
    let detector = Arc::new(Detector::built_in());
    let (direct, _) = Direct::start(store.clone(), detector, folder, DirectOptions::default()).await.unwrap();
    (store, direct)
}

/// The engine can be opened once in a process: this is the only test of this file.
#[tokio::test(flavor = "multi_thread")]
async fn another_content_under_a_known_number_is_refused_and_the_same_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (store, direct) = open(folder.path()).await;
    let (first, other) = (batch(1, "one", NOON_NS), batch(1, "two", NOON_NS + 1));
    let submit = |incoming| async { direct.submit(incoming).await.unwrap().await };
    let sealed = |batch: &Batch| Incoming::Sealed(batch.clone().seal(Compression::DEFAULT).unwrap());

    assert!(submit(Incoming::Opened(first.clone())).await.is_ok());
    for again in [Incoming::Opened(first.clone()), sealed(&first)] {
        assert_eq!(submit(again).await.map(|written| written.events), Ok(0));
    }
    for wrong in [Incoming::Opened(other.clone()), sealed(&other)] {
        assert_eq!(submit(wrong).await, Err(WriteError::Conflict));
    }
    // Both under way at once: one of them is stored.
    let (third, fourth) = (batch(2, "three", NOON_NS), batch(2, "four", NOON_NS + 1));
    let answers = tokio::join!(submit(sealed(&third)), submit(sealed(&fourth)));
    assert!(matches!(answers, (Ok(_), Err(WriteError::Conflict)) | (Err(WriteError::Conflict), Ok(_))));

    let id = first.header.id;
    assert_eq!(direct.highest(id.shipper, id.epoch), Some(2));
    assert_eq!(direct.highest(id.shipper, id.epoch + 1), None);
    #[derive(serde::Deserialize)]
    struct Count {
        rows: u64,
    }
    let rows: Vec<Count> = store.rows("SELECT count() AS rows FROM logs").await.unwrap();
    assert_eq!(rows.first().map(|count| count.rows), Some(2));
}
