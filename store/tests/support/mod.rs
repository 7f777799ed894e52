//! What the tests on the real engine share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lastwords_record::batch::{BatchId, ShipperId};
use lastwords_store::http::{PortLimits, Role, User};
use lastwords_store::rows::LogRow;
use lastwords_store::{Engine, EngineOptions, Port, Store};

#[allow(dead_code, reason = "not every test needs it")]
/// A migrated store on a fresh folder. Fails where the engine is missing, with a message that says how to get it.
pub async fn fresh() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("engine")).await;
    (folder, store)
}

/// A migrated store on a folder.
pub async fn open(path: &std::path::Path) -> Store {
    let engine = Engine::open(&EngineOptions::new(path)).unwrap_or_else(|error| panic!("{error}"));
    let store = Store::embedded(Arc::new(engine));
    store.migrate().await.unwrap_or_else(|error| panic!("{error}"));
    store
}

#[allow(dead_code, reason = "not every test needs it")]
pub fn batch(sequence: u64) -> BatchId {
    BatchId { shipper: ShipperId::of("web01", "id"), epoch: 7, sequence }
}

#[allow(dead_code, reason = "not every test needs it")]
pub fn log(
    body: &[u8],
    row: u32,
    planned_s: u32,
) -> LogRow<'_, std::iter::Empty<(&'static str, &'static str)>> {
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
        template: 0,
        time_basis: 1,
        batch: batch(1),
        row,
        planned_s,
    }
}

/// Rows of a table, with a condition if wished.
#[allow(dead_code, reason = "not every test needs it")]
pub async fn count(store: &Store, from: &str) -> u64 {
    #[derive(serde::Deserialize)]
    struct Count {
        n: u64,
    }
    let rows: Vec<Count> = store.rows(&format!("SELECT count() AS n FROM {from}")).await.unwrap();
    rows[0].n
}

/// Asks again until it is so, for half a minute at most.
#[allow(dead_code, reason = "not every test needs it")]
pub async fn eventually(what: &str, so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[allow(dead_code, reason = "not every test needs it")]
/// The port before a store, with `reader` (password `only`) and `writer` (`secret`).
pub fn port_of(store: &Store) -> Port {
    let user = |name: &str, password: &str, role| User { name: name.into(), password: password.into(), role };
    let users = vec![user("reader", "only", Role::Reader), user("writer", "secret", Role::Writer)];
    Port { store: store.clone(), users, limits: PortLimits::default(), matches: None, tls: None }
}
