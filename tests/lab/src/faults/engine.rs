//! The engine's process, killed alone: under a running `up`, under imports through it, under imports of their own.

use std::{
    path::Path,
    process::Child,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use lastwords_e2e::engine::engine_process;
use rand::Rng;

use crate::{faults::direct::Fleet, figures::Figures, process};

/// Of ten kills so many are under `up` alone, so many under an import through it; the others under an import that has
/// the folder to itself.
const LIVE: u32 = 6;
const THROUGH: u32 = 2;
/// Questions answer again after a kill within so long.
const ANSWER_SECONDS_MAX: f64 = 5.0;
/// A moment that met no engine is tried again, but not for ever.
const MISSES_MAX: u32 = 400;

/// Kills the engine at random moments and counts.
///
/// # Errors
/// Where a process that was not killed ends by itself; lost and doubled lines are figures, not errors.
pub fn run(root: &Path, seed: u64, count: u32) -> anyhow::Result<Figures> {
    let mut fleet = Fleet::new(root, seed)?;
    fleet.begin()?;
    let mut killed = Killed::default();
    let mut up = fleet.start_up()?;
    wait_for_answer(&fleet, &mut up)?;
    let (live, through) = (count * LIVE / 10, count * THROUGH / 10);
    for kill in 0..live + through {
        let import = kill % (LIVE + THROUGH) >= LIVE;
        if import {
            killed.import_through(&mut fleet, &mut up)?;
        } else {
            killed.live(&mut fleet, &mut up)?;
        }
        eprint!("\rfaults: {}/{count}", kill + 1);
    }
    process::signal(&up, libc::SIGTERM)?;
    ensure!(up.wait()?.success(), "up did not end well: see its log");
    for kill in live + through..count {
        killed.import_alone(&mut fleet)?;
        eprint!("\rfaults: {}/{count}", kill + 1);
    }
    eprintln!();
    fleet.finish_imports()?;
    let stored = fleet.settle()?;

    let mut figures = Figures::default();
    figures.push("killed under up", killed.live, "");
    figures.push("killed under an import through up", killed.through, "");
    figures.push("killed under an import alone", killed.alone, "");
    figures.push("moments that met no engine", killed.misses, "");
    figures.push("lines written", fleet.written.total(), "");
    figures.at_most("slowest answer after a kill", killed.slowest.as_secs_f64(), "s", ANSWER_SECONDS_MAX);
    stored.push_to(&mut figures);
    Ok(figures)
}

#[derive(Default)]
struct Killed {
    live: u32,
    through: u32,
    alone: u32,
    misses: u32,
    slowest: Duration,
}

impl Killed {
    /// Files grow under `up`, and its engine is killed.
    fn live(&mut self, fleet: &mut Fleet, up: &mut Child) -> anyhow::Result<()> {
        let life = Duration::from_millis(fleet.rng.random_range(20..1_500));
        let since = Instant::now();
        while since.elapsed() < life {
            fleet.grow()?;
            std::thread::sleep(Duration::from_millis(fleet.rng.random_range(1..40)));
        }
        self.kill_under(up.id())?;
        self.live += 1;
        self.answers(fleet, up)
    }

    /// An import goes through `up`, whose engine is killed meanwhile.
    fn import_through(&mut self, fleet: &mut Fleet, up: &mut Child) -> anyhow::Result<()> {
        let (_, path) = fleet.new_import()?;
        let mut import = fleet.start_import(&path)?;
        std::thread::sleep(Duration::from_millis(fleet.rng.random_range(20..2_500)));
        self.kill_under(up.id())?;
        self.through += 1;
        self.answers(fleet, up)?;
        ensure!(import.wait()?.success(), "the import of {} ended with its engine", path.display());
        Ok(())
    }

    /// An import has the folder to itself, and its own engine is killed.
    fn import_alone(&mut self, fleet: &mut Fleet) -> anyhow::Result<()> {
        loop {
            let (_, path) = fleet.new_import()?;
            let mut import = fleet.start_import(&path)?;
            std::thread::sleep(Duration::from_millis(fleet.rng.random_range(300..4_000)));
            let met = match engine_process(import.id()) {
                // It may have ended between the look and the kill.
                Some(engine) => import.try_wait()?.is_none() && kill(engine).is_ok(),
                None => false,
            };
            ensure!(import.wait()?.success(), "the import of {} ended with its engine", path.display());
            if met {
                self.alone += 1;
                return Ok(());
            }
            self.missed()?;
        }
    }

    fn kill_under(&mut self, parent: u32) -> anyhow::Result<()> {
        loop {
            if engine_process(parent).is_some_and(|engine| kill(engine).is_ok()) {
                return Ok(());
            }
            self.missed()?;
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn missed(&mut self) -> anyhow::Result<()> {
        self.misses += 1;
        ensure!(self.misses < MISSES_MAX, "no engine's process is met: is engine.in_process set?");
        Ok(())
    }

    /// Asks `up` at once after a kill, and notes how long the answer takes.
    fn answers(&mut self, fleet: &Fleet, up: &mut Child) -> anyhow::Result<()> {
        let took = wait_for_answer(fleet, up)?;
        self.slowest = self.slowest.max(took);
        Ok(())
    }
}

fn wait_for_answer(fleet: &Fleet, up: &mut Child) -> anyhow::Result<Duration> {
    let since = Instant::now();
    while fleet.query("SELECT count() AS n FROM batches").is_err() {
        ensure!(up.try_wait()?.is_none(), "up ended: see {}", fleet.data.with_extension("log").display());
        ensure!(since.elapsed() < Duration::from_secs(120), "no answer for two minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
    ensure!(up.try_wait()?.is_none(), "up ended: see {}", fleet.data.with_extension("log").display());
    Ok(since.elapsed())
}

fn kill(pid: u32) -> anyhow::Result<()> {
    let pid = i32::try_from(pid).context("a process id")?;
    // SAFETY: a signal to a process that was just seen.
    let sent = unsafe { libc::kill(pid, libc::SIGKILL) };
    ensure!(sent == 0, "{}", std::io::Error::last_os_error());
    Ok(())
}
