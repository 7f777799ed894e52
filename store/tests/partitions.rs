//! Days and partitions are in step with the engine, for every instant that there is; and tables of older programs get
//! the partitions of newer ones.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail as the test does"
)]

mod support;

use std::{collections::HashMap, path::Path, process::Command};

use lastwords_store::{
    Inserting, Store,
    rows::{LogsBlock, day, day_of_column, day_span},
};
use serde::Deserialize;
use support::{batch, count, fresh, log, open};

const DAY_NS: i64 = 86_400_000_000_000;
const NOON_NS: i64 = 1_763_640_000_000_000_000;

/// The ends of all days that matter, and instants all over the range.
fn instants() -> Vec<i64> {
    let mut instants = vec![i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX];
    let days = [-106_751, -25_567, -2, -1, 0, 1, 20_412, 49_710, 65_534, 65_535, 65_536, 86_000, 106_751];
    for first in days.map(|day| day * DAY_NS) {
        instants.extend([
            first - 1_000_000_000,
            first - 999_999_999,
            first - 1,
            first,
            first + 1,
            first + 1_000_000_000,
        ]);
    }
    // A linear congruential generator: different instants, the same ones each time.
    let mut state = 1_u64;
    instants.extend((0..20_000).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.cast_signed()
    }));
    instants
}

#[test]
fn a_days_span_has_its_instants_and_no_others() {
    for time_ns in instants() {
        let (first, last) = day_span(time_ns);
        assert!((first..=last).contains(&time_ns), "{time_ns}");
        assert_eq!((day(first), day(last)), (day(time_ns), day(time_ns)), "{time_ns}");
        for beyond in [first.checked_sub(1), last.checked_add(1)].into_iter().flatten() {
            assert_ne!(day(beyond), day(time_ns), "{time_ns}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_day_are_of_one_partition_by_the_old_key_and_by_the_new_one() {
    #[derive(Deserialize)]
    struct Row {
        time_ns: i64,
        day: i64,
        old: u16,
        new: u16,
    }
    let (_folder, store) = fresh().await;
    let key = store
        .rows::<serde_json::Value>(
            "SELECT partition_key FROM system.tables WHERE database = currentDatabase() AND name = 'logs'",
        )
        .await
        .unwrap();
    let key = key[0]["partition_key"].as_str().unwrap().to_owned();
    let mut partitions: HashMap<i64, (u16, u16)> = HashMap::new();
    for instants in instants().chunks(2_000) {
        let list: Vec<String> = instants.iter().map(|time_ns| format!("toInt64({time_ns})")).collect();
        let rows: Vec<Row> = store
            .rows(&format!(
                "SELECT toUnixTimestamp64Nano(Timestamp) AS time_ns, {} AS day, toUInt16(toDate(Timestamp)) AS old, \
                 toUInt16({key}) AS new \
                 FROM (SELECT fromUnixTimestamp64Nano(arrayJoin([{}]), 'UTC') AS Timestamp)",
                day_of_column("Timestamp"),
                list.join(",")
            ))
            .await
            .unwrap();
        assert_eq!(rows.len(), instants.len());
        for row in rows {
            assert_eq!(row.day, day(row.time_ns), "{}", row.time_ns);
            let found = *partitions.entry(row.day).or_insert((row.old, row.new));
            assert_eq!(found, (row.old, row.new), "{}", row.time_ns);
            let named = (0..65_535).contains(&row.day);
            assert_eq!(i64::from(row.new), if named { row.day } else { 65_535 }, "{}", row.time_ns);
        }
    }
}

/// Years that a log may say, each with the first instant of its 15th of June.
const YEARS: [(u32, i64); 9] = [
    (1700, -8_506_080_000_000_000_000),
    (1899, -2_226_268_800_000_000_000),
    (1969, -17_280_000_000_000_000),
    (1970, 14_256_000_000_000_000),
    (2025, 1_749_945_600_000_000_000),
    (2107, 4_337_539_200_000_000_000),
    (2150, 5_694_537_600_000_000_000),
    (2205, 7_430_140_800_000_000_000),
    (2261, 9_197_366_400_000_000_000),
];

async fn store_years(store: &Store, batch_number: u64) {
    let planned_s = store.planning_time_s().await.unwrap();
    for (year, first_ns) in YEARS {
        let mut block = LogsBlock::new();
        for row in 0..3_u32 {
            let body = format!("year {year}");
            let mut line = log(body.as_bytes(), row, planned_s);
            line.timestamp_ns = first_ns + i64::from(row) * 3_600_000_000_000;
            line.batch = batch(batch_number);
            block.push(line);
        }
        let token = Inserting { token: Some(format!("{batch_number}-{year}")), ..Inserting::default() };
        store.insert_native("logs", block.encode(), &token).await.unwrap();
    }
}

/// Every year is found by its own day, as it was written, and by every range around it.
async fn check_years(store: &Store, times: u64) {
    let instant = |time_ns: i64| format!("fromUnixTimestamp64Nano(toInt64({time_ns}), 'UTC')");
    for (place, (year, first_ns)) in YEARS.into_iter().enumerate() {
        let of_day = format!(
            "logs WHERE Timestamp >= {} AND Timestamp < {} AND Body = 'year {year}' AND toYear(Timestamp) = {year}",
            instant(first_ns),
            instant(first_ns + DAY_NS)
        );
        assert_eq!(count(store, &of_day).await, 3 * times, "{year}");
        let later = YEARS.len() - place;
        let since = format!("logs WHERE Timestamp >= {}", instant(first_ns));
        assert_eq!(count(store, &since).await, 3 * times * later as u64, "since {year}");
        let until = format!("logs WHERE Timestamp < {}", instant(first_ns));
        assert_eq!(count(store, &until).await, 3 * times * place as u64, "until {year}");
    }
}

async fn partitions(store: &Store) -> Vec<String> {
    let rows: Vec<serde_json::Value> = store
        .rows("SELECT DISTINCT partition_id AS id FROM system.parts WHERE database = currentDatabase() AND table = 'logs' AND active ORDER BY id")
        .await
        .unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn years_that_no_date_can_name_are_kept_as_written_in_a_partition_of_their_own() {
    let (_folder, store) = fresh().await;
    store_years(&store, 1).await;
    check_years(&store, 1).await;
    let own = ["19700615", "20250615", "21070615", "21490606"];
    assert_eq!(partitions(&store).await, own);
    // What merges make of it is the same.
    store.execute("OPTIMIZE TABLE logs FINAL").await.unwrap();
    check_years(&store, 1).await;
    assert_eq!(partitions(&store).await, own);
}

const ROLE: &str = "LASTWORDS_TEST_ROLE";
const FOLDER: &str = "LASTWORDS_TEST_FOLDER";

/// A store of an older program, which is opened by this one: a process each, as an engine opens one folder once.
#[test]
fn a_store_of_an_older_program_keeps_its_rows_and_gets_the_new_partitions() {
    const TEST: &str = "a_store_of_an_older_program_keeps_its_rows_and_gets_the_new_partitions";
    let role = std::env::var(ROLE).ok();
    let Some(role) = role else {
        let folder = tempfile::tempdir().unwrap();
        for role in ["old", "new", "again"] {
            let ended = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
                .env(ROLE, role)
                .env(FOLDER, folder.path())
                .status()
                .unwrap();
            assert!(ended.success(), "{role}: see its output above");
            if role == "old" {
                // A process that was killed while it changed the first of the files.
                let file = definition(&folder.path().join("engine"));
                std::fs::write(file.with_extension("sql.tmp"), "ATTACH TABLE _ UUID").unwrap();
            }
        }
        return;
    };
    let folder = std::env::var_os(FOLDER).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(&Path::new(&folder).join("engine")).await;
        match role.as_str() {
            "old" => {
                older(&store).await;
                store_years(&store, 1).await;
                assert!(partitions(&store).await.contains(&"20260108".to_owned()), "2205 wraps into 2026");
            }
            "new" => {
                check_years(&store, 1).await;
                store_years(&store, 2).await;
                check_years(&store, 2).await;
                assert!(partitions(&store).await.contains(&"21490606".to_owned()));
                store.execute("OPTIMIZE TABLE logs FINAL").await.unwrap();
                check_years(&store, 2).await;
            }
            _ => check_years(&store, 2).await,
        }
        let checked: Vec<serde_json::Value> = store.rows("CHECK TABLE logs").await.unwrap();
        assert!(
            checked.iter().all(|part| part["is_passed"] == 1 || part["is_passed"] == true),
            "{checked:?}"
        );
    });
}

fn definition(engine: &Path) -> std::path::PathBuf {
    let databases = std::fs::read_dir(engine.join("metadata")).unwrap().map(|entry| entry.unwrap().path());
    databases.map(|path| path.join("logs.sql")).find(|path| path.exists()).unwrap()
}

/// The table as the first migration used to make it.
async fn older(store: &Store) {
    let made: Vec<serde_json::Value> = store
        .rows("SELECT create_table_query AS made, partition_key AS key FROM system.tables WHERE database = currentDatabase() AND name = 'logs'")
        .await
        .unwrap();
    let (made, key) = (made[0]["made"].as_str().unwrap(), made[0]["key"].as_str().unwrap());
    let old = made.replace(key, "toDate(Timestamp)");
    assert_ne!(made, old);
    store.execute("DROP TABLE logs SYNC").await.unwrap();
    store.execute(&old).await.unwrap();
    assert_eq!(
        count(store, "system.tables WHERE name = 'logs' AND partition_key = 'toDate(Timestamp)'").await,
        1
    );
    assert_ne!(day(NOON_NS), 0);
}
