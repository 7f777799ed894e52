//! Statements that want more than anybody should get, beside somebody who only wants an answer.
//!
//! Each bomb goes to a running `up` on two ways: as SQL over the API's socket, and over the ClickHouse port as `reader`.
//! Whoever sent it goes away after a while. Measured: what others wait meanwhile, the memory of the engine's process,
//! whether a statement runs on for long after its client has gone, and whether the engine is idle at the end.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use lastwords_e2e::engine::engine_process;

use crate::{
    figures::Figures,
    fleet::{free_ports, loopback},
    lines, process,
};

const LIST: &str = include_str!("bombs/list.sql");
const PROBE_EVERY: Duration = Duration::from_millis(200);
/// A probe that has no answer by then counts as that.
const PROBE_MAX: Duration = Duration::from_secs(30);
const PROBE_P99_MAX_S: f64 = 1.0;
/// What may run on after its client has gone: the engine looks every 0.2 s, and ends with what is stuck after 5 s.
const ENDS_MAX_S: f64 = 10.0;
/// How often a client looks whether it still has patience.
const READ_TIMEOUT: Duration = Duration::from_millis(100);
const IDLE_AFTER: Duration = Duration::from_secs(10);
/// The engine's process may have so much more than the engine's own limit: what the allocator keeps.
const MEMORY_RATIO_MAX: f64 = 1.5;
const LINES: u64 = 200_000;

/// What is thrown.
#[derive(clap::Args)]
pub struct Options {
    /// Whoever sent a bomb goes away after so many seconds.
    #[arg(long, default_value_t = 5)]
    patience: u64,
    /// The engine's memory in MiB.
    #[arg(long, default_value_t = 2048)]
    memory_mib: u64,
    /// Only this many bombs of the list.
    #[arg(long, default_value_t = usize::MAX)]
    count: usize,
    /// Keep the data folder and its log here.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// Throws them.
///
/// # Errors
/// Where `up` does not come up or ends by itself.
pub fn run(options: &Options) -> anyhow::Result<Figures> {
    let scratch = tempfile::Builder::new().prefix("lastwords-bombs-").tempdir()?;
    let root = options.keep.clone().unwrap_or_else(|| scratch.path().to_owned());
    fs::create_dir_all(&root)?;
    let mut lab = Lab::start(&root, options)?;
    let watched = Arc::new(Watched::default());
    let watchers = watched.start(&lab);
    let bombs: Vec<&str> = LIST.lines().filter(|line| !line.starts_with("--")).take(options.count).collect();
    let mut thrown = Thrown::default();
    for (number, bomb) in bombs.iter().enumerate() {
        for way in [Way::Socket, Way::Port] {
            thrown.throw(&lab, way, bomb, Duration::from_secs(options.patience))?;
            ensure!(lab.up.try_wait()?.is_none(), "up ended at {bomb}: see {}", lab.log.display());
        }
        eprint!("\rbombs: {}/{}", number + 1, bombs.len());
    }
    eprintln!();
    std::thread::sleep(IDLE_AFTER);
    watched.stop.store(true, Ordering::Relaxed);
    for watcher in watchers {
        ensure!(watcher.join().is_ok(), "a watcher broke");
    }
    let (running, cpu_s) = (lab.running().unwrap_or(u64::MAX), lab.engine_cpu_s(Duration::from_secs(3))?);
    let latencies = watched.latencies.lock().map_err(|_| anyhow::anyhow!("the probe broke"))?.clone();
    let memory = watched.resident_bytes_max.load(Ordering::Relaxed);
    process::signal(&lab.up, libc::SIGTERM)?;
    lab.up.wait()?;

    let mut figures = Figures::default();
    figures.push("bombs", bombs.len() as u64, "");
    figures.push("thrown", thrown.count, "");
    figures.push("refused or failed within their limits", thrown.failed, "");
    figures.push("answered", thrown.answered, "");
    figures.push("left by their clients", thrown.left, "");
    figures.push("engine started again", watched.restarts.load(Ordering::Relaxed), "");
    figures.push("probes", latencies.len() as u64, "");
    figures.push("probe, median", percentile(&latencies, 0.5), "s");
    figures.push("probe, slowest", percentile(&latencies, 1.0), "s");
    figures.push("engine's memory, peak", memory >> 20, "MiB");
    figures.at_most("runs on after its client has gone", thrown.ends_s_max, "s", ENDS_MAX_S);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let ratio = memory as f64 / (options.memory_mib << 20) as f64;
    figures.at_most("engine's memory / its limit", ratio, "", MEMORY_RATIO_MAX);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    figures.at_most("statements that run at the end", running as f64, "", 0.0);
    figures.at_most("CPU of the engine at the end", cpu_s / 3.0, "of a core", 0.2);
    figures.at_most("probe, p99", percentile(&latencies, 0.99), "s", PROBE_P99_MAX_S);
    Ok(figures)
}

fn percentile(sorted_or_not: &[f64], share: f64) -> f64 {
    let mut sorted = sorted_or_not.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    let place = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(f64::INFINITY)
}

#[derive(Clone, Copy)]
enum Way {
    Socket,
    Port,
}

/// A running `up` with some lines in it.
struct Lab {
    up: Child,
    data: PathBuf,
    log: PathBuf,
    port: SocketAddr,
    reader: String,
}

impl Drop for Lab {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.up.kill();
        let _ = self.up.wait();
    }
}

impl Lab {
    fn start(root: &Path, options: &Options) -> anyhow::Result<Lab> {
        let (data, lines, config) = (root.join("data"), root.join("access.log"), root.join("up.toml"));
        lines::write_access_log(&lines, LINES, 1, Timestamp::now())?;
        let port = loopback(*free_ports(1)?.first().context("a port")?);
        fs::write(
            &config,
            format!(
                "[listen]\ngrpc = \"off\"\nhttp = \"off\"\n[engine]\nmemory_max = \"{}MiB\"\n[clickhouse]\nlisten = \"{port}\"\n\
                 [collect]\nfiles = []\njournald = false\nkmsg = false\nsamples = false\nconsoles = []\n",
                options.memory_mib
            ),
        )?;
        let lastwords = process::binary("lastwords")?;
        process::run(
            Command::new(&lastwords)
                .args(["import", "--host", "web01", "--data"])
                .arg(&data)
                .arg(&lines)
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )?;
        let log = root.join("up.log");
        let out = OpenOptions::new().create(true).append(true).open(&log)?;
        let up = Command::new(&lastwords)
            .args(["up", "--config"])
            .arg(&config)
            .arg("--data")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(out)
            .spawn()?;
        let mut lab = Lab { up, data, log, port, reader: String::new() };
        let since = Instant::now();
        while lab.probe(Way::Socket).is_err() {
            ensure!(
                since.elapsed() < Duration::from_secs(120),
                "up does not answer: see {}",
                lab.log.display()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        lab.reader = fs::read_to_string(lab.data.join("clickhouse/reader.password"))?.trim().to_owned();
        Ok(lab)
    }

    /// Asks on a way; gives the status, and ends early where the client has no patience any more.
    fn ask(&self, way: Way, sql: &str, patience: Duration) -> anyhow::Result<Option<u16>> {
        match way {
            Way::Socket => {
                let body = serde_json::json!({"sql": sql, "format": "jsonl"}).to_string();
                let stream = UnixStream::connect(self.data.join("query.sock"))?;
                stream.set_read_timeout(Some(READ_TIMEOUT))?;
                exchange(stream, "/api/v1/query", "Content-Type: application/json", &body, patience)
            }
            Way::Port => {
                let stream = TcpStream::connect(self.port)?;
                stream.set_read_timeout(Some(READ_TIMEOUT))?;
                let user = format!("X-ClickHouse-User: reader\r\nX-ClickHouse-Key: {}", self.reader);
                exchange(stream, "/?default_format=JSONEachRow", &user, sql, patience)
            }
        }
    }

    fn probe(&self, way: Way) -> anyhow::Result<()> {
        let sql = "SELECT count() FROM logs WHERE Host = 'web01' AND Timestamp > now() - INTERVAL 1 DAY";
        let status = self.ask(way, sql, PROBE_MAX)?;
        ensure!(status == Some(200), "status {status:?}");
        Ok(())
    }

    /// Statements that the engine runs, by itself.
    fn running(&self) -> anyhow::Result<u64> {
        let sql = "SELECT count() FROM system.processes WHERE query NOT LIKE '%system.processes%'";
        let mut stream = UnixStream::connect(self.data.join("engine.sock"))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{sql}",
            sql.len()
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        text.lines().last().unwrap_or_default().trim().parse().context("no number")
    }

    fn engine_cpu_s(&self, during: Duration) -> anyhow::Result<f64> {
        let engine = engine_process(self.up.id()).context("there is no engine")?;
        let before = process::cpu_of(engine)?;
        std::thread::sleep(during);
        Ok((process::cpu_of(engine)? - before).as_secs_f64())
    }
}

/// One request; the status where there was an answer to its end, nothing where the client left before.
fn exchange(
    mut stream: impl Read + Write,
    target: &str,
    header: &str,
    body: &str,
    patience: Duration,
) -> anyhow::Result<Option<u16>> {
    let since = Instant::now();
    write!(
        stream,
        "POST {target} HTTP/1.1\r\nHost: localhost\r\n{header}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut head = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        if since.elapsed() > patience {
            return Ok(None);
        }
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) if head.len() < 64 => head.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Ok(_) => {}
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            // Cut off within its answer.
            Err(_) => return Ok(Some(500)),
        }
    }
    let head = String::from_utf8_lossy(&head);
    Ok(Some(head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(500)))
}

fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// What is seen from beside.
#[derive(Default)]
struct Watched {
    stop: AtomicBool,
    latencies: Mutex<Vec<f64>>,
    resident_bytes_max: AtomicU64,
    restarts: AtomicU64,
}

impl Watched {
    fn start(self: &Arc<Watched>, lab: &Lab) -> Vec<std::thread::JoinHandle<()>> {
        let (probed, measured) = (Arc::clone(self), Arc::clone(self));
        let (data, port, reader, up) = (lab.data.clone(), lab.port, lab.reader.clone(), lab.up.id());
        let probe = move || {
            // A client of its own, which no bomb of this program keeps waiting.
            let mut asker = Asker { data, port, reader, turn: 0 };
            while !probed.stop.load(Ordering::Relaxed) {
                let since = Instant::now();
                let answered = asker.ask().unwrap_or(false);
                let took = if answered { since.elapsed() } else { PROBE_MAX };
                if let Ok(mut latencies) = probed.latencies.lock() {
                    latencies.push(took.as_secs_f64());
                }
                std::thread::sleep(PROBE_EVERY.saturating_sub(since.elapsed()));
            }
        };
        let measure = move || {
            let mut last = engine_process(up);
            while !measured.stop.load(Ordering::Relaxed) {
                let engine = engine_process(up);
                if engine.is_some() && engine != last {
                    measured.restarts.fetch_add(1, Ordering::Relaxed);
                    last = engine;
                }
                if let Some(bytes) = engine.and_then(resident_bytes) {
                    measured.resident_bytes_max.fetch_max(bytes, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        };
        vec![std::thread::spawn(probe), std::thread::spawn(measure)]
    }
}

/// Somebody who only wants an answer: asks a question, and over the port a statement, in turn.
struct Asker {
    data: PathBuf,
    port: SocketAddr,
    reader: String,
    turn: u64,
}

impl Asker {
    fn ask(&mut self) -> anyhow::Result<bool> {
        self.turn += 1;
        let status = if self.turn.is_multiple_of(2) {
            let stream = TcpStream::connect(self.port)?;
            stream.set_read_timeout(Some(READ_TIMEOUT))?;
            let user = format!("X-ClickHouse-User: reader\r\nX-ClickHouse-Key: {}", self.reader);
            exchange(stream, "/", &user, "SELECT count() FROM events", PROBE_MAX)?
        } else {
            let stream = UnixStream::connect(self.data.join("query.sock"))?;
            stream.set_read_timeout(Some(READ_TIMEOUT))?;
            let body = r#"{"question": "panics in the last 1 day"}"#;
            exchange(stream, "/api/v1/query", "Content-Type: application/json", body, PROBE_MAX)?
        };
        Ok(status == Some(200))
    }
}

/// What became of the bombs.
#[derive(Default)]
struct Thrown {
    count: u64,
    failed: u64,
    answered: u64,
    left: u64,
    ends_s_max: f64,
}

impl Thrown {
    fn throw(&mut self, lab: &Lab, way: Way, bomb: &str, patience: Duration) -> anyhow::Result<()> {
        self.count += 1;
        match lab.ask(way, bomb, patience)? {
            Some(200) => self.answered += 1,
            Some(_) => self.failed += 1,
            None => {
                self.left += 1;
                let since = Instant::now();
                // An engine that is being started again runs nothing.
                while lab.running().unwrap_or(1) > 0 && since.elapsed() < Duration::from_secs(60) {
                    std::thread::sleep(Duration::from_millis(100));
                }
                let took = since.elapsed().as_secs_f64();
                if took > ENDS_MAX_S {
                    eprintln!("\nbombs: ran on for {took:.1} s: {bomb}");
                }
                self.ends_s_max = self.ends_s_max.max(took);
            }
        }
        Ok(())
    }
}
