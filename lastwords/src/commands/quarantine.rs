//! `lastwords quarantine …`: batches that could not be opened, or that the store refused.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;
use lastwords_store::Store;
use serde_json::Value;

use super::environment;
use crate::{
    args::{BatchArgs, PlaceArgs, QuarantineCommand},
    config::{self, Flags},
    http::client::Server,
    outcome::{Outcome, UsageError, printed},
    output::{self, Format},
    pipeline::{self, Access, OpenStore, PATIENCE},
    quarantine::{self, Act},
    questions,
};

/// Runs the command.
///
/// # Errors
/// Where the store cannot be reached, or there is no such batch.
pub async fn run(command: &QuarantineCommand) -> anyhow::Result<Outcome> {
    match command {
        QuarantineCommand::List(list) => {
            let rows = Place::of(&list.place).await?.list().await?;
            let format = Format::or_default(list.format.format);
            if rows.is_empty() && format == Format::Table {
                printed(writeln!(io::stdout(), "The quarantine is empty."))?;
                return Ok(Outcome::Done);
            }
            printed(output::print_rows(&mut io::stdout().lock(), format, LISTED, &rows))?;
            Ok(Outcome::Done)
        }
        QuarantineCommand::Show(one) => {
            let [batch] = one.batches.as_slice() else {
                return Err(UsageError("wanted one batch, as `quarantine list` calls it".to_owned()).into());
            };
            let shown = Place::of(&one.place).await?.act(&Act::Show { batch: batch.clone() }).await?;
            let format = Format::or_default(None);
            printed(output::print_object(&mut io::stdout().lock(), format, SHOWN, &shown))?;
            Ok(Outcome::Done)
        }
        QuarantineCommand::Retry(several) => {
            let place = Place::of(&several.place).await?;
            let mut ended = Outcome::Done;
            for batch in chosen(&place, several).await? {
                let done = place.act(&Act::Retry { batch }).await?;
                if done.get("stored") != Some(&Value::Bool(true)) {
                    ended = Outcome::Failed;
                }
                printed(output::print_object(
                    &mut io::stdout().lock(),
                    Format::or_default(None),
                    RETRIED,
                    &done,
                ))?;
            }
            Ok(ended)
        }
        QuarantineCommand::Drop(several) => {
            let place = Place::of(&several.place).await?;
            let chosen = chosen(&place, several).await?;
            if !several.yes && !confirmed(chosen.len())? {
                return Ok(Outcome::Done);
            }
            for batch in chosen {
                let done = place.act(&Act::Drop { batch }).await?;
                printed(output::print_object(
                    &mut io::stdout().lock(),
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

/// Where the quarantine is.
enum Place {
    /// The server of `[store]`.
    Remote(Store),
    /// A data folder that is ours now.
    Here(Box<OpenStore>),
    /// A running `up`.
    There(Server),
}

impl Place {
    async fn of(place: &PlaceArgs) -> anyhow::Result<Place> {
        let config = config::load(&Flags::from(place), &environment)?;
        if let Some(remote) = &config.store
            && place.data.is_none()
        {
            let store = Store::remote(remote)?;
            let looked = pipeline::Contents::of(&store).await;
            looked.with_context(|| format!("the store at {}", remote.urls.join(", ")))?;
            return Ok(Place::Remote(store));
        }
        let socket = config.data.query_socket();
        Ok(match Access::take(&config, "lastwords quarantine", &socket, PATIENCE).await? {
            Access::Here(open) => Place::Here(open),
            Access::There => Place::There(Server::Socket(socket)),
        })
    }

    async fn act(&self, act: &Act) -> anyhow::Result<Value> {
        let done = match self {
            Place::Remote(store) => quarantine::act(store, act).await,
            Place::Here(open) => quarantine::act(&open.store, act).await,
            Place::There(server) => return server.quarantine(act).await,
        };
        done.map_err(questions::usage_or_failure)
    }

    async fn list(&self) -> anyhow::Result<Vec<Value>> {
        match self.act(&Act::List).await? {
            Value::Array(rows) => Ok(rows),
            other => anyhow::bail!("wanted a list of batches, found {other}"),
        }
    }
}

async fn chosen(place: &Place, several: &BatchArgs) -> anyhow::Result<Vec<String>> {
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
