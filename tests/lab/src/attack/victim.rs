//! What is attacked: the real binaries on loopback, and how much memory they take.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lastwords_ingester::MemoryPlan;
use lastwords_runtime::descriptors;

use crate::{
    fleet::{broker::Broker, child::Named, config, free_ports, loopback},
    process,
};

const READY: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(100);
/// `listen.memory_max` of the run: small, so that the attack reaches its bounds.
const MEMORY_MIB: usize = 256;
/// `engine.memory_max` of the run.
const ENGINE_MIB: usize = 1024;

/// As `config::Server` has them.
const PARTITIONS: usize = 6;
/// As `lastwords write` has them.
const BLOCK_BYTES: usize = 32 << 20;

/// Processes under attack.
pub struct Victim {
    /// Where batches are taken.
    pub address: SocketAddr,
    /// Those whose memory is looked at, first the one that takes batches.
    watched: Vec<Watched>,
    others: Vec<Named>,
    _broker: Option<Broker>,
}

struct Watched {
    process: Named,
    http: SocketAddr,
    bound_bytes: u64,
}

/// How much memory a process took.
#[derive(Debug, Clone)]
pub struct Memory {
    /// Which process.
    pub name: String,
    /// The most that was resident, by the kernel.
    pub peak_bytes: u64,
    /// What is stated.
    pub bound_bytes: u64,
}

impl Victim {
    /// `lastwords up`.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn up(folder: &Path) -> anyhow::Result<Victim> {
        let ports = free_ports(2)?;
        let (grpc, http) = (loopback(ports[0]), loopback(ports[1]));
        let config = folder.join("up.toml");
        fs::write(
            &config,
            format!(
                "[listen]\ngrpc = \"{grpc}\"\nhttp = \"{http}\"\nmemory_max = \"{MEMORY_MIB}MiB\"\n[engine]\nmemory_max = \"{ENGINE_MIB}MiB\"\n\
                 [collect]\nfiles = []\njournald = false\nkmsg = false\nsamples = false\nconsoles = []\n"
            ),
        )?;
        let data = folder.join("up").into_os_string();
        let arguments = ["up".into(), "--data".into(), data, "--config".into(), config.into_os_string()];
        let mut process = Named::new(folder, "up", process::binary("lastwords")?, arguments);
        process.start()?;
        let watched = vec![Watched { process, http, bound_bytes: plan().process_bytes_max() as u64 }];
        let mut victim = Victim { address: grpc, watched, others: Vec::new(), _broker: None };
        victim.await_ready()?;
        for watched in &mut victim.watched {
            // Where the engine is in this very process, its memory counts, too.
            if watched.process.maps()?.contains("libchdb") {
                watched.bound_bytes += (ENGINE_MIB as u64) << 20;
            }
        }
        Ok(victim)
    }

    /// `lastwords ingest` and `lastwords write`, with Kafka between and a store behind.
    ///
    /// # Errors
    /// Where one of them does not start.
    pub fn kafka(folder: &Path) -> anyhow::Result<Victim> {
        let lastwords = process::binary("lastwords")?;
        let ports = free_ports(8)?;
        let mut broker = Broker::new(folder.join("kafka"), ports[0]);
        broker.start()?;
        let store_address = loopback(ports[2]);
        let arguments = [
            "store".into(),
            "serve".into(),
            "--data".into(),
            folder.join("store").into_os_string(),
            "--listen".into(),
            store_address.to_string().into(),
        ];
        let mut store = Named::new(folder, "store", lastwords.clone(), arguments);
        store.start()?;
        let brokers = broker.address();
        let server = |verb: &str, ports: &[u16]| -> anyhow::Result<(Named, PathBuf)> {
            let path = folder.join(format!("{verb}.toml"));
            let server = config::Server {
                brokers: &brokers,
                store: store_address,
                grpc: loopback(ports[0]),
                http: loopback(ports[1]),
                session_timeout_ms: 30_000,
            };
            let memory = format!("[listen]\nmemory_max = \"{MEMORY_MIB}MiB\"\n");
            fs::write(&path, server.text().replace("[listen]\n", &memory))?;
            let arguments = [verb.into(), "--config".into(), path.clone().into_os_string()];
            Ok((Named::new(folder, verb, lastwords.clone(), arguments), path))
        };
        let (mut ingest, path) = server("ingest", &ports[3..5])?;
        let (mut write, _) = server("write", &ports[5..7])?;
        let mut init = Command::new(&lastwords);
        init.args(["kafka", "init", "--config"]).arg(path).stdout(std::process::Stdio::null());
        process::run(&mut init)?;
        ingest.start()?;
        write.start()?;
        let watch = |process, port, bound_bytes| Watched { process, http: loopback(port), bound_bytes };
        let watched = vec![
            watch(ingest, ports[4], plan().process_bytes_max() as u64),
            watch(
                write,
                ports[6],
                lastwords_ingester::kafka::writer_bytes_max(PARTITIONS, BLOCK_BYTES) as u64,
            ),
        ];
        let mut victim =
            Victim { address: loopback(ports[3]), watched, others: vec![store], _broker: Some(broker) };
        victim.await_ready()?;
        Ok(victim)
    }

    fn await_ready(&mut self) -> anyhow::Result<()> {
        let since = Instant::now();
        for place in 0..self.watched.len() {
            loop {
                self.check()?;
                let http = self.watched[place].http;
                let Err(error) = get(http, "/readyz") else { break };
                ensure!(since.elapsed() < READY, "{http} is not ready: {error:#}");
                std::thread::sleep(POLL);
            }
        }
        Ok(())
    }

    /// Whether all are alive.
    ///
    /// # Errors
    /// Which one is not, with its last words.
    pub fn check(&mut self) -> anyhow::Result<()> {
        let watched = self.watched.iter_mut().map(|watched| &mut watched.process);
        for process in watched.chain(&mut self.others) {
            if let Some(status) = process.ended()? {
                anyhow::bail!("{} ended with {status}:\n{}", process.name, process.last_lines(30));
            }
        }
        Ok(())
    }

    /// What the processes took so far.
    ///
    /// # Errors
    /// Where the kernel does not say.
    pub fn memory(&self) -> anyhow::Result<Vec<Memory>> {
        let one = |watched: &Watched| {
            let status = watched.process.status()?;
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
            let kib: u64 = peak.trim().trim_end_matches(" kB").parse()?;
            Ok(Memory {
                name: watched.process.name.clone(),
                peak_bytes: kib << 10,
                bound_bytes: watched.bound_bytes,
            })
        };
        self.watched.iter().map(one).collect()
    }

    /// How long the health page of the first takes to answer.
    pub fn health(&self) -> Option<Duration> {
        let since = Instant::now();
        get(self.watched.first()?.http, "/healthz").ok().map(|_| since.elapsed())
    }

    /// What the first counted as refused, by label.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn refused(&self) -> anyhow::Result<Vec<(String, u64)>> {
        let http = self.watched.first().context("nothing is watched")?.http;
        let text = get(http, "/metrics")?;
        let counts = text.lines().filter_map(|line| {
            let (labels, count) = line.strip_prefix("lastwords_ingester_refused_total{")?.split_once("} ")?;
            let count = count.parse().ok().filter(|count| *count > 0)?;
            Some((labels.replace("what=", "").replace(",reason=", " ").replace('"', ""), count))
        });
        Ok(counts.collect())
    }
}

fn plan() -> MemoryPlan {
    MemoryPlan::new(MEMORY_MIB << 20, &descriptors::current())
}

fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{path}: {}", answer.lines().next().unwrap_or("no answer"));
    Ok(answer)
}
