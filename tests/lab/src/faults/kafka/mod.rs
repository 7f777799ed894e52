//! The way through Kafka, broken everywhere: kill -9 of every process, pauses longer than a session, connections
//! cut or held up, disks without space. Several things may be broken at once.
//!
//! - `actors`: a process and what it is doing
//! - `disk`: small file systems
//! - `fleet`: who runs, and with what between them

mod actors;
mod disk;
mod fleet;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead as _, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use rand::{Rng, SeedableRng, rngs::StdRng};

use actors::{Actor, Role, State};
use fleet::{Fleet, SESSION_TIMEOUT};

use crate::{
    faults::compare::{Comparison, compare},
    figures::Figures,
};

/// Without a new line in the store for so long, nothing more is expected: twice what an insert in doubt may take.
const QUIET: Duration = Duration::from_secs(180);
/// How long after the last line one that comes twice is waited for.
const AFTERWARDS: Duration = Duration::from_secs(5);
/// A process may take so long to notice that its disk was full.
const DISK_AFTERMATH: Duration = Duration::from_secs(15);
/// One pause in so many is longer than an attempt of an insert lasts.
const LONG_PAUSE_EVERY: u32 = 40;

const CUT: &str = "connections cut";
const HELD: &str = "connections held up";
const FULL_SHIPPER: &str = "full disk, shipper";
const FULL_BROKER: &str = "full disk, broker";
const FULL_STORE: &str = "full disk, store";
const LONG_PAUSES: &str = "of these pauses beyond a minute";
const ENDED_FULL: &str = "ended on a full disk";

/// Breaks, repairs, counts.
///
/// # Errors
/// Where a process cannot be run at all; lost and doubled lines are figures, not errors.
pub fn run(root: &Path, seed: u64, count: u32) -> anyhow::Result<Figures> {
    let mut rng = StdRng::seed_from_u64(seed);
    let fleet = Fleet::start(root, &mut rng)?;
    let journal = File::create(root.join("faults.log"))?;
    let (proxies, disks) = (fleet.proxies.len(), fleet.disks.len());
    let mut breaker = Breaker {
        rng,
        fleet,
        seed,
        journal,
        since: Instant::now(),
        held: vec![None; proxies],
        full: vec![Full::default(); disks],
        counts: BTreeMap::new(),
        unexpected: 0,
    };
    let mut faults = 0;
    while faults < count {
        let wait = Duration::from_millis(breaker.rng.random_range(50..3_000));
        let since = Instant::now();
        while since.elapsed() < wait {
            breaker.fleet.grow(&mut breaker.rng)?;
            breaker.tick()?;
            std::thread::sleep(Duration::from_millis(breaker.rng.random_range(1..80)));
        }
        if breaker.inject()? {
            faults += 1;
            eprint!("\rfaults: {faults}/{count}");
        }
    }
    eprintln!();
    let stored = breaker.settle()?;

    let mut figures = Figures::default();
    let names =
        Role::ALL.iter().map(|role| role.killed()).chain(Role::ALL.iter().filter_map(|role| role.paused()));
    for name in names.chain([LONG_PAUSES, CUT, HELD, FULL_SHIPPER, FULL_BROKER, FULL_STORE, ENDED_FULL]) {
        figures.push(name, breaker.counts.get(name).copied().unwrap_or(0), "");
    }
    let fleet = &breaker.fleet;
    figures.push("rotations", fleet.growing.iter().map(|growing| growing.rotations).sum::<u64>(), "");
    figures.push("lines written", fleet.written.total(), "");
    figures.at_most("ended by themselves", f64::from(breaker.unexpected), "processes", 0.0);
    stored.push_to(&mut figures);
    Ok(figures)
}

/// A small file system's state.
#[derive(Debug, Default, Clone, Copy)]
struct Full {
    until: Option<Instant>,
    /// When it was last given space again.
    freed: Option<Instant>,
}

struct Breaker {
    rng: StdRng,
    fleet: Fleet,
    seed: u64,
    journal: File,
    since: Instant,
    held: Vec<Option<Instant>>,
    full: Vec<Full>,
    counts: BTreeMap<&'static str, u32>,
    unexpected: u32,
}

impl Breaker {
    fn note(&mut self, what: &str) -> anyhow::Result<()> {
        Ok(writeln!(
            self.journal,
            "{:9.3} {} {what}",
            self.since.elapsed().as_secs_f64(),
            jiff::Timestamp::now()
        )?)
    }

    fn count(&mut self, name: &'static str) {
        *self.counts.entry(name).or_default() += 1;
    }

    /// Breaks something that is whole. Returns false where what was chosen is broken already.
    fn inject(&mut self) -> anyhow::Result<bool> {
        match self.rng.random_range(0..100) {
            0..55 => self.kill(),
            55..72 => self.pause(),
            72..87 => self.cut(),
            87..93 => self.hold(),
            _ => self.fill(),
        }
    }

    fn choose(&mut self) -> usize {
        let role = Role::ALL[self.rng.random_range(0..Role::ALL.len())];
        let of_role: Vec<usize> =
            (0..self.fleet.actors.len()).filter(|index| self.fleet.actors[*index].role == role).collect();
        of_role[self.rng.random_range(0..of_role.len())]
    }

    fn kill(&mut self) -> anyhow::Result<bool> {
        let index = self.choose();
        let seconds = if self.rng.random_bool(0.1) { 8.0..20.0 } else { 0.0..3.0 };
        let down = Duration::from_secs_f64(self.rng.random_range(seconds));
        let actor = &mut self.fleet.actors[index];
        if let State::Down(_) = actor.state {
            return Ok(false);
        }
        // It may just have ended by itself, which is not ours to count.
        if let Some(ended) = actor.ended()? {
            actor.state = State::Down(Instant::now());
            self.ended(index, &ended.to_string())?;
            return Ok(false);
        }
        actor.kill(down)?;
        let (name, killed) = (actor.name().to_owned(), actor.role.killed());
        self.count(killed);
        self.note(&format!("kill {name}, back in {down:.1?}"))?;
        Ok(true)
    }

    fn pause(&mut self) -> anyhow::Result<bool> {
        let index = self.choose();
        let long = self.rng.random_ratio(1, LONG_PAUSE_EVERY);
        let beyond = SESSION_TIMEOUT.as_secs_f64() + 1.0;
        let seconds = match self.rng.random_range(0..10) {
            _ if long => 72.0..85.0,
            0..3 => 0.1..beyond,
            _ => beyond..beyond * 2.0,
        };
        let length = Duration::from_secs_f64(self.rng.random_range(seconds));
        let actor = &mut self.fleet.actors[index];
        let (State::Runs, Some(paused)) = (actor.state, actor.role.paused()) else { return Ok(false) };
        actor.pause(length)?;
        let name = actor.name().to_owned();
        self.count(paused);
        if long {
            self.count(LONG_PAUSES);
        }
        self.note(&format!("pause {name} for {length:.1?}"))?;
        Ok(true)
    }

    /// Cuts connections to an ingester, to the store, or to Kafka.
    fn cut(&mut self) -> anyhow::Result<bool> {
        let index = self.rng.random_range(0..self.fleet.proxies.len());
        if self.fleet.proxies[index].break_all() == 0 {
            return Ok(false);
        }
        self.count(CUT);
        self.note(&format!("cut the connections of proxy {index}"))?;
        Ok(true)
    }

    fn hold(&mut self) -> anyhow::Result<bool> {
        let index = self.rng.random_range(0..self.fleet.proxies.len());
        let seconds = if self.rng.random_bool(0.1) { 20.0..40.0 } else { 0.5..8.0 };
        let length = Duration::from_secs_f64(self.rng.random_range(seconds));
        if self.held[index].is_some() {
            return Ok(false);
        }
        self.fleet.proxies[index].hold();
        self.held[index] = Some(Instant::now() + length);
        self.count(HELD);
        self.note(&format!("hold the connections of proxy {index} for {length:.1?}"))?;
        Ok(true)
    }

    fn fill(&mut self) -> anyhow::Result<bool> {
        if self.full.is_empty() {
            return Ok(false);
        }
        let index = self.rng.random_range(0..self.full.len());
        let length = Duration::from_secs_f64(self.rng.random_range(0.5..10.0));
        if self.full[index].until.is_some() {
            return Ok(false);
        }
        self.full[index].until = Some(Instant::now() + length);
        self.note(&format!("fill disk {index} for {length:.1?}"))?;
        self.fleet.disks[index].fill().context("the ballast cannot be written")?;
        let of = self.fleet.actors.iter().find(|actor| actor.disk == Some(index)).map(|actor| actor.role);
        self.count(match of {
            Some(Role::Broker) => FULL_BROKER,
            Some(Role::Store) => FULL_STORE,
            _ => FULL_SHIPPER,
        });
        Ok(true)
    }

    /// Repairs what is due, and notices who ended without our doing.
    fn tick(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        for index in 0..self.held.len() {
            if self.held[index].is_some_and(|until| until <= now) {
                self.held[index] = None;
                self.fleet.proxies[index].release();
            }
        }
        for index in 0..self.full.len() {
            if self.full[index].until.is_some_and(|until| until <= now) {
                self.fleet.disks[index].free()?;
                self.full[index] = Full { until: None, freed: Some(now) };
                self.note(&format!("disk {index} has space again"))?;
            }
        }
        for index in 0..self.fleet.actors.len() {
            self.tend(index, now)?;
        }
        Ok(())
    }

    fn tend(&mut self, index: usize, now: Instant) -> anyhow::Result<()> {
        let no_space = self.no_space(&self.fleet.actors[index]);
        let actor = &mut self.fleet.actors[index];
        match actor.state {
            State::Down(until) if until <= now => {
                // Nobody starts a broker without space.
                if actor.role != Role::Broker || !no_space {
                    actor.start()?;
                    let name = actor.name().to_owned();
                    self.note(&format!("start {name}"))?;
                }
            }
            State::Paused(until) if until <= now => actor.resume()?,
            State::Down(_) | State::Paused(_) => {}
            State::Runs | State::Starts => {
                if let Some(ended) = actor.ended()? {
                    actor.state = State::Down(now + Duration::from_secs(1));
                    self.ended(index, &ended.to_string())?;
                }
            }
        }
        Ok(())
    }

    fn no_space(&self, actor: &Actor) -> bool {
        actor.disk.and_then(|disk| self.full.get(disk)).is_some_and(|full| full.until.is_some())
    }

    /// A process ended, and it was not us.
    fn ended(&mut self, index: usize, how: &str) -> anyhow::Result<()> {
        let actor = &self.fleet.actors[index];
        let name = actor.name().to_owned();
        let full = actor.disk.and_then(|disk| self.full.get(disk));
        let on_full_disk = full.is_some_and(|full| {
            full.until.is_some() || full.freed.is_some_and(|freed| freed.elapsed() < DISK_AFTERMATH)
        });
        if on_full_disk {
            self.count(ENDED_FULL);
            return self.note(&format!("{name} ended on its full disk: {how}"));
        }
        self.unexpected += 1;
        let kept = std::env::temp_dir()
            .join(format!("lastwords-faults-seed{}-{name}-{}.log", self.seed, self.unexpected));
        fs::copy(actor.log(), &kept)?;
        eprintln!(
            "\nfaults: {name} ended by itself: {how}; its log: {}\n{}",
            kept.display(),
            actor.last_lines()
        );
        self.note(&format!("{name} ended by itself: {how}"))
    }

    /// Repairs everything, waits until all is stored, and compares.
    fn settle(&mut self) -> anyhow::Result<Comparison> {
        let now = Instant::now();
        self.note("repair everything")?;
        for until in self.held.iter_mut().flatten() {
            *until = now;
        }
        for full in &mut self.full {
            full.until = full.until.map(|_| now);
        }
        for actor in &mut self.fleet.actors {
            actor.state = match actor.state {
                State::Down(_) => State::Down(now),
                State::Paused(_) => State::Paused(now),
                state => state,
            };
        }
        let (mut rows, mut since, mut poll) = (0, Instant::now(), Instant::now());
        while since.elapsed() < if rows < self.fleet.written.total() { QUIET } else { AFTERWARDS } {
            self.tick()?;
            std::thread::sleep(Duration::from_millis(50));
            if poll.elapsed() > Duration::from_millis(500) {
                // The store may still be coming up.
                let stored = self.fleet.stored().unwrap_or(rows);
                if stored != rows {
                    (rows, since) = (stored, Instant::now());
                }
                poll = Instant::now();
            }
        }
        self.note(&format!("{rows} rows are stored, {} lines were written", self.fleet.written.total()))?;
        let bodies = self.fleet.client.query(
            "SELECT Body FROM logs WHERE startsWith(Body, 'lab ') ORDER BY Shipper, Epoch, Sequence, Row FORMAT TabSeparated",
        )?;
        let compared = compare(&self.fleet.written, bodies.lines().map(|line| Ok(line?)))?;
        if !compared.clean() {
            eprintln!("faults: what everybody said last:\n{}", self.fleet.last_lines());
        }
        Ok(compared)
    }
}
