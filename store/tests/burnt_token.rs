//! Why a writer reads back: an OK to a retry proves nothing.
//!
//! A plain MergeTree notes a token before it renames the part. A store that is killed in between knows the token and
//! has no rows, and takes the retry for a repetition. To be run by `cargo nextest run`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail as the test does"
)]

mod support;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use lastwords_store::Inserting;
use lastwords_store::rows::LogsBlock;
use support::{count, log, open};

const FOLDER: &str = "LASTWORDS_TEST_FOLDER";
const FLAG: &str = "LASTWORDS_TEST_KILL_FLAG";

async fn insert(folder: &Path, token: &str, flag: Option<&Path>) -> u64 {
    let store = open(folder).await;
    let planned = store.planning_time_s().await.unwrap();
    let mut block = LogsBlock::new();
    block.push(log(token.as_bytes(), 0, planned));
    if let Some(flag) = flag {
        std::fs::write(flag, "armed").unwrap();
    }
    let inserting = Inserting { token: Some(token.into()), ..Inserting::default() };
    store.insert_native("logs", block.encode(), &inserting).await.unwrap();
    count(&store, &format!("logs WHERE Body = '{token}'")).await
}

/// Not a test of its own: the process that is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test below"]
async fn victim() {
    let folder = std::env::var_os(FOLDER).unwrap();
    let flag = std::env::var_os(FLAG).unwrap();
    insert(Path::new(&folder), "burnt", Some(Path::new(&flag))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_burnt_when_the_store_is_killed_before_the_rename() {
    let scratch = tempfile::tempdir().unwrap();
    let shim = scratch.path().join("shim.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&shim)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kill_at_rename.c"))
        .arg("-ldl")
        .status()
        .expect("cc is missing: run scripts/setup");
    assert!(built.success());
    let (folder, flag) = (scratch.path().join("engine"), scratch.path().join("flag"));
    let victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .env("LD_PRELOAD", &shim)
        .env(FOLDER, &folder)
        .env(FLAG, &flag)
        .output()
        .unwrap();
    assert_eq!(victim.status.signal(), Some(9), "not killed: {}", String::from_utf8_lossy(&victim.stderr));
    // The retry under the same token is answered with OK, and there are no rows.
    assert_eq!(
        insert(&folder, "burnt", None).await,
        0,
        "the token is not burnt any more: reading back may be needless"
    );
}
