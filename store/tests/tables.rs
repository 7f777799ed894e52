//! What the tables keep and give back, on the real engine. One process can open one data folder, so each test has to run
//! in a process of its own: `cargo nextest run -p lastwords-store`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail as the test does"
)]

mod support;

use lastwords_store::rows::*;
use lastwords_store::{Inserting, Store};
use support::{batch, count, fresh, log};

fn with_token(token: &str) -> Inserting {
    Inserting { token: Some(token.into()), ..Inserting::default() }
}

/// One JSON object of a table's row.
async fn only_row(store: &Store, sql: &str) -> serde_json::Value {
    let mut rows: Vec<serde_json::Value> = store.rows(sql).await.unwrap();
    assert_eq!(rows.len(), 1, "{sql}");
    rows.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_comes_back_as_it_was_written() {
    let (_folder, store) = fresh().await;
    let planned = store.planning_time_s().await.unwrap();
    let attributes = [("memory".to_owned(), "2 GiB".to_owned()), ("".to_owned(), "ü".to_owned())];
    let insert =
        async |table: &str, block| store.insert_native(table, block, &with_token("t")).await.unwrap();

    let mut logs = LogsBlock::new();
    let row = LogRow {
        timestamp_ns: 1_700_000_000_123_456_789,
        clock_offset_ns: -456_789,
        clock_uncertainty_ns: 77,
        observed_ns: 1_700_000_001_000_000_001,
        severity: 17,
        body: b"caf\xc3\xa9\twith\nlines",
        resource_attributes: &attributes,
        log_attributes: [("unit", "x.service")].into_iter(),
        host: "hv01",
        guest: "web01",
        guest_uuid: "u-1",
        source: "console",
        program: "kernel",
        class: "kernel.panic",
        template: 0,
        time_basis: 2,
        batch: batch(u64::MAX),
        row: 4,
        planned_s: planned,
    };
    logs.push(row.clone());
    insert("logs", logs.encode()).await;
    let found = only_row(&store, "SELECT * EXCEPT (Shipper, Planned), SeverityText, ServiceName, TimestampWritten, hex(logs.Shipper) AS Shipper, toUnixTimestamp(logs.Planned) AS Planned FROM logs").await;
    let shipper = batch(1).shipper.to_string().to_uppercase();
    for (column, expected) in [
        ("Timestamp", serde_json::json!("2023-11-14 22:13:20.123456789")),
        ("TimestampWritten", "2023-11-14 22:13:20.123913578".into()),
        ("ObservedTimestamp", "2023-11-14 22:13:21.000000001".into()),
        ("ClockOffset", (-456_789).into()),
        ("ClockUncertainty", 77.into()),
        ("SeverityNumber", 17.into()),
        ("SeverityText", "ERROR".into()),
        ("ServiceName", "kernel".into()),
        ("Body", "café\twith\nlines".into()),
        ("ResourceAttributes", serde_json::json!({"memory": "2 GiB", "": "ü"})),
        ("LogAttributes", serde_json::json!({"unit": "x.service"})),
        ("Host", "hv01".into()),
        ("Guest", "web01".into()),
        ("GuestUuid", "u-1".into()),
        ("Source", "console".into()),
        ("Program", "kernel".into()),
        ("Class", "kernel.panic".into()),
        ("TimeBasis", 2.into()),
        ("Shipper", shipper.clone().into()),
        ("Epoch", 7.into()),
        ("Sequence", u64::MAX.into()),
        ("Row", 4.into()),
        ("Planned", planned.into()),
        ("TraceId", "".into()),
    ] {
        assert_eq!(found[column], expected, "logs.{column}");
    }

    let mut events = EventsBlock::new();
    let event = EventRow {
        id: u64::MAX,
        version: 1,
        class: "kernel.panic",
        start_ns: 1_700_000_000_000_000_001,
        end_ns: None,
        host: "hv01",
        guest: "web01",
        guest_uuid: "u-1",
        title: "Kernel panic",
        function: "f",
        fingerprint: 5,
        severity: "critical",
        cause: 6,
        attributes: &attributes,
        clock_uncertainty_ns: 8,
        rule: "panic",
        batch: batch(2),
        row: 9,
        line_start: 10,
        line_end: 11,
        planned_s: planned,
    };
    events.push(&event);
    insert("events", events.encode()).await;
    let mut events = EventsBlock::new();
    events.push(&EventRow { version: 2, end_ns: Some(1_700_000_005_000_000_000), ..event });
    store.insert_native("events", events.encode(), &with_token("t2")).await.unwrap();
    let found =
        only_row(&store, "SELECT * EXCEPT Shipper, hex(events.Shipper) AS Shipper FROM events FINAL").await;
    for (column, expected) in [
        ("Id", serde_json::json!(u64::MAX)),
        ("Version", 2.into()),
        ("Class", "kernel.panic".into()),
        ("Start", "2023-11-14 22:13:20.000000001".into()),
        ("End", "2023-11-14 22:13:25.000000000".into()),
        ("Title", "Kernel panic".into()),
        ("Function", "f".into()),
        ("Fingerprint", 5.into()),
        ("Severity", "critical".into()),
        ("Cause", 6.into()),
        ("Attributes", serde_json::json!({"memory": "2 GiB", "": "ü"})),
        ("ClockUncertainty", 8.into()),
        ("Rule", "panic".into()),
        ("Shipper", shipper.clone().into()),
        ("Sequence", 2.into()),
        ("Row", 9.into()),
        ("LineStart", 10.into()),
        ("LineEnd", 11.into()),
    ] {
        assert_eq!(found[column], expected, "events.{column}");
    }

    let mut samples = SamplesBlock::new();
    samples.push(&SampleRow {
        timestamp_ns: 1_700_000_000_000_000_000,
        interval_ms: 10_000,
        host: "hv01",
        guest: "",
        guest_uuid: "",
        metric: "network.bytes",
        device: "eth0",
        direction: "receive",
        minimum: -0.5,
        mean: 1e300,
        maximum: 2.25,
        observed_ns: 1_700_000_001_000_000_000,
        batch: batch(3),
        row: 1,
        planned_s: planned,
    });
    insert("samples", samples.encode()).await;
    let found = only_row(&store, "SELECT * EXCEPT Shipper FROM samples").await;
    for (column, expected) in [
        ("IntervalMs", serde_json::json!(10_000)),
        ("Metric", "network.bytes".into()),
        ("Device", "eth0".into()),
        ("Direction", "receive".into()),
        ("Minimum", (-0.5).into()),
        ("Mean", 1e300.into()),
        ("Maximum", 2.25.into()),
    ] {
        assert_eq!(found[column], expected, "samples.{column}");
    }

    let mut placement = PlacementBlock::new();
    placement.push(&PlacementRow {
        host: "hv01",
        guest: "web01",
        guest_uuid: "u-1",
        start_ns: 1_700_000_000_000_000_000,
        end_ns: None,
        attributes: &attributes,
        version: 1,
        batch: batch(4),
        row: 0,
        planned_s: planned,
    });
    insert("placement", placement.encode()).await;
    let found = only_row(&store, "SELECT * EXCEPT Shipper FROM placement FINAL").await;
    assert_eq!((&found["End"], &found["Attributes"]["memory"]), (&serde_json::Value::Null, &"2 GiB".into()));

    let mut batches = BatchesBlock::new();
    batches.push(&BatchRow {
        batch: batch(5),
        records: 1,
        samples: 2,
        events: 3,
        placements: 4,
        bytes: 5,
        hosts: "hv01,hv02",
        quarantined: "",
        content: 0,
        sealed_ns: 1_700_000_000_000_000_000,
        stored_ns: 1_700_000_001_000_000_000,
        planned_s: planned,
    });
    insert("batches", batches.encode()).await;
    let found = only_row(&store, "SELECT * EXCEPT Shipper FROM batches").await;
    assert_eq!(
        (&found["Placements"], &found["Bytes"], &found["Hosts"]),
        (&4.into(), &5.into(), &"hv01,hv02".into())
    );

    let mut quarantine = QuarantineBlock::new();
    let envelope: Vec<u8> = (0..=255).collect();
    quarantine.push(&QuarantineRow {
        batch: batch(6),
        reason: "damaged",
        envelope: &envelope,
        time_ns: 1,
        planned_s: planned,
    });
    insert("quarantine", quarantine.encode()).await;
    let found = only_row(&store, "SELECT hex(Envelope) AS Envelope, Reason FROM quarantine").await;
    assert_eq!(found["Envelope"].as_str().unwrap().len(), 512);
    assert_eq!(found["Reason"], "damaged");
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_are_right_before_and_after_merges_build_the_index() {
    let (_folder, store) = fresh().await;
    let planned = store.planning_time_s().await.unwrap();
    for part in 0..4u32 {
        let mut block = LogsBlock::new();
        for row in 0..20_000 {
            let number = part * 20_000 + row;
            let body = format!(
                "GET /items/{number} took {number:08x} nf_conntrack: table {}",
                if number == 31_234 { "full" } else { "free" }
            );
            block.push(log(body.as_bytes(), number, planned));
        }
        store.insert_native("logs", block.encode(), &with_token(&part.to_string())).await.unwrap();
    }
    let searches = [
        ("logs WHERE hasToken(Body, '31234')", 1),
        ("logs WHERE Body LIKE '% table full%'", 1),
        ("logs WHERE Body LIKE '%conntrack%'", 80_000),
        ("logs WHERE position(Body, '00007a02') > 0", 1),
        ("logs WHERE hasToken(Body, 'absent')", 0),
    ];
    for (search, expected) in searches {
        assert_eq!(count(&store, search).await, expected, "before merges: {search}");
    }
    store.execute("OPTIMIZE TABLE logs FINAL").await.unwrap();
    for (search, expected) in searches {
        assert_eq!(count(&store, search).await, expected, "after merges: {search}");
    }
    let plan = store
        .query_bytes(
            "EXPLAIN indexes = 1 SELECT count() FROM logs WHERE hasToken(Body, '31234')",
            &[],
            "TabSeparatedRaw",
            &[],
        )
        .unwrap()
        .collect()
        .await
        .unwrap();
    let plan = String::from_utf8_lossy(&plan).into_owned();
    assert!(plan.contains("Name: body"), "the merged part has no index on its text: {plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_equal_time_keep_the_order_of_their_source() {
    let (_folder, store) = fresh().await;
    let planned = store.planning_time_s().await.unwrap();
    for sequence in [2u64, 1] {
        let mut block = LogsBlock::new();
        for row in 0..3 {
            let body = format!("{sequence}.{row}");
            block.push(LogRow {
                timestamp_ns: 1_700_000_000_000_000_000,
                batch: batch(sequence),
                ..log(body.as_bytes(), row, planned)
            });
        }
        store.insert_native("logs", block.encode(), &with_token(&sequence.to_string())).await.unwrap();
    }
    let answer = store
        .query_bytes(
            "SELECT Body FROM logs ORDER BY Timestamp, Epoch, Sequence, Row",
            &[],
            "TabSeparatedRaw",
            &[],
        )
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(answer.as_ref(), b"1.0\n1.1\n1.2\n2.0\n2.1\n2.2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_counts_from_the_time_observed_and_spares_the_ledger() {
    let (_folder, store) = fresh().await;
    let planned = store.planning_time_s().await.unwrap();
    let now_ns = i64::from(planned) * 1_000_000_000;
    let mut logs = LogsBlock::new();
    // Written long ago: one observed long ago, too, one imported today.
    for (row, observed_ns) in [(0, now_ns - 40 * DAY_NS), (1, now_ns)] {
        logs.push(LogRow { observed_ns, ..log(b"an old line", row, planned) });
    }
    store.insert_native("logs", logs.encode(), &with_token("t")).await.unwrap();
    let mut batches = BatchesBlock::new();
    batches.push(&BatchRow {
        batch: batch(1),
        records: 2,
        samples: 0,
        events: 0,
        placements: 0,
        bytes: 22,
        hosts: "web01",
        quarantined: "",
        content: 0,
        sealed_ns: now_ns - 40 * DAY_NS,
        stored_ns: now_ns - 40 * DAY_NS,
        planned_s: planned,
    });
    store.insert_native("batches", batches.encode(), &with_token("t")).await.unwrap();
    store.retain(Some(30)).await.unwrap();
    let mutations = "system.mutations WHERE database = 'lastwords'";
    let before = count(&store, mutations).await;
    store.retain(Some(30)).await.unwrap();
    assert_eq!(count(&store, mutations).await, before, "the same retention again changes nothing");
    store.execute("OPTIMIZE TABLE logs FINAL").await.unwrap();
    store.execute("OPTIMIZE TABLE batches FINAL").await.unwrap();
    support::eventually("the expired row is gone", async || count(&store, "logs").await == 1).await;
    assert_eq!(count(&store, "logs WHERE Row = 1").await, 1);
    assert_eq!(count(&store, "batches").await, 1);
    store.retain(None).await.unwrap();
}
