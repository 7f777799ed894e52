//! `lastwords quarantine …`: batches that could not be opened, or that the store refused.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;
use lastwords_api::{
    Problem,
    quarantine::{Act, Done, Listed},
};
use serde::Serialize;
use serde_json::Value;

use super::place::{Asked, Place};
use crate::{
    args::{BatchArgs, PlaceArgs, QuarantineCommand},
    config::{self, Config, Flags},
    outcome::{Outcome, UsageError, printed},
    output::{self, Format},
};
use lastwords_config::environment;

/// Runs the command.
///
/// # Errors
/// Where the store cannot be reached, or there is no such batch.
pub async fn run(command: &QuarantineCommand) -> anyhow::Result<Outcome> {
    match command {
        QuarantineCommand::List(list) => {
            let all = Quarantine::open(&list.place).await?.list().await?;
            let format = Format::or_default(list.format.format);
            if all.is_empty() && format == Format::Table {
                printed(writeln!(output::stdout(), "The quarantine is empty."))?;
                return Ok(Outcome::Done);
            }
            let rows: Vec<Value> = all.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
            printed(output::print_rows(&mut output::stdout(), format, LISTED, &rows))?;
            Ok(Outcome::Done)
        }
        QuarantineCommand::Show(one) => {
            let [batch] = one.batches.as_slice() else {
                return Err(UsageError("wanted one batch, as `quarantine list` calls it".to_owned()).into());
            };
            print(
                SHOWN,
                &Quarantine::open(&one.place).await?.act(&Act::Show { batch: batch.clone() }).await?,
            )?;
            Ok(Outcome::Done)
        }
        QuarantineCommand::Retry(several) => {
            let place = Quarantine::open(&several.place).await?;
            let mut ended = Outcome::Done;
            for batch in chosen(&place, several).await? {
                let done = place.act(&Act::Retry { batch }).await?;
                if !matches!(&done, Done::Retried(retried) if retried.stored) {
                    ended = Outcome::Failed;
                }
                print(RETRIED, &done)?;
            }
            Ok(ended)
        }
        QuarantineCommand::Drop(several) => {
            let place = Quarantine::open(&several.place).await?;
            let chosen = chosen(&place, several).await?;
            if !several.yes && !confirmed(chosen.len())? {
                return Ok(Outcome::Done);
            }
            for batch in chosen {
                print(DROPPED, &place.act(&Act::Drop { batch }).await?)?;
            }
            Ok(Outcome::Done)
        }
    }
}

fn print(columns: &[&str], done: &impl Serialize) -> anyhow::Result<()> {
    let object = serde_json::to_value(done)?;
    printed(output::print_object(&mut output::stdout(), Format::or_default(None), columns, &object))
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
    config: Config,
}

impl Quarantine {
    async fn open(place: &PlaceArgs) -> anyhow::Result<Quarantine> {
        let config = config::load(&Flags::from(place), &environment)?;
        let at = Place::of(&config, place.data.is_some(), "lastwords quarantine").await?;
        Ok(Quarantine { place: at, config })
    }

    async fn act(&self, act: &Act) -> Result<Done, Problem> {
        match self.place.asked(&self.config) {
            Asked::Service(service) => service.quarantine(act).await,
            Asked::Server(server) => server.quarantine(act).await,
        }
    }

    async fn list(&self) -> anyhow::Result<Vec<Listed>> {
        match self.act(&Act::List).await? {
            Done::List(all) => Ok(all),
            other => anyhow::bail!("wanted a list of batches, found {other:?}"),
        }
    }
}

async fn chosen(place: &Quarantine, several: &BatchArgs) -> anyhow::Result<Vec<String>> {
    if several.all {
        return Ok(place.list().await?.into_iter().map(|one| one.batch).collect());
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
