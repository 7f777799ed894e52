//! Shippers → two ingesters → Kafka → two writers → the store, beside shippers → `lastwords up`, on the same files.
//!
//! What is compared is the CPU of all our processes from the shippers' start until the last line can be read, per
//! line. The engine is on both sides: inside `up` on the one, inside `store serve` on the other. The lines are the
//! same, and so is the number of shippers. What starting costs is on neither side, except that of the shippers,
//! which is on both. The broker is not ours and is given beside.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use jiff::Timestamp;

use crate::{
    figures::Figures,
    fleet::{broker::Broker, child::Named, client::Client, config, free_ports, loopback},
    lines, process,
};

/// What is shipped.
#[derive(clap::Args)]
pub struct Options {
    /// Number of lines.
    #[arg(long, default_value_t = 2_000_000)]
    lines: u64,
    /// Number of shippers, each with its share of the lines: one shipper is one partition, so one keeps one writer busy.
    #[arg(long, default_value_t = 2)]
    shippers: u16,
    /// Seed of the lines.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

const EACH: usize = 2;
const READY: Duration = Duration::from_secs(120);
/// Without a new line for so long the benchmark gives up.
const STALL: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(250);
const RATIO_MAX: f64 = 1.5;

/// Runs the benchmark.
///
/// # Errors
/// Where a step fails.
pub fn run(options: &Options) -> anyhow::Result<Figures> {
    let folder = tempfile::Builder::new().prefix("lastwords-bench-").tempdir()?;
    let logs = write_logs(folder.path(), options)?;
    let count: u64 = logs.iter().map(|(_, count)| count).sum();
    let direct = direct(folder.path(), &logs, count)?;
    let kafka = through_kafka(folder.path(), &logs, count)?;

    let mut figures = Figures::default();
    figures.push("lines", count, "");
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let count = count as f64;
    let per_million = |cpu: Duration| cpu.as_secs_f64() / count * 1e6;
    const UNIT: &str = "CPU s per million lines";
    figures.push("direct, rate", count / direct.wall.as_secs_f64(), "lines/s");
    figures.push("direct, shippers", per_million(direct.shippers), UNIT);
    figures.push("direct, up (with the engine)", per_million(direct.up), UNIT);
    figures.push("Kafka, rate", count / kafka.wall.as_secs_f64(), "lines/s");
    figures.push("Kafka, shippers", per_million(kafka.shippers), UNIT);
    figures.push("Kafka, ingesters", per_million(kafka.ingesters), UNIT);
    figures.push("Kafka, writers", per_million(kafka.writers), UNIT);
    figures.push("Kafka, store serve (with the engine)", per_million(kafka.store), UNIT);
    figures.push("Kafka, broker (not counted)", per_million(kafka.broker), UNIT);
    let (ours, beside) =
        (kafka.shippers + kafka.ingesters + kafka.writers + kafka.store, direct.shippers + direct.up);
    figures.push("direct, all of ours", per_million(beside), UNIT);
    figures.push("Kafka, all of ours", per_million(ours), UNIT);
    figures.at_most("CPU per line, Kafka / direct", ours.as_secs_f64() / beside.as_secs_f64(), "", RATIO_MAX);
    Ok(figures)
}

struct Direct {
    wall: Duration,
    shippers: Duration,
    up: Duration,
}

struct ThroughKafka {
    wall: Duration,
    shippers: Duration,
    ingesters: Duration,
    writers: Duration,
    store: Duration,
    broker: Duration,
}

fn write_logs(folder: &Path, options: &Options) -> anyhow::Result<Vec<(PathBuf, u64)>> {
    ensure!(options.shippers > 0, "--shippers must be at least 1");
    let share = options.lines / u64::from(options.shippers);
    let end = Timestamp::now();
    (0..u64::from(options.shippers))
        .map(|number| {
            let path = folder.join(format!("access{number}.log"));
            lines::write_access_log(&path, share, options.seed + number, end)?;
            Ok((path, share))
        })
        .collect()
}

fn direct(folder: &Path, logs: &[(PathBuf, u64)], count: u64) -> anyhow::Result<Direct> {
    let ports = free_ports(3)?;
    let (grpc, http, clickhouse) = (loopback(ports[0]), loopback(ports[1]), loopback(ports[2]));
    let config = folder.join("up.toml");
    fs::write(
        &config,
        format!(
            "[listen]\ngrpc = \"{grpc}\"\nhttp = \"{http}\"\n[clickhouse]\nlisten = \"{clickhouse}\"\n\
             [collect]\nfiles = []\njournald = false\nkmsg = false\nsamples = false\nconsoles = []\n"
        ),
    )?;
    let arguments = [
        "up".into(),
        "--data".into(),
        folder.join("up").into_os_string(),
        "--config".into(),
        config.into_os_string(),
    ];
    let mut up = Named::new(folder, "up", process::binary("lastwords")?, arguments);
    up.start()?;
    let client = Client(clickhouse);
    await_store(client, &mut [&mut up])?;

    let before = up.cpu()?;
    let since = Instant::now();
    let mut shippers = start_shippers(folder, "direct", logs, &[grpc])?;
    await_rows(client, count, || healthy(&mut [&mut up]))?;
    let wall = since.elapsed();
    let outcome = Direct { wall, shippers: cpu(&shippers)?, up: up.cpu()? - before };
    stop(&mut shippers)?;
    stop(std::slice::from_mut(&mut up))?;
    Ok(outcome)
}

fn through_kafka(folder: &Path, logs: &[(PathBuf, u64)], count: u64) -> anyhow::Result<ThroughKafka> {
    let lastwords = process::binary("lastwords")?;
    let ports = free_ports(11)?;
    let mut broker = Broker::new(folder.join("kafka"), ports[0]);
    broker.start()?;
    let (brokers, address) = (broker.address(), loopback(ports[2]));
    let arguments = [
        "store".into(),
        "serve".into(),
        "--data".into(),
        folder.join("store").into_os_string(),
        "--listen".into(),
        address.to_string().into(),
    ];
    let mut store = Named::new(folder, "store", lastwords.clone(), arguments);
    store.start()?;
    let servers = |verb: &str, ports: &[u16]| -> anyhow::Result<Vec<Named>> {
        (0..EACH)
            .map(|number| {
                let name = format!("{verb}{number}");
                let path = folder.join(format!("{name}.toml"));
                let server = config::Server {
                    brokers: &brokers,
                    store: address,
                    grpc: loopback(ports[number * 2]),
                    http: loopback(ports[number * 2 + 1]),
                    session_timeout_ms: 30_000,
                };
                fs::write(&path, server.text())?;
                let arguments = [verb.into(), "--config".into(), path.into_os_string()];
                Ok(Named::new(folder, &name, lastwords.clone(), arguments))
            })
            .collect()
    };
    let mut ingesters = servers("ingest", &ports[3..7])?;
    let mut writers = servers("write", &ports[7..11])?;
    process::run(
        Command::new(&lastwords)
            .args(["kafka", "init", "--config"])
            .arg(folder.join("ingest0.toml"))
            .stdout(std::process::Stdio::null()),
    )?;
    for server in ingesters.iter_mut().chain(&mut writers) {
        server.start()?;
    }
    let client = Client(address);
    let mut all: Vec<&mut Named> = ingesters.iter_mut().chain(&mut writers).collect();
    all.push(&mut store);
    await_store(client, &mut all)?;
    for ingester in &mut ingesters {
        await_said(ingester, "serving")?;
    }
    for writer in &mut writers {
        await_said(writer, "partitions come")?;
    }

    let before = (cpu(&ingesters)?, cpu(&writers)?, store.cpu()?, broker.cpu()?);
    let since = Instant::now();
    let mut shippers = start_shippers(folder, "kafka", logs, &[loopback(ports[3]), loopback(ports[5])])?;
    await_rows(client, count, || {
        let mut all: Vec<&mut Named> = ingesters.iter_mut().chain(&mut writers).collect();
        all.push(&mut store);
        healthy(&mut all)
    })?;
    let outcome = ThroughKafka {
        wall: since.elapsed(),
        shippers: cpu(&shippers)?,
        ingesters: cpu(&ingesters)? - before.0,
        writers: cpu(&writers)? - before.1,
        store: store.cpu()? - before.2,
        broker: broker.cpu()? - before.3,
    };
    for processes in [&mut shippers, &mut ingesters, &mut writers] {
        stop(processes)?;
    }
    stop(std::slice::from_mut(&mut store))?;
    Ok(outcome)
}

fn start_shippers(
    folder: &Path,
    path: &str,
    logs: &[(PathBuf, u64)],
    ingesters: &[SocketAddr],
) -> anyhow::Result<Vec<Named>> {
    let mut shippers = Vec::new();
    for ((number, (log, _)), ingester) in logs.iter().enumerate().zip(ingesters.iter().cycle()) {
        let name = format!("{path}-shipper{number}");
        let config = folder.join(format!("{name}.toml"));
        let state = folder.join(format!("{name}-state"));
        let globs = [log.display().to_string()];
        fs::write(&config, config::shipper(&format!("web{number}"), &state, *ingester, &globs))?;
        let arguments = ["--config".into(), config.into_os_string()];
        let mut shipper = Named::new(folder, &name, process::binary("lastwords-shipper")?, arguments);
        shipper.start()?;
        shippers.push(shipper);
    }
    Ok(shippers)
}

fn cpu(processes: &[Named]) -> anyhow::Result<Duration> {
    processes.iter().map(Named::cpu).sum()
}

fn stop(processes: &mut [Named]) -> anyhow::Result<()> {
    for process in processes {
        let status = process.terminate()?.with_context(|| format!("{} does not run", process.name))?;
        ensure!(status.success(), "{} ended with {status}:\n{}", process.name, process.last_lines(10));
    }
    Ok(())
}

fn healthy(processes: &mut [&mut Named]) -> anyhow::Result<()> {
    for process in processes {
        if let Some(status) = process.ended()? {
            anyhow::bail!("{} ended with {status}:\n{}", process.name, process.last_lines(20));
        }
    }
    Ok(())
}

/// Waits until the table is there.
fn await_store(client: Client, processes: &mut [&mut Named]) -> anyhow::Result<()> {
    let since = Instant::now();
    loop {
        let Err(error) = client.number(ROWS) else { return Ok(()) };
        healthy(processes)?;
        ensure!(since.elapsed() < READY, "the store is not ready: {error:#}");
        std::thread::sleep(POLL);
    }
}

/// Waits until a process has logged something.
fn await_said(process: &mut Named, what: &str) -> anyhow::Result<()> {
    let since = Instant::now();
    while !fs::read_to_string(process.log())?.contains(what) {
        healthy(&mut [process])?;
        ensure!(
            since.elapsed() < READY,
            "{} does not say `{what}`:\n{}",
            process.name,
            process.last_lines(20)
        );
        std::thread::sleep(POLL);
    }
    Ok(())
}

const ROWS: &str = "SELECT count() FROM logs FORMAT TabSeparated";

fn await_rows(
    client: Client,
    count: u64,
    mut healthy: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut rows, mut since) = (0, Instant::now());
    while rows < count {
        std::thread::sleep(POLL);
        healthy()?;
        let now = client.number(ROWS)?;
        if now != rows {
            (rows, since) = (now, Instant::now());
        }
        ensure!(since.elapsed() < STALL, "{rows} of {count} lines are stored, and none came for {STALL:?}");
    }
    ensure!(rows == count, "{rows} rows of {count} lines");
    Ok(())
}
