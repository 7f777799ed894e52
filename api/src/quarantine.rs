//! Batches that are set aside: what may be asked about them and done with them.

use bytes::Bytes;
use lastwords_detect::RuleFiles;
use lastwords_ingester::quarantine::{RetryError, retry};
use lastwords_record::{Batch, BatchId, Header, ShipperId};
use lastwords_store::{Store, store::Quarantined};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Problem, status::Kind};

/// The first records of a batch that are shown.
const RECORDS_SHOWN: usize = 3;

/// What is to be done. Batches are called `SHIPPER/EPOCH/SEQUENCE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
#[schema(as = QuarantineRequest)]
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

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = QuarantineReply)]
pub enum Done {
    /// To `list`.
    List(Vec<Listed>),
    /// To `show`.
    Shown(Box<Shown>),
    /// To `retry`.
    Retried(Retried),
    /// To `drop`.
    Dropped(Dropped),
}

/// A batch that is set aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = QuarantinedBatch)]
pub struct Listed {
    /// `SHIPPER/EPOCH/SEQUENCE`.
    pub batch: String,
    /// Who sent it.
    pub shipper: String,
    /// Of its number, the epoch.
    pub epoch: u64,
    /// Of its number, the sequence.
    pub sequence: u64,
    /// When it was set aside; null where that is no time.
    pub time: Option<String>,
    /// Bytes of its envelope.
    pub bytes: u64,
    /// Why.
    pub reason: String,
}

/// What can be read of a batch that is set aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = QuarantinedBatchShown)]
pub struct Shown {
    #[allow(missing_docs)]
    #[serde(flatten)]
    pub listed: Listed,
    /// Whether its header can be read, or why not.
    pub header: String,
    #[allow(missing_docs)]
    #[serde(flatten)]
    pub head: Option<Head>,
    /// Whether its body can be read, or why not.
    pub body: String,
    /// Its first records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_records: Vec<String>,
}

/// A batch's header.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = BatchHeader)]
pub struct Head {
    /// Version of its format.
    pub format_version: String,
    /// When it was sealed; null where that is no time.
    pub sealed: Option<String>,
    /// Hosts that it speaks of.
    pub hosts: Vec<String>,
    /// Guests that it speaks of.
    pub guests: Vec<String>,
    /// Its records.
    pub records: u32,
    /// Its samples.
    pub samples: u32,
    /// Its events.
    pub events: u32,
    /// Its placements.
    pub placements: u32,
    /// Bytes of its body.
    pub body_bytes: u64,
}

/// What came of storing one after all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Retried {
    /// Which.
    pub batch: String,
    /// Whether it is stored now.
    pub stored: bool,
    /// Its records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<usize>,
    /// Its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<usize>,
    /// Why it stays where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What came of removing one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Dropped {
    /// Which.
    pub batch: String,
    /// Whether it is gone.
    pub dropped: bool,
}

pub(crate) async fn act(store: &Store, rules: &RuleFiles, act: &Act) -> Result<Done, Problem> {
    match act {
        Act::List => Ok(Done::List(store.quarantined().await?.iter().map(listed).collect())),
        Act::Show { batch } => {
            let one = there(store, batch).await?;
            let envelope = store.quarantined_envelope(one.id).await?.unwrap_or_default();
            Ok(Done::Shown(Box::new(shown(&one, &Bytes::from(envelope)))))
        }
        Act::Retry { batch } => {
            let id = there(store, batch).await?.id;
            let done =
                Retried { batch: id.to_string(), stored: false, records: None, events: None, reason: None };
            match retry(store, rules.detector(), id).await {
                Ok((records, events)) => {
                    let counts = (Some(records), Some(events));
                    Ok(Done::Retried(Retried { stored: true, records: counts.0, events: counts.1, ..done }))
                }
                Err(RetryError::Store(error)) => Err(error.into()),
                Err(error) => Ok(Done::Retried(Retried { reason: Some(error.to_string()), ..done })),
            }
        }
        Act::Drop { batch } => {
            let id = there(store, batch).await?.id;
            store.drop_quarantined(id).await?;
            Ok(Done::Dropped(Dropped { batch: id.to_string(), dropped: true }))
        }
    }
}

async fn there(store: &Store, batch: &str) -> Result<Quarantined, Problem> {
    let id = parse(batch).ok_or_else(|| {
        Problem::new(
            Kind::Invalid,
            format!("wanted a batch as `lastwords quarantine list` calls it, SHIPPER/EPOCH/SEQUENCE, found {batch:?}"),
        )
    })?;
    store.quarantined_batch(id).await?.ok_or_else(|| {
        let detail = format!("{id} is not in quarantine: `lastwords quarantine list` says what is");
        Problem::new(Kind::NotFound, detail)
    })
}

fn listed(one: &Quarantined) -> Listed {
    Listed {
        batch: one.id.to_string(),
        shipper: one.id.shipper.to_string(),
        epoch: one.id.epoch,
        sequence: one.id.sequence,
        time: time(one.time_ns),
        bytes: one.bytes,
        reason: one.reason.clone(),
    }
}

fn time(ns: i64) -> Option<String> {
    jiff::Timestamp::from_nanosecond(ns.into()).ok().map(|time| time.to_string())
}

const READABLE: &str = "can be read";

fn shown(one: &Quarantined, envelope: &Bytes) -> Shown {
    let (header, head) = match Header::peek(envelope) {
        Ok(header) => (READABLE.to_owned(), Some(head(&header))),
        Err(error) => (error.to_string(), None),
    };
    let (body, first_records) = match Batch::open(envelope) {
        Ok(batch) => {
            let rows = 0..batch.records.len().min(RECORDS_SHOWN);
            let record = |row| String::from_utf8_lossy(batch.records.body(row)).into_owned();
            (READABLE.to_owned(), rows.map(record).collect())
        }
        Err(error) => (error.to_string(), Vec::new()),
    };
    Shown { listed: listed(one), header, head, body, first_records }
}

fn head(header: &Header) -> Head {
    Head {
        format_version: format!("{}.{}", header.format_version >> 16, header.format_version & 0xffff),
        sealed: time(header.sealed_time_ns),
        hosts: header.hosts.iter().map(|host| host.name.clone()).collect(),
        guests: header.guests.iter().map(|guest| guest.name.clone()).collect(),
        records: header.records,
        samples: header.samples,
        events: header.events,
        placements: header.placements,
        body_bytes: header.body_bytes.into(),
    }
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
    fn replies_are_told_apart_when_they_are_read() {
        let batch = "a9/1/2".to_owned();
        let listed = Listed {
            batch: batch.clone(),
            shipper: "a9".to_owned(),
            epoch: 1,
            sequence: 2,
            time: None,
            bytes: 3,
            reason: "cut".to_owned(),
        };
        let shown = Shown {
            listed: listed.clone(),
            header: "cut".to_owned(),
            head: None,
            body: "cut".to_owned(),
            first_records: Vec::new(),
        };
        let retried =
            Retried { batch: batch.clone(), stored: false, records: None, events: None, reason: None };
        for done in [
            Done::List(Vec::new()),
            Done::List(vec![listed]),
            Done::Shown(Box::new(shown)),
            Done::Retried(retried),
            Done::Dropped(Dropped { batch, dropped: true }),
        ] {
            let text = serde_json::to_string(&done).unwrap();
            assert_eq!(serde_json::from_str::<Done>(&text).unwrap(), done, "{text}");
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
