//! `lastwords quarantine …`: batches that could not be opened, or that the store refused.

use std::{io, sync::Arc};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use lastwords_detect::Detector;
use lastwords_ingester::quarantine;
use lastwords_record::{Batch, BatchId, ShipperId};
use lastwords_store::Store;
use serde::Deserialize;
use serde_json::{Value, json};

use super::environment;
use crate::{
    args::{BatchArgs, FormatArgs, PlaceArgs, QuarantineCommand},
    config::{self, Flags},
    outcome::{Outcome, UsageError, printed},
    output::{self, Format},
    pipeline::{Contents, OpenStore},
};

/// Runs the command.
///
/// # Errors
/// Where the store cannot be reached, or there is no such batch.
pub async fn run(command: &QuarantineCommand) -> anyhow::Result<Outcome> {
    match command {
        QuarantineCommand::List(list) => {
            let holder = open(&list.place).await?;
            self::list(&holder.store, list.format).await
        }
        QuarantineCommand::Show(one) => {
            let holder = open(&one.place).await?;
            show(&holder.store, wanted(one)?).await
        }
        QuarantineCommand::Retry(several) => {
            let holder = open(&several.place).await?;
            retry(&holder.store, &chosen(&holder.store, several).await?).await
        }
        QuarantineCommand::Drop(several) => {
            let holder = open(&several.place).await?;
            let chosen = chosen(&holder.store, several).await?;
            if !several.yes {
                let message = format!(
                    "{} batches would be dropped for good; say --yes to do it (`quarantine show` tells what is in them)",
                    chosen.len()
                );
                return Err(UsageError(message).into());
            }
            for id in &chosen {
                quarantine::drop_one(&holder.store, *id).await?;
                println!("{id}: dropped");
            }
            Ok(Outcome::Done)
        }
    }
}

/// A store, and what keeps it open where it is in a folder of ours.
struct Holder {
    store: Store,
    _open: Option<OpenStore>,
}

async fn open(place: &PlaceArgs) -> anyhow::Result<Holder> {
    let config = config::load(&Flags::from(place), &environment)?;
    if let Some(remote) = &config.store
        && place.data.is_none()
    {
        let store = Store::remote(remote)?;
        Contents::of(&store).await.with_context(|| format!("the store at {}", remote.urls.join(", ")))?;
        return Ok(Holder { store, _open: None });
    }
    let lock = config
        .data
        .try_lock("lastwords quarantine")
        .context("the quarantine of a running process cannot be changed: stop it first (`lastwords query 'SELECT * EXCEPT Envelope FROM quarantine'` looks into it meanwhile)")?;
    let open = OpenStore::open(&config, lock).await?;
    Ok(Holder { store: open.store.clone(), _open: Some(open) })
}

const COLUMNS: &[&str] = &["batch", "time", "bytes", "reason"];

async fn list(store: &Store, format: FormatArgs) -> anyhow::Result<Outcome> {
    let rows: Vec<Value> = store
        .rows(
            "SELECT concat(lower(hex(Shipper)), '/', toString(Epoch), '/', toString(Sequence)) AS batch, \
             formatDateTime(Time, '%FT%TZ') AS time, length(Envelope) AS bytes, Reason AS reason \
             FROM quarantine FINAL ORDER BY Time, Shipper, Epoch, Sequence",
        )
        .await?;
    let format = Format::or_default(format.format);
    if rows.is_empty() && format == Format::Table {
        println!("The quarantine is empty.");
        return Ok(Outcome::Done);
    }
    printed(output::print_rows(&mut io::stdout().lock(), format, COLUMNS, &rows))?;
    Ok(Outcome::Done)
}

async fn show(store: &Store, id: BatchId) -> anyhow::Result<Outcome> {
    let (envelope, reason) = fetch(store, id).await?;
    let mut object = json!({"batch": id.to_string(), "reason": reason, "bytes": envelope.len()});
    let mut set = |name: &str, value: Value| {
        if let Some(object) = object.as_object_mut() {
            object.insert(name.to_owned(), value);
        }
    };
    match lastwords_record::Header::peek(&envelope) {
        Ok(header) => {
            set("records", json!(header.records));
            let hosts: Vec<&str> = header.hosts.iter().map(|host| host.name.as_str()).collect();
            set("hosts", json!(hosts.join(",")));
        }
        Err(error) => set("header", json!(error.to_string())),
    }
    match Batch::open(&envelope) {
        Ok(batch) => {
            let first = String::from_utf8_lossy(batch.records.body(0)).into_owned();
            set("opens", json!(true));
            set("first_record", json!(first));
        }
        Err(error) => set("opens", json!(error.to_string())),
    }
    let columns = ["batch", "reason", "bytes", "header", "records", "hosts", "opens", "first_record"];
    printed(output::print_object(&mut io::stdout().lock(), Format::or_default(None), &columns, &object))?;
    Ok(Outcome::Done)
}

async fn retry(store: &Store, chosen: &[BatchId]) -> anyhow::Result<Outcome> {
    let detector = Arc::new(Detector::built_in());
    let mut ended = Outcome::Done;
    for id in chosen {
        let (envelope, _) = fetch(store, *id).await?;
        match quarantine::retry(store, Arc::clone(&detector), *id, envelope).await {
            Ok((records, events)) => println!("{id}: stored, {records} records, {events} events"),
            Err(error) => {
                println!("{id}: stays, {error}");
                ended = Outcome::Failed;
            }
        }
    }
    Ok(ended)
}

fn wanted(one: &BatchArgs) -> Result<BatchId, UsageError> {
    let [batch] = one.batches.as_slice() else {
        return Err(UsageError("wanted one batch, as `quarantine list` calls it".to_owned()));
    };
    parse(batch)
}

async fn chosen(store: &Store, several: &BatchArgs) -> anyhow::Result<Vec<BatchId>> {
    if several.all {
        #[derive(Deserialize)]
        struct Row {
            batch: String,
        }
        let rows: Vec<Row> = store
            .rows(
                "SELECT concat(lower(hex(Shipper)), '/', toString(Epoch), '/', toString(Sequence)) AS batch \
                 FROM quarantine FINAL ORDER BY Shipper, Epoch, Sequence",
            )
            .await?;
        return Ok(rows.iter().map(|row| parse(&row.batch)).collect::<Result<_, _>>()?);
    }
    if several.batches.is_empty() {
        return Err(UsageError("wanted batches, as `quarantine list` calls them, or --all".to_owned()).into());
    }
    Ok(several.batches.iter().map(|batch| parse(batch)).collect::<Result<_, _>>()?)
}

/// Reads `SHIPPER/EPOCH/SEQUENCE`.
fn parse(text: &str) -> Result<BatchId, UsageError> {
    let wanted = || {
        UsageError(format!(
            "wanted a batch as `quarantine list` calls it, SHIPPER/EPOCH/SEQUENCE, found {text:?}"
        ))
    };
    let mut parts = text.split('/');
    let (Some(shipper), Some(epoch), Some(sequence), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(wanted());
    };
    if shipper.len() != 32 {
        return Err(wanted());
    }
    let shipper = u128::from_str_radix(shipper, 16).map_err(|_| wanted())?;
    Ok(BatchId {
        shipper: ShipperId(shipper.to_be_bytes()),
        epoch: epoch.parse().map_err(|_| wanted())?,
        sequence: sequence.parse().map_err(|_| wanted())?,
    })
}

async fn fetch(store: &Store, id: BatchId) -> anyhow::Result<(Bytes, String)> {
    #[derive(Deserialize)]
    struct Row {
        envelope: String,
        reason: String,
    }
    let BatchId { shipper, epoch, sequence } = id;
    let rows: Vec<Row> = store
        .rows(&format!(
            "SELECT hex(Envelope) AS envelope, Reason AS reason FROM quarantine FINAL \
             WHERE Shipper = unhex('{shipper}') AND Epoch = {epoch} AND Sequence = {sequence}"
        ))
        .await?;
    let Some(row) = rows.into_iter().next() else {
        bail!("{id} is not in quarantine: see `lastwords quarantine list`")
    };
    let digits = row.envelope.as_bytes().chunks_exact(2);
    let byte =
        |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let envelope: Option<Vec<u8>> = digits.map(byte).collect();
    Ok((envelope.context("the store gave an envelope that is not hexadecimal")?.into(), row.reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_called_as_they_are_listed() {
        let id = BatchId { shipper: ShipperId([0xa9; 16]), epoch: 3, sequence: 7 };
        assert_eq!(parse(&format!("{}/3/7", id.shipper)).unwrap(), id);
        for wrong in
            ["", "a9/3/7", "a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9/3", "x9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9/3/7"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
