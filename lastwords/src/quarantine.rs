//! Batches that are set aside: what may be asked about them and done with them, on a store at hand or by a running `up`.

use bytes::Bytes;
use lastwords_ingester::quarantine::{RetryError, retry};
use lastwords_record::{Batch, BatchId, Header, ShipperId};
use lastwords_store::{Store, store::Quarantined};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{questions::Refusal, rules::Rules};

/// The first records of a batch that are shown.
const RECORDS_SHOWN: usize = 3;

/// What is to be done: the body of `POST /api/v1/quarantine`. Batches are called `SHIPPER/EPOCH/SEQUENCE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
pub enum Act {
    /// All of them, the oldest first.
    List,
    /// What can be read of one.
    Show {
        /// Which.
        batch: String,
    },
    /// Store one after all.
    Retry {
        /// Which.
        batch: String,
    },
    /// Remove one for good.
    Drop {
        /// Which.
        batch: String,
    },
}

/// Does it. A list is an array of objects; everything else one object.
///
/// # Errors
/// Where there is no such batch, or the store does not answer. That a batch stays where it is, is none.
pub async fn act(store: &Store, rules: &Rules, act: &Act) -> Result<Value, Refusal> {
    match act {
        Act::List => {
            let all = store.quarantined().await.map_err(failed)?;
            Ok(all.iter().map(listed).collect())
        }
        Act::Show { batch } => show(store, there(store, batch).await?).await,
        Act::Retry { batch } => {
            let id = there(store, batch).await?.id;
            match retry(store, rules.detector(), id).await {
                Ok((records, events)) => {
                    Ok(json!({"batch": id.to_string(), "stored": true, "records": records, "events": events}))
                }
                Err(RetryError::Store(error)) => Err(failed(error)),
                Err(error) => {
                    Ok(json!({"batch": id.to_string(), "stored": false, "reason": error.to_string()}))
                }
            }
        }
        Act::Drop { batch } => {
            let id = there(store, batch).await?.id;
            store.drop_quarantined(id).await.map_err(failed)?;
            Ok(json!({"batch": id.to_string(), "dropped": true}))
        }
    }
}

fn failed(error: impl ToString) -> Refusal {
    Refusal::failed(error.to_string())
}

async fn there(store: &Store, batch: &str) -> Result<Quarantined, Refusal> {
    let id = parse(batch).ok_or_else(|| {
        Refusal::usage(format!(
            "wanted a batch as `lastwords quarantine list` calls it, SHIPPER/EPOCH/SEQUENCE, found {batch:?}"
        ))
    })?;
    let found = store.quarantined_batch(id).await.map_err(failed)?;
    found.ok_or_else(|| {
        Refusal::failed(format!("{id} is not in quarantine: `lastwords quarantine list` says what is"))
    })
}

fn listed(one: &Quarantined) -> Value {
    json!({
        "batch": one.id.to_string(),
        "shipper": one.id.shipper.to_string(),
        "epoch": one.id.epoch,
        "sequence": one.id.sequence,
        "time": time(one.time_ns),
        "bytes": one.bytes,
        "reason": one.reason,
    })
}

fn time(ns: i64) -> Option<String> {
    jiff::Timestamp::from_nanosecond(ns.into()).ok().map(|time| time.to_string())
}

async fn show(store: &Store, one: Quarantined) -> Result<Value, Refusal> {
    let envelope = Bytes::from(store.quarantined_envelope(one.id).await.map_err(failed)?.unwrap_or_default());
    let mut shown = listed(&one);
    let mut set = |name: &str, value: Value| {
        if let Some(object) = shown.as_object_mut() {
            object.insert(name.to_owned(), value);
        }
    };
    match Header::peek(&envelope) {
        Ok(header) => {
            let hosts: Vec<&str> = header.hosts.iter().map(|host| host.name.as_str()).collect();
            let guests: Vec<&str> = header.guests.iter().map(|guest| guest.name.as_str()).collect();
            set("header", "can be read".into());
            set(
                "format_version",
                json!(format!("{}.{}", header.format_version >> 16, header.format_version & 0xffff)),
            );
            set("sealed", json!(time(header.sealed_time_ns)));
            set("hosts", json!(hosts));
            set("guests", json!(guests));
            set("records", json!(header.records));
            set("samples", json!(header.samples));
            set("events", json!(header.events));
            set("placements", json!(header.placements));
            set("body_bytes", json!(header.body_bytes));
        }
        Err(error) => set("header", error.to_string().into()),
    }
    match Batch::open(&envelope) {
        Ok(batch) => {
            let first: Vec<_> = (0..batch.records.len().min(RECORDS_SHOWN))
                .map(|row| String::from_utf8_lossy(batch.records.body(row)).into_owned())
                .collect();
            set("body", "can be read".into());
            set("first_records", json!(first));
        }
        Err(error) => set("body", error.to_string().into()),
    }
    Ok(shown)
}

/// Reads `SHIPPER/EPOCH/SEQUENCE`.
fn parse(text: &str) -> Option<BatchId> {
    let mut parts = text.split('/');
    let (shipper, epoch, sequence) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = shipper.len() == 32 && shipper.bytes().all(|digit| digit.is_ascii_hexdigit());
    if parts.next().is_some() || !digits {
        return None;
    }
    let shipper = ShipperId(u128::from_str_radix(shipper, 16).ok()?.to_be_bytes());
    Some(BatchId { shipper, epoch: epoch.parse().ok()?, sequence: sequence.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_called_as_they_are_listed() {
        let id = BatchId { shipper: ShipperId([0xa9; 16]), epoch: 3, sequence: 7 };
        assert_eq!(parse(&id.to_string()), Some(id));
        let shipper = "a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9";
        for wrong in
            ["", "a9/3/7", "x9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9/3/7", "+9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9/3/7"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        for wrong in ["/3", "/3/7/1", "/3/-7", "/3/7 OR 1"] {
            assert_eq!(parse(&format!("{shipper}{wrong}")), None, "{wrong}");
        }
    }

    #[test]
    fn acts_are_read_strictly() {
        let read = |text: &str| serde_json::from_str::<Act>(text).ok();
        assert_eq!(read(r#"{"action": "list"}"#), Some(Act::List));
        assert_eq!(read(r#"{"action": "drop", "batch": "a"}"#), Some(Act::Drop { batch: "a".into() }));
        for wrong in [
            r#"{"action": "drop"}"#,
            r#"{"action": "purge"}"#,
            r#"{"action": "drop", "batch": "a", "all": 1}"#,
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
