//! The port under attack: who comes in, what a reader and a writer get at, and what they leave to others.
//! To be run by `cargo nextest run`: a process opens one data folder only.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail as the test does"
)]

mod support;

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioExecutor;
use lastwords_store::http::PortLimits;
use lastwords_store::rows::LogsBlock;
use lastwords_store::store::Settled;
use lastwords_store::{Inserting, Port, RemoteOptions, Store, serve_port};
use support::{batch, count, eventually, fresh, log, port_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The port with other limits than the usual.
async fn serve(store: &Store, limits: PortLimits) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve_port(listener, Port { limits, ..port_of(store) }, std::future::pending()));
    port
}

/// Posts a statement as a user: status, headers, and the answer's text.
async fn post(port: u16, user: (&str, &str), target: &str, body: &[u8]) -> (u16, String, String) {
    let client =
        hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let request = hyper::Request::builder()
        .method("POST")
        .uri(format!("http://127.0.0.1:{port}{target}"))
        .header("X-ClickHouse-User", user.0)
        .header("X-ClickHouse-Key", user.1)
        .body(Full::new(bytes::Bytes::copy_from_slice(body)))
        .unwrap();
    let reply = client.request(request).await.unwrap();
    let (status, headers) = (reply.status().as_u16(), format!("{:?}", reply.headers()));
    let body = reply.into_body().collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    (status, headers, String::from_utf8_lossy(&body).into_owned())
}

const READER: (&str, &str) = ("reader", "only");
const WRITER: (&str, &str) = ("writer", "secret");

/// What reaches files, networks, programs or the server, written in many ways. `SECRET` is a file with a word in it.
const ATTACKS: &[&str] = &[
    "SELECT * FROM file('SECRET', 'LineAsString')",
    "SELECT * FROM `\\x66ile`('SECRET', 'LineAsString')",
    "SELECT * FROM \"f\\x69le\"('SECRET', 'LineAsString')",
    "SELECT * FROM 'SECRET'",
    "SELECT * FROM `SECRET`",
    "SELECT file('SECRET')",
    "SELECT * APPLY(file) FROM (SELECT 'SECRET' AS x)",
    "SELECT * APPLY(x -> file(x)) FROM (SELECT 'SECRET' AS x)",
    "SELECT COLUMNS('x') APPLY(`\\x66ile`) FROM (SELECT 'SECRET' AS x)",
    "SELECT 1 WHERE file('SECRET') != ''",
    "WITH file('SECRET') AS x SELECT x",
    "SELECT * FROM eval('SELECT file(\\'SECRET\\')')",
    "SELECT eval('1')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1:1', 'system.one')",
    "SELECT * FROM executable('id', 'TSV', 'x String')",
    "SELECT * FROM `\\x65xecutable`('id', 'TSV', 'x String')",
    "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(EXECUTABLE(COMMAND 'id' FORMAT 'TSV')) LAYOUT(FLAT()) LIFETIME(1)",
    "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(`\\x65xecutable`(command 'id' format 'TSV')) LAYOUT(FLAT()) LIFETIME(1)",
    "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(HTTP(URL 'http://127.0.0.1:1/' FORMAT 'TSV')) LAYOUT(FLAT()) LIFETIME(1)",
    "CREATE TABLE t (a String) ENGINE = File(LineAsString, 'SECRET')",
    "CREATE TABLE t (a String) ENGINE = `\\x46ile`(LineAsString, 'SECRET')",
    "CREATE TABLE t ENGINE = Memory AS SELECT 1",
    "CREATE DATABASE d",
    "CREATE DATABASE d ENGINE = `\\x46ilesystem`('/')",
    "CREATE DATABASE d ENGINE = MySQL('127.0.0.1:1', 'd', 'u', 'p')",
    "CREATE FUNCTION f AS x -> x",
    "CREATE USER u",
    "DROP TABLE logs",
    "TRUNCATE TABLE logs",
    "RENAME TABLE logs TO t",
    "ALTER TABLE logs DELETE WHERE 1",
    "ALTER TABLE logs ADD COLUMN x String DEFAULT file('SECRET')",
    "ALTER TABLE logs FREEZE",
    "ALTER TABLE logs MODIFY TTL Planned + toIntervalDay(1), Planned + toIntervalDay(2)",
    "ATTACH TABLE logs",
    "DETACH TABLE logs",
    "BACKUP TABLE logs TO File('x')",
    "SYSTEM SHUTDOWN",
    "SYSTEM FLUSH LOGS",
    "KILL QUERY WHERE 1",
    "SET readonly = 0",
    "USE system",
    "SELECT 1 INTO OUTFILE '/tmp/lastwords-port-test'",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT 1; DROP TABLE logs",
    "SELECT * FROM system.users",
    "SELECT * FROM `system`.`query_log`",
    "SELECT * FROM information_schema.tables",
    "SELECT getSetting('path')",
    "SELECT sleep(3)",
    "INSERT INTO FUNCTION file('SECRET', 'CSV', 'a String') VALUES ('x')",
    "INSERT INTO TABLE FUNCTION `\\x66ile`('SECRET', 'CSV', 'a String') VALUES ('x')",
    "INSERT INTO migrations (Number) VALUES (4711)",
    "INSERT INTO system.one (dummy) VALUES (1)",
    "INSERT INTO logs (Body) SELECT file('SECRET')",
    "INSERT INTO logs (Body) SELECT * FROM `\\x66ile`('SECRET', 'LineAsString')",
    "INSERT INTO logs (Body) FROM INFILE 'SECRET' FORMAT LineAsString",
    "INSERT INTO logs (Body, Planned) VALUES (file('SECRET'), now())",
    "INSERT INTO logs (Body, Planned) VALUES ((SELECT * FROM file('SECRET', 'LineAsString')), now())",
    "EXPLAIN PLAN SELECT file('SECRET')",
    "DESCRIBE TABLE file('SECRET')",
    "SHOW CREATE TABLE system.users",
    "EXISTS TABLE system.users",
    "CHECK TABLE logs",
    "OPTIMIZE TABLE logs FINAL",
    "EXECUTE AS x SELECT 1",
    "BEGIN TRANSACTION",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_user_reaches_files_networks_programs_or_the_server() {
    let (folder, store) = fresh().await;
    let secret = folder.path().join("secret.txt");
    std::fs::write(&secret, "xyzzy\n").unwrap();
    let port = serve(&store, PortLimits::default()).await;
    for user in [READER, WRITER] {
        for attack in ATTACKS {
            let attack = attack.replace("SECRET", secret.to_str().unwrap());
            for (target, body) in
                [("/".to_owned(), attack.clone()), (format!("/?{}", query(&attack)), String::new())]
            {
                let (status, _, text) = post(port, user, &target, body.as_bytes()).await;
                assert!(status >= 400, "{user:?}: {attack}: {status} {text}");
                assert!(!text.contains("xyzzy"), "{user:?}: {attack}: {text}");
            }
        }
    }
    assert!(!std::path::Path::new("/tmp/lastwords-port-test").exists());
    let tables = "system.tables WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') AND NOT (database = 'lastwords' AND \
                  name IN ('logs', 'events', 'samples', 'placement', 'batches', 'quarantine', 'migrations', 'ranges', 'repairs', 'audits'))";
    assert_eq!(count(&store, tables).await, 0);
    assert_eq!((count(&store, "logs").await, count(&store, "system.dictionaries").await), (0, 0));
    assert_eq!(count(&store, "migrations WHERE Number > 1000").await, 0);
}

fn query(text: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("query", text).finish()
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_databases_and_formats_beside_a_statement_are_those_that_are_listed() {
    let (_folder, store) = fresh().await;
    let port = serve(&store, PortLimits::default()).await;
    for beside in [
        "output_format_schema=/tmp/lastwords-port-test",
        "format_schema=x",
        "format_template_row=/etc/passwd",
        "default_format=Template",
        "database=system",
        "session_timezone=../../etc/passwd",
        "max_memory_usage=0%27",
        "param_a%27=1",
        "max_execution_time=-1",
    ] {
        for user in [READER, WRITER] {
            let (status, _, text) = post(port, user, &format!("/?{beside}"), b"SELECT 1").await;
            assert!(status >= 400, "{user:?} {beside}: {status} {text}");
        }
    }
    // A limit that a client makes wider stays as it is.
    let (status, _, text) =
        post(port, READER, "/?max_execution_time=100000&max_memory_usage=0", b"SELECT 1").await;
    assert_eq!((status, text.as_str()), (200, "1\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_this_program_asks_of_a_store_goes_through_the_port_as_writer() {
    let (_folder, embedded) = fresh().await;
    let port = serve(&embedded, PortLimits::default()).await;
    let store = Store::remote(&RemoteOptions {
        user: "writer".into(),
        password: "secret".into(),
        ..RemoteOptions::new([format!("http://127.0.0.1:{port}")])
    })
    .unwrap();
    assert_eq!(store.migrate().await.unwrap(), 0);
    let planned = store.planning_time_s().await.unwrap();
    assert!(!store.is_over(planned, 60).await.unwrap());
    let mut block = LogsBlock::new();
    for row in 0..1000 {
        block.push(log(b"a line", row, planned));
    }
    let inserting = Inserting { token: Some("t-1/a".into()), ..Inserting::default() };
    for _ in 0..2 {
        store.insert_native("logs", block.encode(), &inserting).await.unwrap();
    }
    assert_eq!(count(&store, "logs").await, 1000);
    store.retain(Some(30)).await.unwrap();
    store.retain(None).await.unwrap();
    let stored = store.stored_batches(i64::MIN, i64::MAX).await.unwrap();
    store.stored_records(&stored).await.unwrap();
    store.stored_event_ids(&stored).await.unwrap();
    assert_eq!(store.quarantined().await.unwrap(), []);
    assert_eq!(store.quarantined_envelope(batch(1)).await.unwrap(), None);
    assert!(!store.is_in_ledger(batch(1)).await.unwrap());
    let settled =
        Settled { records: 1, samples: 2, events: 3, placements: 4, bytes: 5, hosts: "o'brien,\\x" };
    store.release_from_quarantine(batch(1), &settled).await.unwrap();
    store.drop_quarantined(batch(1)).await.unwrap();
}

/// Asks for an endless answer and reads nothing of it.
async fn idle_reader(port: u16) -> TcpStream {
    let sql = "SELECT number, 'endless' FROM numbers(1000000000000)";
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = format!(
        "POST /?user=reader&password=only HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{sql}",
        sql.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

const ENDLESS: &str = "system.processes WHERE query LIKE '%endless%' AND query NOT LIKE '%processes%'";

#[tokio::test(flavor = "multi_thread")]
async fn idle_readers_keep_no_insert_waiting_and_are_cut_off() {
    let (_folder, store) = fresh().await;
    let limits = PortLimits {
        patience: Duration::from_millis(500),
        wait_max: Duration::from_millis(200),
        ..PortLimits::default()
    };
    let port = serve(&store, limits).await;
    let mut idle = Vec::new();
    for _ in 0..16 {
        idle.push(idle_reader(port).await);
    }
    eventually("they run", async || count(&store, ENDLESS).await > 0).await;
    let (status, headers, text) = post(port, READER, "/", b"SELECT 1").await;
    assert!(
        status == 503 && text.contains("Code: 202") && headers.contains("retry-after"),
        "{status} {text}"
    );
    let planned = store.planning_time_s().await.unwrap();
    let row = format!("db01\t{planned}\n");
    let insert = "/?query=INSERT%20INTO%20samples%20(Device,Planned)%20FORMAT%20TabSeparated";
    let (status, _, text) = post(port, WRITER, insert, row.as_bytes()).await;
    assert_eq!(status, 200, "{text}");
    eventually("all are cut off", async || count(&store, ENDLESS).await == 0).await;
    let (status, _, text) = post(port, READER, "/", b"SELECT 1").await;
    assert_eq!((status, text.as_str()), (200, "1\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_have_their_number_and_heads_their_time() {
    let (_folder, store) = fresh().await;
    let limits = PortLimits { connections_each_max: 3, ..PortLimits::default() };
    let port = serve(&store, limits).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut [0; 512]).await.unwrap() > 0);
        kept.push(stream);
    }
    let mut fourth = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let _ = fourth.write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(fourth.read(&mut [0; 512]).await.unwrap_or(0), 0);
    kept.pop();
    eventually("there is room again", async || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = stream.write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n").await;
        stream.read(&mut [0; 512]).await.unwrap_or(0) > 0
    })
    .await;
}
