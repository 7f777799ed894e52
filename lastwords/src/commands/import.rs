//! `lastwords import`: existing logs through the whole pipeline.

use std::{
    ops::AddAssign,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{Timestamp, civil, tz::TimeZone};
use lastwords_record::Source;
use lastwords_shipper::{ImportOptions, Imported, Input, Progress, Uplink, import::Trouble};
use serde_json::json;

use crate::{
    args::ImportArgs,
    config::{self, Config, Flags},
    data::{DataError, Lock},
    outcome::{Outcome, UsageError, printed},
    output::{self, Format},
    pipeline::{Access, PATIENCE, Pipeline},
};
use lastwords_config::environment;

/// How often the progress bar is drawn.
const DRAWN_HZ: u8 = 10;
const TURN_PAUSE: Duration = Duration::from_millis(50);

/// Runs the command.
///
/// # Errors
/// Where a file cannot be read, or the store cannot be reached or fails.
pub async fn run(import: &ImportArgs) -> anyhow::Result<Outcome> {
    let config = config::load(&Flags::from(&import.place), &environment)?;
    let job = job(import)?;
    // One import at a time: they share the state that makes their batches' numbers.
    let _turn = turn(&config).await?;
    let bar = progress_bar(None);
    let added = match Access::take(&config, "lastwords import", &config.data.ingest_socket(), PATIENCE)
        .await?
    {
        Access::There => self::import(&config, job, Uplink::Unix(config.data.ingest_socket()), &bar).await?,
        Access::Here(open) => {
            let mut pipeline = Pipeline::start(*open, &config).await?;
            let uplink = Uplink::InProcess(pipeline.deliver());
            let added = pipeline.while_it_writes(self::import(&config, job, uplink, &bar)).await;
            pipeline.finish().await;
            added?
        }
    };
    bar.finish_and_clear();
    let object = json!({
        "lines": added.lines,
        "records": added.records,
        "events": added.events,
        "bytes": added.bytes,
        "quarantined": added.quarantined,
    });
    let format = Format::or_default(import.format.format);
    printed(output::print_object(&mut output::stdout(), format, COLUMNS, &object))?;
    Ok(tell(&added))
}

/// Says what was not imported whole, and what could not be dated.
fn tell(added: &Added) -> Outcome {
    for trouble in &added.troubles {
        output::tell(format_args!("lastwords: {}: {}", trouble.what, trouble.why));
    }
    if added.more_troubles > 0 {
        output::tell(format_args!("lastwords: {} more were not imported whole", added.more_troubles));
    }
    if added.undated > 0 {
        output::tell(format_args!(
            "lastwords: {} records have no time of their own: they are dated by their file's age (--boot dates lines with the kernel's clock)",
            added.undated
        ));
    }
    if added.blank_bytes > 0 {
        output::tell(format_args!(
            "lastwords: {} NULs that a crash has left were left out",
            added.blank_bytes
        ));
    }
    let has_failed = added.troubles.iter().any(|trouble| trouble.is_failure);
    if has_failed { Outcome::Failed } else { Outcome::Done }
}

/// Waits for other imports on the folder, however long they take.
async fn turn(config: &Config) -> Result<Lock, DataError> {
    let mut told = false;
    loop {
        match config.data.try_import_turn("lastwords import") {
            Err(DataError::Held { holder, .. }) => {
                if !told {
                    tracing::warn!("waiting for {holder}");
                    told = true;
                }
                tokio::time::sleep(TURN_PAUSE).await;
            }
            ended => return ended,
        }
    }
}

const COLUMNS: &[&str] = &["lines", "records", "events", "bytes", "quarantined"];

fn job(import: &ImportArgs) -> anyhow::Result<Job> {
    for file in import.files.iter().filter(|file| *file != Path::new("-")) {
        std::fs::metadata(file).with_context(|| format!("{} cannot be imported", file.display()))?;
    }
    let time_zone = config::time_zone("--time-zone", import.time_zone.as_deref(), &environment)
        .map_err(|error| UsageError(error.to_string()))?;
    let boot_ns =
        import.boot.as_deref().map(|text| instant(text, &time_zone)).transpose().map_err(UsageError)?;
    Ok(Job {
        host: import.host.clone(),
        guest: import.guest.clone(),
        source: import.source,
        time_zone,
        year: import.year,
        boot_ns,
        files: import.files.clone(),
    })
}

/// RFC 3339, or a date and time in the zone that was named.
fn instant(text: &str, time_zone: &TimeZone) -> Result<i64, String> {
    let time = text.parse::<Timestamp>().ok().or_else(|| {
        let local: civil::DateTime = text.parse().ok()?;
        time_zone.to_ambiguous_timestamp(local).compatible().ok()
    });
    time.and_then(|time| i64::try_from(time.as_nanosecond()).ok())
        .ok_or_else(|| format!("--boot: wanted a time such as 2026-11-20T15:00:00Z, found {text:?}"))
}

/// Files and what is known about them.
pub struct Job {
    /// The host that wrote them.
    pub host: String,
    /// The guest that wrote them.
    pub guest: Option<String>,
    /// What kind of source they are.
    pub source: Source,
    /// Time zone of lines that don't say theirs.
    pub time_zone: TimeZone,
    /// Year of the first line, where lines don't say it.
    pub year: Option<i16>,
    /// When the kernel started, UTC nanoseconds, for lines with its clock alone.
    pub boot_ns: Option<i64>,
    /// Files, folders, or `-`.
    pub files: Vec<PathBuf>,
}

/// What imports added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// Lines read.
    pub lines: u64,
    /// Records stored.
    pub records: u64,
    /// Events recognised.
    pub events: u64,
    /// Uncompressed bytes read.
    pub bytes: u64,
    /// Batches set aside.
    pub quarantined: u64,
    /// Records without a time of their own.
    pub undated: u64,
    /// NULs that were left out.
    pub blank_bytes: u64,
    /// What was not imported, or not whole.
    pub troubles: Vec<Trouble>,
    /// Further ones.
    pub more_troubles: u64,
}

impl AddAssign for Added {
    fn add_assign(&mut self, more: Added) {
        self.lines += more.lines;
        self.records += more.records;
        self.events += more.events;
        self.bytes += more.bytes;
        self.quarantined += more.quarantined;
        self.undated += more.undated;
        self.blank_bytes += more.blank_bytes;
        self.troubles.extend(more.troubles);
        self.more_troubles += more.more_troubles;
    }
}

/// Sends a job's files into a pipeline, telling the bar how far it is.
///
/// # Errors
/// Where a file cannot be read or the pipeline fails for good.
pub async fn import(config: &Config, job: Job, uplink: Uplink, bar: &ProgressBar) -> anyhow::Result<Added> {
    let options = ImportOptions {
        host: job.host,
        guest: job.guest,
        source: job.source,
        time_zone: job.time_zone,
        year: job.year,
        boot_ns: job.boot_ns,
        inputs: job.files.into_iter().map(input).collect(),
        state_dir: config.data.import(),
    };
    let before = bar.position();
    let shown = bar.clone();
    let progress = move |progress: Progress| {
        if let Some(total) = progress.bytes_total {
            shown.set_length(before + total);
        }
        shown.set_position(before + progress.bytes);
    };
    let imported = lastwords_shipper::import::import(options, uplink, progress).await?;
    Ok(added(imported))
}

fn input(path: PathBuf) -> Input {
    if path == Path::new("-") { Input::Stdin } else { Input::Path(path) }
}

fn added(imported: Imported) -> Added {
    Added {
        lines: imported.lines,
        records: imported.records,
        events: imported.events,
        bytes: imported.bytes,
        quarantined: imported.quarantined,
        undated: imported.undated,
        blank_bytes: imported.blank_bytes,
        troubles: imported.troubles,
        more_troubles: imported.more_troubles,
    }
}

/// A bar of bytes on stderr where that is a terminal, nothing elsewhere.
#[must_use]
pub fn progress_bar(bytes: Option<u64>) -> ProgressBar {
    bar(
        match bytes {
            Some(_) => "{bar:30} {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left",
            None => "{spinner} {decimal_bytes}  {decimal_bytes_per_sec}  {elapsed}",
        },
        bytes,
    )
}

/// A bar of records on stderr where that is a terminal, nothing elsewhere.
#[must_use]
pub fn records_bar() -> ProgressBar {
    bar("{bar:30} {human_pos}/{human_len} records  {eta} left", Some(0))
}

fn bar(template: &str, length: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr_with_hz(DRAWN_HZ));
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
