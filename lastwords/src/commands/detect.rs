//! `lastwords detect`: the events in one log file, without a store; or those that the store lacks.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write as _},
    path::Path,
};

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use lastwords_api::rescan::{EventFound, Rescan, Step};
use lastwords_detect::{
    LogFound,
    rule_files::{self, RuleFiles},
};
use lastwords_query::language::{self, Asker};
use serde_json::{Value, json};
use tokio_stream::StreamExt as _;

use super::{
    import,
    place::{Asked, Place},
};
use crate::{
    args::DetectArgs,
    config::{self, Config, Flags},
    outcome::{Outcome, UsageError, printed},
    output::{self, Format},
};
use lastwords_config::environment;

/// Runs the command.
///
/// # Errors
/// Where the file or a rules file cannot be read, rules are wrong, or the store fails.
pub async fn run(detect: &DetectArgs) -> anyhow::Result<Outcome> {
    match &detect.file {
        Some(file) => file_alone(detect, file),
        None => stored(detect).await,
    }
}

fn file_alone(detect: &DetectArgs, file: &Path) -> anyhow::Result<Outcome> {
    let rules = rule_files::read(&detect.rules).and_then(RuleFiles::new).map_err(UsageError::from)?;
    let text = read(file)?;
    let found = rules.detector().scan_log(&text, detect.all);
    let rows: Vec<Value> = found.iter().map(row).collect();
    let format = Format::or_default(detect.format.format);
    if rows.is_empty() && format == Format::Table {
        output::tell(format_args!("no events found in {}", file.display()));
    } else {
        print(format, if format == Format::Table { TABLE } else { COLUMNS }, &rows)?;
    }
    Ok(Outcome::found(!rows.is_empty()))
}

fn print(format: Format, columns: &[&str], rows: &[Value]) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(output::stdout());
    printed(output::print_rows(&mut out, format, columns, rows))?;
    printed(out.flush())
}

/// Adds to the store what is missing in it.
async fn stored(detect: &DetectArgs) -> anyhow::Result<Outcome> {
    let config = config::load(&Flags::from(&detect.place), &environment)?;
    let (from_ns, to_ns) = range(detect, &config)?;
    let rules = rule_files::read(&detect.rules).map_err(UsageError::from)?;
    let request = Rescan { from_ns, to_ns, dry_run: detect.dry_run, rules };
    let place = Place::of(&config, detect.place.data.is_some(), "lastwords detect --stored").await?;
    let mut steps = match place.asked(&config) {
        Asked::Service(service) => service.rescan(request)?,
        Asked::Server(server) => server.rescan(&request).await?,
    };
    let bar = import::records_bar();
    let (mut rows, mut done) = (Vec::new(), None);
    while let Some(step) = steps.next().await {
        match step? {
            Step::Event(event) => {
                if detect.all || event.severity != "info" {
                    rows.push(stored_row(&event));
                }
            }
            Step::Progress(progress) => {
                bar.set_length(progress.of);
                bar.set_position(progress.records);
            }
            Step::Done(progress) => done = Some(progress),
        }
    }
    bar.finish_and_clear();
    let Some(progress) = done else {
        bail!("the scan broke off before it was done; to do it again does the rest")
    };
    let format = Format::or_default(detect.format.format);
    if !rows.is_empty() || format != Format::Table {
        print(format, if format == Format::Table { STORED_TABLE } else { STORED }, &rows)?;
    }
    let what = if detect.dry_run { "would be added" } else { "were added" };
    output::tell(format_args!(
        "{} records scanned, {} events found, {} of them {what}",
        progress.records, progress.found, progress.added
    ));
    Ok(Outcome::found(progress.added > 0))
}

/// `--since` and `--until`, read as in a question.
fn range(detect: &DetectArgs, config: &Config) -> anyhow::Result<(i64, i64)> {
    let zone = config::time_zone("--time-zone", detect.time_zone.as_deref(), &environment)
        .map_err(|error| UsageError(error.to_string()))?;
    let now_ns = i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
    let mut text = format!("since {}", detect.since.as_deref().unwrap_or_default());
    if let Some(until) = &detect.until {
        text += &format!(" until {until}");
    }
    let asker = Asker { now_ns, time_zone: zone };
    let bounds = language::bounds(&text, &config.known.vocabulary, &asker)
        .map_err(|error| UsageError(error.to_string()))?;
    if !bounds.places.is_empty() {
        return Err(UsageError("--since and --until take times and nothing else".to_owned()).into());
    }
    Ok((bounds.from_ns.unwrap_or(0), bounds.to_ns.map_or(now_ns, |to_ns| to_ns.saturating_sub(1))))
}

const STORED: &[&str] = &["start", "class", "severity", "host", "guest", "title", "rule"];
const STORED_TABLE: &[&str] = &["start", "severity", "class", "host", "guest", "title"];

fn stored_row(event: &EventFound) -> Value {
    let start = Timestamp::from_nanosecond(event.start_ns.into()).ok().map(|time| time.to_string());
    json!({
        "start": start,
        "class": event.class,
        "severity": event.severity,
        "host": event.host,
        "guest": event.guest,
        "title": event.title,
        "rule": event.rule,
    })
}

const COLUMNS: &[&str] =
    &["class", "title", "function", "start_line", "end_line", "fingerprint", "severity", "rule", "cause"];
const TABLE: &[&str] = &["start_line", "end_line", "severity", "class", "title"];

fn row(found: &LogFound) -> Value {
    json!({
        "class": found.class,
        "title": found.title,
        "function": found.function,
        "start_line": found.start_line,
        "end_line": found.end_line,
        // As text: JSON's numbers are not exact beyond 53 bits.
        "fingerprint": format!("{:016x}", found.fingerprint),
        "severity": found.severity.as_str(),
        "rule": found.rule,
        // The number of the event, from 0, that led to this one.
        "cause": found.cause,
        "attributes": found.attributes.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
    })
}

/// The whole file, unpacked where it is gzip.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?)
    };
    let mut text = Vec::new();
    let cannot = || format!("{} cannot be read", path.display());
    let mut magic = [0; 2];
    let read = read_up_to(&mut input, &mut magic).with_context(cannot)?;
    let head = magic.get(..read).unwrap_or_default();
    let mut whole = BufReader::new(head.chain(input));
    if head == GZIP_MAGIC {
        MultiGzDecoder::new(whole).read_to_end(&mut text).with_context(cannot)?;
    } else {
        whole.read_to_end(&mut text).with_context(cannot)?;
    }
    Ok(text)
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Fills as much of the buffer as the input has.
fn read_up_to(input: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
