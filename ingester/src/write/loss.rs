//! What is found to be lost on this side, told as an event of class `lastwords.loss` beside a line of the log. Shippers
//! tell of what they had to give up themselves; these are batches that were acknowledged, and that the store or Kafka
//! does not have any more.
//!
//! An event's identity follows from what is lost, and its time with it: whoever finds the same loss again tells the
//! same event, which the store keeps once.

use lastwords_record::{BatchId, ShipperId};
use lastwords_runtime::Backoff;
use lastwords_store::{
    InsertError, Inserting, Store,
    rows::{EventRow, EventsBlock},
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::attempt::{PAUSES, planning_time_s};

/// Something that is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// What makes it the same loss.
    pub key: String,
    /// When it was lost as far as known, nanoseconds since 1970.
    pub time_ns: i64,
    /// The host whose it was; empty: several, or unknown.
    pub host: String,
    /// One line for people.
    pub title: String,
    /// Numbers and names, for programs.
    pub attributes: Vec<(String, String)>,
}

impl Loss {
    /// The row's batch: no shipper's, and of epoch 0, which none has.
    fn batch(&self) -> BatchId {
        let shipper = ShipperId(xxh3_128(self.key.as_bytes()).to_be_bytes());
        BatchId { shipper, epoch: 0, sequence: 1 }
    }

    fn block(&self, planned_s: u32) -> EventsBlock {
        let mut block = EventsBlock::new();
        block.push(&EventRow {
            id: xxh3_64(self.key.as_bytes()),
            version: 1,
            class: "lastwords.loss",
            start_ns: self.time_ns,
            end_ns: Some(self.time_ns),
            host: &self.host,
            guest: "",
            guest_uuid: "",
            title: &self.title,
            function: "",
            fingerprint: 0,
            severity: "error",
            cause: 0,
            attributes: &self.attributes,
            clock_uncertainty_ns: 0,
            rule: "",
            batch: self.batch(),
            row: 0,
            line_start: 0,
            line_end: 0,
            planned_s,
        });
        block
    }
}

/// Tells of a loss; returns when the store has it. The event replaces itself, so that no token is needed.
pub(crate) async fn tell(store: &Store, loss: &Loss) {
    tracing::warn!(host = loss.host, attributes = ?loss.attributes, "{}", loss.title);
    let mut backoff = Backoff::new(PAUSES);
    loop {
        let block = loss.block(planning_time_s(store).await).encode();
        match store.insert_native(EventsBlock::TABLE, block, &Inserting::default()).await {
            Ok(()) => return,
            Err(error @ InsertError::Refused { .. }) => {
                tracing::error!(%error, "the store does not take the event of a loss");
                return;
            }
            Err(error) => tracing::warn!(%error, "the event of a loss is not stored yet; trying again"),
        }
        backoff.wait().await;
    }
}
