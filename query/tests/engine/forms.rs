//! Chains, places, labels and the other forms of question.

use lastwords_query::ErrorClass;
use serde_json::{Value, json};

use crate::week::{DAY, MONDAY, Week};

#[tokio::test(flavor = "multi_thread")]
async fn every_form_is_answered_as_planted() {
    let week = Week::stored().await;
    chains_and_places(&week).await;
    discovery(&week).await;
    placed(&week).await;
}

async fn counts(week: &Week, cases: &[(&str, u64, u64)]) {
    for (question, matched, anchors) in cases {
        let answer = week.ask(question).await.unwrap_or_else(|error| panic!("{question}: {error}"));
        let found = (answer["matched"].as_u64(), answer["anchors"].as_u64());
        assert_eq!(found, (Some(*matched), Some(*anchors)), "{question}: {answer:#}");
    }
}

async fn chains_and_places(week: &Week) {
    counts(
        week,
        &[
            ("panics not within 5m of network saturation", 4, 8),
            ("panics within 5m of network saturation not within 4 days after memory pressure", 4, 7),
            ("panics within 5m of network saturation within 1h of panics anywhere", 1, 2),
            ("panics within 5m of network saturation on guest db01", 4, 7),
            ("panics within 5m of network saturation until 2026-11-11", 2, 3),
            ("panics on host hv02", 1, 1),
        ],
    )
    .await;
    let one = week.ask("panics on host hv02").await.unwrap();
    assert_eq!(one["sentence"], "panics on host hv02: 1, on 1 host.");
    // Absence is told only when the window has closed and late data had its time.
    let now = "2026-11-15T15:04:00Z".parse().unwrap();
    let soon = lastwords_query::AskOptions { now, ..crate::week::options() };
    let answer = week.ask_with("network saturation not within 5m before panics", &soon).await.unwrap();
    assert_eq!(answer["chance"]["undecided"], 1, "{answer:#}");
    let late = lastwords_query::AskOptions { now: "2026-11-15T15:27:00Z".parse().unwrap(), ..soon };
    let answer = week.ask_with("network saturation not within 5m before panics", &late).await.unwrap();
    assert_eq!(answer["chance"]["undecided"], 0, "{answer:#}");
}

fn row<'a>(answer: &'a Value, key: &str, value: &str) -> &'a Value {
    let rows = answer["rows"].as_array().unwrap();
    rows.iter().find(|row| row[key] == value).unwrap_or_else(|| panic!("no {value}: {answer:#}"))
}

async fn discovery(week: &Week) {
    let precedes = week.ask("what precedes panics within 5 minutes").await.unwrap();
    let saturation = row(&precedes, "what", "network.saturation.nic");
    assert_eq!((&saturation["matched"], &saturation["anchors"]), (&json!(3), &json!(8)));
    assert_eq!(saturation["ask"], "panics within 5 min after network.saturation.nic");
    let asked = week.ask(saturation["ask"].as_str().unwrap()).await.unwrap();
    assert_eq!(asked["matched"], 3, "what is suggested is what was counted");

    let change = week.ask("panics before and after 2026-11-12").await.unwrap();
    let figures = &change["figures"];
    assert_eq!((&figures["before"]["episodes"], &figures["after"]["episodes"]), (&json!(4), &json!(4)));
    assert_eq!(figures["dispersion"], 1.0, "a guest that was heard of once is no cluster: {change:#}");
    let outside = week.ask("panics before and after 2026-12-24").await.unwrap_err();
    assert_eq!(outside.class(), ErrorClass::Unanswerable);
    assert!(
        outside.to_string().contains("2026-12-24 00:00 has to lie within what was observed"),
        "{outside}"
    );

    let silent = week.ask("hosts silent for 2 days").await.unwrap();
    assert_eq!((&silent["figures"]["machines"], &silent["matched"]), (&json!(1), &json!(1)), "{silent:#}");
    let of_hv02 = row(&silent, "machine", "hv02");
    assert_eq!(
        (&of_hv02["from"], &of_hv02["still"]),
        (&json!("2026-11-09T15:07:00.000000000Z"), &json!(true))
    );

    let messages = week.ask("messages").await.unwrap();
    assert_eq!(row(&messages, "program", "kernel")["records"], 16, "{messages:#}");
    let new = week.ask("new messages since 2026-11-12").await.unwrap();
    assert_eq!(new["rows"], json!([]), "{new:#}");
    let nothing = week.ask("what distinguishes guests with panics").await.unwrap();
    assert!(nothing["sentence"].as_str().unwrap().starts_with("Nothing is known"), "{nothing:#}");
}

async fn placed(week: &Week) {
    let unknown = week.ask("panics within 5m of network saturation on the same rack").await.unwrap_err();
    assert_eq!(unknown.class(), ErrorClass::Usage);
    // Both hosts stand in one rack. Six guests, of which the two that died have more memory; db02 ran on hv01 when it died.
    let host = |name: &str| format!("('{name}', '', '', 0, NULL, map('rack', 'b7'))");
    let guest = |host: &str, name: &str, from: i64, to: &str, memory: u32| {
        let number = name.trim_start_matches("db");
        format!(
            "('{host}', '{name}', '00000000-0000-4000-8000-0000000000{number}', {from}, {to}, map('memory_mib', '{memory}'))"
        )
    };
    let moved = MONDAY + DAY;
    let mut rows = vec![host("hv01"), host("hv02")];
    rows.push(guest("hv01", "db01", 0, "NULL", 5_120));
    rows.push(guest("hv01", "db02", 0, &moved.to_string(), 5_120));
    rows.push(guest("hv02", "db02", moved, "NULL", 5_120));
    rows.extend(["db03", "db04", "db05", "db06"].map(|name| guest("hv01", name, 0, "NULL", 4_096)));
    let sql = format!(
        "INSERT INTO placement (Host, Guest, GuestUuid, Start, End, Attributes, Version, Planned) \
         SELECT c.1, c.2, c.3, fromUnixTimestamp64Nano(toInt64(c.4), 'UTC'), \
         if(c.5 IS NULL, NULL, fromUnixTimestamp64Nano(assumeNotNull(toInt64(c.5)), 'UTC')), c.6, 1, toUInt32(now() + 3600) \
         FROM (SELECT arrayJoin([{}]) AS c)",
        rows.join(", ")
    );
    week.store.execute(&sql).await.unwrap();
    counts(
        week,
        &[
            ("panics within 5m of network saturation", 5, 8),
            ("panics within 5m of network saturation on the same rack", 5, 8),
            ("panics on rack b7", 8, 8),
            ("panics on rack b8", 0, 0),
            ("panics on host hv02", 0, 0),
        ],
    )
    .await;
    let by_rack = week.ask("panics within 5m of network saturation by rack").await.unwrap();
    assert_eq!(by_rack["by"]["groups"], json!([{"name": "b7", "anchors": 8, "matched": 5}]));
    let distinguishes = week.ask("what distinguishes guests with panics").await.unwrap();
    assert_eq!(distinguishes["figures"]["machines"], 6, "{distinguishes:#}");
    let first = &distinguishes["rows"][0];
    assert!(first["trait"].as_str().unwrap().contains("memory_mib"), "{distinguishes:#}");
    assert_eq!((&first["with_had"], &first["without_had"]), (&json!(2), &json!(0)), "{distinguishes:#}");
}
