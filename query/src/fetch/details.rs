//! What is printed of events, and the evidence behind them; fetched for those that are printed and no others.

use std::collections::HashMap;

use lastwords_store::{
    Store,
    select::{EventText, RecordKey, Side, read_details, read_lines_around, read_records, read_texts},
};

use crate::{error::AskError, event::Row, language::Set, plan::selection::members};

/// Texts of so many are fetched in one statement.
const TEXTS_MAX: usize = 50_000;
/// Records shown before and after one.
const LINES_AROUND: usize = 3;

/// Fetches what is printed of these events of a set, by their ids.
pub(crate) async fn fetch_texts(
    store: &Store,
    set: &Set,
    rows: impl Iterator<Item = &Row>,
) -> Result<HashMap<u64, EventText>, AskError> {
    let mut wanted: Vec<(i64, u64)> = rows.map(|row| (row.start_ns, row.id)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let members = members(set);
    let mut found = HashMap::with_capacity(wanted.len());
    // In order of time, so that no part of the table is read twice.
    for some in wanted.chunks(TEXTS_MAX) {
        let Some((times, ids)) = times_and_ids(some.iter().copied()) else { continue };
        read_texts(store, &members, times, &ids, |id, text| {
            found.insert(id, text);
        })
        .await?;
    }
    Ok(found)
}

/// The least and the greatest start, and the ids; none without any.
fn times_and_ids(rows: impl Iterator<Item = (i64, u64)> + Clone) -> Option<((i64, i64), Vec<u64>)> {
    let starts = rows.clone().map(|(start_ns, _)| start_ns);
    let times = (starts.clone().min()?, starts.max()?);
    Some((times, rows.map(|(_, id)| id).collect()))
}

/// Lines of logs behind an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// What the same source said just before, in order of time.
    pub before: Vec<String>,
    /// The event's own lines.
    pub lines: Vec<String>,
    /// What it said just after.
    pub after: Vec<String>,
}

/// The lines behind these few events of a set, by their ids; none where there are none, as for samples' events.
pub(crate) async fn fetch_evidence(
    store: &Store,
    set: &Set,
    rows: &[Row],
) -> Result<HashMap<u64, Evidence>, AskError> {
    let Some((times, ids)) = times_and_ids(rows.iter().map(|row| (row.start_ns, row.id))) else {
        return Ok(HashMap::new());
    };
    let details = read_details(store, &members(set), times, &ids).await?;
    let keys: Vec<&RecordKey> = details.iter().map(|detail| &detail.record).collect();
    let records = read_records(store, &keys, times).await?;
    let mut evidence = HashMap::with_capacity(details.len());
    for detail in &details {
        let Some(record) = records.iter().find(|record| record.key == detail.record) else { continue };
        let (first, last) = (detail.lines.0 as usize, detail.lines.1 as usize);
        let count = last.saturating_sub(first).saturating_add(1);
        let lines = record.body.lines().skip(first).take(count).map(str::to_owned).collect();
        let mut before = read_lines_around(store, record, Side::Before, LINES_AROUND).await?;
        before.reverse();
        let after = read_lines_around(store, record, Side::After, LINES_AROUND).await?;
        evidence.insert(detail.id, Evidence { before, lines, after });
    }
    Ok(evidence)
}
