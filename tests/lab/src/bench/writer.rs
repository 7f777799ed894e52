//! What detection adds to the writer. Twice:
//!
//! - the writer's own code in instructions per record, counted by valgrind's callgrind: batches are opened, scanned, given
//!   templates and made into `Native` blocks, which is what is sent (nothing compresses them on their way),
//! - the writer's process with the engine in it, as it is by default, in CPU time per record.
//!
//! Detection has no switch. Its parts are measured by themselves, on the same records, and taken off the whole. Each
//! count is the difference between a run that does its part once and a run that does it twice.

use std::{
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use jiff::Timestamp;
use lastwords_detect::{Detector, template};
use lastwords_ingester::{Direct, DirectOptions, Incoming, detect, write};
use lastwords_record::{
    Batch, BatchBuilder, BatchId, Clock, Compression, Header, Host, Origin, RecordRef, ShipperId, Source,
    TimeBasis, frame::Lines,
};
use lastwords_store::{Engine, EngineOptions, Store};

use crate::{figures::Figures, lines, process};

/// What is written.
#[derive(clap::Args)]
pub struct Options {
    /// A log whose lines are the records; without it an access log is made up.
    #[arg(long)]
    log: Option<PathBuf>,
    /// Number of lines whose instructions are counted.
    #[arg(long, default_value_t = 20_000)]
    counted_lines: u64,
    /// Number of lines that are written into an engine; 0: none.
    #[arg(long, default_value_t = 1_000_000)]
    lines: u64,
    /// Seed of the lines.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What a process of its own does.
#[derive(clap::Args)]
pub struct WriterAlone {
    /// The log whose lines are the records.
    #[arg(long)]
    log: PathBuf,
    /// How many of its lines.
    #[arg(long)]
    lines: u64,
    /// Which part of the writer.
    #[arg(long, value_enum)]
    part: Part,
    /// How many times.
    #[arg(long, default_value_t = 1)]
    times: u32,
}

/// A part of the writer, or all of it.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Part {
    /// Opens the sealed batches.
    Open,
    /// Looks for events in opened batches.
    Scan,
    /// Makes the templates of their records.
    Template,
    /// All that the writer's own code does: opens, scans, and forms blocks, with the templates of their records.
    Own,
    /// The whole, with the engine in this process.
    Engine,
}

/// Detection may add so much to the CPU of the writer without it.
const SHARE_MAX: f64 = 0.3;

/// Runs the benchmark.
///
/// # Errors
/// Where a step fails.
pub fn run(options: &Options) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir()?;
    let log = match &options.log {
        Some(log) => log.clone(),
        None => {
            let log = folder.path().join("access.log");
            let count = options.lines.max(options.counted_lines);
            lines::write_access_log(&log, count, options.seed, Timestamp::now())?;
            log
        }
    };
    let mut figures = Figures::default();
    own_code(&log, options.counted_lines, &mut figures)?;
    if options.lines > 0 {
        with_engine(&log, options.lines, &mut figures)?;
    }
    Ok(figures)
}

fn own_code(log: &Path, lines: u64, figures: &mut Figures) -> anyhow::Result<()> {
    let count = |part| -> anyhow::Result<f64> {
        let (once, records) = instructions(log, lines, part, 1)?;
        let (twice, _) = instructions(log, lines, part, 2)?;
        Ok((twice - once) / records)
    };
    let (open, scan, template, all) =
        (count(Part::Open)?, count(Part::Scan)?, count(Part::Template)?, count(Part::Own)?);
    let detection = scan + template;
    let without = all - detection;
    const UNIT: &str = "instructions per record";
    figures.push("open the batch", open.round(), UNIT);
    figures.push("form Native blocks", (without - open).round(), UNIT);
    figures.push("scan for events", scan.round(), UNIT);
    figures.push("template", template.round(), UNIT);
    figures.push("own code without detection", without.round(), UNIT);
    figures.push("detection", detection.round(), UNIT);
    figures.push("detection / own code without it", detection / without, "");
    Ok(())
}

fn with_engine(log: &Path, lines: u64, figures: &mut Figures) -> anyhow::Result<()> {
    let cpu = |part| -> anyhow::Result<f64> {
        let said = said(&mut command(Command::new(std::env::current_exe()?), log, lines, part, 1))?;
        Ok(number(&said, "cpu_seconds")? / number(&said, "records")? * 1e6)
    };
    let (scan, template, all) = (cpu(Part::Scan)?, cpu(Part::Template)?, cpu(Part::Engine)?);
    let detection = scan + template;
    const UNIT: &str = "CPU µs per record";
    figures.push("writer and engine", all, UNIT);
    figures.push("of it scan for events", scan, UNIT);
    figures.push("of it template", template, UNIT);
    figures.at_most("detection / writer and engine without it", detection / (all - detection), "", SHARE_MAX);
    Ok(())
}

/// Instructions of a process of its own, all of it, and the number of its records.
fn instructions(log: &Path, lines: u64, part: Part, times: u32) -> anyhow::Result<(f64, f64)> {
    let mut valgrind = Command::new("valgrind");
    let counts = tempfile::NamedTempFile::new()?;
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(format!("--log-file={}", counts.path().display())).arg(std::env::current_exe()?);
    let said = said(&mut command(valgrind, log, lines, part, times))?;
    let counts = fs::read_to_string(counts.path())?;
    let collected = counts.split_once("Collected :").map(|(_, rest)| rest.trim_start());
    let collected = collected.and_then(|rest| rest.split_ascii_whitespace().next());
    let collected = collected.with_context(|| format!("valgrind tells no count: {counts}"))?;
    Ok((collected.parse()?, number(&said, "records")?))
}

/// This program again, for one part.
fn command(mut program: Command, log: &Path, lines: u64, part: Part, times: u32) -> Command {
    let name = match part {
        Part::Open => "open",
        Part::Scan => "scan",
        Part::Template => "template",
        Part::Own => "own",
        Part::Engine => "engine",
    };
    program.args(["writer-alone", "--part", name, "--times", &times.to_string()]);
    program.args(["--lines", &lines.to_string(), "--log"]).arg(log).stderr(Stdio::inherit());
    program
}

fn said(command: &mut Command) -> anyhow::Result<serde_json::Value> {
    let program = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("cannot start {program}; is it installed?"))?;
    ensure!(output.status.success(), "{command:?} failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn number(value: &serde_json::Value, name: &str) -> anyhow::Result<f64> {
    value[name].as_f64().with_context(|| format!("no {name} in {value}"))
}

/// Does a part, and prints for how many records and in how much CPU time.
///
/// # Errors
/// Where the log cannot be read, or the engine refuses.
pub fn alone(options: &WriterAlone) -> anyhow::Result<()> {
    let (sealed, records) = sealed(&fs::read(&options.log)?, options.lines)?;
    let detector = Arc::new(Detector::built_in());
    let opened: Vec<Batch> = match options.part {
        Part::Scan | Part::Template => sealed.iter().map(Batch::open).collect::<Result<_, _>>()?,
        Part::Open | Part::Own | Part::Engine => Vec::new(),
    };
    let used = match options.part {
        Part::Engine => engine(&detector, &sealed)?,
        part => {
            let before = process::own_cpu();
            for _ in 0..options.times {
                own_part(part, &detector, &sealed, &opened)?;
            }
            (process::own_cpu() - before) / options.times.max(1)
        }
    };
    println!("{}", serde_json::json!({"records": records, "cpu_seconds": used.as_secs_f64()}));
    Ok(())
}

fn own_part(part: Part, detector: &Detector, sealed: &[Bytes], opened: &[Batch]) -> anyhow::Result<()> {
    match part {
        Part::Open => {
            for envelope in sealed {
                black_box(Batch::open(envelope)?);
            }
        }
        Part::Scan => opened.iter().for_each(|batch| drop(black_box(detect::scan(detector, batch)))),
        Part::Template => opened.iter().for_each(templates),
        Part::Own | Part::Engine => {
            let prepared = sealed.iter().map(|envelope| {
                let id = Header::peek(envelope)?.id;
                Ok(write::prepare(detector, id, Incoming::Sealed(envelope.clone())))
            });
            let prepared: Vec<_> = prepared.collect::<anyhow::Result<_>>()?;
            black_box(write::form(prepared.iter(), |_, _| true, 1));
        }
    }
    Ok(())
}

fn templates(batch: &Batch) {
    for row in 0..batch.records.len() {
        let program = batch.records.program.get(row).and_then(|index| batch.dictionary.get(*index as usize));
        let program = program.map_or("", String::as_str);
        black_box(template::of_record(batch.records.body(row), program));
    }
}

/// Until the last batch is stored and acknowledged.
fn engine(detector: &Arc<Detector>, sealed: &[Bytes]) -> anyhow::Result<Duration> {
    let folder = tempfile::tempdir()?;
    let engine = Arc::new(Engine::open(&EngineOptions::new(folder.path().join("engine")))?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::embedded(engine);
        store.migrate().await?;
        let (direct, writer) =
            Direct::start(store, Arc::clone(detector), folder.path(), DirectOptions::default()).await?;
        // What starting costs is left out.
        let before = process::own_cpu();
        let mut tickets = Vec::new();
        for envelope in sealed {
            tickets.push(direct.submit(Incoming::Sealed(envelope.clone())).await?);
        }
        for ticket in tickets {
            ticket.await?;
        }
        direct.close();
        writer.await?;
        Ok(process::own_cpu() - before)
    })
}

/// The lines as a shipper seals them.
fn sealed(text: &[u8], lines: u64) -> anyhow::Result<(Vec<Bytes>, u64)> {
    let mut builder = BatchBuilder::new();
    let origin = Origin {
        host: Host { name: "web01".to_owned(), machine_id: String::new() },
        guest: None,
        source: Source::File,
        attributes: vec![("log.file.path".to_owned(), "/var/log/access.log".to_owned())],
    };
    let origin = builder.origin(&origin);
    let now_ns = i64::try_from(Timestamp::now().as_nanosecond())?;
    let (mut sealed, mut records) = (Vec::new(), 0_u64);
    let mut seal = |builder: &mut BatchBuilder| -> anyhow::Result<()> {
        let sequence = sealed.len() as u64 + 1;
        let id = BatchId { shipper: ShipperId::of("web01", ""), epoch: 1, sequence };
        sealed.push(builder.finish(id, now_ns, Clock::default()).seal(Compression::DEFAULT)?);
        Ok(())
    };
    for line in Lines::new(text).take(usize::try_from(lines)?) {
        let record = RecordRef {
            time_ns: now_ns,
            observed_ns: now_ns,
            body: line.text,
            severity: 0,
            program: "",
            time_basis: TimeBasis::Line,
            attributes: &[],
        };
        if builder.push(origin, &record).is_err() {
            seal(&mut builder)?;
            ensure!(builder.push(origin, &record).is_ok(), "a line does not fit into an empty batch");
        }
        records += 1;
    }
    seal(&mut builder)?;
    ensure!(records > 0, "there are no lines");
    Ok((sealed, records))
}
