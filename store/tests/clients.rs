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
    let zoned = b"SELECT toDateTime(7, 'Asia/Tokyo') AS t";
    let (_, _, answer) =
        ask(port, "/?default_format=Native&client_protocol_version=54460", &[READER], Some(zoned)).await;
    assert!(answer.ends_with(b"\x01t\x16DateTime('Asia/Tokyo')\x00\x07\x00\x00\x00"), "{answer:?}");
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
async fn what_is_set_in_a_session_holds_for_its_user() {
    let (_folder, _store, port) = served().await;
    let post = async |target: &str, user, sql: &str| {
        let (status, head, answer) = ask(port, target, &[user], Some(sql.as_bytes())).await;
        assert_eq!(status, 200, "{sql}: {}", String::from_utf8_lossy(&answer));
        assert!(head.contains("x-clickhouse-summary"), "{head}");
        String::from_utf8_lossy(&answer).into_owned()
    };
    let (in_session, zone) =
        ("/?session_id=s1&session_timeout=60", "SELECT toTypeName(now()), toString(toDateTime(0))");
    assert_eq!(post(in_session, READER, "SET session_timezone = 'Asia/Tokyo'").await, "");
    assert!(post(in_session, READER, zone).await.ends_with("1970-01-01 09:00:00\n"));
    // Beside the statement counts more, another user's and no session have nothing of it.
    for (target, user) in
        [("/?session_id=s1&session_timezone=UTC", READER), ("/?session_id=s1", WRITER), ("/", READER)]
    {
        assert!(post(target, user, zone).await.ends_with("1970-01-01 00:00:00\n"), "{target}");
    }
    assert_eq!(post(in_session, READER, "USE lastwords").await, "");
    for (target, sql, code) in [
        ("/?session_id=other&session_check=1", "SELECT 1", "Code: 372"),
        (in_session, "USE system", "Code: 81"),
        (in_session, "SET readonly_no = 0", "Code: 115"),
        (in_session, "SET max_memory_usage = 'x'", "Code: 452"),
    ] {
        let (status, _, answer) = ask(port, target, &[READER], Some(sql.as_bytes())).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(status >= 400 && answer.contains(code), "{sql}: {status} {answer}");
    }
    // What a session sets makes no limit wider.
    assert_eq!(post(in_session, READER, "SET max_execution_time = 0, max_memory_usage = 0").await, "");
    let limit = "SELECT value FROM system.settings WHERE name = 'max_execution_time'";
    assert_eq!(post(in_session, READER, limit).await, "60\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_end_their_own_statements_by_id() {
    let (_folder, store, port) = served().await;
    let long = "SELECT count(), 'the long one' FROM numbers(1000000000000) WHERE NOT ignore(number)";
    let running =
        "system.processes WHERE query LIKE '%the long one%' AND query NOT LIKE '%system.processes%'";
    let asked =
        tokio::spawn(async move { ask(port, "/?query_id=mine", &[READER], Some(long.as_bytes())).await });
    eventually("it runs", async || count(&store, running).await == 1).await;
    let kill = b"KILL QUERY WHERE query_id = 'mine' SYNC";
    assert_eq!(ask(port, "/", &[WRITER], Some(kill)).await.2, b"", "another user's");
    assert_eq!(count(&store, running).await, 1);
    let (status, _, answer) = ask(port, "/?query_id=mine", &[READER], Some(b"SELECT 1")).await;
    assert!(status >= 400 && String::from_utf8_lossy(&answer).contains("Code: 216"));
    let (status, _, answer) = ask(port, "/", &[READER], Some(kill)).await;
    assert_eq!((status, answer.as_slice()), (200, b"waiting\tmine\treader\n".as_slice()));
    let (status, _, answer) = asked.await.unwrap();
    assert!(status >= 400 && String::from_utf8_lossy(&answer).contains("Code: 394"));
    eventually("it has ended", async || count(&store, running).await == 0).await;
    let (status, head, _) = ask(port, "/?query_id=mine", &[READER], Some(b"SELECT 1")).await;
    assert!(status == 200 && head.contains("\"x-clickhouse-query-id\": \"mine\""), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_and_go_clients_get_what_they_ask_for() {
    let (_folder, _store, port) = served().await;
    let client =
        hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let request = async |method: &str, target: &str, origin: bool| {
        let mut request =
            hyper::Request::builder().method(method).uri(format!("http://127.0.0.1:{port}{target}"));
        if origin {
            request = request.header("Origin", "https://page.example");
        }
        let reply =
            client.request(request.header(READER.0, READER.1).body(Full::default()).unwrap()).await.unwrap();
        let (status, head) = (reply.status().as_u16(), format!("{:?}", reply.headers()));
        (status, head, reply.into_body().collect().await.unwrap().to_bytes().to_vec())
    };
    let (status, head, body) = request("OPTIONS", "/", true).await;
    assert!(status == 204 && head.contains("access-control-allow-methods") && body.is_empty(), "{head}");
    let (status, head, body) = request("HEAD", "/?query=SELECT%201", false).await;
    assert!(status == 200 && head.contains("x-clickhouse-summary") && body.is_empty(), "{head}");
    for (target, allowed) in
        [("/?query=SELECT%201&add_http_cors_header=1", true), ("/?query=SELECT%201", false)]
    {
        let (status, head, body) = request("GET", target, true).await;
        assert_eq!((status, body.as_slice()), (200, b"1\n".as_slice()));
        assert_eq!(head.contains("access-control-allow-origin"), allowed, "{head}");
    }
    let (_, head, _) = request("GET", "/?query=SELECT%201&send_progress_in_http_headers=1", false).await;
    assert!(head.contains("x-clickhouse-progress"), "{head}");
    let hello = "/?query=SELECT%20displayName(),%20version(),%20revision(),%20timezone()";
    let (status, _, body) = request("GET", hello, false).await;
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(status == 200 && text.starts_with("lastwords\t26.") && text.ends_with("\tUTC\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn identifiers_are_names_and_reach_no_further_than_names_do() {
    let (_folder, _store, port) = served().await;
    for (parameter, sql, expected) in [
        ("logs", "SELECT count() FROM {t:Identifier}", "0\n"),
        ("otel_logs", "SELECT count() FROM {t:Identifier}", "0\n"),
        ("n", "SELECT {t:Identifier} FROM (SELECT 7 AS n)", "7\n"),
    ] {
        let target = format!("/?param_t={parameter}");
        let (status, _, answer) = ask(port, &target, &[READER], Some(sql.as_bytes())).await;
        assert_eq!((status, String::from_utf8_lossy(&answer).as_ref()), (200, expected), "{sql}");
    }
    for parameter in ["system.users", "users", "logs%60%20UNION%20ALL%20SELECT%20file('x')%20--", "file"] {
        let target = format!("/?param_t={parameter}");
        for sql in ["SELECT count() FROM {t:Identifier}", "SELECT * FROM system.{t:Identifier}"] {
            let (status, _, answer) = ask(port, &target, &[READER], Some(sql.as_bytes())).await;
            assert!(status >= 400, "{parameter} {sql}: {}", String::from_utf8_lossy(&answer));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_come_with_a_statement_and_go_with_it() {
    let (_folder, _store, port) = served().await;
    let form = |data: &[u8], sql: &str| {
        let head = b"--B\r\nContent-Disposition: form-data; name=\"hosts\"; filename=\"\"\r\n\r\n";
        let query =
            format!("\r\n--B\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n{sql}\r\n--B--\r\n");
        [head, data, query.as_bytes()].concat()
    };
    let kind = ("Content-Type", "multipart/form-data; boundary=B");
    let said = "/?hosts_structure=name%20String,%20n%20UInt8&hosts_format=RowBinary";
    let data = b"\x04hv01\x07\x02\xff\x00\x08";
    let sql = "SELECT sum(n), count() FROM hosts WHERE NOT name IN (SELECT Host FROM logs)";
    let (status, _, answer) = ask(port, said, &[READER, kind], Some(&form(data, sql))).await;
    assert_eq!((status, String::from_utf8_lossy(&answer).as_ref()), (200, "15\t2\n"));
    // It has gone with its statement.
    let (status, _, answer) = ask(port, "/", &[READER], Some(b"SELECT count() FROM hosts")).await;
    assert!(status >= 400, "{}", String::from_utf8_lossy(&answer));
    for (said, sql) in [
        ("/?hosts_structure=a%20AggregateFunction(sum,%20UInt8)", "SELECT 1"),
        ("/?hosts_structure=a%20String)%20ENGINE%3DURL('http://127.0.0.1:1/'", "SELECT 1"),
        ("/?hosts_structure=a%20String%20DEFAULT%20file('/etc/passwd')", "SELECT 1"),
        ("/?hosts_structure=a%20String&hosts_format=Values", "SELECT 1"),
        ("/?hosts_structure=a%20String&hosts_format=Template", "SELECT 1"),
        ("/", "SELECT 1"),
        ("/?hosts_structure=a%20String", "SELECT * FROM system.users"),
    ] {
        let (status, _, answer) = ask(port, said, &[READER, kind], Some(&form(b"x\n", sql))).await;
        assert!(status >= 400, "{said}: {status} {}", String::from_utf8_lossy(&answer));
    }
    let (status, _, _) = ask(port, said, &[WRITER, kind], Some(&form(data, "SELECT 1"))).await;
    assert_eq!(status, 403);
    // A million rows of 256 bytes each out of a megabyte: tables are made within the statement's memory.
    let bomb = form(&b"\n".repeat(1_000_000), "SELECT count() FROM hosts");
    let wide = "/?max_memory_usage=50000000&hosts_structure=a%20FixedString(256)";
    let (status, _, answer) = ask(port, wide, &[READER, kind], Some(&bomb)).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(status >= 400 && answer.contains("Code: 241"), "{status} {answer}");
    assert_eq!(ask(port, "/", &[READER], Some(b"SELECT 1")).await.0, 200);
}

/// What clickhouse-jdbc asks for DBeaver's tree, in its own words, and how many rows there have to be at least.
const JDBC: &[(&str, usize)] = &[
    ("SELECT name AS TABLE_SCHEM, '' AS TABLE_CATALOG FROM system.databases ORDER BY name", 1),
    (
        "SELECT t.name AS TABLE_NAME, if(t.is_temporary = 1, concat('Temporary', t.engine), t.engine) AS TABLE_TYPE, d.engine AS TYPE_SCHEM \
         FROM system.tables t JOIN system.databases d ON system.tables.database = system.databases.name WHERE t.database LIKE 'lastwords'",
        6,
    ),
    (
        "SELECT name AS COLUMN_NAME, toInt32(multiIf(character_octet_length IS NOT NULL, character_octet_length, system.columns.type == 'Bool', 1, numeric_precision IS NOT NULL, numeric_precision, 0)) AS COLUMN_SIZE, \
         toInt32(IF (numeric_scale == 0, NULL, numeric_scale)) as DECIMAL_DIGITS, toInt32(numeric_precision_radix) AS NUM_PREC_RADIX, \
         toInt32(position(type, 'Nullable(') >= 1 ?1 : 0) as NULLABLE, system.columns.comment AS REMARKS, toInt32(system.columns.position) AS ORDINAL_POSITION \
         FROM system.columns WHERE database LIKE 'lastwords' AND table LIKE 'logs' AND name LIKE '%' ORDER BY ORDINAL_POSITION",
        20,
    ),
    (
        "SELECT system.tables.name AS TABLE_NAME, trim(c.1) AS COLUMN_NAME, CAST(c.2 AS Int16) AS KEY_SEQ FROM system.tables \
         ARRAY JOIN arrayZip(splitByChar(',', primary_key), arrayEnumerate(splitByChar(',', primary_key))) as c \
         WHERE system.tables.primary_key <> '' AND system.tables.database ILIKE 'lastwords' AND system.tables.name ILIKE 'logs' ORDER BY COLUMN_NAME",
        1,
    ),
    (
        "SELECT name AS TYPE_NAME, CAST(attrs.c2 AS Nullable(Int32)) AS PRECISION, CAST(not(dt.case_insensitive) AS Boolean) AS CASE_SENSITIVE, 3::Int16 AS SEARCHABLE \
         FROM system.data_type_families dt LEFT JOIN (SELECT * FROM VALUES ( ('Bool',1,true,0,0),('Date',10,false,0,0)) ) as attrs ON (dt.name = attrs.c1) WHERE alias_to == '' ORDER BY name",
        20,
    ),
    (
        "SELECT CAST(name as Nullable(String)) AS FUNCTION_NAME, concat(description, '(', origin, ')') AS REMARKS FROM system.functions WHERE name LIKE '%'",
        100,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn dbeaver_finds_its_tree() {
    let (_folder, _store, port) = served().await;
    for (sql, least) in JDBC {
        let target = "/?async_insert=0&wait_end_of_query=0&default_format=TSV";
        let (status, _, answer) = ask(port, target, &[READER], Some(sql.as_bytes())).await;
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(status, 200, "{sql}: {text}");
        assert!(text.lines().count() >= *least, "{sql}: {text}");
    }
}

/// Answers each call with one match whose class is the call's first argument.
struct Echo;

impl lastwords_store::http::Matches for Echo {
    fn table(&self, arguments: Vec<String>) -> lastwords_store::http::Matching {
        Box::pin(async move {
            let class = arguments.first().cloned().unwrap_or_default();
            if class == "nothing" {
                return Err("Wanted a class; found nothing.".to_owned());
            }
            let row = lastwords_store::select::MatchRow {
                class: &class,
                start: "2026-11-28 12:00:00".into(),
                end: None,
                host: "hv01",
                guest: "",
                title: "",
                severity: "",
                partners: 1,
                partner_class: "it's",
                partner_start: None,
                partner_end: None,
                partner_host: "",
                partner_guest: "",
                partner_title: "",
                lag: Some(-1.5),
            };
            Ok(lastwords_store::select::MatchesTable::new([row].into_iter()))
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_shows_the_matches_of_a_question() {
    let (_folder, store) = fresh().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let with = lastwords_store::Port { matches: Some(std::sync::Arc::new(Echo)), ..port_of(&store) };
    tokio::spawn(serve_port(listener, with, std::future::pending()));
    let sql = b"SELECT c.Class, c.Start, c.PartnerClass, c.Lag FROM correlate('panics', 'network saturation', '5m') AS c";
    let (status, _, answer) = ask(port, "/", &[READER], Some(sql)).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert_eq!((status, answer.as_str()), (200, "panics\t2026-11-28 12:00:00.000000000\tit\\'s\t-1.5\n"));
    for (sql, code) in [
        ("SELECT * FROM correlate('nothing', 'x', '5m')", "Code: 36"),
        ("SELECT * FROM correlate(concat('a', 'b'))", "Code: 497"),
    ] {
        let (status, _, answer) = ask(port, "/", &[READER], Some(sql.as_bytes())).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(status >= 400 && answer.contains(code), "{sql}: {answer}");
    }
    let other = serve_without(&store).await;
    let (status, _, answer) = ask(other, "/", &[READER], Some(sql)).await;
    assert!(status == 403 && String::from_utf8_lossy(&answer).contains("not answered on this port"));
}

/// A port that answers no questions.
async fn serve_without(store: &lastwords_store::Store) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve_port(listener, port_of(store), std::future::pending()));
    port
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
