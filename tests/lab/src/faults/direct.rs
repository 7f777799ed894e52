//! `lastwords up` and `lastwords import`, killed.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    faults::{
        compare::{Comparison, compare},
        files::{Growing, Written, line},
    },
    figures::Figures,
    process,
};

const GROWING_FILES: usize = 4;
/// Every fourth fault is an import's.
const IMPORT_EVERY: u32 = 4;
const IMPORT_LINES: u64 = 60_000;
const SETTLE_SECONDS_MAX: u64 = 180;

/// Kills, restarts, counts.
///
/// # Errors
/// Where a process cannot be run at all; lost and doubled lines are figures, not errors.
pub fn run(root: &Path, seed: u64, count: u32) -> anyhow::Result<Figures> {
    let mut fleet = Fleet::new(root, seed)?;
    fleet.begin()?;
    let (mut ups, mut imports) = (0_u32, 0_u32);
    for fault in 0..count {
        if fault % IMPORT_EVERY == IMPORT_EVERY - 1 {
            fleet.kill_import()?;
            imports += 1;
        } else {
            fleet.kill_up()?;
            ups += 1;
        }
        eprint!("\rfaults: {}/{count}", fault + 1);
    }
    eprintln!();
    fleet.finish_imports()?;
    let stored = fleet.settle()?;

    let mut figures = Figures::default();
    figures.push("killed up", ups, "");
    figures.push("killed import", imports, "");
    figures.push("rotations", fleet.growing.rotations, "");
    figures.push("lines written", fleet.written.total(), "");
    stored.push_to(&mut figures);
    Ok(figures)
}

/// The files that grow, the files that are imported, and the product that is killed.
pub(super) struct Fleet {
    pub(super) rng: StdRng,
    lastwords: PathBuf,
    pub(super) data: PathBuf,
    config: PathBuf,
    pub(super) growing: Growing,
    pub(super) written: Written,
    imports: Vec<(String, PathBuf)>,
}

impl Fleet {
    pub(super) fn new(root: &Path, seed: u64) -> anyhow::Result<Fleet> {
        let logs = root.join("logs");
        fs::create_dir_all(&logs)?;
        let config = root.join("lastwords.toml");
        fs::write(&config, config_text(&logs))?;
        Ok(Fleet {
            rng: StdRng::seed_from_u64(seed),
            lastwords: process::binary("lastwords")?,
            data: root.join("data"),
            config,
            growing: Growing {
                folder: logs,
                names: (0..GROWING_FILES).map(|number| format!("grow{number}")).collect(),
                // More than are made: what is deleted while nobody may read it is nobody's fault.
                generations: 200,
                rotation: 0.03,
                lines_max: 400,
                rotations: 0,
            },
            written: Written::default(),
            imports: Vec::new(),
        })
    }

    /// Lets `up` come up once: what was rotated away before a shipper ever ran is history, and not collected.
    pub(super) fn begin(&self) -> anyhow::Result<()> {
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

    pub(super) fn finish_imports(&mut self) -> anyhow::Result<()> {
        for (_, path) in self.imports.clone() {
            let ended = self.start_import(&path)?.wait()?;
            let log = fs::read_to_string(self.data.with_extension("log")).unwrap_or_default();
            let said: Vec<&str> = log.lines().rev().take(3).collect();
            ensure!(ended.success(), "the import of {} failed: {said:?}", path.display());
        }
        Ok(())
    }

    pub(super) fn new_import(&mut self) -> anyhow::Result<(String, PathBuf)> {
        let name = format!("import{}", self.imports.len());
        let path = self.growing.folder.with_file_name(format!("{name}.txt"));
        let mut out = std::io::BufWriter::new(File::create(&path)?);
        for number in 0..IMPORT_LINES {
            writeln!(out, "{}", line(&name, number))?;
        }
        out.flush()?;
        self.written.0.insert(name.clone(), IMPORT_LINES);
        self.imports.push((name.clone(), path.clone()));
        Ok((name, path))
    }

    pub(super) fn grow(&mut self) -> anyhow::Result<()> {
        Ok(self.growing.grow(&mut self.rng, &mut self.written)?)
    }

    pub(super) fn start_up(&self) -> anyhow::Result<Child> {
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

    pub(super) fn start_import(&self, path: &Path) -> anyhow::Result<Child> {
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
    pub(super) fn settle(&mut self) -> anyhow::Result<Comparison> {
        let mut up = self.start_up()?;
        let deadline = Instant::now() + Duration::from_secs(SETTLE_SECONDS_MAX);
        let (mut rows, mut quiet) = (0, 0);
        // All there, or nothing new for a while although there should be.
        while Instant::now() < deadline && (rows < self.written.total() || quiet < 3) && quiet < 20 {
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

    fn compare(&self) -> anyhow::Result<Comparison> {
        let rows = self.query(
            "SELECT Body FROM logs WHERE startsWith(Body, 'lab ') ORDER BY Shipper, Epoch, Sequence, Row",
        )?;
        let body = |row: anyhow::Result<serde_json::Value>| {
            Ok(row?["Body"].as_str().context("a row without a body")?.to_owned())
        };
        compare(&self.written, rows.map(body))
    }

    /// Runs SQL by the command line, as a user would; one object per row.
    pub(super) fn query(
        &self,
        sql: &str,
    ) -> anyhow::Result<impl Iterator<Item = anyhow::Result<serde_json::Value>> + use<>> {
        query(&self.lastwords, &self.data, sql)
    }
}

/// Runs SQL by the command line, as a user would; one object per row.
pub(super) fn query(
    lastwords: &Path,
    data: &Path,
    sql: &str,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<serde_json::Value>> + use<>> {
    let output = tempfile::tempfile()?;
    let status = Command::new(lastwords)
        .args(["query", "--format", "jsonl", "--data"])
        .arg(data)
        .arg(sql)
        .stdout(output.try_clone()?)
        .stderr(Stdio::null())
        .status()?;
    ensure!(status.success(), "the query failed: {sql}");
    let mut output = output;
    std::io::Seek::rewind(&mut output)?;
    Ok(BufReader::new(output).lines().map(|line| Ok(serde_json::from_str(&line?)?)))
}

/// Collects the growing files and nothing else.
fn config_text(logs: &Path) -> String {
    format!(
        "[collect]\nfiles = [\"{}/*.log\"]\njournald = false\nkmsg = false\nsamples = false\nconsoles = []\n",
        logs.display()
    )
}
