//! A question over many events, beside the bare time-bucketed join over the same tables in the same engine.

use std::{path::PathBuf, sync::Arc, time::Instant};

use anyhow::{Context, ensure};
use jiff::{Timestamp, tz::TimeZone};
use lastwords_query::{AskOptions, ask};
use lastwords_store::{Engine, EngineOptions, Store};

use crate::{figures::Figures, memory::MEMORY};

/// Which events.
#[derive(clap::Args)]
pub struct Options {
    /// Number of events in all: a fifth are saturations, a fiftieth panics, the rest others.
    #[arg(long, default_value_t = 25_000_000)]
    events: u64,
    /// Number of hosts [default: one for each 12,500 events, so that pairs grow as events do]
    #[arg(long)]
    hosts: Option<u64>,
    /// A folder to keep the events in, so that a second run need not make them again.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Also time an ASOF join, which looks at one partner of each event, and the join that one would write first, by
    /// host and time without buckets (each once; minutes).
    #[arg(long)]
    naive: bool,
    /// Ask once more with so much memory (MiB), in which the saturations do not fit.
    #[arg(long, default_value_t = 256)]
    memory: u64,
    /// How often each is timed; the median counts.
    #[arg(long, default_value_t = 3)]
    times: usize,
}

const QUESTION: &str = "panics within 5 minutes of network saturation";
/// Where the week of events begins: a Monday.
const START_S: i64 = 1_794_787_200;
const EVENTS_OF_A_HOST: u64 = 12_500;
const WEEK_S: i64 = 7 * 86_400;

/// The best time-bucketed join that was found by hand: the few anchors are exploded into the buckets in which a
/// partner may begin (no saturation of these lasts longer than 660 s, which a general question cannot know) and are
/// the join's small side; days are made final one by one.
const BARE: &str = "
SELECT count() AS pairs, uniqExact(a.Id) AS matched
FROM (SELECT Host, Start, End, intDiv(toInt64(toUnixTimestamp(Start)), 1260) AS bucket
      FROM events FINAL WHERE Class = 'network.saturation.nic') AS p
INNER JOIN (SELECT Host, Start, Id,
                   arrayJoin(range(intDiv(toInt64(toUnixTimestamp(Start)) - 960, 1260), intDiv(toInt64(toUnixTimestamp(Start)) + 300, 1260) + 1)) AS bucket
            FROM events FINAL WHERE Class = 'kernel.panic') AS a
ON a.Host = p.Host AND a.bucket = p.bucket
WHERE a.Start >= p.Start - toIntervalSecond(300) AND a.Start <= p.End + toIntervalSecond(300)
SETTINGS do_not_merge_across_partitions_select_final = 1";

/// The nearest that begins up to five minutes later: an earlier one that lasts longer is overlooked.
const ASOF: &str = "
SELECT uniqExact(a.Id) AS matched
FROM (SELECT Host, Start, Id, Start + toIntervalSecond(300) AS until FROM events FINAL WHERE Class = 'kernel.panic') AS a
ASOF INNER JOIN (SELECT Host, Start, End FROM events FINAL WHERE Class = 'network.saturation.nic') AS p
ON a.Host = p.Host AND a.until >= p.Start
WHERE a.Start <= p.End + toIntervalSecond(300)
SETTINGS do_not_merge_across_partitions_select_final = 1";

/// The join that one would write first.
const NAIVE: &str = "
SELECT uniqExact(a.Id) AS matched
FROM (SELECT Host, Start, End FROM events FINAL WHERE Class = 'network.saturation.nic') AS p
INNER JOIN (SELECT Host, Start, Id FROM events FINAL WHERE Class = 'kernel.panic') AS a
ON a.Host = p.Host
WHERE a.Start >= p.Start - toIntervalSecond(300) AND a.Start <= p.End + toIntervalSecond(300)
SETTINGS do_not_merge_across_partitions_select_final = 1";

/// Runs the benchmark.
///
/// # Errors
/// Where a step fails.
pub fn run(options: &Options) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir()?;
    let path = options.keep.clone().unwrap_or_else(|| folder.path().join("engine"));
    let engine = Arc::new(Engine::open(&EngineOptions::new(path))?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(&Store::embedded(engine), options))
}

async fn measure(store: &Store, options: &Options) -> anyhow::Result<Figures> {
    store.migrate().await?;
    #[derive(serde::Deserialize)]
    struct Count {
        count: u64,
    }
    let count: Vec<Count> = store.rows("SELECT count() AS count FROM events").await?;
    if count.first().is_none_or(|row| row.count < options.events * 9 / 10) {
        generate(store, options).await?;
    }

    #[derive(Debug, serde::Deserialize)]
    struct Joined {
        matched: u64,
    }
    let within = |memory_bytes_max| -> anyhow::Result<AskOptions> {
        Ok(AskOptions { memory_bytes_max, ..ask_options()? })
    };
    let counts = AskOptions { statistics: false, limit: Some(0), ..ask_options()? };
    let (whole, pieces) = (ask_options()?, within(options.memory << 20)?);
    let (mut bare, mut asked) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
    let mut taken = [0.0_f64; 3];
    let mut matched = 0;
    for _ in 0..options.times {
        let since = Instant::now();
        let joined: Vec<Joined> = store.rows(BARE).await?;
        bare.push(since.elapsed().as_secs_f64());
        matched = joined.first().context("the join gave no row")?.matched;

        let mut answers = Vec::new();
        for (at, options) in [&counts, &whole, &pieces].into_iter().enumerate() {
            let before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            let since = Instant::now();
            let answer = ask(store, QUESTION, options).await?;
            asked[at].push(since.elapsed().as_secs_f64());
            taken[at] = taken[at].max(megabytes(MEMORY.peak_usage().saturating_sub(before)));
            ensure!(
                answer.matched() == matched,
                "the question finds {}, the join {matched}",
                answer.matched()
            );
            answers.push(serde_json::to_value(&answer)?);
        }
        // Sums over hosts in another order differ in their last digits.
        for part in ["matches", "anchors", "lag_histogram", "hour_of_day", "top_hosts", "sentence"] {
            ensure!(answers[1][part] == answers[2][part], "with less memory there are other {part}");
        }
    }
    let bare = median(&mut bare);
    let [counted, whole, pieces] = asked.each_mut().map(|seconds| median(seconds));
    let mut figures = Figures::default();
    figures.push("events", options.events, "");
    figures.push("matched", matched, "panics");
    if options.naive {
        let since = Instant::now();
        let joined: Vec<Joined> = store.rows(ASOF).await?;
        figures.push("ASOF join", since.elapsed().as_secs_f64(), "s");
        figures.push("it finds", joined.first().map_or(0, |row| row.matched), "panics");
        let since = Instant::now();
        let joined: Vec<Joined> = store.rows(NAIVE).await?;
        ensure!(joined.first().is_some_and(|row| row.matched == matched), "the naive join finds {joined:?}");
        figures.push("naive join", since.elapsed().as_secs_f64(), "s");
    }
    figures.push("bare join", bare, "s");
    figures.push("question, matches and counts", counted, "s");
    figures.push("question with all statistics", whole, "s");
    figures.push("memory of it at most", taken[1], "MiB");
    figures.push("the same answer in pieces", pieces, "s");
    figures.at_most("memory of it at most", taken[2], "MiB", options.memory as f64);
    figures.at_most("counts / bare join", counted / bare, "", 1.5);
    figures.at_most("question / bare join", whole / bare, "", 3.0);
    Ok(figures)
}

fn ask_options() -> anyhow::Result<AskOptions> {
    Ok(AskOptions {
        time_zone: TimeZone::UTC,
        now: Timestamp::from_second(START_S + WEEK_S)?,
        limit: Some(100),
        memory_bytes_max: u64::MAX,
        ..AskOptions::new(TimeZone::UTC)
    })
}

/// Saturations of some minutes, panics of which some follow one, and other events between them: each at random on its
/// day, and day after day, so that an insert goes into few partitions.
async fn generate(store: &Store, options: &Options) -> anyhow::Result<()> {
    const ROWS_AT_ONCE: u64 = 4_000_000;
    let (saturations, panics) = (options.events / 5, options.events / 50);
    let others = options.events - saturations - panics;
    let hosts = options.hosts.unwrap_or(options.events / EVENTS_OF_A_HOST).max(1);
    let planned = "toUInt32(now() + 3600)";
    let random = |salt: u64, below: i64| format!("(cityHash64(number, {salt}) % {below})");
    for (class, count, salt, length) in [
        ("network.saturation.nic", saturations, 1, format!("60000 + {}", random(2, 600_000))),
        ("kernel.panic", panics, 3, "0".to_owned()),
        ("disk.error", others, 5, "0".to_owned()),
    ] {
        let start = format!("intDiv(number * 7, {count}) * 86400000 + {}", random(salt, 86_400_000));
        let mut from = 0;
        while from < count {
            let rows = (count - from).min(ROWS_AT_ONCE);
            let sql = format!(
                "INSERT INTO events (Id, Version, Class, Start, End, Host, Title, Severity, Planned) \
                 SELECT cityHash64(number, '{class}'), 1, '{class}', \
                 fromUnixTimestamp64Milli(toInt64({START_S}000 + {start})) AS s, s + toIntervalMillisecond({length}), \
                 concat('host', toString(cityHash64(number, 7) % {hosts})), '{class}', 'warning', {planned} \
                 FROM numbers({from}, {rows}) \
                 SETTINGS min_insert_block_size_rows = {ROWS_AT_ONCE}, min_insert_block_size_bytes = 0, \
                 optimize_on_insert = 0"
            );
            store.execute(&sql).await?;
            from += rows;
            eprint!("\rquestion: {class} {from}/{count}        ");
        }
        eprintln!();
    }
    Ok(())
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}
