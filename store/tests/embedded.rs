//! The store on the real engine. One process can open one data folder, so each test has to run in a process of its
//! own: `cargo nextest run -p lastwords-store`. Where the engine is missing, they fail and say how to get it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail as the test does"
)]

mod support;

use lastwords_store::rows::*;
use lastwords_store::{Engine, EngineError, EngineOptions, InsertError, Inserting, MigrateError, QueryError};
use support::{batch, count, fresh, log};

fn with_token(token: &str) -> Inserting {
    Inserting { token: Some(token.into()), ..Inserting::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_a_block_in_once() {
    let (_folder, store) = fresh().await;
    let planned = store.planning_time_s().await.unwrap();
    let mut block = LogsBlock::new();
    for row in 0..1000 {
        block.push(log(b"a line", row, planned));
    }
    for _ in 0..2 {
        store.insert_native(LogsBlock::TABLE, block.encode(), &with_token("t1")).await.unwrap();
    }
    assert_eq!(count(&store, "logs").await, 1000);
    store.insert_native(LogsBlock::TABLE, block.encode(), &with_token("t2")).await.unwrap();
    assert_eq!(count(&store, "logs").await, 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_inserts_are_refused_and_do_not_burn_their_token() {
    let (_folder, store) = fresh().await;
    let planned = store.planning_time_s().await.unwrap();
    let insert = async |planned_s: u32| {
        let mut block = LogsBlock::new();
        block.push(log(b"a line", 0, planned_s));
        store.insert_native(LogsBlock::TABLE, block.encode(), &with_token("t1")).await
    };
    // Planned more than a minute ago, or before the engine was started: both hold for the first of them.
    for late in [planned - 100, planned - 30] {
        let refused = insert(late).await;
        assert!(matches!(refused, Err(InsertError::TooLate { .. })), "{refused:?}");
    }
    assert_eq!(count(&store, "logs").await, 0);
    insert(planned).await.unwrap();
    assert_eq!(count(&store, "logs").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_the_store_cannot_read_is_refused_for_good() {
    let (_folder, store) = fresh().await;
    let planned = store.planning_time_s().await.unwrap();
    let mut block = LogsBlock::new();
    block.push(log(b"a line", 0, planned));
    let mut cut = block.encode();
    cut.bytes.truncate(cut.bytes.len() - 1);
    let refused = store.insert_native("logs", cut, &with_token("t1")).await;
    assert!(matches!(refused, Err(InsertError::Refused { .. })), "{refused:?}");
    let nowhere = store.insert_native("nowhere", block.encode(), &with_token("t1")).await;
    assert!(matches!(nowhere, Err(InsertError::Retryable { code: 60, .. })), "{nowhere:?}");
    assert_eq!(count(&store, "logs").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_migration_has_nothing_to_do_and_a_newer_schema_is_refused() {
    let (_folder, store) = fresh().await;
    assert_eq!(store.migrate().await.unwrap(), 0);
    store
        .execute("INSERT INTO migrations (Number, Name, Program) VALUES (4711, 'x', '9.8.7')")
        .await
        .unwrap();
    let refused = store.migrate().await.unwrap_err();
    assert!(matches!(refused, MigrateError::Newer { found: 4711, .. }), "{refused}");
    assert!(refused.to_string().contains("9.8.7"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_engine_in_a_process_and_a_missing_library_are_explained() {
    let (folder, _store) = fresh().await;
    let second = Engine::open(&EngineOptions::new(folder.path().join("other")));
    assert!(matches!(second, Err(EngineError::AlreadyOpen { .. })), "{second:?}");
    let mut options = EngineOptions::new(folder.path().join("other"));
    options.library = Some("/nonexistent/libchdb.so".into());
    let missing = Engine::open(&options).unwrap_err().to_string();
    assert!(missing.contains("scripts/engine") && missing.contains("/nonexistent"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_take_parameters_and_name_their_errors() {
    let (_folder, store) = fresh().await;
    for text in ["plain", "it's \\ a\ttab\nand a line", "", "{x:String}", "ünïcode"] {
        #[derive(serde::Deserialize)]
        struct Row {
            text: String,
            number: u64,
        }
        let rows: Vec<Row> = store
            .rows_with(
                "SELECT {a:String} AS text, {b:UInt64} AS number",
                &[("a", text), ("b", "18446744073709551615")],
            )
            .await
            .unwrap();
        assert_eq!((rows[0].text.as_str(), rows[0].number), (text, u64::MAX));
    }
    let error = store.execute("SELECT * FROM nowhere").await.unwrap_err();
    assert!(matches!(error, QueryError::Statement { code: 60, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_arrives_whole_and_an_error_inside_it_is_seen() {
    let (_folder, store) = fresh().await;
    let mut answer =
        store.query_bytes("SELECT number FROM numbers(3000000)", &[], "TabSeparated", &[]).unwrap();
    let (mut bytes, mut lines) = (0, 0);
    while let Some(chunk) = answer.next().await.unwrap() {
        bytes += chunk.len();
        lines += chunk.iter().filter(|byte| **byte == b'\n').count();
    }
    assert_eq!((bytes, lines), (22_888_890, 3_000_000));
    let failing = "SELECT throwIf(number = 2900000, 'in the middle') FROM numbers(3000000)";
    let mut answer = store
        .query_bytes(failing, &[], "TabSeparated", &[("max_block_size", "8192"), ("max_threads", "1")])
        .unwrap();
    let error = loop {
        match answer.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a failed statement passed for a whole answer"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("in the middle"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_many_blocks_is_one_document_in_each_format() {
    let (_folder, store) = fresh().await;
    let sql = "SELECT toString(number) AS `a \"name\"`, number AS n FROM numbers(1000)";
    let answer = async |format: &str, block_rows: &str| {
        let settings = [("max_block_size", block_rows), ("output_format_write_statistics", "0")];
        store.query_bytes(sql, &[], format, &settings).unwrap().collect().await.unwrap()
    };
    for format in [
        "CSV",
        "CSVWithNames",
        "CSVWithNamesAndTypes",
        "JSON",
        "JSONColumns",
        "JSONCompact",
        "JSONCompactEachRowWithNames",
        "JSONCompactEachRowWithNamesAndTypes",
        "JSONCompactStringsEachRowWithNamesAndTypes",
        "JSONEachRow",
        "JSONObjectEachRow",
        "Markdown",
        "RowBinaryWithNames",
        "RowBinaryWithNamesAndTypes",
        "TSVRawWithNames",
        "TSVWithNames",
        "TabSeparatedWithNamesAndTypes",
        "Values",
        "Vertical",
        "XML",
    ] {
        let (in_one, in_many) = (answer(format, "65409").await, answer(format, "100").await);
        assert!(in_one.len() > 1_000, "{format}");
        assert!(in_many == in_one, "{format}: {}", String::from_utf8_lossy(&in_many));
    }
    for (format, mark) in [("Parquet", b"PAR1".as_slice()), ("Arrow", b"ARROW1")] {
        let file = answer(format, "100").await;
        let marks = file.windows(mark.len()).filter(|window| *window == mark).count();
        assert_eq!(marks, 2, "{format}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_statement_is_ended() {
    let (_folder, store) = fresh().await;
    let running =
        "system.processes WHERE query LIKE '%sleepEachRow%' AND query NOT LIKE '%system.processes%'";
    let asking = {
        let store = store.clone();
        tokio::spawn(async move {
            store.execute("SELECT sum(sleepEachRow(1)) FROM numbers(600) SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0").await
        })
    };
    support::eventually("the statement runs", async || count(&store, running).await == 1).await;
    asking.abort();
    support::eventually("the statement is ended", async || count(&store, running).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_returns_after_its_files_and_folder_are_synced() {
    let (_folder, store) = fresh().await;
    #[derive(serde::Deserialize)]
    struct Synced {
        n: u64,
    }
    let synced = async |event: &str| {
        let sql = "SELECT toUInt64(sum(value)) AS n FROM system.events WHERE event = {event:String}";
        store.rows_with::<Synced>(sql, &[("event", event)]).await.unwrap()[0].n
    };
    let planned = store.planning_time_s().await.unwrap();
    for (table, block) in [
        (LogsBlock::TABLE, {
            let mut block = LogsBlock::new();
            block.push(log(b"a line", 0, planned));
            block.encode()
        }),
        (QuarantineBlock::TABLE, {
            let mut block = QuarantineBlock::new();
            block.push(&QuarantineRow {
                batch: batch(1),
                reason: "r",
                envelope: b"e",
                time_ns: 1,
                planned_s: planned,
            });
            block.encode()
        }),
    ] {
        let before = (synced("FileSync").await, synced("DirectorySync").await);
        store.insert_native(table, block, &with_token("t")).await.unwrap();
        let after = (synced("FileSync").await, synced("DirectorySync").await);
        assert!(after.0 > before.0 && after.1 > before.1, "{table}: {before:?} {after:?}");
    }
}

#[test]
fn a_folder_that_another_process_holds_is_named_with_its_holder() {
    let folder = tempfile::tempdir().unwrap();
    let status = folder.path().join("status");
    std::fs::write(&status, "PID: 4711\nStarted at: 2026-11-20 15:02:11\n").unwrap();
    let lock = std::fs::File::open(&status).unwrap();
    lock.lock().unwrap();
    let refused = Engine::open(&EngineOptions::new(folder.path())).unwrap_err();
    assert!(matches!(refused, EngineError::Held { .. }), "{refused}");
    assert!(refused.to_string().contains("process 4711"), "{refused}");
    drop(lock);
    Engine::open(&EngineOptions::new(folder.path())).unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_request_is_answered_by_the_engines_handler() {
    use http_body_util::{BodyExt as _, Full};
    let (_folder, store) = fresh().await;
    let ask = async |request: hyper::Request<Full<bytes::Bytes>>| {
        let answer = store.forward(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    let post = |uri: &str, body: &'static str| {
        hyper::Request::post(uri).body(Full::new(bytes::Bytes::from(body))).unwrap()
    };
    assert_eq!(ask(post("/?default_format=CSV", "SELECT 1, 'a'")).await, (200, "1,\"a\"\n".into()));
    // As a server gets it: with another's name in front.
    assert_eq!(ask(post("http://somewhere:8123/", "SELECT 2")).await, (200, "2\n".into()));
    let (status, text) = ask(post("/", "SELECT 1 +")).await;
    assert_eq!(status, 400, "{text}");
    assert!(text.starts_with("Code: 62."), "{text}");
}
