//! Questions and SQL against the real engine, with little planted data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use lastwords_query::{AskError, AskOptions, Look, ask, render, sql};
use lastwords_record::batch::{BatchId, ShipperId};
use lastwords_store::{
    Engine, EngineOptions, Inserting, Store,
    rows::{EventRow, EventsBlock, LogRow, LogsBlock},
};
use serde_json::Value;
use tempfile::TempDir;

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 86_400 * SECOND;
/// 2026-11-09T00:00:00Z, a Monday.
const MONDAY: i64 = 1_794_182_400 * SECOND;

struct Week {
    store: Store,
    _folder: TempDir,
}

struct Planted {
    class: &'static str,
    start: i64,
    end: Option<i64>,
    host: &'static str,
    guest: &'static str,
    row: u32,
}

fn saturation(day: i64) -> Planted {
    let start = MONDAY + day * DAY + 15 * 60 * MINUTE;
    Planted {
        class: "network.saturation.nic",
        start,
        end: Some(start + 20 * MINUTE),
        host: "hv01",
        guest: "",
        row: 0,
    }
}

fn panic_at(offset: i64, host: &'static str, guest: &'static str, row: u32) -> Planted {
    let start = MONDAY + offset;
    Planted { class: "kernel.panic", start, end: Some(start), host, guest, row }
}

/// A week: hv01's network is saturated from 15:00 to 15:20 every day.
fn planted() -> Vec<Planted> {
    let mut planted: Vec<Planted> = (0..7).map(saturation).collect();
    let afternoon = 15 * 60 * MINUTE;
    planted.extend([
        panic_at(afternoon + 5 * MINUTE, "hv01", "db01", 1),
        panic_at(DAY + afternoon + 25 * MINUTE, "hv01", "db01", 2),
        panic_at(2 * DAY + afternoon + 25 * MINUTE + 1, "hv01", "db01", 3),
        panic_at(3 * DAY + afternoon - 5 * MINUTE, "hv01", "db01", 4),
        panic_at(4 * DAY + afternoon - 5 * MINUTE - 1, "hv01", "db01", 5),
        panic_at(5 * DAY + afternoon, "hv01", "db01", 6),
        panic_at(6 * DAY + 180 * MINUTE, "hv01", "db01", 7),
        panic_at(afternoon + 7 * MINUTE, "hv02", "db02", 8),
    ]);
    planted.push(Planted {
        class: "memory.pressure",
        start: MONDAY + 6 * DAY,
        end: None,
        host: "hv01",
        guest: "",
        row: 9,
    });
    planted
}

impl Week {
    async fn stored() -> Week {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(&EngineOptions::new(folder.path().join("engine")))
            .unwrap_or_else(|error| panic!("{error}\nscripts/setup fetches the engine"));
        let store = Store::embedded(Arc::new(engine));
        store.migrate().await.unwrap();
        let week = Week { store, _folder: folder };
        week.plant().await;
        week
    }

    async fn plant(&self) {
        for one in planted() {
            self.plant_one(&one).await;
        }
    }

    async fn plant_one(&self, one: &Planted) {
        let planned_s = self.store.planning_time_s().await.unwrap();
        let batch = BatchId { shipper: ShipperId([7; 16]), epoch: 1, sequence: 1 };
        let mut logs = LogsBlock::new();
        let body = format!("a line before\n{} of {}\nCall Trace:", one.class, one.guest);
        logs.push(LogRow::<std::iter::Empty<(&str, &str)>> {
            timestamp_ns: one.start,
            clock_offset_ns: 0,
            clock_uncertainty_ns: 2 * SECOND as u64,
            observed_ns: one.start,
            severity: 17,
            body: body.as_bytes(),
            resource_attributes: &[],
            log_attributes: std::iter::empty(),
            host: one.host,
            guest: one.guest,
            guest_uuid: "",
            source: "console",
            program: "kernel",
            class: one.class,
            template: lastwords_detect::template::of_record(body.as_bytes(), "kernel"),
            time_basis: 1,
            batch,
            row: one.row,
            planned_s,
        });
        self.store.insert_native("logs", logs.encode(), &Inserting::default()).await.unwrap();
        // An earlier version without an end is replaced.
        for (version, end_ns) in [(1, None), (2, one.end)] {
            let mut events = EventsBlock::new();
            events.push(&EventRow {
                id: one.start.cast_unsigned() ^ u64::from(one.row),
                version,
                class: one.class,
                start_ns: one.start,
                end_ns,
                host: one.host,
                guest: one.guest,
                guest_uuid: "",
                title: "Kernel panic: 'it' \\ died",
                function: "",
                fingerprint: 0,
                severity: "critical",
                cause: 0,
                attributes: &[],
                clock_uncertainty_ns: 2 * SECOND as u64,
                rule: "test",
                batch,
                row: one.row,
                line_start: 1,
                line_end: 2,
                planned_s,
            });
            self.store.insert_native("events", events.encode(), &Inserting::default()).await.unwrap();
        }
    }

    async fn ask(&self, question: &str) -> Result<Value, AskError> {
        let answer = ask(&self.store, question, &options()).await?.events().unwrap();
        Ok(serde_json::to_value(answer).unwrap())
    }

    async fn sql(&self, text: &str) -> Result<String, AskError> {
        let rows =
            sql(&self.store, text, "JSONEachRow", &AskOptions::new(TimeZone::UTC)).await?.collect().await?;
        Ok(String::from_utf8(rows).unwrap())
    }
}

fn options() -> AskOptions {
    let now: Timestamp = "2026-11-16T12:00:00Z".parse().unwrap();
    AskOptions { now, ..AskOptions::new(TimeZone::UTC) }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_as_planted() {
    let week = Week::stored().await;
    let cases: &[(&str, u64, u64)] = &[
        ("panics within 5 minutes of network saturation", 4, 8),
        ("panics within 5m after network saturation on the same host", 3, 8),
        ("panics within 300s before network saturation", 2, 8),
        ("panics within 5m of network saturation anywhere", 5, 8),
        ("panics within 5m of network saturation on the same guest", 0, 8),
        ("panics within 1h of network saturation", 6, 8),
        ("network saturation within 5 minutes of panics", 4, 7),
        ("panics within 5 minutes of oom kills", 0, 8),
        ("panics within 1 minute after memory pressure", 1, 8),
        ("panics within 5m of network saturation since 2026-11-12", 2, 4),
        ("panics within 5m of network saturation between 2026-11-09 and 2026-11-10", 1, 2),
        ("panics within 5m of network saturation in the last 5 days", 2, 5),
        ("panics within 5m of network saturation since 2026-11-30", 0, 0),
        ("panics within 7 days of panics", 7, 8),
        ("panics", 8, 8),
        ("kernel by class", 8, 8),
        ("\"panic of db01\" within 5m of network saturation", 4, 7),
        ("\"Panic of db01\" within 5m of network saturation", 0, 0),
        ("\"' OR 1 -- \\\\\" within 5m of panics", 0, 0),
        ("{Host = 'hv02' and position(Body, 'panic') > 0} within 0s of panics", 1, 1),
        ("panics within 0s of {Program = 'kernel'} on the same guest", 8, 8),
    ];
    for (question, matched, anchors) in cases {
        let answer = week.ask(question).await.unwrap_or_else(|error| panic!("{question}: {error}"));
        assert_eq!(
            (answer["matched"].as_u64(), answer["anchors"].as_u64()),
            (Some(*matched), Some(*anchors)),
            "{question}: {answer:#}"
        );
        assert_eq!(answer["matches"].as_array().unwrap().len() as u64, *matched, "{question}");
        assert_eq!(answer["truncated"], false);
    }
    the_contract_is_kept(&week).await;
    limits_and_groups(&week).await;
    terminals(&week).await;
    predicates_are_confined(&week).await;
    sql_reads(&week).await;
    sql_is_confined(&week).await;
    recent_open_and_stray_events_are_told_apart(&week).await;
}

async fn the_contract_is_kept(week: &Week) {
    let answer = week.ask("panics within 5 minutes of network saturation").await.unwrap();
    assert_eq!(answer["question"], "panics within 5 minutes of network saturation");
    let sentence = answer["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("4 of 8 panics (50 %) came within 5 min of network saturation on the same host; chance would give "), "{sentence}");
    for key in ["p_day", "p_host", "p_local", "expected_local"] {
        assert!(answer["chance"].as_object().unwrap().contains_key(key), "{answer:#}");
    }
    assert!(["day", "host", "local", "none"].contains(&answer["chance"]["basis"].as_str().unwrap()));
    assert!(answer["expected_by_chance"].is_number() && answer["p_value"].is_number(), "{answer:#}");
    let first = &answer["matches"][0];
    assert_eq!(first["class"], "kernel.panic");
    assert_eq!(first["start"], "2026-11-09T15:05:00.000000000Z");
    assert_eq!((&first["host"], &first["guest"]), (&"hv01".into(), &"db01".into()));
    assert_eq!(first["title"], "Kernel panic: 'it' \\ died");
    assert_eq!(first["evidence"], serde_json::json!(["kernel.panic of db01", "Call Trace:"]));
    let partner = &first["partners"][0];
    assert_eq!(first["partners"].as_array().unwrap().len(), 1);
    assert_eq!(partner["class"], "network.saturation.nic");
    assert_eq!(partner["end"], "2026-11-09T15:20:00.000000000Z");
    assert_eq!(partner["lag_seconds"], 300.0);
    assert_eq!(partner["guest"], Value::Null);
    assert_eq!(answer["hour_of_day"][15], 3);
    assert_eq!(answer["hour_of_day"][14], 1);
    let bars = answer["lag_histogram"].as_array().unwrap();
    assert_eq!(bars.iter().map(|bar| bar["count"].as_u64().unwrap()).sum::<u64>(), 4);
    // An open end is null, and partners come nearest first.
    let open = week.ask("panics within 1 minute after memory pressure").await.unwrap();
    assert_eq!(open["matches"][0]["partners"][0]["end"], Value::Null);
    let panics = week.ask("panics within 7 days of panics").await.unwrap();
    let gaps: Vec<f64> = panics["matches"][3]["partners"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["lag_seconds"].as_f64().unwrap().abs())
        .collect();
    assert!(gaps.len() == 6 && gaps.is_sorted(), "{gaps:?}");
}

async fn limits_and_groups(week: &Week) {
    let question = "panics within 5 minutes of network saturation by day of week";
    let answer = ask(&week.store, question, &AskOptions { limit: Some(2), ..options() })
        .await
        .unwrap()
        .events()
        .unwrap();
    assert!(answer.truncated && answer.matches.len() == 2 && answer.matched == 4);
    let groups = answer.by.unwrap().groups;
    assert_eq!(groups.iter().map(|group| group.matched).collect::<Vec<_>>(), [1, 1, 0, 1, 0, 1, 0]);
    assert_eq!(groups.iter().map(|group| group.anchors).collect::<Vec<_>>(), [2, 1, 1, 1, 1, 1, 1]);
    let by_guest = week.ask("panics by guest").await.unwrap();
    assert_eq!(by_guest["by"]["groups"][0], serde_json::json!({"name": "db01", "anchors": 7, "matched": 7}));
    // The clock's ± 2 s is a lot against 5 s and little against 5 minutes.
    assert_eq!(
        week.ask("panics within 5s of network saturation").await.unwrap()["notes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|note| note.as_str().unwrap().starts_with("Clocks"))
            .count(),
        1
    );
    assert_eq!(
        week.ask("panics within 5m of network saturation").await.unwrap()["notes"]
            .to_string()
            .matches("Clocks")
            .count(),
        0
    );
}

async fn recent_open_and_stray_events_are_told_apart(week: &Week) {
    let notes = |answer: &Value| answer["notes"].to_string();
    // Memory pressure began on Sunday at 00:00 and has no end yet: on Monday at 12:00 that is told.
    let open = week.ask("panics within 1 minute after memory pressure").await.unwrap();
    assert!(
        notes(&open)
            .contains("memory pressure: 1 open for more than a day, the first since 2026-11-15 00:00"),
        "{open:#}"
    );
    let ended = week.ask("panics within 5m of network saturation").await.unwrap();
    assert!(!notes(&ended).contains("open for"), "{ended:#}");

    // Within 13 hours of the last panic another partner of it may still come: it is listed, but the sentence waits.
    let now: Timestamp = "2026-11-15T12:00:00Z".parse().unwrap();
    let soon = AskOptions { now, ..options() };
    let answer =
        ask(&week.store, "panics within 13h of network saturation", &soon).await.unwrap().events().unwrap();
    assert_eq!((answer.matched, answer.anchors), (7, 8), "{answer:?}");
    assert_eq!((answer.chance.undecided, answer.chance.undecided_matched), (1, 1), "{answer:?}");
    assert!(answer.sentence.starts_with("6 of 7 panics (86 %)"), "{}", answer.sentence);
    assert!(
        answer.notes.contains(&"1 more is too recent to be decided; it has a partner already.".to_owned()),
        "{answer:?}"
    );

    // A machine without a clock says 1970, and one says 2099: neither stretches the range.
    let before = week.ask("panics within 5m of network saturation").await.unwrap();
    week.plant_one(&Planted {
        class: "kernel.panic",
        start: 77 * SECOND,
        end: Some(77 * SECOND),
        host: "hv01",
        guest: "db03",
        row: 20,
    })
    .await;
    let late = MONDAY + 73 * 365 * DAY;
    week.plant_one(&Planted {
        class: "kernel.panic",
        start: late,
        end: Some(late),
        host: "hv01",
        guest: "db03",
        row: 21,
    })
    .await;
    let answer = week.ask("panics within 5m of network saturation").await.unwrap();
    assert_eq!(
        (&answer["matched"], &answer["anchors"]),
        (&before["matched"], &before["anchors"]),
        "{answer:#}"
    );
    assert_eq!(answer["range"]["from"], before["range"]["from"]);
    assert!(answer["chance"]["days"].as_u64().unwrap() <= 9, "{answer:#}");
    assert!(notes(&answer).contains("Left out as older than 2026-11-09"), "{answer:#}");
    assert!(notes(&answer).contains("in the future: 1."), "{answer:#}");
    let since = week.ask("panics within 5m of network saturation since 1970-01-01").await.unwrap();
    assert_eq!(since["anchors"], 9, "{since:#}");
    assert_eq!(week.ask("panics").await.unwrap()["anchors"], 10);
}

async fn terminals(week: &Week) {
    let question = "panics within 5 minutes of network saturation";
    let answer = ask(&week.store, question, &options()).await.unwrap().events().unwrap();
    let plain = render(&answer, &Look { width: 80, colour: false });
    assert!(plain.starts_with("4 of 8 panics (50 %)"), "{plain}");
    assert!(
        !plain.contains('\u{1b}') && plain.contains("db01") && plain.contains("2026-11-09 15:05:00"),
        "{plain}"
    );
    assert!(plain.lines().all(|line| line.chars().count() <= 80), "{plain}");
    let coloured = render(&answer, &Look { width: 80, colour: true });
    assert!(coloured.contains("\u{1b}[1m"));
    println!("{plain}");
}

async fn predicates_are_confined(week: &Week) {
    for question in [
        "{1) OR (1} within 5m of panics",
        "{Host IN (SELECT name FROM system.users)} within 5m of panics",
        "{Host IN system.one} within 5m of panics",
        "{file('/etc/passwd') != ''} within 5m of panics",
        "{1 SETTINGS readonly = 0} within 5m of panics",
        "{Hots = 'hv01'} within 5m of panics",
        "panics within 5m of {1; DROP TABLE logs}",
    ] {
        let error = week.ask(question).await.err().unwrap_or_else(|| panic!("{question} was answered"));
        assert!(error.is_usage(), "{question}: {error:?}");
        assert!(error.to_string().contains("^^^"), "{question}: {error}");
    }
}

async fn sql_reads(week: &Week) {
    for (text, expected) in [
        ("SELECT count() AS n FROM events FINAL WHERE Class = 'kernel.panic'", "{\"n\":8}\n"),
        ("with 3 as three select three;", "{\"three\":3}\n"),
        (
            "SELECT count() AS n FROM lastwords.logs AS l JOIN (SELECT DISTINCT Host FROM events) AS e USING (Host)",
            "{\"n\":16}\n",
        ),
        (
            "WITH h AS (SELECT DISTINCT Host FROM logs) SELECT count() AS n FROM logs WHERE Host IN h",
            "{\"n\":16}\n",
        ),
        ("SELECT sum(number) AS n FROM numbers(4)", "{\"n\":6}\n"),
        ("SELECT Host FROM logs WHERE Host IN ('hv02', 'x') LIMIT 1", "{\"Host\":\"hv02\"}\n"),
        ("SELECT 1 AS n UNION ALL SELECT 2 WHERE 0", "{\"n\":1}\n"),
        (
            "SELECT formatReadableSize(1024) AS s, format('{}', 'x') AS f",
            "{\"s\":\"1.00 KiB\",\"f\":\"x\"}\n",
        ),
        ("SELECT Body FROM logs WHERE Host = 'nobody'", ""),
    ] {
        assert_eq!(
            week.sql(text).await.unwrap_or_else(|error| panic!("{text}: {error}")),
            expected,
            "{text}"
        );
    }
    let csv = sql(&week.store, "SELECT 1 AS n", "CSVWithNames", &AskOptions::new(TimeZone::UTC))
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(csv, b"\"n\"\n1\n");
    let parquet = sql(&week.store, "SELECT Host FROM logs", "Parquet", &AskOptions::new(TimeZone::UTC))
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert!(parquet.starts_with(b"PAR1"));
}

async fn sql_is_confined(week: &Week) {
    let refused = [
        "SELECT * FROM correlate('quiet evenings')",
        "SELECT * FROM correlate('hosts silent for 5m')",
        "SELECT * FROM correlate(Host)",
        "SELECT Nothing FROM correlate('panics')",
        "SELECT * FROM correlate('panics'), file('/etc/passwd')",
        "SELECT * FROM correlate('{1)) OR (1}')",
        "SELECT * FROM format(JSONEachRow, 'a Int8', '')",
        "SELECT FROM WHERE",
        "SELECT nothing FROM logs",
        "SELECT 1; SELECT 2",
        "SELECT * FROM file('/etc/passwd')",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT file('/etc/passwd')",
        "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)",
        "SELECT * FROM s3('http://127.0.0.1:1/x')",
        "SELECT * FROM remote('127.0.0.1', system.one)",
        "SELECT * FROM cluster('default', system.one)",
        "SELECT * FROM merge('system', '.*')",
        "SELECT * FROM executable('cat', 'TSV', 'x String')",
        "SELECT * FROM sqlite('/tmp/x', 'y')",
        "SELECT * FROM view(SELECT * FROM system.users)",
        "SELECT * FROM loop(system.users)",
        "SELECT * FROM dictionary('x')",
        "SELECT * FROM logs, system.users",
        "SELECT * FROM logs JOIN system.users ON 1",
        "SELECT name FROM system.users",
        "SELECT name FROM `system`.`users`",
        "SELECT name FROM \"system\".users",
        "SELECT name FROM information_schema.tables",
        "SELECT name FROM SYSTEM.users",
        "SELECT 1 IN system.one",
        "SELECT 1 WHERE 1 IN system.one",
        "SELECT 1 WHERE 1 NOT IN `system`.one",
        "SELECT in(1, system.one)",
        "SELECT (SELECT any(name) FROM system.users)",
        "SELECT * FROM (SELECT * FROM (SELECT * FROM system.users))",
        "WITH x AS (SELECT * FROM system.users) SELECT * FROM x",
        "SELECT 1 UNION ALL SELECT 1 FROM system.one",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM `/etc/passwd`",
        "SELECT dictGet('x', 'y', 1)",
        "SELECT joinGet('system.one', 'dummy', 1)",
        "SELECT getSetting('readonly')",
        "SELECT hasColumnInTable('system', 'users', 'name')",
        "SELECT sleep(1)",
        "SELECT filesystemAvailable()",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 INTO OUTFILE '/tmp/lastwords-outfile'",
        "SELECT 1 FORMAT CSV",
        "SELECT 1 -- x",
        "SELECT 1 /*! x */",
        "SELECT * FROM logs FINAL SAMPLE 1/0 SETTINGS max_threads = 1",
        "WITH x AS (SELECT 1) INSERT INTO logs SELECT 1",
        "SELECT \u{2018}a\u{2019}",
        "EXPLAIN SELECT 1",
        "SHOW TABLES",
    ];
    for text in refused {
        match week.sql(text).await {
            Ok(rows) => panic!("{text} gave {rows:?}"),
            Err(error) => assert!(error.is_usage(), "{text}: {error:?}"),
        }
    }
    assert!(!std::path::Path::new("/tmp/lastwords-outfile").exists());
    assert!(
        sql(&week.store, "SELECT 1", "TSV INTO OUTFILE 'x'", &AskOptions::new(TimeZone::UTC)).await.is_err()
    );
}
