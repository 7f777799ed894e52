//! A machine with logs and a shipper, and an ingester elsewhere. The shipper is killed; the machine is reverted to a
//! snapshot, cloned, and started before its logs are mounted.
//!
//! Before a revert and before a clone everything is stored: what a machine forgets that nobody else knew is lost with it.

use std::{
    fs::{self, OpenOptions},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{
    compare::{Comparison, compare},
    direct::query,
    files::{Growing, Written},
};
use crate::{figures::Figures, process};

const GROWING_FILES: usize = 3;
const SETTLE: Duration = Duration::from_secs(120);
const CLONE_LIFE: Duration = Duration::from_secs(3);

/// Breaks the machine so many times, counts.
///
/// # Errors
/// Where a process cannot be run at all; lost and doubled lines are figures, not errors.
pub fn run(root: &Path, seed: u64, count: u32) -> anyhow::Result<Figures> {
    let mut machine = Machine::start(root, seed)?;
    let (mut kills, mut reverts, mut clones, mut absences) = (0_u32, 0_u32, 0_u32, 0_u32);
    // Without it a clone cannot have the same paths.
    // SAFETY: it takes nothing and cannot fail.
    let is_root = unsafe { libc::geteuid() } == 0;
    for fault in 0..count {
        match machine.rng.random_range(0..10) {
            0..=1 => {
                machine.revert()?;
                reverts += 1;
            }
            2 if is_root => {
                machine.clone_it(clones)?;
                clones += 1;
            }
            3..=4 => {
                machine.start_without_logs()?;
                absences += 1;
            }
            _ => {
                machine.kill()?;
                kills += 1;
            }
        }
        eprint!("\rfaults: {}/{count}", fault + 1);
    }
    eprintln!();
    machine.settle()?;
    let stored = machine.end()?;
    let mut figures = Figures::default();
    figures.push("killed ship", kills, "");
    figures.push("machine reverted", reverts, "");
    figures.push("machine cloned", clones, "");
    figures.push("started without its logs", absences, "");
    figures.push("rotations", machine.growing.rotations, "");
    figures.push("lines written", machine.written.total(), "");
    stored.push_to(&mut figures);
    Ok(figures)
}

struct Machine {
    rng: StdRng,
    lastwords: PathBuf,
    root: PathBuf,
    up: Child,
    ship: Option<Child>,
    growing: Growing,
    written: Written,
}

impl Machine {
    fn start(root: &Path, seed: u64) -> anyhow::Result<Machine> {
        let lastwords = process::binary("lastwords")?;
        fs::create_dir_all(root.join("machine/logs"))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let logs = root.join("machine/logs");
        let config = format!(
            "[host]\nname = \"lab\"\n[ship]\ningester = \"http://127.0.0.1:{port}\"\nlisten = \"off\"\n[collect]\nfiles = [\"{}/*.log\"]\n\
             journald = false\nkmsg = false\nsamples = false\nconsoles = []\n",
            logs.display()
        );
        fs::write(root.join("ship.toml"), config)?;
        let log = OpenOptions::new().create(true).append(true).open(root.join("up.log"))?;
        let up = Command::new(&lastwords)
            .args(["up", "--no-collect", "--http-listen", "off", "--listen"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("--data")
            .arg(root.join("up"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start lastwords up")?;
        let machine = Machine {
            rng: StdRng::seed_from_u64(seed),
            lastwords,
            root: root.to_owned(),
            up,
            ship: None,
            growing: growing(logs, "grow"),
            written: Written::default(),
        };
        let deadline = Instant::now() + SETTLE;
        while machine.count().is_err() {
            ensure!(Instant::now() < deadline, "up does not come up: see {}", root.join("up.log").display());
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(machine)
    }

    /// The shipper of a machine's folder, which may be bound over the paths of the first one.
    fn start_ship(&self, bound_over: Option<&Path>) -> anyhow::Result<Child> {
        let own = self.root.join("machine");
        let (lastwords, config) = (self.lastwords.display(), self.root.join("ship.toml"));
        let log = OpenOptions::new().create(true).append(true).open(self.root.join("ship.log"))?;
        let mut command = match bound_over {
            None => Command::new(&self.lastwords),
            Some(other) => {
                let mut command = Command::new("unshare");
                let bind = format!(
                    "mount --make-rprivate / && mount --bind {} {} && exec {lastwords} \"$@\"",
                    other.display(),
                    own.display()
                );
                command.args(["-m", "sh", "-c", &bind, "sh"]);
                command
            }
        };
        command.arg("ship").arg("--config").arg(config).arg("--data").arg(own.join("state"));
        command.stdout(Stdio::null()).stderr(log).spawn().context("cannot start lastwords ship")
    }

    fn ensure_ship(&mut self) -> anyhow::Result<()> {
        if self.ship.is_none() {
            self.ship = Some(self.start_ship(None)?);
        }
        Ok(())
    }

    fn end_ship(&mut self) -> anyhow::Result<()> {
        if let Some(mut ship) = self.ship.take() {
            let ended = ship.try_wait()?;
            ensure!(ended.is_none(), "ship ended by itself: see {}", self.root.join("ship.log").display());
            ship.kill()?;
            ship.wait()?;
        }
        Ok(())
    }

    /// Lets the files grow for a random while.
    fn live(&mut self) -> anyhow::Result<()> {
        let life = Duration::from_millis(self.rng.random_range(50..2_500));
        let since = Instant::now();
        while since.elapsed() < life {
            self.growing.grow(&mut self.rng, &mut self.written)?;
            std::thread::sleep(Duration::from_millis(self.rng.random_range(5..60)));
        }
        Ok(())
    }

    fn kill(&mut self) -> anyhow::Result<()> {
        self.ensure_ship()?;
        self.live()?;
        self.end_ship()?;
        Ok(self.growing.grow(&mut self.rng, &mut self.written)?)
    }

    /// The machine goes back to how it was a while ago; its files keep their inodes, as a disk's snapshot has them.
    fn revert(&mut self) -> anyhow::Result<()> {
        self.settle()?;
        self.end_ship()?;
        let (machine, snapshot) = (self.root.join("machine"), self.root.join("snapshot"));
        restore(&machine, &snapshot)?;
        self.kill()?;
        self.settle()?;
        self.end_ship()?;
        restore(&snapshot, &machine)?;
        self.kill()
    }

    /// Another machine begins as this one is, and both go on.
    fn clone_it(&mut self, number: u32) -> anyhow::Result<()> {
        self.settle()?;
        self.end_ship()?;
        let clone = self.root.join(format!("clone{number}"));
        restore(&self.root.join("machine"), &clone)?;
        let mut ship = self.start_ship(Some(&clone))?;
        self.ensure_ship()?;
        let mut others = growing(clone.join("logs"), &format!("clone{number}x"));
        let since = Instant::now();
        while since.elapsed() < CLONE_LIFE {
            self.growing.grow(&mut self.rng, &mut self.written)?;
            others.grow(&mut self.rng, &mut self.written)?;
            std::thread::sleep(Duration::from_millis(self.rng.random_range(20..200)));
        }
        self.settle()?;
        process::signal(&ship, libc::SIGTERM)?;
        ship.wait()?;
        Ok(())
    }

    /// The logs are mounted only after the shipper has looked for them.
    fn start_without_logs(&mut self) -> anyhow::Result<()> {
        self.end_ship()?;
        // Not beside it, where it would be found.
        let (logs, away) = (self.root.join("machine/logs"), self.root.join("away"));
        fs::rename(&logs, &away)?;
        self.ensure_ship()?;
        std::thread::sleep(Duration::from_millis(self.rng.random_range(100..1_500)));
        fs::rename(&away, &logs)?;
        self.live()
    }

    /// Waits until all is stored that was written, or nothing more comes.
    fn settle(&mut self) -> anyhow::Result<()> {
        self.ensure_ship()?;
        let deadline = Instant::now() + SETTLE;
        let (mut rows, mut quiet) = (0, 0);
        while Instant::now() < deadline && rows < self.written.total() && quiet < 60 {
            std::thread::sleep(Duration::from_millis(500));
            let now = self.count().unwrap_or(rows);
            quiet = if now == rows { quiet + 1 } else { 0 };
            rows = now;
        }
        Ok(())
    }

    fn count(&self) -> anyhow::Result<u64> {
        let sql = "SELECT count() AS n FROM logs WHERE startsWith(Body, 'lab ')";
        let row = query(&self.lastwords, &self.root.join("up"), sql)?.next().context("no answer")??;
        row["n"].as_u64().or_else(|| row["n"].as_str()?.parse().ok()).context("no count")
    }

    fn end(&mut self) -> anyhow::Result<Comparison> {
        let sql =
            "SELECT Body FROM logs WHERE startsWith(Body, 'lab ') ORDER BY Shipper, Epoch, Sequence, Row";
        let rows = query(&self.lastwords, &self.root.join("up"), sql)?;
        let body = |row: anyhow::Result<serde_json::Value>| {
            Ok(row?["Body"].as_str().context("a row without a body")?.to_owned())
        };
        let compared = compare(&self.written, rows.map(body));
        self.end_ship()?;
        process::signal(&self.up, libc::SIGTERM)?;
        self.up.wait()?;
        compared
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for child in self.ship.iter_mut().chain([&mut self.up]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn growing(folder: PathBuf, name: &str) -> Growing {
    Growing {
        folder,
        names: (0..GROWING_FILES).map(|number| format!("{name}{number}")).collect(),
        generations: 200,
        rotation: 0.03,
        lines_max: 200,
        rotations: 0,
    }
}

/// Makes one folder hold what another holds. What is there already keeps its inode.
fn restore(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        let (there, wanted) = (entry.path(), from.join(entry.file_name()));
        match entry.file_type()?.is_dir() {
            true if !wanted.is_dir() => fs::remove_dir_all(there)?,
            false if !wanted.is_file() => fs::remove_file(there)?,
            _ => {}
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            restore(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn what_is_restored_is_as_it_was_and_keeps_its_inodes() {
        let root = tempfile::tempdir().unwrap();
        let (machine, snapshot) = (root.path().join("machine"), root.path().join("snapshot"));
        fs::create_dir_all(machine.join("state")).unwrap();
        fs::write(machine.join("state/lock"), "").unwrap();
        fs::write(machine.join("a.log"), "one").unwrap();
        restore(&machine, &snapshot).unwrap();
        let inode = fs::metadata(machine.join("a.log")).unwrap().ino();
        fs::write(machine.join("a.log"), "one and two").unwrap();
        fs::write(machine.join("b.log"), "later").unwrap();
        restore(&snapshot, &machine).unwrap();
        assert_eq!(fs::read_to_string(machine.join("a.log")).unwrap(), "one");
        assert_eq!(fs::metadata(machine.join("a.log")).unwrap().ino(), inode);
        assert!(!machine.join("b.log").exists() && machine.join("state/lock").exists());
    }
}
