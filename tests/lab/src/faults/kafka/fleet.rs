//! The whole of it: two shippers, two ingesters, Kafka, two writers and the store, with proxies between them.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use rand::rngs::StdRng;

use super::{
    actors::{Actor, Role},
    disk::{Disk, mount_all},
};
use crate::{
    faults::files::{Growing, Written},
    fleet::{
        broker::Broker,
        child::{Named, last_lines},
        client::Client,
        config, free_ports, loopback,
    },
    process,
    proxy::Proxy,
};

const EACH: usize = 2;
const FILES: usize = 4;
/// Pauses are longer than this.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
const SHIPPER_DISK_BYTES: u64 = 64 << 20;
const BROKER_DISK_BYTES: u64 = 1 << 30;
const STORE_DISK_BYTES: u64 = 2 << 30;
const BEGIN: Duration = Duration::from_secs(180);

/// What runs, what lies between, and what is written.
pub struct Fleet {
    pub actors: Vec<Actor>,
    /// Before the ingesters, before the store, and before Kafka.
    pub proxies: Vec<Proxy>,
    /// After the processes that use them, as fields are dropped in order.
    pub disks: Vec<Disk>,
    pub client: Client,
    pub growing: Vec<Growing>,
    pub written: Written,
}

impl Fleet {
    /// Everything up, and the first lines stored: what was rotated away before a shipper ever ran is history, and
    /// not collected.
    pub fn start(root: &Path, rng: &mut StdRng) -> anyhow::Result<Fleet> {
        let lastwords = process::binary("lastwords")?;
        let ports = free_ports(12)?;
        let (broker_port, store_port, behind, ports) = (ports[0], ports[2], ports[3], &ports[4..]);
        let kafka = Proxy::start(vec![loopback(behind)])?;
        let mut broker = Broker::new(root.join("kafka"), broker_port).behind(behind, kafka.address());
        let states: Vec<_> = (0..EACH).map(|number| root.join(format!("shipper{number}-state"))).collect();
        let mut wanted = vec![(broker.data(), BROKER_DISK_BYTES)];
        wanted.extend(states.iter().map(|state| (state.clone(), SHIPPER_DISK_BYTES)));
        wanted.push((root.join("store"), STORE_DISK_BYTES));
        let disks = mount_all(&wanted)?;
        let on_disk = |index: usize| (index < disks.len()).then_some(index);

        let grpc: Vec<_> = (0..EACH).map(|number| loopback(ports[number * 2])).collect();
        let front = Proxy::start(grpc.clone())?;
        let back = Proxy::start(vec![loopback(store_port)])?;
        let mut actors = vec![Actor::process(
            Role::Store,
            Named::new(
                root,
                "store",
                lastwords.clone(),
                [
                    "store".into(),
                    "serve".into(),
                    "--data".into(),
                    root.join("store").into_os_string(),
                    "--listen".into(),
                    loopback(store_port).to_string().into(),
                ],
            ),
            on_disk(EACH + 1),
        )];
        let brokers = kafka.address().to_string();
        for (role, verb, offset) in [(Role::Ingester, "ingest", 0), (Role::Writer, "write", 4)] {
            for number in 0..EACH {
                let name = format!("{verb}{number}");
                let server = config::Server {
                    brokers: &brokers,
                    store: back.address(),
                    grpc: grpc[number],
                    http: loopback(ports[offset + number * 2 + 1]),
                    session_timeout_ms: u32::try_from(SESSION_TIMEOUT.as_millis())?,
                };
                let path = root.join(format!("{name}.toml"));
                fs::write(&path, server.text())?;
                let arguments = [verb.into(), "--config".into(), path.into_os_string()];
                actors.push(Actor::process(
                    role,
                    Named::new(root, &name, lastwords.clone(), arguments),
                    None,
                ));
            }
        }
        let mut growing = Vec::new();
        for (number, state) in states.iter().enumerate() {
            let name = format!("shipper{number}");
            let folder = root.join(format!("logs{number}"));
            fs::create_dir_all(&folder)?;
            let globs = [format!("{}/*.log", folder.display())];
            let path = root.join(format!("{name}.toml"));
            let text = config::shipper(&format!("hv{number}"), &state.join("state"), front.address(), &globs);
            fs::write(&path, text)?;
            let named = Named::new(
                root,
                &name,
                process::binary("lastwords-shipper")?,
                ["--config".into(), path.into_os_string()],
            );
            actors.push(Actor::process(Role::Shipper, named, on_disk(number + 1)));
            growing.push(Growing {
                folder,
                names: (0..FILES).map(|file| format!("h{number}f{file}")).collect(),
                // None is deleted before a shipper that was away for minutes has read it: that would be lost by rights.
                generations: 200,
                rotation: 0.01,
                lines_max: 200,
                rotations: 0,
            });
        }

        broker.start()?;
        let init = root.join("ingest0.toml");
        let said = Command::new(&lastwords).args(["kafka", "init", "--config"]).arg(&init).output()?;
        ensure!(
            said.status.success(),
            "lastwords kafka init: {}\n{}{}",
            said.status,
            String::from_utf8_lossy(&said.stderr),
            last_lines(&broker.log(), 10)
        );
        for actor in &mut actors {
            actor.start()?;
        }
        let mut broker = Actor::broker(broker, on_disk(0));
        broker.state = super::actors::State::Runs;
        actors.push(broker);
        let client = Client(loopback(store_port));
        let mut fleet = Fleet {
            actors,
            proxies: vec![front, back, kafka],
            disks,
            client,
            growing,
            written: Written::default(),
        };
        fleet.begin(rng)?;
        Ok(fleet)
    }

    fn begin(&mut self, rng: &mut StdRng) -> anyhow::Result<()> {
        for growing in &self.growing {
            for name in &growing.names {
                growing.append(name, 10, rng, &mut self.written)?;
            }
        }
        let since = Instant::now();
        while self.stored().ok() != Some(self.written.total()) {
            for actor in &mut self.actors {
                if let Some(ended) = actor.ended()? {
                    anyhow::bail!("{} ended at the start: {ended}\n{}", actor.name(), actor.last_lines());
                }
            }
            ensure!(since.elapsed() < BEGIN, "the first lines do not arrive\n{}", self.last_lines());
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// How many of our lines the store has.
    pub fn stored(&self) -> anyhow::Result<u64> {
        self.client.number("SELECT count() FROM logs WHERE startsWith(Body, 'lab ') FORMAT TabSeparated")
    }

    /// What everybody said last.
    pub fn last_lines(&self) -> String {
        let of = |actor: &Actor| format!("  {}:\n{}", actor.name(), actor.last_lines());
        self.actors.iter().map(of).collect()
    }

    /// Appends lines somewhere.
    pub fn grow(&mut self, rng: &mut StdRng) -> anyhow::Result<()> {
        for growing in &mut self.growing {
            growing.grow(rng, &mut self.written).context("a log file cannot be written")?;
        }
        Ok(())
    }
}
