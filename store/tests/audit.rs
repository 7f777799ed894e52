//! The audit of the ledger against the rows, on the real engine.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail as the test does"
)]

mod support;

use lastwords_record::batch::{BatchId, ShipperId};
use lastwords_store::{Depth, Store};
use support::fresh;

const SHIPPER: ShipperId = ShipperId([7; 16]);
/// Records of each batch.
const RECORDS: u64 = 3;

fn id(sequence: u64) -> BatchId {
    BatchId { shipper: SHIPPER, epoch: 1, sequence }
}

/// Stores batches whole, each with three records of `ago` days ago.
async fn insert(store: &Store, first: u64, batches: u64, ago: u32) {
    let key = format!("unhex('{SHIPPER}'), 1, number + {first}");
    let rows = format!(
        "INSERT INTO logs (Timestamp, ObservedTimestamp, Host, Body, Shipper, Epoch, Sequence, Row, Planned) \
         SELECT now64(9) - toIntervalDay({ago}), now64(9), 'hv01', 'x', {key}, row, now() + 5 \
         FROM numbers({batches}) ARRAY JOIN range({RECORDS}) AS row"
    );
    let ledger = format!(
        "INSERT INTO batches (Shipper, Epoch, Sequence, Records, HostNames, Sealed, Planned) \
         SELECT {key}, {RECORDS}, 'hv01', now64(9), now() + 5 FROM numbers({batches})"
    );
    for sql in [rows, ledger] {
        store.execute(&sql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_gone_are_found_by_batch_and_can_be_stored_again() {
    let (_folder, store) = fresh().await;
    insert(&store, 1, 5_000, 2).await;
    insert(&store, 5_001, 100, 1).await;
    for depth in [Depth::Sums, Depth::Chunks] {
        let audit = store.audit(depth).await.unwrap();
        assert_eq!((audit.batches, audit.missing.len(), audit.unknown.len()), (5_100, 0, 0));
    }
    // One of the days is lost, and one record.
    for gone in ["Sequence > 5000", "Sequence = 9 AND Row = 1"] {
        let delete = format!("ALTER TABLE logs DELETE WHERE {gone}");
        store.execute_with(&delete, &[("mutations_sync", "2")]).await.unwrap();
    }
    for depth in [Depth::Sums, Depth::Chunks] {
        let audit = store.audit(depth).await.unwrap();
        let ranges: Vec<(u64, u64, String, u64)> = audit
            .missing_ranges()
            .into_iter()
            .map(|(range, hosts, records)| (range.first, range.last, hosts, records))
            .collect();
        let hosts = "hv01".to_owned();
        assert_eq!(ranges, [(9, 9, hosts.clone(), 1), (5_001, 5_100, hosts, 300)]);
        assert_eq!(audit.missing_records(), 301);
    }
    let audit = store.audit(Depth::Chunks).await.unwrap();
    store.note_audit(&audit).await.unwrap();
    assert_eq!(store.contents().await.unwrap().missing_batches, 101);
    for _ in 0..2 {
        store.repair(&audit).await.unwrap();
        let mut repaired = store.repaired_batches().await.unwrap();
        repaired.sort_by_key(|id| id.sequence);
        assert_eq!((repaired.len(), repaired[0], repaired[1]), (101, id(9), id(5_001)));
        let known: u64 = store
            .stored_ledger()
            .await
            .unwrap()
            .ranges
            .iter()
            .map(|range| range.last - range.first + 1)
            .sum();
        assert_eq!(known, 4_999);
    }
    // What has come again is repaired; of batch 9 two records are left, and it is expected.
    insert(&store, 5_001, 100, 1).await;
    assert_eq!(store.repaired_batches().await.unwrap(), [id(9)]);
    let audit = store.audit(Depth::Chunks).await.unwrap();
    assert_eq!((audit.missing.len(), audit.unknown.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_the_ledger_has_lost_are_entered_again_by_their_rows() {
    let (_folder, store) = fresh().await;
    insert(&store, 1, 50, 0).await;
    let hour = "ALTER TABLE logs UPDATE Planned = now() - 7200 WHERE true";
    store.execute_with(hour, &[("mutations_sync", "2")]).await.unwrap();
    let lost = "ALTER TABLE batches DELETE WHERE Sequence > 40";
    store.execute_with(lost, &[("mutations_sync", "2")]).await.unwrap();
    let audit = store.audit(Depth::Sums).await.unwrap();
    assert_eq!((audit.missing.len(), audit.unknown.len(), audit.unknown[0]), (0, 10, id(41)));
    store.repair(&audit).await.unwrap();
    let audit = store.audit(Depth::Chunks).await.unwrap();
    assert_eq!((audit.batches, audit.missing.len(), audit.unknown.len()), (50, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_an_entry_are_found_with_their_days() {
    let (_folder, store) = fresh().await;
    insert(&store, 1, 3, 1).await;
    store
        .execute_with("ALTER TABLE batches DELETE WHERE Sequence = 2", &[("mutations_sync", "2")])
        .await
        .unwrap();
    let newest_s = store.stored_ledger().await.unwrap().newest_planned_s;
    let found = store
        .rows_without_ledger("logs", Some("Timestamp"), newest_s - 900, |known| *known != id(2))
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    let today = i64::from(newest_s) / 86_400;
    assert!(found[0].0 == id(2) && [today - 1, today - 2].contains(&found[0].1), "{found:?}");
    assert_eq!(
        store.rows_without_ledger("logs", Some("Timestamp"), newest_s + 900, |_| false).await.unwrap(),
        []
    );
    assert_eq!(store.rows_without_ledger("quarantine", None, 0, |_| false).await.unwrap(), []);
}
