//! `lastwords doctor`: everything that Lastwords needs on this machine, each with the way out.
//!
//! `machine` looks at clock, disk and logs, `guests` at what hypervisors keep of their guests' consoles, `security`
//! at who may send batches, `kafka` at topics and how far writers are, `store` at the engine, the data folder and
//! what is in it, `engine` at the engine's process and its cage. Nothing is changed.

mod engine;
mod finding;
mod guests;
mod kafka;
mod machine;
mod security;
mod store;

use std::io::{self, Write as _};

use lastwords_query::terminal::on_a_line;
use serde_json::Value;

use finding::{Finding, State};

use crate::{
    args::DoctorArgs,
    config::{self, Flags},
    environment::environment,
    outcome::{Outcome, printed},
    output::{self, Format},
};

/// Runs the command.
///
/// # Errors
/// Where the configuration is wrong; everything else is a finding.
pub async fn run(doctor: &DoctorArgs) -> anyhow::Result<Outcome> {
    let config = config::load(&Flags::from(&doctor.place), &environment)?;
    let mut findings = vec![match config.file() {
        Some(file) => Finding::ok("configuration", format!("{} is valid", file.display())),
        None => Finding::ok("configuration", "no file: the defaults and the environment are used"),
    }];
    findings.extend(store::check(&config).await);
    findings.extend(security::check(&config));
    findings.extend(kafka::check(&config).await);
    findings.extend(machine::check(&config).await);
    findings.extend(guests::check());

    let format = Format::or_default(doctor.format.format);
    let mut out = io::BufWriter::new(output::styled_stdout());
    if format == Format::Table {
        printed(findings.iter().try_for_each(|finding| print(&mut out, finding)))?;
    } else {
        let rows: Vec<Value> = findings.iter().map(Finding::row).collect();
        printed(output::print_rows(&mut out, format, &["state", "check", "found", "way_out"], &rows))?;
    }
    printed(out.flush())?;
    let failed = findings.iter().any(|finding| finding.state == State::Fail);
    Ok(if failed { Outcome::Failed } else { Outcome::Done })
}

fn print(out: &mut dyn io::Write, finding: &Finding) -> io::Result<()> {
    let state = finding.state.as_str();
    let state = match (output::colour(), finding.state) {
        (false, _) => format!("{state:4}"),
        (true, State::Ok) => format!("\x1b[32m{state:4}\x1b[0m"),
        (true, State::Warn) => format!("\x1b[33m{state:4}\x1b[0m"),
        (true, State::Fail) => format!("\x1b[31m{state:4}\x1b[0m"),
    };
    writeln!(out, "{state}  {:16} {}", finding.check, on_a_line(&finding.found))?;
    if !finding.way_out.is_empty() {
        writeln!(out, "      {:16} → {}", "", on_a_line(&finding.way_out))?;
    }
    Ok(())
}
