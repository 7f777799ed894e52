//! `lastwords import` of an access log, beside the rate at which the engine alone takes the same rows, as `Native`
//! blocks, into the same schema, with the same durability.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use lastwords_record::{
    BatchId, ShipperId,
    frame::Lines,
    stamp::{StampRules, Stamper},
};
use lastwords_store::{
    Engine, EngineOptions, Inserting, NativeBlock, Store,
    rows::{LogRow, LogsBlock},
};

use crate::{figures::Figures, lines, process};

/// What is imported.
#[derive(clap::Args)]
pub struct Options {
    /// Number of lines.
    #[arg(long, default_value_t = 5_000_000)]
    lines: u64,
    /// Seed of the lines.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rows of a block for the engine alone.
    #[arg(long, default_value_t = 250_000)]
    block_rows: usize,
    /// How many inserts run side by side for the engine alone.
    #[arg(long, default_value_t = 2)]
    connections: usize,
}

/// What the engine alone is to do.
#[derive(clap::Args)]
pub struct EngineAlone {
    /// The engine's folder.
    #[arg(long)]
    path: PathBuf,
    /// Insert the lines of this file, in blocks that are built beforehand; without it: merge, and say what is used.
    #[arg(long)]
    insert: Option<PathBuf>,
    /// Rows of a block.
    #[arg(long, default_value_t = 250_000)]
    block_rows: usize,
    /// How many inserts run side by side.
    #[arg(long, default_value_t = 2)]
    connections: usize,
}

/// Runs the benchmark.
///
/// # Errors
/// Where a step fails.
pub fn run(options: &Options) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("access.log");
    let bytes = lines::write_access_log(&log, options.lines, options.seed, Timestamp::now())?;
    let data = folder.path().join("data");

    let summary = folder.path().join("summary.json");
    let import = process::run(
        Command::new(process::binary("lastwords")?)
            .args(["import", "--host", "web01", "--time-zone", "UTC", "--format", "json", "--data"])
            .arg(&data)
            .arg(&log)
            .stdout(fs::File::create(&summary)?)
            .stderr(Stdio::null()),
    )?;
    let summary: serde_json::Value = serde_json::from_slice(&fs::read(&summary)?)?;
    ensure!(summary["records"] == options.lines, "not every line became a record: {summary}");

    let used = engine_alone(&["--path".as_ref(), data.join("engine").as_os_str()])?;
    ensure!(used["rows"] == options.lines, "{used} is stored of {} lines", options.lines);
    let bare = folder.path().join("bare");
    let (rows, connections) = (options.block_rows.to_string(), options.connections.to_string());
    let engine = engine_alone(&[
        "--path".as_ref(),
        bare.as_os_str(),
        "--insert".as_ref(),
        log.as_os_str(),
        "--block-rows".as_ref(),
        rows.as_ref(),
        "--connections".as_ref(),
        connections.as_ref(),
    ])?;
    let number = |value: &serde_json::Value, name: &str| {
        value[name].as_f64().with_context(|| format!("no {name} in {value}"))
    };

    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let (count, bytes) = (options.lines as f64, bytes as f64);
    let rate = count / import.wall.as_secs_f64();
    let engine_rate = count / number(&engine, "seconds")?;
    let mut figures = Figures::default();
    figures.push("lines", options.lines, "");
    figures.push("bytes per line", bytes / count, "B");
    figures.push("engine alone", engine_rate, "rows/s");
    figures.push("engine CPU", number(&engine, "cpu_seconds")? / count * 1e6, "s per million rows");
    figures.push("import CPU", import.cpu.as_secs_f64() / count * 1e6, "s per million rows");
    figures.push("import peak memory", import.resident_bytes_max >> 20, "MiB");
    figures.push("on disk after merges", number(&used, "bytes")? / count, "B per row");
    figures.at_least("import", rate, "rows/s", 300_000.0);
    figures.at_least("share of the engine's rate", rate / engine_rate, "", 0.5);
    Ok(figures)
}

/// Runs this program again: one process opens one engine.
fn engine_alone(arguments: &[&std::ffi::OsStr]) -> anyhow::Result<serde_json::Value> {
    let output = Command::new(std::env::current_exe()?)
        .arg("engine-alone")
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the engine alone failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Inserts, or merges, and prints what came of it.
///
/// # Errors
/// Where the engine refuses.
pub fn alone(options: &EngineAlone) -> anyhow::Result<()> {
    let engine = Arc::new(Engine::open(&EngineOptions::new(options.path.clone()))?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let store = Store::embedded(engine);
        store.migrate().await?;
        match &options.insert {
            Some(log) => insert(&store, log, options).await,
            None => merge(&store).await,
        }
    })?;
    println!("{outcome}");
    Ok(())
}

async fn merge(store: &Store) -> anyhow::Result<serde_json::Value> {
    store.execute("OPTIMIZE TABLE logs FINAL").await?;
    let rows: Vec<serde_json::Value> = store
        .rows("SELECT sum(bytes_on_disk) AS bytes, sum(rows) AS rows FROM system.parts WHERE database = 'lastwords' AND table = 'logs' AND active")
        .await?;
    rows.into_iter().next().context("no parts")
}

async fn insert(store: &Store, log: &Path, options: &EngineAlone) -> anyhow::Result<serde_json::Value> {
    // In an hour: the store refuses what was planned long ago.
    let planned_s = store.planning_time_s().await? + 3_600;
    let mut blocks = blocks(&fs::read(log)?, options.block_rows, planned_s);
    let before = process::own_cpu();
    let since = Instant::now();
    let mut inserts = tokio::task::JoinSet::new();
    let mut number = 0_u32;
    while let Some(block) = blocks.pop() {
        if inserts.len() >= options.connections {
            inserts.join_next().await.context("no insert to wait for")???;
        }
        number += 1;
        let (store, token) = (store.clone(), format!("alone-{number}"));
        inserts.spawn(async move {
            let inserting = Inserting { token: Some(token), ..Inserting::default() };
            store.insert_native("logs", block, &inserting).await.map_err(anyhow::Error::from)
        });
    }
    while let Some(insert) = inserts.join_next().await {
        insert??;
    }
    let seconds = since.elapsed().as_secs_f64();
    Ok(serde_json::json!({"seconds": seconds, "cpu_seconds": (process::own_cpu() - before).as_secs_f64()}))
}

/// The file's lines as the writer would hand them to the store.
fn blocks(text: &[u8], block_rows: usize, planned_s: u32) -> Vec<NativeBlock> {
    let rules =
        StampRules { time_zone: jiff::tz::TimeZone::UTC, year: None, modified_ns: None, boots: Vec::new() };
    let mut stamper = Stamper::new(rules);
    let mut blocks = Vec::new();
    let mut block = LogsBlock::new();
    let path = [("log.file.path".to_owned(), "/var/log/access.log".to_owned())];
    for (row, line) in (0_u32..).zip(Lines::new(text)) {
        let (timestamp_ns, basis) = stamper.stamp(line.text, 0);
        block.push(LogRow {
            timestamp_ns,
            clock_offset_ns: 0,
            clock_uncertainty_ns: 0,
            observed_ns: timestamp_ns,
            severity: 0,
            body: line.text,
            resource_attributes: &path,
            log_attributes: std::iter::empty::<(&str, &str)>(),
            host: "web01",
            guest: "",
            guest_uuid: "",
            source: "file",
            program: "",
            template: lastwords_detect::template::of_record(line.text, "nginx"),
            class: "",
            time_basis: basis as u8,
            batch: BatchId {
                shipper: ShipperId::of("web01", ""),
                epoch: 1,
                sequence: u64::from(row / 5_000) + 1,
            },
            row: row % 5_000,
            planned_s,
        });
        if block.rows() >= block_rows {
            blocks.push(std::mem::take(&mut block).encode());
        }
    }
    if !block.is_empty() {
        blocks.push(block.encode());
    }
    // They are taken from the end.
    blocks.reverse();
    blocks
}
