//! `lastwords detect`: the events in one log file, without a store.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write as _},
    path::Path,
};

use anyhow::Context as _;
use flate2::read::MultiGzDecoder;
use lastwords_detect::LogFound;
use serde_json::{Value, json};

use crate::{
    args::DetectArgs,
    outcome::{Outcome, UsageError, printed},
    output::{self, Format},
    rules::Rules,
};

/// Runs the command.
///
/// # Errors
/// Where the file or a rules file cannot be read, or rules are wrong.
pub fn run(detect: &DetectArgs) -> anyhow::Result<Outcome> {
    let detector = Rules::read(&detect.rules).map_err(UsageError)?.detector();
    let text = read(&detect.file)?;
    let found = detector.scan_log(&text, detect.all);
    let rows: Vec<Value> = found.iter().map(row).collect();
    let format = Format::or_default(detect.format.format);
    if rows.is_empty() && format == Format::Table {
        eprintln!("no events found in {}", detect.file.display());
    } else {
        let columns = if format == Format::Table { TABLE } else { COLUMNS };
        let mut out = io::BufWriter::new(io::stdout().lock());
        printed(output::print_rows(&mut out, format, columns, &rows))?;
        printed(out.flush())?;
    }
    Ok(Outcome::found(!rows.is_empty()))
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
