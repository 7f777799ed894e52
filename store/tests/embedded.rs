//! The store on the real engine. One process can open one data folder, so each test has to run in a process of its
//! own: `cargo nextest run -p lastwords-store`.

use std::sync::Arc;

use lastwords_record::batch::{BatchId, ShipperId};
use lastwords_store::rows::{LogRow, LogsBlock};
use lastwords_store::{Engine, EngineOptions, InsertError, Inserting, Store};

/// A store on a fresh folder. Fails where the engine is missing, with a message that says how to get it.
async fn fresh() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(&EngineOptions::new(folder.path().join("engine"))).unwrap_or_else(|error| panic!("{error}"));
    let store = Store::embedded(Arc::new(engine));
    store.migrate().await.unwrap_or_else(|error| panic!("{error}"));
    (folder, store)
}

fn batch(sequence: u64) -> BatchId {
    BatchId { shipper: ShipperId::of("web01", "id"), epoch: 7, sequence }
}

fn log<'a>(body: &'a [u8], row: u32, planned_s: u32) -> LogRow<'a, std::iter::Empty<(&'static str, &'static str)>> {
    LogRow {
        timestamp_ns: 1_700_000_000_000_000_000 + i64::from(row),
        clock_offset_ns: 0,
        clock_uncertainty_ns: 0,
        observed_ns: 1_700_000_001_000_000_000,
        severity: 9,
        body,
        resource_attributes: &[],
        log_attributes: std::iter::empty(),
        host: "web01",
        guest: "",
        guest_uuid: "",
        source: "file",
        program: "nginx",
        class: "",
        time_basis: 1,
        batch: batch(1),
        row,
        planned_s,
    }
}

async fn count(store: &Store, sql: &str) -> u64 {
    #[derive(serde::Deserialize)]
    struct Count {
        n: u64,
    }
    let rows: Vec<Count> = store.rows(&format!("SELECT count() AS n FROM {sql}")).await.unwrap();
    rows[0].n
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_a_block_in_once() {
    let (_folder, store) = fresh().await;
    assert_eq!(store.migrate().await.unwrap(), 0, "a second migration finds nothing to do");
    let planned = store.planning_time_s().await.unwrap();
    let mut block = LogsBlock::new();
    for row in 0..1000 {
        block.push(log(b"a line", row, planned));
    }
    let inserting = Inserting { token: Some("t1".into()), ..Inserting::default() };
    for _ in 0..2 {
        store.insert_native(LogsBlock::TABLE, block.encode(), &inserting).await.unwrap();
    }
    assert_eq!(count(&store, "logs").await, 1000);
    let other = Inserting { token: Some("t2".into()), ..Inserting::default() };
    store.insert_native(LogsBlock::TABLE, block.encode(), &other).await.unwrap();
    assert_eq!(count(&store, "logs").await, 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_inserts_are_refused_and_do_not_burn_their_token() {
    let (_folder, store) = fresh().await;
    let planned = store.planning_time_s().await.unwrap();
    let insert = async |planned_s: u32| {
        let mut block = LogsBlock::new();
        block.push(log(b"a line", 0, planned_s));
        let inserting = Inserting { token: Some("t1".into()), ..Inserting::default() };
        store.insert_native(LogsBlock::TABLE, block.encode(), &inserting).await
    };
    // Planned over a minute ago, or before the engine was started: both hold for this one.
    for late in [planned - 100, planned - 30] {
        let refused = insert(late).await;
        assert!(matches!(refused, Err(InsertError::TooLate { .. })), "{refused:?}");
    }
    assert_eq!(count(&store, "logs").await, 0);
    insert(planned).await.unwrap();
    assert_eq!(count(&store, "logs").await, 1);
}
