//! Events near others: counts, the contract of the answer, notes, what is printed.

use jiff::Timestamp;
use lastwords_query::{AskOptions, ErrorClass, Look, ask, render};
use serde_json::Value;

use crate::{
    sql,
    week::{DAY, MONDAY, Planted, SECOND, Week, options},
};

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
        ("\"panic_of%db01\" within 5m of network saturation", 0, 0),
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
    sql::reads(&week).await;
    sql::is_confined(&week).await;
    sql::points_at_the_word(&week).await;
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
        .answer
        .into_matches()
        .unwrap();
    assert!(answer.header.truncated && answer.matches.len() == 2 && answer.header.matched == 4);
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
    let reply = ask(&week.store, "panics within 13h of network saturation", &soon).await.unwrap();
    let (wording, answer) = (reply.wording, reply.answer.into_matches().unwrap());
    assert_eq!((answer.header.matched, answer.anchors), (7, 8), "{answer:?}");
    assert_eq!((answer.chance.undecided, answer.chance.undecided_matched), (1, 1), "{answer:?}");
    assert!(wording.sentence.starts_with("6 of 7 panics (86 %)"), "{}", wording.sentence);
    assert!(
        wording.notes.contains(&"1 more is too recent to be decided; it has a partner already.".to_owned()),
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
    let answer = ask(&week.store, question, &options()).await.unwrap();
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
        "{(toLowCardinality('hv01') AS Host) != ''} on host hv01",
        "{arrayJoin([1, 2]) = 1} within 5m of panics",
        "{COLUMNS('Host') APPLY(file) = ''} within 5m of panics",
        "{count() > 1} within 5m of panics",
        "{Host IN logs} within 5m of panics",
        "{rand() > 1} within 5m of panics",
        "{Host + 1 = 2} within 5m of panics",
        "panics within 5m of {1; DROP TABLE logs}",
    ] {
        let error = week.ask(question).await.err().unwrap_or_else(|| panic!("{question} was answered"));
        assert_eq!(error.class(), ErrorClass::Usage, "{question}: {error:?}");
        assert!(error.to_string().contains("^"), "{question}: {error}");
    }
}
