//! What is printed of events, and the evidence behind them; fetched for those that are printed and no others.

use std::collections::{HashMap, HashSet};

use lastwords_store::{
    Store,
    select::{
        EventSelection, EventText, RecordKey, Side, Times, read_details, read_lines_around, read_records,
        read_texts,
    },
};

use crate::{error::AskError, event::Row, language::Set, plan::selection::members};

/// Texts of so many are fetched in one statement.
const TEXTS_MAX: usize = 50_000;
/// Where at least one of so many events of a selection is wanted, reading all of them is cheaper than naming each.
const TEXTS_PART: usize = 8;
/// Records shown before and after one.
const LINES_AROUND: usize = 3;

/// A selection that has been read, and how many events it had.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// What was selected.
    pub selection: EventSelection,
    /// How many events came.
    pub events: usize,
}

/// Fetches what is printed of these events of a set, by their ids; or with all of those that they were seen among, where
/// they are many of them.
pub(crate) async fn fetch_texts(
    store: &Store,
    set: &Set,
    rows: impl Iterator<Item = &Row>,
    seen: Option<&Seen>,
) -> Result<HashMap<u64, EventText>, AskError> {
    let mut wanted: Vec<(i64, u64)> = rows.map(|row| (row.start_ns, row.id)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = HashMap::with_capacity(wanted.len());
    if let Some(seen) = seen.filter(|seen| seen.events / TEXTS_PART < wanted.len()) {
        let ids: HashSet<u64> = wanted.into_iter().map(|(_, id)| id).collect();
        let take = |id, text| _ = found.insert(id, text);
        read_texts(store, &seen.selection, None, |id| ids.contains(&id), take).await?;
        return Ok(found);
    }
    // In order of time, so that no part of the table is read twice.
    for some in wanted.chunks(TEXTS_MAX) {
        let Some((times, ids)) = times_and_ids(some.iter().copied()) else { continue };
        let selection = EventSelection { times: starts_within(times), ..EventSelection::new(members(set)) };
        let take = |id, text| _ = found.insert(id, text);
        read_texts(store, &selection, Some(&ids), |_| true, take).await?;
    }
    Ok(found)
}

/// Both ends included.
fn starts_within((first_ns, last_ns): (i64, i64)) -> Times {
    Times {
        start_from_ns: Some(first_ns),
        start_before_ns: Some(last_ns.saturating_add(1)),
        end_from_ns: None,
    }
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
