//! The ingester on the real engine. A process can open one data folder, so each test runs in a process of its own:
//! the test starts itself again and does its work there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_wrap,
    missing_docs,
    reason = "helpers of tests assert, too"
)]

mod quarantine;
mod shippers;
mod stored;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use lastwords_detect::Detector;
use lastwords_ingester::{BlockLimits, Direct, DirectOptions};
use lastwords_record::{
    Batch, BatchBuilder, BatchId, Clock, Guest, Host, Origin, RecordRef, ShipperId, Source, TimeBasis,
};
use lastwords_store::{Engine, EngineOptions, Store};
use tokio::task::JoinHandle;

const ROLE: &str = "LASTWORDS_TEST_ROLE";
const FOLDER: &str = "LASTWORDS_TEST_FOLDER";
const NOON_NS: i64 = 1_763_640_000_000_000_000;
const DAY_NS: i64 = 86_400_000_000_000;
const ROWS: usize = 50;
const MACHINE: &str = "0123456789abcdef0123456789abcdef";

/// Starts this test binary again, for one test in one role.
fn start(test: &str, role: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Runs `body` in a process of its own, on a fresh folder.
fn alone(test: &str, body: impl AsyncFnOnce(PathBuf)) {
    if std::env::var_os(ROLE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(body(std::env::var_os(FOLDER).unwrap().into()));
    } else {
        let folder = tempfile::tempdir().unwrap();
        assert!(start(test, "body", folder.path()).wait().unwrap().success(), "see its output above");
    }
}

async fn open(folder: &Path) -> (Store, Direct, JoinHandle<()>) {
    let engine = Engine::open(&EngineOptions::new(folder.join("engine")))
        .unwrap_or_else(|error| panic!("run scripts/setup first: {error}"));
    let store = Store::embedded(Arc::new(engine));
    store.migrate().await.unwrap();
    let block = BlockLimits { settle: Duration::from_millis(1), ..BlockLimits::default() };
    let options = DirectOptions { block, ..DirectOptions::default() };
    let detector = Arc::new(Detector::built_in());
    let (direct, writer) = Direct::start(store.clone(), detector, folder, options).await.unwrap();
    (store, direct, writer)
}

/// A batch over two days, with one panic of a guest.
fn batch(sequence: u64) -> Batch {
    let mut builder = BatchBuilder::new();
    let host = Host { name: "hv01".into(), machine_id: MACHINE.into() };
    let guest = Guest { name: "web07".into(), uuid: "5f0e8d1c-0000-4000-8000-000000000001".into() };
    let origin =
        builder.origin(&Origin { host, guest: Some(guest), source: Source::Console, attributes: vec![] });
    for row in 0..ROWS {
        let body = if row == 7 {
            "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009".to_owned()
        } else {
            format!("line {row} of batch {sequence}")
        };
        let time_ns = NOON_NS + (row % 2) as i64 * DAY_NS + row as i64;
        let record = RecordRef {
            time_ns,
            observed_ns: NOON_NS + DAY_NS,
            body: body.as_bytes(),
            severity: 9,
            program: "kernel",
            time_basis: TimeBasis::Line,
            attributes: &[("k", "v")],
        };
        builder.push(origin, &record).unwrap();
    }
    let clock = Clock { offset_ns: Some(5), uncertainty_ns: 3 };
    builder.finish(id(sequence), NOON_NS + DAY_NS, clock)
}

fn id(sequence: u64) -> BatchId {
    BatchId { shipper: ShipperId::of("hv01", MACHINE), epoch: 3, sequence }
}

async fn number(store: &Store, sql: &str) -> u64 {
    #[derive(serde::Deserialize)]
    struct Number {
        n: u64,
    }
    let rows: Vec<Number> = store.rows(&format!("SELECT toUInt64({sql}")).await.unwrap();
    rows[0].n
}

/// Every row of batches 1 to `batches` is stored once.
async fn check_once(store: &Store, batches: u64) {
    let rows = batches * ROWS as u64;
    assert_eq!(number(store, "count()) AS n FROM logs").await, rows);
    assert_eq!(number(store, "uniqExact(Shipper, Epoch, Sequence, Row)) AS n FROM logs").await, rows);
    assert_eq!(number(store, "count()) AS n FROM events FINAL WHERE Class = 'kernel.panic'").await, batches);
    assert_eq!(number(store, "count()) AS n FROM batches").await, batches);
    assert_eq!(number(store, "sum(Records)) AS n FROM batches").await, rows);
}

fn intents(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("intents")).map_or(0, |found| found.count())
}
