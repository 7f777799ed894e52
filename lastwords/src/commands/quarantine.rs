//! `lastwords quarantine …`: batches that could not be opened, or that the store refused.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;
use serde_json::Value;

use super::place::Place;
use crate::{
    args::{BatchArgs, PlaceArgs, QuarantineCommand},
    config::{self, Flags},
    outcome::{Outcome, UsageError, printed},
    output::{self, Format},
    quarantine::{self, Act},
    questions,
    rules::Rules,
};
use lastwords_config::environment;

/// Runs the command.
///
/// # Errors
/// Where the store cannot be reached, or there is no such batch.
pub async fn run(command: &QuarantineCommand) -> anyhow::Result<Outcome> {
    match command {
        QuarantineCommand::List(list) => {
            let rows = Quarantine::of(&list.place).await?.list().await?;
            let format = Format::or_default(list.format.format);
            if rows.is_empty() && format == Format::Table {
                printed(writeln!(output::stdout(), "The quarantine is empty."))?;
                return Ok(Outcome::Done);
            }
            printed(output::print_rows(&mut output::stdout(), format, LISTED, &rows))?;
            Ok(Outcome::Done)
        }
        QuarantineCommand::Show(one) => {
            let [batch] = one.batches.as_slice() else {
                return Err(UsageError("wanted one batch, as `quarantine list` calls it".to_owned()).into());
            };
            let shown = Quarantine::of(&one.place).await?.act(&Act::Show { batch: batch.clone() }).await?;
            let format = Format::or_default(None);
            printed(output::print_object(&mut output::stdout(), format, SHOWN, &shown))?;
            Ok(Outcome::Done)
        }
        QuarantineCommand::Retry(several) => {
            let place = Quarantine::of(&several.place).await?;
            let mut ended = Outcome::Done;
            for batch in chosen(&place, several).await? {
                let done = place.act(&Act::Retry { batch }).await?;
                if done.get("stored") != Some(&Value::Bool(true)) {
                    ended = Outcome::Failed;
                }
                printed(output::print_object(
                    &mut output::stdout(),
                    Format::or_default(None),
                    RETRIED,
                    &done,
                ))?;
            }
            Ok(ended)
        }
        QuarantineCommand::Drop(several) => {
            let place = Quarantine::of(&several.place).await?;
            let chosen = chosen(&place, several).await?;
            if !several.yes && !confirmed(chosen.len())? {
                return Ok(Outcome::Done);
            }
            for batch in chosen {
                let done = place.act(&Act::Drop { batch }).await?;
                printed(output::print_object(
                    &mut output::stdout(),
                    Format::or_default(None),
                    DROPPED,
                    &done,
                ))?;
            }
            Ok(Outcome::Done)
        }
    }
}

const LISTED: &[&str] = &["batch", "time", "bytes", "reason"];
const SHOWN: &[&str] = &[
    "batch",
    "time",
    "bytes",
    "reason",
    "header",
    "format_version",
    "sealed",
    "hosts",
    "guests",
    "records",
    "samples",
    "events",
    "placements",
    "body_bytes",
    "body",
    "first_records",
];
const RETRIED: &[&str] = &["batch", "stored", "records", "events", "reason"];
const DROPPED: &[&str] = &["batch", "dropped"];

/// A place with a quarantine.
struct Quarantine {
    place: Place,
    rules: Rules,
}

impl Quarantine {
    async fn of(place: &PlaceArgs) -> anyhow::Result<Quarantine> {
        let config = config::load(&Flags::from(place), &environment)?;
        let at = Place::of(&config, place.data.is_some(), "lastwords quarantine").await?;
        Ok(Quarantine { place: at, rules: config.rules })
    }

    async fn act(&self, act: &Act) -> anyhow::Result<Value> {
        let store = match &self.place {
            Place::Remote(store) => store,
            Place::Here(open) => &open.store,
            Place::There(server) => return server.quarantine(act).await,
        };
        quarantine::act(store, &self.rules, act).await.map_err(questions::usage_or_failure)
    }

    async fn list(&self) -> anyhow::Result<Vec<Value>> {
        match self.act(&Act::List).await? {
            Value::Array(rows) => Ok(rows),
            other => anyhow::bail!("wanted a list of batches, found {other}"),
        }
    }
}

async fn chosen(place: &Quarantine, several: &BatchArgs) -> anyhow::Result<Vec<String>> {
    if several.all {
        let rows = place.list().await?;
        let name = |row: &Value| row.get("batch").and_then(Value::as_str).map(str::to_owned);
        return Ok(rows.iter().filter_map(name).collect());
    }
    if several.batches.is_empty() {
        return Err(UsageError("wanted batches, as `quarantine list` calls them, or --all".to_owned()).into());
    }
    Ok(several.batches.clone())
}

/// Asks whoever sits at the terminal; elsewhere `--yes` is wanted.
fn confirmed(batches: usize) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        let message = format!(
            "{batches} batches would be dropped for good; say --yes to do it (`quarantine show` tells what is in them)"
        );
        return Err(UsageError(message).into());
    }
    eprint!("Drop {batches} batches for good? Nothing of them can be stored afterwards. [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("the answer cannot be read")?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}
