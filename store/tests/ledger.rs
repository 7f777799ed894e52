//! The ledger's numbers as the store gives them back, on the real engine.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail as the test does"
)]

mod support;

use lastwords_record::batch::{BatchId, ShipperId};
use lastwords_store::{Depth, RemoteOptions, Store, StoredContent, StoredRange, serve_port};
use support::{fresh, port_of};
use tokio::net::TcpListener;

const SHIPPER: ShipperId = ShipperId([7; 16]);

fn id(epoch: u64, sequence: u64) -> BatchId {
    BatchId { shipper: SHIPPER, epoch, sequence }
}

async fn insert(store: &Store, epoch: u64, numbers: &str) {
    let sql = format!(
        "INSERT INTO batches (Shipper, Epoch, Sequence, Records, Content, Stored, Planned) \
         SELECT unhex('{SHIPPER}'), {epoch}, number, 10, number * 1000003, now64(9), now() + 5 FROM ({numbers})"
    );
    store.execute(&sql).await.unwrap();
}

/// The numbers of an epoch, as ranges that neither touch nor overlap.
fn ranges(found: &[StoredRange], epoch: u64) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> =
        found.iter().filter(|range| range.epoch == epoch).map(|range| (range.first, range.last)).collect();
    ranges.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some((_, end)) if first <= *end + 1 => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    joined
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_come_back_as_ranges_whose_gaps_are_exact() {
    let (_folder, store) = fresh().await;
    insert(&store, 1, "SELECT number + 1 AS number FROM numbers(10000)").await;
    // In two inserts, out of order, with gaps within a chunk and at its border.
    insert(&store, 2, "SELECT number + 5000 AS number FROM numbers(3192)").await;
    insert(&store, 2, "SELECT number + 1 AS number FROM numbers(4097) WHERE number NOT IN (6, 7, 4000)")
        .await;
    let top = u64::MAX - 3;
    insert(&store, 3, &format!("SELECT toUInt64({top}) + number AS number FROM numbers(4)")).await;
    for _ in 0..2 {
        let found = store.stored_ledger().await.unwrap();
        assert!(found.newest_planned_s > 1_700_000_000, "{}", found.newest_planned_s);
        assert!(found.ranges.iter().all(|range| range.shipper == SHIPPER));
        assert_eq!(ranges(&found.ranges, 1), [(1, 10_000)]);
        assert_eq!(ranges(&found.ranges, 2), [(1, 5), (8, 3999), (4001, 4097), (5000, 8191)]);
        assert_eq!(ranges(&found.ranges, 3), [(top, u64::MAX)]);
        // The same once its parts have been merged.
        store.execute("OPTIMIZE TABLE batches FINAL").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_reads_chunks_and_not_batches() {
    #[derive(serde::Deserialize)]
    struct Read {
        read: u64,
    }
    let (_folder, store) = fresh().await;
    insert(&store, 1, "SELECT number + 1 AS number FROM numbers(400000)").await;
    store.execute("OPTIMIZE TABLE batches FINAL").await.unwrap();
    assert_eq!(ranges(&store.stored_ledger().await.unwrap().ranges, 1), [(1, 400_000)]);
    store.execute("SYSTEM FLUSH LOGS").await.unwrap();
    let plan: Vec<serde_json::Value> = store
        .rows(
            "EXPLAIN SELECT Shipper, Epoch, min(Sequence), max(Sequence), count(), sum(Sequence), sum(Records), \
             max(Planned) FROM batches GROUP BY Shipper, Epoch, intDiv(Sequence, 4096)",
        )
        .await
        .unwrap();
    let plan = serde_json::to_string(&plan).unwrap();
    assert!(plan.contains("chunks"), "the projection is not used: {plan}");
    let rows: Vec<Read> = store
        .rows("SELECT sum(rows) AS read FROM system.projection_parts WHERE active AND table = 'batches'")
        .await
        .unwrap();
    assert!(rows[0].read <= 400_000 / 4096 + 2, "{} rows are read", rows[0].read);
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_come_back_by_number_and_folded_ones_by_what_is_left_of_them() {
    let (_folder, store) = fresh().await;
    insert(&store, 1, "SELECT number + 100 AS number FROM numbers(50) WHERE number != 107").await;
    store
        .execute(&format!(
            "INSERT INTO ranges (Shipper, Epoch, First, Last, Contents) \
             VALUES (unhex('{SHIPPER}'), 1, 10, 13, [1, 2, 3, 65535])"
        ))
        .await
        .unwrap();
    let mut found = store.stored_contents(&id(1, 12), 108).await.unwrap();
    found.sort_by_key(|(number, _)| *number);
    let hash = |number: u64| (number, StoredContent::Hash(number * 1_000_003));
    let wanted: Vec<(u64, StoredContent)> =
        [(12, StoredContent::Folded(3)), (13, StoredContent::Folded(65_535))]
            .into_iter()
            .chain((100..107).map(hash))
            .chain([hash(108)])
            .collect();
    assert_eq!(found, wanted);
    assert_eq!(store.stored_contents(&id(2, 12), 108).await.unwrap(), []);
    assert_eq!(ranges(&store.stored_ledger().await.unwrap().ranges, 1), [(10, 13), (100, 106), (108, 149)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn folded_numbers_are_the_same_numbers_and_their_rows_are_gone() {
    #[derive(serde::Deserialize)]
    struct Count {
        rows: u64,
    }
    let (_folder, store) = fresh().await;
    insert(&store, 1, "SELECT number + 1 AS number FROM numbers(300000) WHERE number NOT IN (5, 100000)")
        .await;
    store
        .execute(&format!(
            "INSERT INTO batches (Shipper, Epoch, Sequence, Quarantined, Content, Planned) \
             SELECT unhex('{SHIPPER}'), 1, 5, 'poison', 7, now() + 5"
        ))
        .await
        .unwrap();
    let before = store.stored_ledger().await.unwrap();
    assert_eq!(store.fold_ledger(before.newest_planned_s - 100).await.unwrap(), 0, "nothing is old");
    assert_eq!(store.fold_ledger(before.newest_planned_s + 1).await.unwrap(), 73);
    assert_eq!(store.fold_ledger(before.newest_planned_s + 1).await.unwrap(), 0, "few are left");
    let rows: Vec<Count> = store.rows("SELECT count() AS rows FROM batches").await.unwrap();
    assert_eq!(rows[0].rows, 1 + 300_000 - 73 * 4096 + 1, "the last chunk stays, and what is in quarantine");
    let after = store.stored_ledger().await.unwrap();
    assert_eq!(ranges(&after.ranges, 1), ranges(&before.ranges, 1));
    let mut contents = store.stored_contents(&id(1, 4), 7).await.unwrap();
    contents.sort_by_key(|(number, _)| *number);
    let folded = |number: u64| {
        let bits = u16::try_from(number * 1_000_003 % 65_536).unwrap();
        (number, StoredContent::Folded(bits))
    };
    assert_eq!(contents, [folded(4), (5, StoredContent::Hash(7)), folded(6), folded(7)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_at_the_port_may_do_all_that() {
    let (_folder, local) = fresh().await;
    insert(&local, 1, "SELECT number + 1 AS number FROM numbers(300000) WHERE number != 7").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(serve_port(listener, port_of(&local), std::future::pending()));
    let store = Store::remote(&RemoteOptions {
        user: "writer".into(),
        password: "secret".into(),
        ..RemoteOptions::new([url])
    })
    .unwrap();
    let found = store.stored_ledger().await.unwrap();
    assert_eq!(ranges(&found.ranges, 1), [(1, 6), (8, 300_000)]);
    assert_eq!(store.stored_contents(&id(1, 5), 9).await.unwrap().len(), 4);
    assert_eq!(store.rows_without_ledger("logs", Some("Timestamp"), 0, |_| false).await.unwrap(), []);
    assert_eq!(store.rows_without_ledger("quarantine", None, 0, |_| false).await.unwrap(), []);
    for table in ["logs", "events", "samples", "placement", "quarantine"] {
        store.remember_rows_without_ledger(table, found.newest_planned_s).await.unwrap();
    }
    assert_eq!(store.fold_ledger(found.newest_planned_s + 1).await.unwrap(), 73);
    assert_eq!(ranges(&store.stored_ledger().await.unwrap().ranges, 1), [(1, 6), (8, 300_000)]);
    // Their rows are none at all.
    let audit = store.audit(Depth::Sums).await.unwrap();
    assert_eq!(audit.missing.len(), 300_000 - 73 * 4096 + 1);
    store.note_audit(&audit).await.unwrap();
    store.repair(&audit).await.unwrap();
    assert_eq!(store.repaired_batches().await.unwrap().len(), audit.missing.len());
    let contents = store.contents().await.unwrap();
    assert_eq!(contents.missing_batches, audit.missing.len() as u64);
    assert_eq!(ranges(&store.stored_ledger().await.unwrap().ranges, 1), [(1, 6), (8, 73 * 4096 - 1)]);
    served.abort();
}
