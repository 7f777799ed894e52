//! `lastwords up` and `lastwords import` killed at random moments while files grow and rotate; afterwards every
//! line that was written must be stored exactly once, and in order within its file.
//!
//! Lines carry their identity (`file`, `number`), so that nothing is inferred from counts alone.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{figures::Figures, process};

/// Which faults.
#[derive(clap::Args)]
pub struct Options {
    /// Which way lines take to the store.
    #[arg(long, value_enum, default_value_t = Way::Direct)]
    path: Way,
    /// Seed of all that is random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many processes are killed.
    #[arg(long, default_value_t = 200)]
    count: u32,
    /// Keep the data folder and print where it is.
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    /// Without Kafka.
    Direct,
}

const GROWING_FILES: usize = 4;
/// Every fourth fault is an import's.
const IMPORT_EVERY: u32 = 4;
const IMPORT_LINES: u64 = 60_000;
const SETTLE_SECONDS_MAX: u64 = 180;

/// Kills, restarts, counts.
///
/// # Errors
/// Where a process cannot be run at all; lost and doubled lines are figures, not errors.
pub fn run(options: &Options) -> anyhow::Result<Figures> {
    let Way::Direct = options.path;
    let folder = tempfile::tempdir()?;
    let root = if options.keep { folder.keep() } else { folder.path().to_owned() };
    let mut fleet = Fleet::new(&root, options.seed)?;
    fleet.begin()?;
    let (mut ups, mut imports) = (0_u32, 0_u32);
    for fault in 0..options.count {
        if fault % IMPORT_EVERY == IMPORT_EVERY - 1 {
            fleet.kill_import()?;
            imports += 1;
        } else {
            fleet.kill_up()?;
            ups += 1;
        }
        eprint!("\rfaults: {}/{}", fault + 1, options.count);
    }
    eprintln!();
    fleet.finish_imports()?;
    let stored = fleet.settle()?;
    if options.keep {
        eprintln!("faults: kept in {}", root.display());
    }

    let mut figures = Figures::default();
    figures.push("killed up", ups, "");
    figures.push("killed import", imports, "");
    figures.push("rotations", fleet.rotations, "");
    figures.push("lines written", fleet.written(), "");
    figures.push("lines stored", stored.rows, "");
    figures.at_most("out of order", stored.out_of_order, "lines", 0.0);
    figures.at_most("doubled", stored.doubled, "lines", 0.0);
    figures.at_most("lost", stored.lost, "lines", 0.0);
    Ok(figures)
}

/// The files that grow, the files that are imported, and the product that is killed.
struct Fleet {
    rng: StdRng,
    lastwords: PathBuf,
    data: PathBuf,
    logs: PathBuf,
    config: PathBuf,
    /// Lines written so far, per file name in a line's identity.
    numbers: HashMap<String, u64>,
    imports: Vec<(String, PathBuf)>,
    rotations: u64,
}

struct Stored {
    rows: u64,
    lost: f64,
    doubled: f64,
    out_of_order: f64,
}

impl Fleet {
    fn new(root: &Path, seed: u64) -> anyhow::Result<Fleet> {
        let logs = root.join("logs");
        fs::create_dir_all(&logs)?;
        let config = root.join("lastwords.toml");
        fs::write(&config, config_text(&logs))?;
        Ok(Fleet {
            rng: StdRng::seed_from_u64(seed),
            lastwords: process::binary("lastwords")?,
            data: root.join("data"),
            logs,
            config,
            numbers: HashMap::new(),
            imports: Vec::new(),
            rotations: 0,
        })
    }

    /// Lets `up` come up once: what was rotated away before a shipper ever ran is history, and not collected.
    fn begin(&self) -> anyhow::Result<()> {
        let mut up = self.start_up()?;
        let deadline = Instant::now() + Duration::from_secs(SETTLE_SECONDS_MAX);
        while self.count().is_err() {
            ensure!(
                Instant::now() < deadline,
                "up does not come up: see {}",
                self.data.with_extension("log").display()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        up.kill()?;
        up.wait()?;
        Ok(())
    }

    fn written(&self) -> u64 {
        self.numbers.values().sum()
    }

    /// Starts `up`, lets the files grow for a random while, kills it, and lets them grow on.
    fn kill_up(&mut self) -> anyhow::Result<()> {
        let mut up = self.start_up()?;
        let life = Duration::from_millis(self.rng.random_range(50..2_500));
        let since = Instant::now();
        while since.elapsed() < life {
            self.grow()?;
            std::thread::sleep(Duration::from_millis(self.rng.random_range(1..40)));
        }
        ensure!(
            up.try_wait()?.is_none(),
            "up ended by itself: see {}",
            self.data.with_extension("log").display()
        );
        up.kill()?;
        up.wait()?;
        self.grow()
    }

    /// Starts an import of a new file, or of one that was cut short before, and kills it.
    fn kill_import(&mut self) -> anyhow::Result<()> {
        let (_, path) = match self.imports.last() {
            Some(last) if self.rng.random_bool(0.6) => last.clone(),
            _ => self.new_import()?,
        };
        let mut import = self.start_import(&path)?;
        std::thread::sleep(Duration::from_millis(self.rng.random_range(20..2_000)));
        // It may have finished: then nothing is killed, which is a moment, too.
        import.kill()?;
        import.wait()?;
        Ok(())
    }

    fn finish_imports(&mut self) -> anyhow::Result<()> {
        for (_, path) in self.imports.clone() {
            let ended = self.start_import(&path)?.wait()?;
            let log = fs::read_to_string(self.data.with_extension("log")).unwrap_or_default();
            let said: Vec<&str> = log.lines().rev().take(3).collect();
            ensure!(ended.success(), "the import of {} failed: {said:?}", path.display());
        }
        Ok(())
    }

    fn new_import(&mut self) -> anyhow::Result<(String, PathBuf)> {
        let name = format!("import{}", self.imports.len());
        let path = self.logs.with_file_name(format!("{name}.txt"));
        let mut out = std::io::BufWriter::new(File::create(&path)?);
        for number in 0..IMPORT_LINES {
            writeln!(out, "{}", line(&name, number))?;
        }
        out.flush()?;
        self.numbers.insert(name.clone(), IMPORT_LINES);
        self.imports.push((name.clone(), path.clone()));
        Ok((name, path))
    }

    /// Appends lines to a random file; now and then renames it away and begins it anew.
    fn grow(&mut self) -> anyhow::Result<()> {
        let name = format!("grow{}", self.rng.random_range(0..GROWING_FILES));
        let path = self.logs.join(format!("{name}.log"));
        let count = self.rng.random_range(1..400);
        let number = self.numbers.entry(name.clone()).or_default();
        let mut text = String::new();
        for _ in 0..count {
            text.push_str(&line(&name, *number));
            text.push('\n');
            *number += 1;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        // In two writes, so that partial last lines are met.
        let cut = self.rng.random_range(0..text.len());
        let (first, second) = text.as_bytes().split_at(cut);
        file.write_all(first)?;
        file.write_all(second)?;
        if self.rng.random_bool(0.03) {
            for generation in (1..3).rev() {
                let _ = fs::rename(
                    self.logs.join(format!("{name}.log.{generation}")),
                    self.logs.join(format!("{name}.log.{}", generation + 1)),
                );
            }
            fs::rename(&path, self.logs.join(format!("{name}.log.1")))?;
            self.rotations += 1;
        }
        Ok(())
    }

    fn start_up(&self) -> anyhow::Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open(self.data.with_extension("log"))?;
        Command::new(&self.lastwords)
            .arg("up")
            .arg("--data")
            .arg(&self.data)
            .arg("--config")
            .arg(&self.config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start lastwords up")
    }

    fn start_import(&self, path: &Path) -> anyhow::Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open(self.data.with_extension("log"))?;
        Command::new(&self.lastwords)
            .args(["import", "--host", "lab", "--format", "json", "--data"])
            .arg(&self.data)
            .arg(path)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start lastwords import")
    }

    /// Lets `up` catch up, and compares what is stored with what was written.
    fn settle(&mut self) -> anyhow::Result<Stored> {
        let mut up = self.start_up()?;
        let deadline = Instant::now() + Duration::from_secs(SETTLE_SECONDS_MAX);
        let (mut rows, mut quiet) = (0, 0);
        // All there, or nothing new for a while although there should be.
        while Instant::now() < deadline && (rows < self.written() || quiet < 3) && quiet < 20 {
            std::thread::sleep(Duration::from_secs(1));
            let now = self.count().unwrap_or(rows);
            quiet = if now == rows { quiet + 1 } else { 0 };
            rows = now;
        }
        let stored = self.compare();
        process::signal(&up, libc::SIGTERM)?;
        up.wait()?;
        stored
    }

    fn count(&self) -> anyhow::Result<u64> {
        let mut rows = self.query("SELECT count() AS n FROM logs WHERE startsWith(Body, 'lab ')")?;
        let row = rows.next().context("no answer")??;
        row["n"].as_u64().or_else(|| row["n"].as_str()?.parse().ok()).context("no count")
    }

    fn compare(&self) -> anyhow::Result<Stored> {
        let rows = self.query(
            "SELECT Body FROM logs WHERE startsWith(Body, 'lab ') ORDER BY Shipper, Epoch, Sequence, Row",
        )?;
        let mut seen: HashMap<&str, Vec<bool>> = self
            .numbers
            .iter()
            .map(|(name, count)| (name.as_str(), vec![false; usize::try_from(*count).unwrap_or(0)]))
            .collect();
        let mut next: HashMap<String, u64> = HashMap::new();
        let mut stored = Stored { rows: 0, lost: 0.0, doubled: 0.0, out_of_order: 0.0 };
        for row in rows {
            let row = row?;
            let body = row["Body"].as_str().context("a row without a body")?;
            let (name, number) = parse(body).with_context(|| format!("a line that nobody wrote: {body}"))?;
            stored.rows += 1;
            let place = seen.get_mut(name).and_then(|numbers| numbers.get_mut(usize::try_from(number).ok()?));
            match place {
                Some(true) => stored.doubled += 1.0,
                Some(place) => *place = true,
                None => bail!("a line that nobody wrote: {body}"),
            }
            let expected = next.entry(name.to_owned()).or_default();
            if number < *expected {
                stored.out_of_order += 1.0;
            }
            *expected = number + 1;
        }
        for (name, numbers) in &seen {
            for (number, _) in numbers.iter().enumerate().filter(|(_, seen)| !**seen) {
                if stored.lost < 5.0 {
                    eprintln!("faults: lost {name} {number}");
                }
                stored.lost += 1.0;
            }
        }
        Ok(stored)
    }

    /// Runs SQL by the command line, as a user would; one object per row.
    fn query(&self, sql: &str) -> anyhow::Result<impl Iterator<Item = anyhow::Result<serde_json::Value>>> {
        let output = tempfile::tempfile()?;
        let status = Command::new(&self.lastwords)
            .args(["query", "--format", "jsonl", "--data"])
            .arg(&self.data)
            .arg(sql)
            .stdout(output.try_clone()?)
            .stderr(Stdio::null())
            .status()?;
        ensure!(status.success(), "the query failed: {sql}");
        let mut output = output;
        std::io::Seek::rewind(&mut output)?;
        Ok(BufReader::new(output).lines().map(|line| Ok(serde_json::from_str(&line?)?)))
    }
}

fn line(name: &str, number: u64) -> String {
    format!(
        "lab {name} {number} the quick brown fox of test line {:x}",
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    )
}

fn parse(body: &str) -> Option<(&str, u64)> {
    let mut words = body.split(' ').skip(1);
    Some((words.next()?, words.next()?.parse().ok()?))
}

/// Collects the growing files and nothing else.
fn config_text(logs: &Path) -> String {
    format!(
        "[collect]\nfiles = [\"{}/*.log\"]\njournald = false\nkmsg = false\nsamples = false\nconsoles = []\n",
        logs.display()
    )
}
