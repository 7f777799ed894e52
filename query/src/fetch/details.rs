//! What is printed of events, and the evidence behind them; fetched for those that are printed and no others.

use std::collections::{HashMap, HashSet};

use lastwords_store::{QueryError, Store};
use serde::Deserialize;

use crate::{
    error::AskError,
    language::Set,
    plan::statement::{self, Bounds},
};

/// Up to so many are fetched by their ids; more by reading the set and keeping what is wanted.
const BY_ID_MAX: usize = 5_000;
/// Records may be dated apart from their event by so much.
const AROUND_NS: i64 = 3_600_000_000_000;
/// Bytes of evidence shown of one record.
const EVIDENCE_BYTES_MAX: usize = 16 * 1024;
/// Records shown before and after one.
const LINES_AROUND: usize = 3;
/// Bytes shown of each.
const LINE_BYTES_MAX: usize = 500;

/// One event or record in words.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[allow(missing_docs, reason = "as the answer's fields of these names")]
pub struct Detail {
    pub id: u64,
    pub class: String,
    pub start_ns: i64,
    pub end_ns: i64,
    pub host: String,
    pub guest: String,
    pub title: String,
    pub severity: String,
    pub shipper: String,
    pub epoch: u64,
    pub sequence: u64,
    pub row: u32,
    /// First and last line of the evidence in the record, from 0.
    pub lines: (u32, u32),
    pub clock_uncertainty_ns: u64,
}

/// Fetches these events of a set. `times` are their least and greatest start.
pub(crate) async fn details(
    store: &Store,
    set: &Set,
    ids: &HashSet<u64>,
    times: (i64, i64),
) -> Result<HashMap<u64, Detail>, AskError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let bounds = Bounds {
        start_from_ns: Some(times.0),
        start_before_ns: Some(times.1.saturating_add(1)),
        end_from_ns: None,
    };
    let list: Vec<u64> = ids.iter().copied().collect();
    let sql = statement::details(set, bounds, (list.len() <= BY_ID_MAX).then_some(list.as_slice()));
    let settings = [("output_format_json_quote_64bit_integers", "0"), ("readonly", "2")];
    let mut answer = store.query_bytes(&sql, &[], "JSONEachRow", &settings)?;
    let mut found = HashMap::with_capacity(ids.len());
    let mut waiting: Vec<u8> = Vec::new();
    while let Some(chunk) = answer.next().await? {
        waiting.extend_from_slice(&chunk);
        let whole = waiting.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        keep(waiting.get(..whole).unwrap_or_default(), ids, &mut found)?;
        waiting.drain(..whole);
    }
    keep(&waiting, ids, &mut found)?;
    Ok(found)
}

fn keep(lines: &[u8], ids: &HashSet<u64>, found: &mut HashMap<u64, Detail>) -> Result<(), QueryError> {
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let detail: Detail =
            serde_json::from_slice(line).map_err(|error| QueryError::Answer(error.to_string()))?;
        if ids.contains(&detail.id) {
            found.insert(detail.id, detail);
        }
    }
    Ok(())
}

/// Lines of logs behind an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// What the same source said just before, in order of time.
    pub before: Vec<String>,
    /// The event's own lines.
    pub lines: Vec<String>,
    /// What it said just after.
    pub after: Vec<String>,
}

#[derive(Deserialize)]
struct Record {
    shipper: String,
    epoch: u64,
    sequence: u64,
    row: u32,
    time_ns: i64,
    host: String,
    guest: String,
    source: String,
    body: String,
}

/// The lines behind these events, in their order; empty where there are none, as for samples' events.
pub async fn evidence(store: &Store, details: &[&Detail]) -> Result<Vec<Evidence>, QueryError> {
    let (Some(first_ns), Some(last_ns)) = (
        details.iter().map(|detail| detail.start_ns).min(),
        details.iter().map(|detail| detail.start_ns).max(),
    ) else {
        return Ok(Vec::new());
    };
    let keys: Vec<String> = details
        .iter()
        .map(|detail| {
            format!(
                "(toFixedString(unhex({}), 16), {}, {}, {})",
                statement::literal(&detail.shipper),
                detail.epoch,
                detail.sequence,
                detail.row
            )
        })
        .collect();
    let sql = format!(
        "SELECT hex(Shipper) AS shipper, Epoch AS epoch, Sequence AS sequence, Row AS row, \
         toUnixTimestamp64Nano(Timestamp) AS time_ns, toString(Host) AS host, toString(Guest) AS guest, \
         toString(Source) AS source, toValidUTF8(substring(Body, 1, {EVIDENCE_BYTES_MAX})) AS body FROM logs \
         WHERE Timestamp BETWEEN fromUnixTimestamp64Nano(toInt64({}), 'UTC') AND fromUnixTimestamp64Nano(toInt64({}), 'UTC') \
         AND (Shipper, Epoch, Sequence, Row) IN ({})",
        first_ns.saturating_sub(AROUND_NS).max(0),
        last_ns.saturating_add(AROUND_NS),
        keys.join(", ")
    );
    let records: Vec<Record> = store.rows(&sql).await?;
    let mut evidence = Vec::with_capacity(details.len());
    for detail in details {
        let record = records.iter().find(|record| {
            (&record.shipper, record.epoch, record.sequence, record.row)
                == (&detail.shipper, detail.epoch, detail.sequence, detail.row)
        });
        let Some(record) = record else {
            evidence.push(Evidence::default());
            continue;
        };
        let (first, last) = (detail.lines.0 as usize, detail.lines.1 as usize);
        let count = last.saturating_sub(first).saturating_add(1);
        let lines = record.body.lines().skip(first).take(count).map(str::to_owned).collect();
        let (mut before, after) = (around(store, record, false).await?, around(store, record, true).await?);
        before.reverse();
        evidence.push(Evidence { before, lines, after });
    }
    Ok(evidence)
}

/// First lines of the records of the same source next to one, the nearest first.
async fn around(store: &Store, of: &Record, after: bool) -> Result<Vec<String>, QueryError> {
    #[derive(Deserialize)]
    struct Line {
        body: String,
    }
    let instant = |time_ns: i64| format!("fromUnixTimestamp64Nano(toInt64({}), 'UTC')", time_ns.max(0));
    let (from_ns, to_ns, sign, order) = if after {
        (of.time_ns, of.time_ns.saturating_add(AROUND_NS), '>', "")
    } else {
        (of.time_ns.saturating_sub(AROUND_NS), of.time_ns, '<', " DESC")
    };
    let sql = format!(
        "SELECT toValidUTF8(substring(splitByChar('\\n', Body)[1], 1, {LINE_BYTES_MAX})) AS body FROM logs \
         WHERE Timestamp BETWEEN {} AND {} AND Host = {} AND Guest = {} AND Source = {} \
         AND (Timestamp, Epoch, Sequence, Row) {sign} ({}, {}, {}, {}) \
         ORDER BY Timestamp{order}, Epoch{order}, Sequence{order}, Row{order} LIMIT {LINES_AROUND}",
        instant(from_ns),
        instant(to_ns),
        statement::literal(&of.host),
        statement::literal(&of.guest),
        statement::literal(&of.source),
        instant(of.time_ns),
        of.epoch,
        of.sequence,
        of.row
    );
    Ok(store.rows::<Line>(&sql).await?.into_iter().map(|line| line.body).collect())
}
