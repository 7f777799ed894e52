//! The store as a server: everything that the embedded one does, and what only a network can do wrong.
//! To be run by `cargo nextest run`: a process opens one data folder only.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail as the test does"
)]

mod support;
#[path = "support/tls.rs"]
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lastwords_store::rows::{BatchRow, BatchesBlock, LogsBlock, QuarantineBlock, QuarantineRow};
use lastwords_store::store::{Settled, codes};
use lastwords_store::{
    Class, Engine, InsertError, Inserting, MigrateError, QueryError, RemoteOptions, Store, serve_http,
    serve_port,
};
use support::{batch, count, eventually, fresh, log, port_of};
use tls::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

fn with_token(token: &str) -> Inserting {
    Inserting { token: Some(token.into()), timeout: Some(Duration::from_secs(30)), ..Inserting::default() }
}

/// Serves an engine on a port, as a server that is not ours would; 0: any.
async fn serve(engine: &Arc<Engine>, port: u16) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, tokio::spawn(serve_http(listener, Arc::clone(engine), std::future::pending())))
}

/// Serves our own port before a store; 0: any.
async fn serve_ours(store: &Store, port: u16) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, tokio::spawn(serve_port(listener, port_of(store), std::future::pending())))
}

fn options(ports: &[u16]) -> RemoteOptions {
    RemoteOptions {
        user: "writer".into(),
        password: "secret".into(),
        ..RemoteOptions::new(ports.iter().map(|port| format!("http://127.0.0.1:{port}")))
    }
}

/// A migrated store behind a port, asked over HTTP.
async fn remote() -> (tempfile::TempDir, Store, Store, u16) {
    let (folder, embedded) = fresh().await;
    let (port, _) = serve(embedded.engine().unwrap(), 0).await;
    let remote = Store::remote(&options(&[port])).unwrap();
    (folder, embedded, remote, port)
}

/// A port at which nobody listens.
async fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

async fn insert(store: &Store, token: &str, rows: u32) -> Result<(), InsertError> {
    let planned = store.planning_time_s().await.unwrap();
    let mut block = LogsBlock::new();
    for row in 0..rows {
        block.push(log(token.as_bytes(), row, planned));
    }
    store.insert_native("logs", block.encode(), &with_token(token)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_takes_blocks_once_and_answers_as_the_engine_in_the_process_does() {
    let (_folder, embedded, store, _) = remote().await;
    assert_eq!(store.migrate().await.unwrap(), 0);
    for _ in 0..2 {
        insert(&store, "once", 1000).await.unwrap();
    }
    assert_eq!(count(&store, "logs WHERE Body = 'once'").await, 1000);
    assert_eq!(count(&embedded, "logs").await, 1000);
    store.retain(Some(30)).await.unwrap();
    let kept = "system.tables WHERE name = 'logs' AND engine_full LIKE '%toIntervalDay(30)%'";
    assert_eq!(count(&store, kept).await, 1);
    let planned = store.planning_time_s().await.unwrap();
    let mut late = LogsBlock::new();
    late.push(log(b"late", 0, planned - 100));
    let refused = store.insert_native("logs", late.encode(), &with_token("late")).await;
    assert!(matches!(refused, Err(InsertError::TooLate { .. })), "{refused:?}");
    let mut cut = late.encode();
    cut.bytes.truncate(cut.bytes.len() - 1);
    let refused = store.insert_native("logs", cut, &with_token("cut")).await;
    assert!(matches!(refused, Err(InsertError::Refused { .. })), "{refused:?}");
    let nowhere = store.insert_native("nowhere", late.encode(), &with_token("nowhere")).await;
    assert!(
        matches!(nowhere, Err(InsertError::Retryable { code: 60, class: Class::Setup, .. })),
        "{nowhere:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_server_is_migrated_over_http_into_a_database_of_any_name_and_a_newer_one_is_refused() {
    let (_folder, _embedded, _, port) = remote().await;
    let store = Store::remote(&RemoteOptions { database: "fleet".into(), ..options(&[port]) }).unwrap();
    assert_eq!(store.migrate().await.unwrap(), lastwords_store::schema::SCHEMA_VERSION);
    assert_eq!(store.migrate().await.unwrap(), 0);
    insert(&store, "here", 3).await.unwrap();
    assert_eq!(count(&store, "fleet.logs").await, 3);
    store
        .execute("INSERT INTO migrations (Number, Name, Program) VALUES (4711, 'x', '9.8.7')")
        .await
        .unwrap();
    let refused = store.migrate().await.unwrap_err();
    assert!(matches!(refused, MigrateError::Newer { found: 4711, .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_no_reason_to_throw_a_batch_out() {
    let (_folder, embedded) = fresh().await;
    let (port, _serving) = serve_ours(&embedded, 0).await;
    let right = Store::remote(&options(&[port])).unwrap();
    let wrong = Store::remote(&RemoteOptions { password: "guess".into(), ..options(&[port]) }).unwrap();
    let error = wrong.execute("SELECT 1").await.unwrap_err();
    assert!(matches!(error, QueryError::Statement { code: 516, .. }) && !error.is_passing(), "{error}");
    assert!(!error.to_string().contains("guess"), "{error}");
    let planned = right.planning_time_s().await.unwrap();
    let mut block = LogsBlock::new();
    block.push(log(b"a line", 0, planned));
    let refused = wrong.insert_native("logs", block.encode(), &with_token("t")).await;
    assert!(
        matches!(refused, Err(InsertError::Retryable { code: 516, class: Class::Setup, .. })),
        "{refused:?}"
    );
    assert_eq!(count(&right, "logs").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_is_asked_where_one_is_dead_and_the_first_again_when_it_is_back() {
    let (_folder, embedded, _, second) = remote().await;
    let first = dead_port().await;
    let short = Duration::from_millis(50);
    let store = Store::remote(&RemoteOptions { return_after: short, ..options(&[first, second]) }).unwrap();
    // Writing, reading and changing, each with the first address dead.
    insert(&store, "a", 10).await.unwrap();
    store.execute("OPTIMIZE TABLE logs").await.unwrap();
    assert_eq!(count(&store, "logs").await, 10);
    let all_dead = Store::remote(&options(&[first, dead_port().await])).unwrap();
    let error = all_dead.execute("SELECT 1").await.unwrap_err();
    assert!(matches!(error, QueryError::Unreachable(_)) && error.is_passing(), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    // The first comes back. That it is asked again is told by its own count of statements.
    let (_, _serving) = serve_ours(&embedded, first).await;
    eventually("the first address is asked again", async || {
        insert(&store, "b", 1).await.unwrap();
        statements_of(first).await > 0
    })
    .await;
    assert_eq!(count(&store, "logs WHERE Body = 'b'").await, 1);
}

/// What a listener says it has been asked.
async fn statements_of(port: u16) -> u64 {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("lastwords_store_statements_total "));
    line.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

/// A port that takes connections, reads, and then does as it is told; counts them.
async fn broken(answer: Option<&'static [u8]>, hold: bool) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let met = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&met);
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            if hold {
                held.push(stream);
                continue;
            }
            let _ = stream.read(&mut [0; 256]).await;
            if let Some(answer) = answer {
                let _ = stream.write_all(answer).await;
            }
        }
    });
    (port, met)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_that_may_have_arrived_is_in_doubt_and_not_sent_to_another_address() {
    let (_folder, embedded, _, good) = remote().await;
    let planned = embedded.planning_time_s().await.unwrap();
    let mut block = LogsBlock::new();
    block.push(log(b"a line", 0, planned));
    let gateway: &[u8] =
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 11\r\nConnection: close\r\n\r\nBad Gateway";
    for (what, answer) in [("cuts the connection", None), ("is a gateway to nobody", Some(gateway))] {
        let (bad, met) = broken(answer, false).await;
        let store = Store::remote(&options(&[bad, good])).unwrap();
        let doubt = store.insert_native("logs", block.encode(), &with_token("t")).await;
        assert!(matches!(doubt, Err(InsertError::Unanswered { .. })), "{what}: {doubt:?}");
        assert_eq!(met.load(Ordering::SeqCst), 1, "{what}");
        assert_eq!(count(&embedded, "logs").await, 0, "{what}");
        // What comes next, the reading back first of all, goes to the address that works.
        assert_eq!(count(&store, "logs").await, 0, "{what}");
        assert_eq!(met.load(Ordering::SeqCst), 1, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_keeps_silent_is_given_up_on() {
    let (_folder, _embedded, _, good) = remote().await;
    let (silent, met) = broken(None, true).await;
    let patience = RemoteOptions { answer_timeout: Duration::from_millis(200), ..options(&[silent, good]) };
    let store = Store::remote(&patience).unwrap();
    assert_eq!(count(&store, "logs").await, 0);
    assert_eq!(met.load(Ordering::SeqCst), 1);
    let alone =
        Store::remote(&RemoteOptions { urls: vec![format!("http://127.0.0.1:{silent}")], ..patience });
    let error = alone.unwrap().execute("SELECT 1").await.unwrap_err();
    assert!(matches!(error, QueryError::Unreachable(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_server_with_a_valid_certificate_of_our_authority_is_spoken_to() {
    let (folder, embedded, _, port) = remote().await;
    let ours = Authority::new(folder.path(), "ours");
    let other = Authority::new(folder.path(), "other");
    let ask = async |host: &str, port: u16, authority: &Authority| {
        let urls = vec![format!("https://{host}:{port}")];
        let ca_file = Some(authority.file.clone());
        let store = Store::remote(&RemoteOptions { urls, ca_file, ..options(&[]) }).unwrap();
        let read =
            store.rows::<serde_json::Value>("SELECT 1 AS one").await.map_err(|error| error.to_string());
        (insert_blindly(&store).await, read)
    };
    let valid = tls::before(port, ours.certify("localhost", false)).await;
    let (inserted, read) = ask("localhost", valid, &ours).await;
    assert!(inserted.is_ok() && read.is_ok(), "{inserted:?} {read:?}");
    let expired = tls::before(port, ours.certify("localhost", true)).await;
    for (what, host, port, authority, reason) in [
        ("another authority", "localhost", valid, &other, "UnknownIssuer"),
        ("expired", "localhost", expired, &ours, "expired"),
        ("another name", "127.0.0.1", valid, &ours, "not valid for name"),
        ("no TLS at all", "localhost", port, &ours, "corrupt"),
    ] {
        let (inserted, read) = ask(host, port, authority).await;
        assert!(matches!(inserted, Err(InsertError::Unanswered { .. })), "{what}: {inserted:?}");
        let said = read.unwrap_err();
        assert!(said.contains(reason), "{what}: {said}");
    }
    // Plain HTTP to a TLS port.
    let plain = Store::remote(&options(&[valid])).unwrap();
    assert!(plain.execute("SELECT 1").await.is_err());
    assert_eq!(count(&embedded, "logs WHERE Body = 'blind'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_port_speaks_tls_and_takes_a_new_certificate_for_new_connections() {
    let (folder, embedded) = fresh().await;
    let (first, second) = (Authority::new(folder.path(), "first"), Authority::new(folder.path(), "second"));
    let current = Arc::new(std::sync::Mutex::new(tls::server(first.certify("localhost", false))));
    let now = Arc::clone(&current);
    let secured = lastwords_store::Port {
        tls: Some(Arc::new(move || Arc::clone(&now.lock().unwrap()))),
        ..port_of(&embedded)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve_port(listener, secured, std::future::pending()));
    let ask = async |authority: &Authority| {
        let urls = vec![format!("https://localhost:{port}")];
        let ca_file = Some(authority.file.clone());
        let store = Store::remote(&RemoteOptions { urls, ca_file, ..options(&[]) }).unwrap();
        store.rows::<serde_json::Value>("SELECT 1 AS one").await.map_err(|error| error.to_string())
    };
    assert!(ask(&first).await.is_ok());
    assert!(ask(&second).await.is_err());
    *current.lock().unwrap() = tls::server(second.certify("localhost", false));
    assert!(ask(&second).await.is_ok());
    assert!(ask(&first).await.is_err());
    // Whoever speaks plain text gets no answer.
    assert!(Store::remote(&options(&[port])).unwrap().execute("SELECT 1").await.is_err());
}

/// An insert that needs no answer before.
async fn insert_blindly(store: &Store) -> Result<(), InsertError> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut block = LogsBlock::new();
    block.push(log(b"blind", 0, u32::try_from(now).unwrap() + 5));
    store.insert_native("logs", block.encode(), &with_token("blind")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing\n").unwrap();
    for (file, reason) in
        [(empty, "no certificate in it"), (folder.path().join("none.pem"), "cannot be read")]
    {
        let urls = vec!["https://localhost:1".to_owned()];
        let error = Store::remote(&RemoteOptions { urls, ca_file: Some(file.clone()), ..options(&[]) });
        let error = error.unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains(&file.display().to_string()), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_have_the_names_that_the_engine_gives_them() {
    #[derive(serde::Deserialize)]
    struct Name {
        name: String,
    }
    let (_folder, store) = fresh().await;
    for (code, name) in [codes::TRANSIENT, codes::OVERLOAD, codes::DATA, codes::SETUP].concat() {
        let rows: Vec<Name> = store.rows(&format!("SELECT errorCodeToName({code}) AS name")).await.unwrap();
        assert_eq!(rows[0].name, name, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_for_a_cluster_is_one_that_the_engine_can_read() {
    let (_folder, store) = fresh().await;
    let layout = lastwords_store::schema::Layout { database: "fleet".into(), cluster: Some("main".into()) };
    let statements = lastwords_store::schema::rendered(&layout);
    let replicated = statements.iter().filter(|sql| sql.contains("ENGINE = Replicated")).count();
    let distributed = statements.iter().filter(|sql| sql.contains("ENGINE = Distributed('main'")).count();
    // The table of migrations is Replicated and nothing else.
    assert!(distributed >= 6 && replicated == distributed + 1, "{statements:#?}");
    for sql in &statements {
        let parsed: Vec<serde_json::Value> = store
            .rows_with("SELECT formatQuery({sql:String}) AS text", &[("sql", sql)])
            .await
            .unwrap_or_else(|error| panic!("{error}\n{sql}"));
        let text = parsed[0]["text"].as_str().unwrap();
        assert!(!sql.starts_with("CREATE") || text.contains("ON CLUSTER main"), "{text}");
        assert!(!text.contains("this_run") && !text.contains("non_replicated"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quarantine_is_read_released_and_dropped_over_http() {
    let (_folder, _embedded, store, _) = remote().await;
    let planned = store.planning_time_s().await.unwrap();
    let envelope: Vec<u8> = (0..100_000u32).map(|byte| (byte % 251) as u8).collect();
    let mut quarantine = QuarantineBlock::new();
    let mut ledger = BatchesBlock::new();
    for (sequence, envelope) in [(1, envelope.as_slice()), (2, b""), (3, b"x")] {
        let reason = "it's \\ broken";
        quarantine.push(&QuarantineRow {
            batch: batch(sequence),
            reason,
            envelope,
            time_ns: 5,
            planned_s: planned,
        });
        ledger.push(&BatchRow {
            batch: batch(sequence),
            records: 0,
            samples: 0,
            events: 0,
            placements: 0,
            bytes: 1,
            hosts: "",
            quarantined: reason,
            content: 0,
            sealed_ns: 0,
            stored_ns: 0,
            planned_s: planned,
        });
    }
    store.insert_native("quarantine", quarantine.encode(), &with_token("q")).await.unwrap();
    assert!(!store.is_in_ledger(batch(1)).await.unwrap());
    store.insert_native("batches", ledger.encode(), &with_token("l")).await.unwrap();
    assert!(store.is_in_ledger(batch(1)).await.unwrap());
    let listed = store.quarantined().await.unwrap();
    let seen: Vec<_> = listed.iter().map(|one| (one.id, one.bytes, one.reason.as_str())).collect();
    let reason = "it's \\ broken";
    assert_eq!(seen, [(batch(1), 100_000, reason), (batch(2), 0, reason), (batch(3), 1, reason)]);
    assert_eq!(store.quarantined_envelope(batch(1)).await.unwrap(), Some(envelope));
    assert_eq!(store.quarantined_envelope(batch(2)).await.unwrap(), Some(Vec::new()));
    assert_eq!(store.quarantined_envelope(batch(9)).await.unwrap(), None);
    let settled =
        Settled { records: 7, samples: 6, events: 5, placements: 4, bytes: 3, hosts: "o'brien,\\x" };
    store.release_from_quarantine(batch(1), &settled).await.unwrap();
    store.drop_quarantined(batch(2)).await.unwrap();
    let left = store.quarantined().await.unwrap();
    assert_eq!(left.iter().map(|one| one.id).collect::<Vec<_>>(), [batch(3)]);
    let numbers = "batches WHERE Sequence = 1 AND Records = 7 AND Samples = 6 AND Events = 5 AND Placements = 4 \
                   AND Bytes = 3 AND Hosts = 'o\\'brien,\\\\x' AND Quarantined = ''";
    assert_eq!(count(&store, numbers).await, 1);
    assert_eq!(count(&store, "batches WHERE Quarantined != ''").await, 2);
}
