//! What is printed of events, and the evidence behind them; fetched for those that are printed and no others.

use std::collections::HashMap;

use lastwords_store::{
    QueryError, Store,
    select::{EventDetail, RecordKey, Side, read_details, read_lines_around, read_records},
};

use crate::{error::AskError, event::Row, language::Set, plan::selection::members};

/// So many are fetched in one statement.
const DETAILS_MAX: usize = 20_000;
/// Records shown before and after one.
const LINES_AROUND: usize = 3;

/// Fetches what is printed of these events of a set, by their ids.
pub(crate) async fn fetch_details(
    store: &Store,
    set: &Set,
    rows: impl Iterator<Item = &Row>,
) -> Result<HashMap<u64, EventDetail>, AskError> {
    let mut wanted: Vec<(i64, u64)> = rows.map(|row| (row.start_ns, row.id)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let members = members(set);
    let mut found = HashMap::with_capacity(wanted.len());
    // In order of time, so that no part of the table is read twice.
    for some in wanted.chunks(DETAILS_MAX) {
        let (Some((first_ns, _)), Some((last_ns, _))) = (some.first(), some.last()) else { continue };
        let ids: Vec<u64> = some.iter().map(|(_, id)| *id).collect();
        let mut details = read_details(store, &members, (*first_ns, *last_ns), &ids)?;
        while let Some(some) = details.next().await? {
            found.extend(some.into_iter().map(|detail| (detail.id, detail)));
        }
    }
    Ok(found)
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

/// The lines behind these events, in their order; empty where there are none, as for samples' events.
pub(crate) async fn fetch_evidence(
    store: &Store,
    details: &[&EventDetail],
) -> Result<Vec<Evidence>, QueryError> {
    let starts = || details.iter().map(|detail| detail.start_ns);
    let times = (starts().min().unwrap_or(0), starts().max().unwrap_or(0));
    let keys: Vec<&RecordKey> = details.iter().map(|detail| &detail.record).collect();
    let records = read_records(store, &keys, times).await?;
    let mut evidence = Vec::with_capacity(details.len());
    for detail in details {
        let Some(record) = records.iter().find(|record| record.key == detail.record) else {
            evidence.push(Evidence::default());
            continue;
        };
        let (first, last) = (detail.lines.0 as usize, detail.lines.1 as usize);
        let count = last.saturating_sub(first).saturating_add(1);
        let lines = record.body.lines().skip(first).take(count).map(str::to_owned).collect();
        let mut before = read_lines_around(store, record, Side::Before, LINES_AROUND).await?;
        before.reverse();
        let after = read_lines_around(store, record, Side::After, LINES_AROUND).await?;
        evidence.push(Evidence { before, lines, after });
    }
    Ok(evidence)
}
