//! The engine as a server of its own: killed and started again, asked by too many at once, told to end.
//! To be run by `cargo nextest run`: a process opens one data folder only.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail as the test does"
)]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lastwords_store::rows::LogsBlock;
use lastwords_store::{
    Engine, EngineOptions, InsertError, Inserting, Lane, QueryError, RemoteOptions, Store, serve_http,
    serve_port,
};
use support::{batch, count, eventually, log, open, port_of};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const FOLDER: &str = "LASTWORDS_TEST_FOLDER";
const PORT: &str = "LASTWORDS_TEST_PORT";
const ROWS: u32 = 300;
const WRITERS: u64 = 4;
const BLOCKS: u64 = 40;

fn remote(port: u16) -> Store {
    Store::remote(&RemoteOptions {
        user: "writer".into(),
        password: "secret".into(),
        ..RemoteOptions::new([format!("http://127.0.0.1:{port}")])
    })
    .unwrap()
}

/// Not a test of its own: the server that is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test below"]
async fn server() {
    let folder = std::env::var_os(FOLDER).unwrap();
    let port: u16 = std::env::var(PORT).unwrap().parse().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let store = open(Path::new(&folder)).await;
    serve_port(listener, port_of(&store), std::future::pending()).await;
}

fn start(folder: &Path, port: u16) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(PORT, port.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Stores one block, whatever becomes of the server. What is in doubt is read back when the server answers again; by
/// then the process that may have been at it is dead, so that what is absent stays absent.
async fn store_block(store: &Store, number: u64, restarts: &AtomicU64) -> bool {
    let mut clean = true;
    for attempt in 0.. {
        let started = restarts.load(Ordering::SeqCst);
        let Ok(planned) = store.planning_time_s().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let mut block = LogsBlock::new();
        for row in 0..ROWS {
            let mut line = log(b"a line that has to be there once", row, planned);
            line.batch = batch(number);
            block.push(line);
        }
        let inserting = Inserting {
            token: Some(format!("{number}-{attempt}")),
            timeout: Some(Duration::from_secs(60)),
            ..Inserting::default()
        };
        match store.insert_native("logs", block.encode(), &inserting).await {
            Ok(()) => return clean,
            Err(error @ InsertError::Refused { .. }) => panic!("{error}"),
            Err(_) => clean = false,
        }
        // The server that had the insert has to be dead.
        while restarts.load(Ordering::SeqCst) == started {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        loop {
            match stored(store, number).await {
                Ok(0) => break,
                Ok(rows) => {
                    assert_eq!(rows, u64::from(ROWS), "a part of block {number}");
                    return clean;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
    clean
}

async fn stored(store: &Store, number: u64) -> Result<u64, QueryError> {
    #[derive(serde::Deserialize)]
    struct Count {
        n: u64,
    }
    let rows: Vec<Count> =
        store.rows(&format!("SELECT count() AS n FROM logs WHERE Sequence = {number}")).await?;
    Ok(rows[0].n)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_once_however_often_the_server_is_killed() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("engine");
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut server = start(&folder, port);
    let (done, restarts) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (done, restarts) = (Arc::clone(&done), Arc::clone(&restarts));
            tokio::spawn(async move {
                let store = remote(port);
                let mut doubtful = 0;
                for block in 0..BLOCKS {
                    let number = writer * BLOCKS + block + 1;
                    doubtful += u64::from(!store_block(&store, number, &restarts).await);
                    done.fetch_add(1, Ordering::SeqCst);
                }
                doubtful
            })
        })
        .collect();
    for kill in 1..=5 {
        // While inserts are under way, at five places of the whole.
        eventually("blocks are stored", async || done.load(Ordering::SeqCst) >= kill * WRITERS * BLOCKS / 7)
            .await;
        server.kill().unwrap();
        server.wait().unwrap();
        restarts.fetch_add(1, Ordering::SeqCst);
        server = start(&folder, port);
    }
    let mut doubtful = 0;
    for writer in writers {
        doubtful += writer.await.unwrap();
    }
    assert!(doubtful > 0, "no kill met an insert");
    #[derive(serde::Deserialize)]
    struct Total {
        n: u64,
        different: u64,
    }
    let sql = "SELECT count() AS n, uniqExact(Sequence, Row) AS different FROM logs";
    let total: Vec<Total> = remote(port).rows(sql).await.unwrap();
    let expected = WRITERS * BLOCKS * u64::from(ROWS);
    assert_eq!((total[0].n, total[0].different), (expected, expected));
    server.kill().unwrap();
    server.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_engine_tells_readers_to_come_again_takes_inserts_and_finishes_what_it_has_begun_at_its_end() {
    let scratch = tempfile::tempdir().unwrap();
    // One place in each lane, and no reader waits for it.
    let options = EngineOptions {
        statements_max: 1,
        port_wait_max: Duration::ZERO,
        ..EngineOptions::new(scratch.path().join("engine"))
    };
    let engine = Arc::new(Engine::open(&options).unwrap_or_else(|error| panic!("{error}")));
    let embedded = Store::embedded(Arc::clone(&engine));
    embedded.migrate().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve_http(listener, engine, async {
        let _ = stopped.await;
    }));
    let store = remote(port);
    let asker = store.in_lane(Lane::Asker);
    let planned = store.planning_time_s().await.unwrap();
    let long = {
        let store = asker.clone();
        let sql = "SELECT sum(sleepEachRow(1)) FROM numbers(6) SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0";
        // Whoever else asks at that moment may have the place.
        tokio::spawn(async move {
            loop {
                match store.execute(sql).await {
                    Err(error) if error.is_passing() => tokio::time::sleep(Duration::from_millis(10)).await,
                    ended => break ended,
                }
            }
        })
    };
    // Looked at past the port.
    eventually("the place is taken", async || {
        count(
            &embedded,
            "system.processes WHERE query LIKE '%sleepEachRow%' AND query NOT LIKE '%processes%'",
        )
        .await
            == 1
    })
    .await;
    let refused = asker.execute("SELECT 1").await;
    assert!(
        matches!(&refused, Err(error @ QueryError::Statement { code: 202, .. }) if error.is_passing()),
        "{refused:?}"
    );
    let mut block = LogsBlock::new();
    block.push(log(b"a line", 0, planned));
    store.insert_native("logs", block.encode(), &Inserting::default()).await.unwrap();
    store.in_lane(Lane::Question).execute("SELECT 1").await.unwrap();
    // An idle connection does not hold the end up, and what runs is finished.
    let _idle = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stop.send(()).unwrap();
    long.await.unwrap().unwrap();
    serving.await.unwrap();
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
}
