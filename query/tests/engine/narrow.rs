//! What an answer does not need is not fetched, and the answer stays the same.

use lastwords_query::{AskOptions, explain};

use crate::week::{MONDAY, Week, options};

/// Three weeks of records of 40 hosts, one every 7 s and some; `link flaps` some minutes before panics of hv01 and hv02 as well.
async fn store(week: &Week) {
    let plant = async |sql: &str| week.store.execute(sql).await.unwrap();
    let columns = "Timestamp, ObservedTimestamp, Body, Host, Guest, Program, Epoch, Sequence, Row, Planned";
    plant(&format!(
        "INSERT INTO logs ({columns}) SELECT fromUnixTimestamp64Nano(toInt64({MONDAY} + number * 7000000001), 'UTC') AS t, t, \
         multiIf(number % 11 = 0, 'eth0: link flaps', number % 97 = 0, 'job done', 'nothing to see'), \
         concat('node', toString(cityHash64(number, 1) % 40)), '', 'kernel', 1, 2, number, toUInt32(now() + 3600) \
         FROM numbers(259200) SETTINGS max_partitions_per_insert_block = 0"
    ))
    .await;
    // Panics on two of the hosts, four of five 2 to 4 minutes behind one of the records, on 15 days.
    plant(&format!(
        "INSERT INTO events (Id, Version, Class, Start, End, Host, Title, Severity, Planned) \
         SELECT cityHash64(Row, 'p'), 1, 'kernel.panic', \
         Timestamp + toIntervalSecond(if(Row % 5 = 0, 3000, 120 + Row % 120)) AS s, s, Host, 'it died', 'critical', \
         toUInt32(now() + 3600) FROM logs WHERE Body = 'eth0: link flaps' AND Host IN ('node3', 'node17') \
         AND Timestamp < fromUnixTimestamp64Nano(toInt64({MONDAY}), 'UTC') + toIntervalDay(15) AND cityHash64(Row, 9) % 32 = 0 \
         SETTINGS max_partitions_per_insert_block = 0"
    ))
    .await;
    let batch = "INSERT INTO batches (Hosts, Planned) SELECT arrayStringConcat(arrayMap(n -> concat('node', toString(n)), range(40)), ','), toUInt32(now() + 3600)";
    plant(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_does_not_depend_on_what_is_not_fetched() {
    let week = Week::stored().await;
    store(&week).await;
    let now = "2026-11-30T12:00:00Z".parse().unwrap();
    let narrow = AskOptions { now, ..options() };
    let whole = AskOptions { whole_sets: true, ..narrow.clone() };
    let hosts = "only of the 2 hosts";
    let minutes = "five minutes in which";
    for (question, expected) in [
        ("panics on host node3 or node17 within 5m after \"link flaps\"", &[hosts, minutes][..]),
        ("panics on host node3 or node17 within 5m of \"link flaps\" anywhere", &[minutes]),
        ("panics on host node3 or node17 within 5m before {Body = 'job done'}", &[hosts, minutes]),
        (
            "panics on host node3 or node17 within 30s of \"link flaps\" not within 1m of {Body = 'job done'}",
            &[hosts, minutes],
        ),
        // Nothing there, and nothing anywhere.
        ("panics on host node3 or node17 within 1s after \"job done\"", &[hosts, minutes]),
        ("panics on host node3 or node17 within 5m after \"no such thing\"", &[hosts, minutes]),
        // On one day: other hosts are compared, so that they have to be known.
        ("panics within 5m after \"link flaps\" between 2026-11-12 and 2026-11-13", &[minutes]),
        // Nearly every host, nearly all the time.
        ("{Body = 'job done'} within 5m after \"link flaps\"", &[]),
        ("panics on host node3 or node17 within 10m of network saturation", &[hosts]),
        ("what precedes panics on host node3 or node17 within 5m", &[]),
    ] {
        let (found, all) = (week.ask_with(question, &narrow).await, week.ask_with(question, &whole).await);
        assert_eq!(found.unwrap(), all.unwrap(), "{question}");
        let explained = explain(&week.store, question, &narrow).await.unwrap();
        for part in [hosts, minutes] {
            assert_eq!(explained.contains(part), expected.contains(&part), "{question}: {part}: {explained}");
        }
    }
    let answer = week
        .ask_with("panics on host node3 or node17 within 5m after \"link flaps\"", &narrow)
        .await
        .unwrap();
    let (matched, anchors) = (answer["matched"].as_u64().unwrap(), answer["anchors"].as_u64().unwrap());
    assert!(anchors > 20 && matched * 5 >= anchors * 4, "{matched} of {anchors}");
    assert_eq!(answer["chance"]["basis"], "day");
    let count = async |options: &AskOptions| {
        let question = "panics on host node3 or node17 within 5m after \"link flaps\"";
        let explained = explain(&week.store, question, options).await.unwrap();
        let of = explained.lines().find(|line| line.starts_with("within")).unwrap().to_owned();
        of.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let (few, many) = (count(&narrow).await, count(&whole).await);
    assert!(few * 20 < many, "{few} of {many} records");
}
