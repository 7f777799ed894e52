//! The log lines behind events, and around them.

use serde::Deserialize;

use super::{
    literal::{instant, list, numbers, text},
    members::{Members, Times},
};
use crate::{Store, store::QueryError};

/// Records may be dated apart from their event by so much.
const AROUND_NS: i64 = 3_600_000_000_000;
/// Bytes read of one record behind an event.
const RECORD_BYTES_MAX: usize = 16 * 1024;
/// Bytes read of each line around it.
const LINE_BYTES_MAX: usize = 500;

/// Where an event was found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventDetail {
    /// What tells it from every other.
    pub id: u64,
    /// The record that it was found in.
    #[serde(flatten)]
    pub record: RecordKey,
    /// First and last line of it in the record, from 0.
    pub lines: (u32, u32),
}

/// What tells a record from every other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct RecordKey {
    /// Who sent it, in hexadecimal digits.
    pub shipper: String,
    /// The sender's epoch.
    pub epoch: u64,
    /// The batch's number.
    pub sequence: u64,
    /// The record's number in the batch.
    pub row: u32,
}

/// Where the events of a set were found that have these ids and start within these times, ends included.
///
/// # Errors
/// Where the store fails.
pub async fn read_details(
    store: &Store,
    members: &Members,
    (first_ns, last_ns): (i64, i64),
    ids: &[u64],
) -> Result<Vec<EventDetail>, QueryError> {
    let table = members.table();
    let times = Times {
        start_from_ns: Some(first_ns),
        start_before_ns: Some(last_ns.saturating_add(1)),
        end_from_ns: None,
    };
    let sql = format!(
        "SELECT {id} AS id, hex(Shipper) AS shipper, Epoch AS epoch, Sequence AS sequence, Row AS row, {} AS lines \
         FROM {} {} {}{} AND {id} IN ({}) {}",
        table.lines,
        table.from,
        table.filter,
        members.condition(),
        times.conditions(&table),
        numbers(ids),
        table.settings,
        id = table.id,
    );
    store.rows(&sql).await
}

/// A record with its text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RecordText {
    /// Which one.
    #[serde(flatten)]
    pub key: RecordKey,
    /// When, nanoseconds since the epoch.
    pub time_ns: i64,
    /// Its host.
    pub host: String,
    /// Its guest; empty for the host itself.
    pub guest: String,
    /// Where it was read.
    pub source: String,
    /// Its text.
    pub body: String,
}

/// The records behind events, whose starts lie within these times; those that are not stored are left out.
///
/// # Errors
/// Where the store fails.
pub async fn read_records(
    store: &Store,
    keys: &[&RecordKey],
    (first_ns, last_ns): (i64, i64),
) -> Result<Vec<RecordText>, QueryError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let key = |key: &&RecordKey| {
        format!(
            "(toFixedString(unhex({}), 16), {}, {}, {})",
            text(&key.shipper),
            key.epoch,
            key.sequence,
            key.row
        )
    };
    let sql = format!(
        "SELECT hex(Shipper) AS shipper, Epoch AS epoch, Sequence AS sequence, Row AS row, \
         toUnixTimestamp64Nano(Timestamp) AS time_ns, toString(Host) AS host, toString(Guest) AS guest, \
         toString(Source) AS source, toValidUTF8(substring(Body, 1, {RECORD_BYTES_MAX})) AS body FROM logs \
         WHERE Timestamp BETWEEN {} AND {} AND (Shipper, Epoch, Sequence, Row) IN ({})",
        instant(first_ns.saturating_sub(AROUND_NS).max(0)),
        instant(last_ns.saturating_add(AROUND_NS)),
        list(keys, key)
    );
    store.rows(&sql).await
}

/// On which side of a record others lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before it.
    Before,
    /// After it.
    After,
}

/// First lines of the records of the same source next to one, the nearest first.
///
/// # Errors
/// Where the store fails.
pub async fn read_lines_around(
    store: &Store,
    record: &RecordText,
    side: Side,
    lines_max: usize,
) -> Result<Vec<String>, QueryError> {
    #[derive(Deserialize)]
    struct Line {
        body: String,
    }
    let time_ns = record.time_ns;
    let (from_ns, to_ns, sign, order) = match side {
        Side::After => (time_ns, time_ns.saturating_add(AROUND_NS), '>', ""),
        Side::Before => (time_ns.saturating_sub(AROUND_NS), time_ns, '<', " DESC"),
    };
    let sql = format!(
        "SELECT toValidUTF8(substring(splitByChar('\\n', Body)[1], 1, {LINE_BYTES_MAX})) AS body FROM logs \
         WHERE Timestamp BETWEEN {} AND {} AND Host = {} AND Guest = {} AND Source = {} \
         AND (Timestamp, Epoch, Sequence, Row) {sign} ({}, {}, {}, {}) \
         ORDER BY Timestamp{order}, Epoch{order}, Sequence{order}, Row{order} LIMIT {lines_max}",
        instant(from_ns.max(0)),
        instant(to_ns.max(0)),
        text(&record.host),
        text(&record.guest),
        text(&record.source),
        instant(time_ns.max(0)),
        record.key.epoch,
        record.key.sequence,
        record.key.row
    );
    Ok(store.rows::<Line>(&sql).await?.into_iter().map(|line| line.body).collect())
}
