//! `lastwords doctor`: everything that Lastwords needs on this machine, each with the way out.
//!
//! `machine` looks at clock, disk and logs, `collection` at what is meant to be collected, `guests` at what hypervisors keep of their guests' consoles, `security`
//! at who may send batches, `kafka` at topics and how far writers are, `store` at the engine, the data folder and
//! what is in it, `engine` at the engine's process and its cage; `finding` is what they give. Nothing is changed.

mod collection;
mod engine;
mod finding;
mod guests;
mod kafka;
mod machine;
mod security;
mod store;

use std::io::{self, Write as _};

use serde_json::Value;

use finding::{Finding, State};

use crate::{
    args::DoctorArgs,
    config::{self, Flags},
    outcome::{Outcome, printed},
    output::{self, Format},
};
use lastwords_config::environment;

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
    let rename = "rename it; docs/configuration.md has the former names";
    let renamed =
        |notice: &lastwords_config::Notice| Finding::warn("configuration", notice.to_string(), rename);
    findings.extend(config.notices().iter().map(renamed));
    findings.extend(store::check(&config).await);
    findings.extend(security::check(&config));
    findings.extend(kafka::check(&config).await);
    findings.extend(machine::check(&config).await);
    findings.extend(collection::check(&config));
    findings.extend(guests::check());

    let format = Format::or_default(doctor.format.format);
    let mut out = io::BufWriter::new(output::styled_stdout());
    if format == Format::Table {
        printed(findings.iter().try_for_each(|finding| finding.print(&mut out)))?;
    } else {
        let rows: Vec<Value> = findings.iter().map(Finding::row).collect();
        printed(output::print_rows(&mut out, format, &["state", "check", "found", "way_out"], &rows))?;
    }
    printed(out.flush())?;
    let failed = findings.iter().any(|finding| finding.state == State::Fail);
    Ok(if failed { Outcome::Failed } else { Outcome::Done })
}
