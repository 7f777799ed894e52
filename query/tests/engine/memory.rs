//! Sets that do not fit in memory come piece by piece, and the answer stays the same.

use lastwords_query::{AskError, AskOptions, ErrorClass, ask, explain};

use crate::week::{MONDAY, Week, options};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_does_not_depend_on_memory() {
    let week = Week::stored().await;
    // 200,000 disk errors on four hosts, two of them known: a week's length apart by 3 s and some.
    let sql = format!(
        "INSERT INTO events (Id, Version, Class, Start, End, Host, Title, Severity, Planned) \
         SELECT cityHash64(number, 'x'), 1, 'disk.error', \
         fromUnixTimestamp64Nano(toInt64({MONDAY} + number * 3000000001), 'UTC') AS s, \
         s + toIntervalSecond(number % 50), concat('hv0', toString(1 + number % 4)), 'I/O error', 'warning', \
         toUInt32(now() + 3600) FROM numbers(200000)"
    );
    week.store.execute(&sql).await.unwrap();
    for question in [
        "panics within 5 minutes of disk errors",
        // So many partners that all are read to word them.
        "panics within 12h of disk errors",
        "panics within 1 minute before disk errors anywhere",
        "panics within 10s after disk errors by hour of day",
        "panics within 5m of network saturation within 2s of disk errors",
        "panics not within 1s before disk errors",
        "what precedes panics within 1 minute",
    ] {
        let roomy = week.ask(question).await.unwrap();
        let options = AskOptions { memory_bytes_max: 6 << 20, ..options() };
        let narrow = week.ask_with(question, &options).await.unwrap();
        assert_eq!(narrow, roomy, "{question}");
        let listed = roomy["matches"].as_array().or(roomy["rows"].as_array()).unwrap();
        assert!(!listed.is_empty(), "{question}: {roomy:#}");
    }
    let near = "panics within 5 minutes of disk errors";
    for (memory_bytes_max, expected) in [
        (1 << 30, "200000 rows, in pieces of 1000000, all kept"),
        (6 << 20, "none kept; those listed are fetched again"),
    ] {
        let options = AskOptions { memory_bytes_max, ..options() };
        let explained = explain(&week.store, near, &options).await.unwrap();
        assert!(explained.contains("8 rows, kept in memory") && explained.contains(expected), "{explained}");
    }
    let partners = week.ask(near).await.unwrap();
    let of_first = partners["matches"][0]["partners"].as_array().unwrap().len();
    // Every 12 s one on this host, which lasts up to 49 s, from 5 minutes before to 5 minutes after.
    let every = 12;
    assert!((600 / every..700 / every).contains(&of_first), "{of_first}");

    let options = AskOptions { memory_bytes_max: 6 << 20, ..options() };
    let error = ask(&week.store, "disk errors within 1s of panics", &options).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::TooLarge, "{error:?}");
    assert!(
        matches!(error, AskError::TooLarge { needed, limit } if needed > limit && limit == 6 << 20),
        "{error:?}"
    );
    assert!(error.to_string().contains("raise query.memory_max"), "{error}");
}
