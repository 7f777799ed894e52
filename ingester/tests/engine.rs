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

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use lastwords_detect::Detector;
use lastwords_ingester::{
    AdmitOptions, BlockLimits, Direct, DirectOptions, Incoming,
    quarantine::{RetryError, retry},
    serve_grpc,
};
use lastwords_proto::v1::{
    Hello, ShipRequest, ship_request, ship_response::Message, shipping_client::ShippingClient,
};
use lastwords_record::{
    Batch, BatchBuilder, BatchId, Clock, Compression, Guest, Host, Origin, RecordRef, ShipperId, Source,
    TimeBasis, batch::FORMAT_VERSION, limits::BATCH_DAYS_MAX,
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

#[test]
fn what_comes_is_stored_and_what_comes_again_is_not() {
    alone("what_comes_is_stored_and_what_comes_again_is_not", async |folder| {
        let (store, direct, writer) = open(&folder).await;
        let first = direct.submit(Incoming::Opened(batch(1))).await.unwrap();
        // The same number again, while it may be under way and afterwards.
        let twin = direct.submit(Incoming::Opened(batch(1))).await.unwrap();
        assert_eq!(first.await.unwrap().events, 1);
        twin.await.unwrap();
        let sealed = Incoming::Sealed(batch(1).seal(Compression::DEFAULT).unwrap());
        direct.submit(sealed).await.unwrap().await.unwrap();
        direct.submit(Incoming::Opened(batch(2))).await.unwrap().await.unwrap();
        check_once(&store, 2).await;
        let exact = format!(
            "count()) AS n FROM logs WHERE Sequence = 2 AND Row = 7 AND Host = 'hv01' AND Guest = 'web07' AND Program = 'kernel' \
             AND Class = 'kernel.panic' AND Source = 'console' AND LogAttributes['k'] = 'v' AND SeverityNumber = 9 \
             AND toUnixTimestamp64Nano(Timestamp) = {0} + 5 AND toUnixTimestamp64Nano(TimestampWritten) = {0} \
             AND startsWith(Body, 'Kernel panic')",
            NOON_NS + DAY_NS + 7
        );
        assert_eq!(number(&store, &exact).await, 1);
        assert_eq!(
            number(
                &store,
                &format!(
                    "count()) AS n FROM events WHERE Start = End AND toUnixTimestamp64Nano(Start) = {} + 5",
                    NOON_NS + DAY_NS + 7
                )
            )
            .await,
            2
        );
        direct.close();
        writer.await.unwrap();
        assert_eq!(intents(&folder), 0, "an intent was left open");
        assert!(direct.submit(Incoming::Opened(batch(3))).await.is_err(), "a closed queue takes nothing");
    });
}

#[test]
fn poison_is_set_aside_and_the_stream_goes_on() {
    alone("poison_is_set_aside_and_the_stream_goes_on", async |folder| {
        let (store, direct, _writer) = open(&folder).await;
        let mut poison = batch(1).seal(Compression::DEFAULT).unwrap().to_vec();
        *poison.last_mut().unwrap() ^= 1;
        let poison = Bytes::from(poison);
        let set_aside = direct.submit(Incoming::Sealed(poison.clone())).await.unwrap();
        let good = direct.submit(Incoming::Opened(batch(2))).await.unwrap();
        assert_eq!(set_aside.await.unwrap().quarantined, 1);
        assert_eq!(good.await.unwrap().quarantined, 0);
        let kept = format!(
            "count()) AS n FROM quarantine WHERE Sequence = 1 AND Reason != '' AND length(Envelope) = {}",
            poison.len()
        );
        assert_eq!(number(&store, &kept).await, 1);
        assert_eq!(number(&store, "count()) AS n FROM logs").await, ROWS as u64);
        assert_eq!(number(&store, "count()) AS n FROM batches").await, 2);
        // It is known now, too.
        direct.submit(Incoming::Sealed(poison)).await.unwrap().await.unwrap();
        assert_eq!(number(&store, "count()) AS n FROM quarantine").await, 1);
        assert!(direct.metrics().contains("lastwords_ingester_quarantined_batches_total 1"));
    });
}

#[test]
fn what_is_retried_is_stored_once_and_leaves_the_quarantine() {
    alone("what_is_retried_is_stored_once_and_leaves_the_quarantine", async |folder| {
        let (store, _direct, _writer) = open(&folder).await;
        // As a program would have left it that could not open it: in quarantine, and known.
        let envelope = batch(1).seal(Compression::DEFAULT).unwrap();
        let hex: String = envelope.iter().map(|byte| format!("{byte:02x}")).collect();
        let id = id(1);
        let key =
            format!("unhex('{}') AS Shipper, {} AS Epoch, {} AS Sequence", id.shipper, id.epoch, id.sequence);
        for sql in [
            format!(
                "INSERT INTO quarantine (Shipper, Epoch, Sequence, Time, Reason, Envelope, Planned) SELECT {key}, now64(9), 'too new', unhex('{hex}'), now() + 30"
            ),
            format!(
                "INSERT INTO batches (Shipper, Epoch, Sequence, Quarantined, Planned) SELECT {key}, 'too new', now() + 30"
            ),
        ] {
            store.execute(&sql).await.unwrap();
        }
        let detector = Arc::new(Detector::built_in());
        let stored = retry(&store, Arc::clone(&detector), id).await.unwrap();
        assert_eq!(stored, (ROWS, 1));
        assert_eq!(number(&store, "count()) AS n FROM logs").await, ROWS as u64);
        assert_eq!(number(&store, "count()) AS n FROM events FINAL").await, 1);
        assert_eq!(number(&store, "count()) AS n FROM quarantine FINAL").await, 0);
        let ledger = format!(
            "count()) AS n FROM batches WHERE Quarantined = '' AND Records = {ROWS} AND Hosts = 'hv01'"
        );
        assert_eq!(number(&store, &ledger).await, 1);
        let again = retry(&store, detector, id).await;
        assert!(matches!(again, Err(RetryError::NotThere)), "{again:?}");
    });
}

#[test]
fn what_cannot_be_retried_is_left_alone() {
    alone("what_cannot_be_retried_is_left_alone", async |folder| {
        let (store, _direct, _writer) = open(&folder).await;
        let sealed = batch(1).seal(Compression::DEFAULT).unwrap();
        let put = async |sequence: u64, envelope: &[u8], known: bool| {
            let hex: String = envelope.iter().map(|byte| format!("{byte:02x}")).collect();
            let id = id(sequence);
            let key = format!(
                "unhex('{}') AS Shipper, {} AS Epoch, {} AS Sequence",
                id.shipper, id.epoch, id.sequence
            );
            let row = format!(
                "INSERT INTO quarantine (Shipper, Epoch, Sequence, Time, Reason, Envelope, Planned) SELECT {key}, now64(9), 'x', unhex('{hex}'), now() + 30"
            );
            store.execute(&row).await.unwrap();
            if known {
                let row = format!(
                    "INSERT INTO batches (Shipper, Epoch, Sequence, Quarantined, Planned) SELECT {key}, 'x', now() + 30"
                );
                store.execute(&row).await.unwrap();
            }
        };
        put(1, &sealed, false).await;
        put(2, b"no batch", true).await;
        put(3, &sealed, true).await;
        put(4, b"", true).await;
        let tried = async |sequence: u64| {
            retry(&store, Arc::new(Detector::built_in()), id(sequence)).await.unwrap_err()
        };
        assert!(matches!(tried(1).await, RetryError::Unsettled));
        assert!(matches!(tried(2).await, RetryError::Unopenable(_)));
        assert!(matches!(tried(3).await, RetryError::Another(found) if found == id(1)));
        assert!(matches!(tried(4).await, RetryError::Empty));
        assert_eq!(number(&store, "count()) AS n FROM logs").await, 0);
        assert_eq!(number(&store, "count()) AS n FROM quarantine FINAL").await, 4);
    });
}

#[test]
fn a_refused_batch_of_which_a_part_is_stored_is_completed_by_a_retry() {
    alone("a_refused_batch_of_which_a_part_is_stored_is_completed_by_a_retry", async |folder| {
        let (store, direct, _writer) = open(&folder).await;
        // The second of the batch's two days is not taken: the first is stored when it is set aside.
        direct.submit(Incoming::Opened(batch(1))).await.unwrap().await.unwrap();
        let day = number(&store, "toDate(max(Timestamp))) AS n FROM logs").await;
        assert!(day > 0);
        store
            .execute(&format!(
                "ALTER TABLE logs ADD CONSTRAINT broken CHECK toUInt64(toDate(Timestamp)) != {day}"
            ))
            .await
            .unwrap();
        let written = direct.submit(Incoming::Opened(batch(2))).await.unwrap().await.unwrap();
        assert_eq!(written.quarantined, 1);
        let part = number(&store, "count()) AS n FROM logs WHERE Sequence = 2").await;
        assert!(part > 0 && part < ROWS as u64, "{part}");
        store.execute("ALTER TABLE logs DROP CONSTRAINT broken").await.unwrap();
        // Two at once, on a store whose writer is at work.
        let detector = Arc::new(Detector::built_in());
        let (one, other) =
            tokio::join!(retry(&store, Arc::clone(&detector), id(2)), retry(&store, detector, id(2)));
        assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
        for (rows, expected) in
            [("logs", ROWS as u64), ("(SELECT DISTINCT Row FROM logs", ROWS as u64), ("quarantine FINAL", 0)]
        {
            let end = if rows.starts_with('(') { ")" } else { "" };
            let found = number(&store, &format!("count()) AS n FROM {rows} WHERE Sequence = 2{end}")).await;
            assert_eq!(found, expected, "{rows}");
        }
        assert_eq!(number(&store, "count()) AS n FROM events FINAL WHERE Sequence = 2").await, 1);
    });
}

#[test]
fn kills_at_any_time_lose_nothing_and_double_nothing() {
    const TEST: &str = "kills_at_any_time_lose_nothing_and_double_nothing";
    const BATCHES: u64 = 60;
    match std::env::var(ROLE).as_deref() {
        Ok("send") => alone(TEST, async |folder| {
            let (_, direct, _) = open(&folder).await;
            for sequence in 1..=BATCHES {
                direct.submit(Incoming::Opened(batch(sequence))).await.unwrap().await.unwrap();
            }
        }),
        Ok(_) => alone(TEST, async |folder| {
            let (store, _direct, _writer) = open(&folder).await;
            check_once(&store, BATCHES).await;
            assert_eq!(intents(&folder), 0, "an intent was left open");
        }),
        Err(_) => {
            let folder = tempfile::tempdir().unwrap();
            for round in 0..12u32 {
                let mut child = start(TEST, "send", folder.path());
                let since = Instant::now();
                // Killed a little later each time, once it has begun to write.
                while intents(folder.path()) == 0 && since.elapsed() < Duration::from_secs(60) {
                    if child.try_wait().unwrap().is_some() {
                        break;
                    }
                    std::thread::yield_now();
                }
                std::thread::sleep(Duration::from_millis(u64::from(round * 3)));
                child.kill().unwrap();
                child.wait().unwrap();
            }
            assert!(start(TEST, "send", folder.path()).wait().unwrap().success(), "see its output above");
            assert!(start(TEST, "check", folder.path()).wait().unwrap().success(), "see its output above");
        }
    }
}

#[test]
fn a_shipper_is_served_in_order() {
    alone("a_shipper_is_served_in_order", async |folder| {
        let (store, direct, writer) = open(&folder).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let server = tokio::spawn(serve_grpc(incoming, direct.clone(), AdmitOptions::default(), async {
            let _ = stopped.await;
        }));
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.connect().await.unwrap();
        let mut client = ShippingClient::new(channel);
        let (requests, outgoing) = tokio::sync::mpsc::channel(16);
        let send = async |message| requests.send(ShipRequest { message: Some(message) }).await.unwrap();
        send(ship_request::Message::Hello(Hello {
            shipper: ShipperId::of("hv01", MACHINE).0.to_vec(),
            host: Some(lastwords_proto::v1::Host { name: "hv01".into(), machine_id: MACHINE.into() }),
            epoch: 3,
            next_sequence: 1,
            format_version: FORMAT_VERSION,
            agent: "test".into(),
        }))
        .await;
        let outgoing = tokio_stream::wrappers::ReceiverStream::new(outgoing);
        let mut responses = client.ship(outgoing).await.unwrap().into_inner();
        let mut next = async || responses.message().await.unwrap().unwrap().message.unwrap();
        assert!(matches!(next().await, Message::Welcome(_)));
        send(ship_request::Message::Heartbeat(lastwords_proto::v1::Heartbeat {
            shipper_sent_ns: 9,
            clock_offset_ns: None,
        }))
        .await;
        match next().await {
            Message::Heartbeat(reply) => assert_eq!(reply.shipper_sent_ns, 9),
            other => panic!("wanted the probe's answer, found {other:?}"),
        }
        for sequence in 1..=3 {
            send(ship_request::Message::Batch(batch(sequence).seal(Compression::DEFAULT).unwrap())).await;
        }
        send(ship_request::Message::Batch(Bytes::from_static(b"no batch"))).await;
        let (mut acknowledged, mut events, mut rejected) = (Vec::new(), 0, Vec::new());
        while acknowledged.len() + rejected.len() < 4 {
            match next().await {
                Message::Acknowledgement(one) => {
                    events += one.events;
                    acknowledged.push(one.sequence);
                }
                Message::Rejection(one) => rejected.push(one.sequence),
                other => panic!("wanted acknowledgements, found {other:?}"),
            }
        }
        assert_eq!((acknowledged, events, rejected), (vec![1, 2, 3], 3, vec![4]));
        check_once(&store, 3).await;
        stop.send(()).unwrap();
        while let Ok(Some(_)) = responses.message().await {}
        drop(client);
        server.await.unwrap();
        direct.close();
        writer.await.unwrap();
    });
}

/// A batch of old files' rows on days that no other batch has, as many as are admitted.
fn wide(sequence: u64) -> Batch {
    let mut builder = BatchBuilder::new();
    builder.form_again(true);
    let host = Host { name: "hv66".into(), machine_id: MACHINE.into() };
    let origin = builder.origin(&Origin { host, guest: None, source: Source::File, attributes: vec![] });
    let days = i64::try_from(BATCH_DAYS_MAX).unwrap();
    for day in 0..days {
        let record = RecordRef {
            time_ns: (sequence as i64 * days + day) * DAY_NS,
            observed_ns: NOON_NS,
            body: b"nothing to see",
            severity: 0,
            program: "",
            time_basis: TimeBasis::Line,
            attributes: &[],
        };
        builder.push(origin, &record).unwrap();
    }
    let id = BatchId { shipper: ShipperId::of("hv66", MACHINE), epoch: 1, sequence };
    builder.finish(id, NOON_NS, Clock::default())
}

/// A batch of one record of now.
fn fresh() -> Batch {
    let now_ns = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let now_ns = i64::try_from(now_ns).unwrap();
    let mut builder = BatchBuilder::new();
    let host = Host { name: "hv01".into(), machine_id: MACHINE.into() };
    let origin = builder.origin(&Origin { host, guest: None, source: Source::File, attributes: vec![] });
    let record = RecordRef {
        time_ns: now_ns,
        observed_ns: now_ns,
        body: b"a line of now",
        severity: 0,
        program: "",
        time_basis: TimeBasis::Line,
        attributes: &[],
    };
    builder.push(origin, &record).unwrap();
    builder.finish(id(1), now_ns, Clock::default())
}

#[test]
fn one_shippers_widest_batches_do_not_hold_up_another_shipper() {
    alone("one_shippers_widest_batches_do_not_hold_up_another_shipper", async |folder| {
        const WIDE: u64 = 12;
        let (store, direct, _writer) = open(&folder).await;
        let stored = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let mut waiting = Vec::new();
        for sequence in 1..=WIDE {
            let ticket = direct.submit(Incoming::Opened(wide(sequence))).await.unwrap();
            let stored = Arc::clone(&stored);
            waiting.push(tokio::spawn(async move {
                assert_eq!(ticket.await.unwrap().quarantined, 0);
                stored.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }));
        }
        // The writer is in the middle of them.
        waiting.remove(0).await.unwrap();
        direct.submit(Incoming::Opened(fresh())).await.unwrap().await.unwrap();
        let before = stored.load(std::sync::atomic::Ordering::SeqCst);
        assert!(before <= WIDE / 2, "{before} of {WIDE} wide batches went before the one of now");
        for one in waiting {
            one.await.unwrap();
        }
        let days = WIDE * BATCH_DAYS_MAX as u64;
        assert_eq!(number(&store, "count()) AS n FROM logs WHERE Host = 'hv66'").await, days);
        assert_eq!(
            number(&store, "uniqExact(toDate32(Timestamp))) AS n FROM logs WHERE Host = 'hv66'").await,
            days
        );
    });
}

#[test]
fn a_batch_beyond_the_bounds_is_set_aside_and_an_operator_can_have_it_stored() {
    alone("a_batch_beyond_the_bounds_is_set_aside_and_an_operator_can_have_it_stored", async |folder| {
        let (store, direct, _writer) = open(&folder).await;
        let mut builder = BatchBuilder::new();
        // As a program made it that knew no bounds.
        builder.form_again(true);
        let host = Host { name: "hv,x".into(), machine_id: MACHINE.into() };
        let origin = builder.origin(&Origin { host, guest: None, source: Source::File, attributes: vec![] });
        for day in 0..40 {
            let record = RecordRef {
                time_ns: NOON_NS - day * DAY_NS,
                observed_ns: NOON_NS,
                body: b"an old line",
                severity: 0,
                program: "",
                time_basis: TimeBasis::Line,
                attributes: &[],
            };
            builder.push(origin, &record).unwrap();
        }
        let sealed = builder.finish(id(1), NOON_NS, Clock::default()).seal(Compression::DEFAULT).unwrap();
        let set_aside = direct.submit(Incoming::Sealed(sealed)).await.unwrap();
        let good = direct.submit(Incoming::Opened(batch(2))).await.unwrap();
        assert_eq!((set_aside.await.unwrap().quarantined, good.await.unwrap().quarantined), (1, 0));
        assert_eq!(
            number(&store, "count()) AS n FROM quarantine WHERE Reason LIKE '%more than 12 days%'").await,
            1
        );
        assert_eq!(retry(&store, Arc::new(Detector::built_in()), id(1)).await.unwrap(), (40, 0));
        assert_eq!(number(&store, "count()) AS n FROM logs WHERE Host = 'hv,x'").await, 40);
        let named =
            "count()) AS n FROM batches WHERE Sequence = 1 AND HostNames = 'hv,x' AND Quarantined = ''";
        assert_eq!(number(&store, named).await, 1);
    });
}
