//! `lastwords store audit`: whether the rows are there that the ledger says are stored.

use std::io::Write as _;

use anyhow::bail;
use lastwords_ingester::{audit::audit, kafka::topics};
use lastwords_store::{Audit, Contents, Depth, Store};

use super::place::Place;
use crate::{
    args::StoreAuditArgs,
    config::{self, Config, Flags},
    outcome::{Outcome, printed},
    output,
};
use lastwords_config::environment;

/// Runs the command.
///
/// # Errors
/// Where the store cannot be reached, or a repair is asked for while somebody writes.
pub async fn run(args: &StoreAuditArgs) -> anyhow::Result<Outcome> {
    let config = config::load(&Flags::from(&args.place), &environment)?;
    let place = Place::of(&config, args.place.data.is_some(), "lastwords store audit").await?;
    match &place {
        Place::There(_) if args.repair => {
            bail!(
                "`lastwords up` has the data folder and its ledger in memory: end it, repair, and start it again"
            )
        }
        Place::There(server) => tell_last(&server.contents().await?),
        Place::Remote(store) => look(&config, store, args.repair).await,
        Place::Here(open) => look(&config, &open.store, args.repair).await,
    }
}

async fn look(config: &Config, store: &Store, repair: bool) -> anyhow::Result<Outcome> {
    let found = audit(store, Depth::Chunks).await?;
    tell(&found)?;
    if found.missing.is_empty() && found.unknown.is_empty() {
        return Ok(Outcome::Done);
    }
    if !repair {
        return Ok(Outcome::Failed);
    }
    // First, since it is refused while a writer is there.
    if let Some(kafka) = &config.kafka {
        topics::read_again(kafka).await?;
        say("the writers will read everything again that Kafka still has; what is stored is skipped")?;
    }
    store.repair(&found).await?;
    if !found.missing.is_empty() {
        say(
            "what is missing of these batches is stored when they come again; files that are still there can be imported",
        )?;
    }
    if !found.unknown.is_empty() {
        say("the ledger knows the batches now that it had lost")?;
    }
    Ok(Outcome::Done)
}

fn tell(found: &Audit) -> anyhow::Result<()> {
    for (range, hosts, records) in found.missing_ranges() {
        let hosts = hosts.replace('\n', ", ");
        say(&format!(
            "missing: {records} records of {hosts}: batches {}/{}/{} to {}",
            range.shipper, range.epoch, range.first, range.last
        ))?;
    }
    if found.is_cut {
        say("more is missing than was looked at batch by batch: repair, and audit again")?;
    }
    if !found.unknown.is_empty() {
        say(&format!("{} batches have rows, and no entry in the ledger", found.unknown.len()))?;
    }
    if found.broken_parts > 0 {
        say(&format!("the engine has set {} parts aside as broken", found.broken_parts))?;
    }
    if found.missing.is_empty() {
        say(&format!("the records of {} batches are all there", found.batches))?;
    }
    Ok(())
}

/// What a running `up` found last.
fn tell_last(contents: &Contents) -> anyhow::Result<Outcome> {
    if contents.audited_s == 0 {
        say(
            "`lastwords up` has the data folder and has not audited it yet: it does so soon after its start",
        )?;
        return Ok(Outcome::Done);
    }
    let missing = contents.missing_batches;
    say(&format!(
        "`lastwords up` has the data folder; its last audit found {missing} batches of which records are missing"
    ))?;
    Ok(if missing > 0 { Outcome::Failed } else { Outcome::Done })
}

fn say(line: &str) -> anyhow::Result<()> {
    printed(writeln!(output::stdout(), "{line}"))
}
