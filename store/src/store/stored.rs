//! Records read back batch by batch, to look for events in them anew.

use std::collections::HashSet;

use lastwords_record::{
    Source,
    batch::{BatchId, ShipperId},
};
use serde::Deserialize;

use super::{CHUNK, QueryError, Store};

/// What of a batch is stored in a range of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBatch {
    /// The batch.
    pub id: BatchId,
    /// Corrected time of its first record there, nanoseconds UTC.
    pub first_ns: i64,
    /// Corrected time of its last record there.
    pub last_ns: i64,
    /// Its records there.
    pub records: u64,
}

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The batch it came in.
    pub batch: BatchId,
    /// Its place in that, from 0.
    pub row: u32,
    /// Corrected time, nanoseconds UTC.
    pub time_ns: i64,
    /// Half the width of the interval in which that lies, nanoseconds.
    pub clock_uncertainty_ns: u64,
    /// The host's name.
    pub host: String,
    /// The guest's name, empty for the host itself.
    pub guest: String,
    /// The guest's UUID or empty.
    pub guest_uuid: String,
    /// Where it was read.
    pub source: Source,
    /// The program that wrote it; empty: unknown.
    pub program: String,
    /// Exact bytes.
    pub body: Vec<u8>,
}

impl Store {
    /// The batches that are wholly stored and have records between these instants (both included), in order of time.
    pub async fn stored_batches(&self, from_ns: i64, to_ns: i64) -> Result<Vec<StoredBatch>, QueryError> {
        #[derive(Deserialize)]
        struct Row {
            shipper: String,
            epoch: u64,
            sequence: u64,
            first_ns: i64,
            last_ns: i64,
            records: u64,
        }
        let rows: Vec<Row> = self
            .rows(&format!(
                "SELECT hex(Shipper) AS shipper, Epoch AS epoch, Sequence AS sequence, \
                 toUnixTimestamp64Nano(min(Timestamp)) AS first_ns, toUnixTimestamp64Nano(max(Timestamp)) AS last_ns, \
                 count() AS records FROM logs WHERE {} AND ((Shipper, Epoch, Sequence) IN \
                 (SELECT Shipper, Epoch, Sequence FROM batches) OR (Shipper, Epoch, intDiv(Sequence, {CHUNK})) IN \
                 (SELECT Shipper, Epoch, intDiv(First, {CHUNK}) FROM ranges)) GROUP BY Shipper, Epoch, Sequence \
                 ORDER BY first_ns, shipper, epoch, sequence",
                between("Timestamp", from_ns, to_ns)
            ))
            .await?;
        rows.into_iter()
            .map(|row| {
                let number = u128::from_str_radix(&row.shipper, 16)
                    .map_err(|_| QueryError::Answer(format!("'{}' is no shipper", row.shipper)))?;
                let shipper = ShipperId(number.to_be_bytes());
                Ok(StoredBatch {
                    id: BatchId { shipper, epoch: row.epoch, sequence: row.sequence },
                    first_ns: row.first_ns,
                    last_ns: row.last_ns,
                    records: row.records,
                })
            })
            .collect()
    }

    /// The records of these batches within the times that are said of them, batch by batch in their order.
    pub async fn stored_records(&self, batches: &[StoredBatch]) -> Result<Vec<StoredRecord>, QueryError> {
        let Some((from_ns, to_ns)) = span(batches) else { return Ok(Vec::new()) };
        let sql = format!(
            "SELECT Shipper, Epoch, Sequence, Row, toUnixTimestamp64Nano(Timestamp), ClockUncertainty, toString(Host), \
             toString(Guest), toString(GuestUuid), toString(Source), toString(Program), Body FROM logs WHERE {} AND {} \
             ORDER BY Shipper, Epoch, Sequence, Row",
            between("Timestamp", from_ns, to_ns),
            among(batches)
        );
        let bytes = self.query_bytes(&sql, &[], "RowBinary", &[])?.collect().await?;
        let mut rest = bytes.as_ref();
        let mut records = Vec::new();
        while !rest.is_empty() {
            records.push(
                record(&mut rest)
                    .ok_or_else(|| QueryError::Answer("a record read back ends too early".into()))?,
            );
        }
        Ok(records)
    }

    /// Ids of the events that were recognised in these batches, within the times that are said of them.
    pub async fn stored_event_ids(&self, batches: &[StoredBatch]) -> Result<HashSet<u64>, QueryError> {
        #[derive(Deserialize)]
        struct Row {
            id: u64,
        }
        let Some((from_ns, to_ns)) = span(batches) else { return Ok(HashSet::new()) };
        let sql = format!(
            "SELECT DISTINCT Id AS id FROM events WHERE {} AND {}",
            between("Start", from_ns, to_ns),
            among(batches)
        );
        Ok(self.rows::<Row>(&sql).await?.into_iter().map(|row| row.id).collect())
    }
}

fn between(column: &str, from_ns: i64, to_ns: i64) -> String {
    let instant = |time_ns: i64| format!("fromUnixTimestamp64Nano(toInt64({time_ns}), 'UTC')");
    format!("{column} BETWEEN {} AND {}", instant(from_ns), instant(to_ns))
}

fn span(batches: &[StoredBatch]) -> Option<(i64, i64)> {
    let first = batches.iter().map(|batch| batch.first_ns).min()?;
    Some((first, batches.iter().map(|batch| batch.last_ns).max()?))
}

fn among(batches: &[StoredBatch]) -> String {
    let ids: Vec<String> = batches
        .iter()
        .map(|StoredBatch { id, .. }| {
            format!("(toFixedString(unhex('{}'), 16), {}, {})", id.shipper, id.epoch, id.sequence)
        })
        .collect();
    format!("(Shipper, Epoch, Sequence) IN ({})", ids.join(", "))
}

/// One row of RowBinary: numbers little endian, texts after their lengths as varints.
fn record(rest: &mut &[u8]) -> Option<StoredRecord> {
    Some(StoredRecord {
        batch: BatchId {
            shipper: ShipperId(fixed(rest)?),
            epoch: u64::from_le_bytes(fixed(rest)?),
            sequence: u64::from_le_bytes(fixed(rest)?),
        },
        row: u32::from_le_bytes(fixed(rest)?),
        time_ns: i64::from_le_bytes(fixed(rest)?),
        clock_uncertainty_ns: u64::from_le_bytes(fixed(rest)?),
        host: text(rest)?,
        guest: text(rest)?,
        guest_uuid: text(rest)?,
        source: text(rest)?.parse().ok()?,
        program: text(rest)?,
        body: bytes(rest)?.to_vec(),
    })
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

fn text(rest: &mut &[u8]) -> Option<String> {
    Some(String::from_utf8_lossy(bytes(rest)?).into_owned())
}

fn bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut length = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let [byte] = fixed(rest)?;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_to_their_last_byte_and_no_further() {
        let mut row: Vec<u8> = vec![7; 16];
        row.extend(3_u64.to_le_bytes());
        row.extend(4_u64.to_le_bytes());
        row.extend(5_u32.to_le_bytes());
        row.extend((-6_i64).to_le_bytes());
        row.extend(8_u64.to_le_bytes());
        for text in ["hv01", "", "", "console", "kernel"] {
            row.push(u8::try_from(text.len()).unwrap_or(0));
            row.extend(text.bytes());
        }
        row.extend([0xac, 0x02]);
        row.extend([0xff; 300]);
        let mut rest = row.as_slice();
        let read = record(&mut rest);
        assert!(rest.is_empty());
        let is = |read: StoredRecord| {
            (read.row, read.time_ns, read.clock_uncertainty_ns, read.host, read.source, read.body.len())
        };
        assert_eq!(read.map(is), Some((5, -6, 8, "hv01".to_owned(), Source::Console, 300)));
        for end in 0..row.len() {
            assert_eq!(record(&mut row.get(..end).unwrap_or_default()), None, "{end} bytes");
        }
    }
}
