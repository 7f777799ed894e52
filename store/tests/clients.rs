//! The port as clients from outside see it: Python's `clickhouse-connect`, and plain requests.
//! To be run by `cargo nextest run`: a process opens one data folder only.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail as the test does"
)]

mod support;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::Stdio;

use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lastwords_store::serve_port;
use support::{count, eventually, fresh, port_of};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// The port before a store, with `reader` and `writer`.
async fn served() -> (tempfile::TempDir, lastwords_store::Store, u16) {
    let (folder, store) = fresh().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve_port(listener, port_of(&store), std::future::pending()));
    (folder, store, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_client_inserts_queries_and_reads_errors() {
    let (_folder, _store, port) = served().await;
    let cache = std::env::var_os("LASTWORDS_CACHE").map(PathBuf::from);
    let cache =
        cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/lastwords"));
    let python = cache.join("venv/bin/python");
    assert!(python.is_file(), "{} is missing: run scripts/setup --tests", python.display());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client.py");
    let output = tokio::process::Command::new(python)
        .args([script, &port.to_string()])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.ends_with("all as expected\n"), "{text}");
}

/// Status, headers as text, body.
async fn ask(
    port: u16,
    target: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> (u16, String, Vec<u8>) {
    let client =
        hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let method = if body.is_some() { "POST" } else { "GET" };
    let mut request =
        hyper::Request::builder().method(method).uri(format!("http://127.0.0.1:{port}{target}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = bytes::Bytes::copy_from_slice(body.unwrap_or_default());
    let reply = client.request(request.body(Full::new(body)).unwrap()).await.unwrap();
    let (status, headers) = (reply.status().as_u16(), format!("{:?}", reply.headers()));
    (status, headers, reply.into_body().collect().await.unwrap().to_bytes().to_vec())
}

/// `writer:secret`
const WRITER: (&str, &str) = ("Authorization", "Basic d3JpdGVyOnNlY3JldA==");
/// `reader:only`
const READER: (&str, &str) = ("Authorization", "Basic cmVhZGVyOm9ubHk=");

#[tokio::test(flavor = "multi_thread")]
async fn statements_and_errors_come_as_clickhouse_sends_them() {
    let (_folder, _store, port) = served().await;
    // Target, headers, body, then the status and a part of the answer.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<&'a [u8]>, u16, &'a str);
    let cases: &[Case<'_>] = &[
        ("/ping", &[], None, 200, "Ok.\n"),
        ("/?query=SELECT%201", &[], None, 403, "Code: 516"),
        ("/?query=SELECT%201", &[READER], None, 200, "1\n"),
        ("/?query=SELECT%201", &[WRITER], None, 200, "1\n"),
        ("/?query=SELECT%201&user=reader&password=only", &[], None, 200, "1\n"),
        ("/?user=reader&password=wrong", &[], Some(b"SELECT 1"), 403, "Code: 516"),
        ("/", &[READER], Some(b"SELECT 1 AS n FORMAT JSONEachRow"), 200, "{\"n\":1}\n"),
        ("/?default_format=JSONEachRow", &[READER], Some(b"SELECT 1 AS n"), 200, "{\"n\":1}\n"),
        ("/?default_format=Template", &[READER], Some(b"SELECT 1 AS n"), 400, "Code: 73"),
        ("/?param_a=5&query=SELECT%20%7Ba:UInt8%7D%2B1", &[READER], None, 200, "6\n"),
        ("/?database=lastwords", &[READER], Some(b"SELECT count() FROM logs"), 200, "0\n"),
        ("/?database=default", &[READER], Some(b"SELECT count() FROM logs"), 200, "0\n"),
        ("/", &[READER], Some(b"SELECT count() FROM lastwords.logs"), 200, "0\n"),
        ("/?database=nowhere", &[READER], Some(b"SELECT 1"), 404, "Code: 81"),
        (
            "/?max_threads=1&readonly=1&log_comment=x&send_progress_in_http_headers=1",
            &[READER],
            Some(b"SELECT 1"),
            200,
            "1\n",
        ),
        ("/?no_such_setting=1", &[READER], Some(b"SELECT 1"), 400, "Code: 115"),
        ("/?max_threads=x", &[READER], Some(b"SELECT 1"), 400, "Code: 452"),
        ("/", &[READER], Some(b"SELEC 1"), 403, "Code: 497"),
        ("/", &[READER], Some(b"SELECT nothing FROM logs"), 400, "Code: 47"),
        ("/", &[READER], Some(b""), 400, "Empty query"),
        ("/?query=INSERT%20INTO%20logs%20(Body)%20VALUES", &[READER], Some(b"('x')"), 403, "Code: 497"),
        ("/?query=INSERT%20INTO%20logs%20(Body)%20VALUES%20('x')", &[WRITER], None, 403, "Code: 164"),
        ("/?decompress=1", &[READER], Some(b"SELECT 1"), 400, "Code: 271"),
        ("/?client_protocol_version=x", &[READER], Some(b"SELECT 1"), 400, "Code: 62"),
        // What the URL has and what the body has are one statement.
        ("/?query=SELECT%201%20%2B", &[READER], Some(b"41"), 200, "42\n"),
        ("/?query=INSERT%20INTO%20logs%20(Body)", &[READER], Some(b"VALUES ('x')"), 403, "Code: 497"),
        ("/nothing", &[READER], Some(b"SELECT 1"), 404, "nothing here"),
    ];
    for (target, headers, body, status, text) in cases {
        let (found, head, answer) = ask(port, target, headers, *body).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(found, *status, "{target} {body:?}: {answer}");
        assert!(answer.contains(text), "{target} {body:?}: {answer}");
        assert_eq!(
            head.contains("x-clickhouse-exception-code"),
            text.starts_with("Code:") || *text == "Empty query",
            "{target}: {head}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compressed_and_bodies_decompressed() {
    let (_folder, _store, port) = served().await;
    let sql: &[u8] = b"SELECT number, 'the same words in every row' FROM numbers(10000)";
    let (_, _, plain) = ask(port, "/", &[WRITER], Some(sql)).await;
    for coding in ["gzip", "zstd", "deflate", "lz4"] {
        let (status, head, packed) = ask(port, "/", &[WRITER, ("Accept-Encoding", coding)], Some(sql)).await;
        assert_eq!(status, 200);
        assert!(head.contains(&format!("\"content-encoding\": \"{coding}\"")), "{head}");
        assert!(packed.len() < plain.len(), "{coding}: {} of {}", packed.len(), plain.len());
    }
    let packed = zstd::encode_all(sql, 1).unwrap();
    let (status, _, answer) = ask(port, "/", &[WRITER, ("Content-Encoding", "zstd")], Some(&packed)).await;
    assert_eq!((status, answer), (200, plain));
}

/// ClickHouse's own block around data that stays as it is.
fn block(data: &[u8]) -> Vec<u8> {
    let size = |bytes: usize| u32::try_from(bytes).unwrap().to_le_bytes();
    let block = [&[0x02], &size(data.len() + 9)[..], &size(data.len()), data].concat();
    let checksum = cityhash_rs::cityhash_102_128(&block).rotate_left(64).to_le_bytes();
    [&checksum[..], &block].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn clickhouses_own_blocks_are_spoken_in_both_directions() {
    let (_folder, store, port) = served().await;
    let (status, head, answer) =
        ask(port, "/?compress=1&network_compression_method=NONE", &[READER], Some(b"SELECT 1")).await;
    assert_eq!((status, answer), (200, block(b"1\n")), "{head}");
    for method in ["LZ4", "ZSTD"] {
        let target = format!("/?compress=1&network_compression_method={method}");
        let sql = b"SELECT number, 'the same words in every row' FROM numbers(10000)";
        let (_, _, plain) = ask(port, "/", &[READER], Some(sql)).await;
        let (status, head, packed) =
            ask(port, &target, &[READER, ("Accept-Encoding", "gzip")], Some(sql)).await;
        assert!(status == 200 && packed.len() < plain.len() && !head.contains("content-encoding"), "{head}");
        assert_eq!(packed[16], if method == "LZ4" { 0x82 } else { 0x90 });
    }
    let planned = store.planning_time_s().await.unwrap();
    let insert = "/?decompress=1&query=INSERT%20INTO%20logs%20(Body,Planned)%20FORMAT%20TabSeparated";
    let row = |text: &str| block(format!("{text}\t{planned}\n").as_bytes());
    let body = [row("one"), row("two")].concat();
    let (status, _, answer) = ask(port, insert, &[WRITER], Some(&body)).await;
    assert_eq!((status, count(&store, "logs").await), (200, 2), "{}", String::from_utf8_lossy(&answer));
    for broken in [&body[..body.len() - 1], &body[1..]] {
        let (status, _, answer) = ask(port, insert, &[WRITER], Some(broken)).await;
        assert_eq!(status, 400, "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(count(&store, "logs").await, 2);
    let (status, _, answer) = ask(port, "/?decompress=1", &[READER], Some(&block(b"SELECT 1"))).await;
    assert_eq!((status, answer.as_slice()), (200, b"1\n".as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn native_comes_as_a_server_writes_it_for_the_clients_revision() {
    let (_folder, _store, port) = served().await;
    let sql: &[u8] = b"SELECT toUInt8(7) AS a, map('k', ['v']) AS m";
    let block = |info: &[u8], behind: &[u8]| {
        let m = [&1_u64.to_le_bytes()[..], b"\x01k", &1_u64.to_le_bytes(), b"\x01v"].concat();
        [info, &[2, 1], b"\x01a\x05UInt8", behind, &[7], b"\x01m\x1aMap(String, Array(String))", behind, &m]
            .concat()
    };
    for (revision, info, behind) in [
        (0, &[][..], &[][..]),
        (54_453, &[1, 0, 2, 255, 255, 255, 255, 0], &[]),
        (54_460, &[1, 0, 2, 255, 255, 255, 255, 0], &[0]),
        (54_485, &[1, 0, 2, 255, 255, 255, 255, 3, 0, 0], &[0]),
    ] {
        let target = format!("/?default_format=Native&client_protocol_version={revision}");
        let (status, _, answer) = ask(port, &target, &[READER], Some(sql)).await;
        assert_eq!((status, answer), (200, block(info, behind)), "{revision}");
    }
    // States of aggregate functions have no length that is known here.
    let states = b"SELECT sumState(number) FROM numbers(3)";
    let target = "/?default_format=Native&client_protocol_version=54460";
    let (status, _, answer) = ask(port, target, &[READER], Some(states)).await;
    assert_eq!(status, 501, "{}", String::from_utf8_lossy(&answer));
    assert!(String::from_utf8_lossy(&answer).contains("AggregateFunction"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_does_not_unpack_as_a_whole_and_says_why() {
    let (_folder, _store, port) = served().await;
    let sql = "SELECT toUInt64(if(number = 900000, 'x', toString(number))) FROM numbers(1000000)";
    let client =
        hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    for coding in ["", "gzip", "zstd"] {
        let request = hyper::Request::post(format!("http://127.0.0.1:{port}/"))
            .header(READER.0, READER.1)
            .header("Accept-Encoding", coding)
            .body(Full::new(bytes::Bytes::from(sql)));
        let mut body = client.request(request.unwrap()).await.unwrap().into_body();
        let mut came = Vec::new();
        let cut = loop {
            match body.frame().await {
                Some(Ok(frame)) => came.extend_from_slice(&frame.into_data().unwrap()),
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(cut, "{coding}: the answer ended as if it were whole");
        let mut text = Vec::new();
        let unpacked = match coding {
            "gzip" => flate2::read::GzDecoder::new(came.as_slice()).read_to_end(&mut text),
            "zstd" => zstd::Decoder::new(came.as_slice()).unwrap().read_to_end(&mut text),
            _ => came.as_slice().read_to_end(&mut text),
        };
        assert_eq!(unpacked.is_err(), !coding.is_empty(), "{coding}");
        let end = String::from_utf8_lossy(&text[text.len() - 600..]).into_owned();
        assert!(end.contains("__exception__") && end.contains("Code: 6"), "{coding}: {end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_insert_stores_nothing() {
    let (_folder, store, port) = served().await;
    let planned = store.planning_time_s().await.unwrap();
    let row = format!("db01\t{planned}\n");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = "POST /?database=lastwords&query=INSERT%20INTO%20logs%20(Body,Planned)%20FORMAT%20TabSeparated HTTP/1.1\r\nHost: x\r\nAuthorization: Basic d3JpdGVyOnNlY3JldA==\r\nContent-Length: 10000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(row.repeat(100_000).as_bytes()).await.unwrap();
    let running = "system.processes WHERE query LIKE 'INSERT INTO%logs%'";
    eventually("the insert runs", async || count(&store, running).await == 1).await;
    drop(stream);
    eventually("the insert has ended", async || count(&store, running).await == 0).await;
    assert_eq!(count(&store, "logs").await, 0);
    // The same insert whole.
    let (status, _, _) = ask(
        port,
        "/?database=lastwords&query=INSERT%20INTO%20logs%20(Body,Planned)%20FORMAT%20TabSeparated",
        &[WRITER],
        Some(row.repeat(1000).as_bytes()),
    )
    .await;
    assert_eq!((status, count(&store, "logs").await), (200, 1000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_ends_its_statement() {
    let (_folder, store, port) = served().await;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let sql = "SELECT number, 'endless' FROM numbers(1000000000000)";
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic d3JpdGVyOnNlY3JldA==\r\nContent-Length: {}\r\n\r\n{sql}",
        sql.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let running = "system.processes WHERE query LIKE '%endless%' AND query NOT LIKE '%system.processes%'";
    eventually("the statement runs", async || count(&store, running).await == 1).await;
    drop(TokioIo::new(stream));
    eventually("the statement has ended", async || count(&store, running).await == 0).await;
}
