//! What is known of batches that were set aside, and what becomes of them.

use lastwords_record::batch::{BatchId, ShipperId};
use serde::Deserialize;

use super::{QueryError, Store};

/// A batch in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The batch.
    pub id: BatchId,
    /// When it was set aside, nanoseconds UTC.
    pub time_ns: i64,
    /// Why.
    pub reason: String,
    /// Size of its envelope.
    pub bytes: u64,
}

/// What the ledger says of a batch that is stored after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled<'a> {
    /// Records in it.
    pub records: usize,
    /// Samples in it.
    pub samples: usize,
    /// Events in it, recognised and shipped.
    pub events: usize,
    /// Placements in it.
    pub placements: usize,
    /// Size of its uncompressed body.
    pub bytes: u64,
    /// Names of the hosts it speaks for, a line each.
    pub hosts: &'a str,
}

/// A change of rows is answered when it is made on all replicas.
const WAITED_FOR: &[(&str, &str)] = &[("mutations_sync", "2")];

#[derive(Deserialize)]
struct Row {
    shipper: String,
    epoch: u64,
    sequence: u64,
    time_ns: i64,
    reason: String,
    bytes: u64,
}

impl Store {
    /// The batches in quarantine, the oldest first.
    pub async fn quarantined(&self) -> Result<Vec<Quarantined>, QueryError> {
        self.quarantined_where("true").await
    }

    /// One of them.
    pub async fn quarantined_batch(&self, id: BatchId) -> Result<Option<Quarantined>, QueryError> {
        Ok(self.quarantined_where(&is(id)).await?.pop())
    }

    async fn quarantined_where(&self, condition: &str) -> Result<Vec<Quarantined>, QueryError> {
        let rows: Vec<Row> = self
            .rows(&format!(
                "SELECT lower(hex(Shipper)) AS shipper, Epoch AS epoch, Sequence AS sequence, \
                 toUnixTimestamp64Nano(Time) AS time_ns, Reason AS reason, length(Envelope) AS bytes \
                 FROM quarantine FINAL WHERE {condition} ORDER BY Time, Shipper, Epoch, Sequence"
            ))
            .await?;
        rows.into_iter()
            .map(|row| {
                let number = u128::from_str_radix(&row.shipper, 16)
                    .map_err(|_| QueryError::Answer(format!("'{}' is no shipper", row.shipper)))?;
                let shipper = ShipperId(number.to_be_bytes());
                Ok(Quarantined {
                    id: BatchId { shipper, epoch: row.epoch, sequence: row.sequence },
                    time_ns: row.time_ns,
                    reason: row.reason,
                    bytes: row.bytes,
                })
            })
            .collect()
    }

    /// The bytes of a batch in quarantine as they came; none where it is not there. They may be empty.
    pub async fn quarantined_envelope(&self, id: BatchId) -> Result<Option<Vec<u8>>, QueryError> {
        let sql = format!("SELECT Envelope FROM quarantine FINAL WHERE {} LIMIT 1", is(id));
        let answer = self.query_bytes(&sql, &[], "RowBinary", &[])?.collect().await?;
        if answer.is_empty() {
            return Ok(None);
        }
        // RowBinary of one string: its length as a varint, then its bytes.
        let head = answer.iter().position(|byte| byte & 0x80 == 0).map_or(answer.len(), |last| last + 1);
        Ok(Some(answer.get(head..).unwrap_or_default().to_vec()))
    }

    /// Whether the ledger has a batch.
    pub async fn is_in_ledger(&self, id: BatchId) -> Result<bool, QueryError> {
        #[derive(Deserialize)]
        struct Count {
            batches: u64,
        }
        let rows: Vec<Count> =
            self.rows(&format!("SELECT count() AS batches FROM batches WHERE {}", is(id))).await?;
        Ok(rows.iter().any(|count| count.batches > 0))
    }

    /// Takes a batch out of quarantine whose rows are all stored now: the ledger says so, then the envelope goes. Both
    /// can be done again.
    pub async fn release_from_quarantine(
        &self,
        id: BatchId,
        settled: &Settled<'_>,
    ) -> Result<(), QueryError> {
        let (batches, on_cluster) = self.stored_table("batches");
        let Settled { records, samples, events, placements, bytes, hosts } = settled;
        let escape = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n");
        let (names, hosts) = (escape(hosts), escape(&hosts.replace('\n', ",")));
        let update = format!(
            "ALTER TABLE {batches}{on_cluster} UPDATE Records = {records}, Samples = {samples}, Events = {events}, \
             Placements = {placements}, Bytes = {bytes}, Hosts = '{hosts}', \
             HostNames = '{names}', Quarantined = '' \
             WHERE {}",
            is(id)
        );
        self.execute_with(&update, WAITED_FOR).await?;
        self.drop_quarantined(id).await
    }

    /// Removes a batch from the quarantine for good. The ledger keeps its number: it is not taken in again.
    pub async fn drop_quarantined(&self, id: BatchId) -> Result<(), QueryError> {
        let (quarantine, on_cluster) = self.stored_table("quarantine");
        let delete = format!("ALTER TABLE {quarantine}{on_cluster} DELETE WHERE {}", is(id));
        self.execute_with(&delete, WAITED_FOR).await
    }
}

fn is(id: BatchId) -> String {
    format!("Shipper = unhex('{}') AND Epoch = {} AND Sequence = {}", id.shipper, id.epoch, id.sequence)
}
