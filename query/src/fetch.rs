//! Runs a plan's statements and sorts what comes into events by unit and start.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use lastwords_store::{QueryError, Store};

use crate::{
    ask::AskError,
    columns::{BlockError, Blocks, Column, Interner},
    correlate::{NO_GUEST, Row},
    plan::Fetch,
};

/// Names met by both sets, so that equal hosts have equal numbers.
#[derive(Debug, Default)]
pub struct Names {
    /// Hosts.
    pub hosts: Mutex<Interner>,
    /// Guests as units.
    pub guests: Mutex<Interner>,
    /// What is counted by.
    pub keys: Mutex<Interner>,
    /// Room for so many more events; none: no bound.
    room: Option<AtomicUsize>,
}

impl Names {
    /// For a question that may keep so many events.
    pub fn with_room(events_max: usize) -> Names {
        Names { room: Some(AtomicUsize::new(events_max)), ..Names::default() }
    }

    fn keep(&self, events: usize) -> Result<(), AskError> {
        let Some(room) = &self.room else { return Ok(()) };
        let taken = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(events));
        taken.map(|_| ()).map_err(|_| {
            AskError::Statement(
                "The question needs more events than fit into its memory: ask about a shorter time (since 7 days ago) or \
                 fewer machines (on host hv01), or raise query.memory_max."
                    .to_owned(),
            )
        })
    }

    /// Says that events of a set are not kept any more.
    pub fn release(&self, events: usize) {
        if let Some(room) = &self.room {
            room.fetch_add(events, Ordering::Relaxed);
        }
    }
}

/// A set, as it came.
#[derive(Debug, Default)]
pub struct Fetched {
    /// Its events, unsorted.
    pub rows: Vec<Row>,
    /// Half the width of the interval of each corrected time, largest of all.
    pub clock_uncertainty_ns: u64,
}

/// What the store has observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extent {
    /// The first instant of anything.
    pub first_ns: i64,
    /// The last instant of anything.
    pub last_ns: i64,
    /// The first instant of each table that has rows.
    pub tables: Vec<(String, i64)>,
}

impl Extent {
    /// The first instant of these tables; none where all are empty.
    pub fn first_of(&self, tables: &[&str]) -> Option<i64> {
        self.tables
            .iter()
            .filter(|(table, _)| tables.contains(&table.as_str()))
            .map(|(_, first_ns)| *first_ns)
            .min()
    }
}

/// Fetches one set.
pub async fn set(store: &Store, fetch: &Fetch, names: &Names) -> Result<Fetched, AskError> {
    let mut fetched = Fetched::default();
    let mut blocks = Blocks::default();
    let settings = [("max_block_size", "65536"), ("readonly", "2")];
    let mut answer = store.query_bytes(&fetch.sql, &[], "Native", &settings)?;
    while let Some(chunk) = answer.next().await? {
        blocks.push::<AskError>(&chunk, |columns| fetched.take(columns, fetch, names))?;
    }
    blocks.finish()?;
    Ok(fetched)
}

impl Fetched {
    fn take(&mut self, columns: Vec<Column>, fetch: &Fetch, names: &Names) -> Result<(), AskError> {
        let mut columns = columns.into_iter();
        let hosts = numbers(columns.next(), &names.hosts)?;
        let (starts, ends, ids) = (values(columns.next())?, values(columns.next())?, values(columns.next())?);
        let guests = if fetch.wanted.guest { Some(units(columns.next(), &names.guests)?) } else { None };
        let keys = if fetch.wanted.key { Some(numbers(columns.next(), &names.keys)?) } else { None };
        if fetch.wanted.clock {
            let most = values(columns.next())?.iter().map(|value| value.cast_unsigned()).max().unwrap_or(0);
            self.clock_uncertainty_ns = self.clock_uncertainty_ns.max(most);
        }
        names.keep(starts.len())?;
        self.rows.reserve(starts.len());
        let times = starts.iter().zip(&ends).zip(&ids);
        for (at, (host, ((start_ns, end_ns), id))) in hosts.iter().zip(times).enumerate() {
            let guest = guests.as_ref().and_then(|guests| *guests.get(at)?).unwrap_or(NO_GUEST);
            let key = keys.as_ref().and_then(|keys| keys.get(at)).copied().unwrap_or(0);
            self.rows.push(Row {
                unit: 0,
                host: *host,
                guest,
                key,
                start_ns: *start_ns,
                end_ns: *end_ns,
                id: id.cast_unsigned(),
            });
        }
        Ok(())
    }
}

fn values(column: Option<Column>) -> Result<Vec<i64>, BlockError> {
    match column {
        Some(Column::Number(values)) => Ok(values),
        _ => Err(BlockError::Damaged("numbers were wanted")),
    }
}

fn numbers(column: Option<Column>, names: &Mutex<Interner>) -> Result<Vec<u32>, BlockError> {
    let Some(Column::Name { keys, rows }) = column else {
        return Err(BlockError::Damaged("names were wanted"));
    };
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    let numbers: Vec<u32> = keys.iter().map(|key| names.number(key)).collect();
    Ok(rows.iter().filter_map(|row| numbers.get(*row as usize).copied()).collect())
}

/// As [`numbers`], and none for the empty name.
fn units(column: Option<Column>, names: &Mutex<Interner>) -> Result<Vec<Option<u32>>, BlockError> {
    let Some(Column::Name { keys, rows }) = column else {
        return Err(BlockError::Damaged("names were wanted"));
    };
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    let numbers: Vec<Option<u32>> =
        keys.iter().map(|key| (!key.is_empty()).then(|| names.number(key))).collect();
    Ok(rows.iter().filter_map(|row| numbers.get(*row as usize).copied()).collect())
}

/// One table's observations.
#[derive(serde::Deserialize)]
struct Observed {
    table: String,
    first_ns: i64,
    last_ns: i64,
    rows: u64,
}

/// Parts know the least and greatest value of what they are partitioned by, so this reads few rows or none.
async fn observed(
    store: &Store,
    tables: &[&str],
    since_ns: Option<i64>,
) -> Result<Vec<Observed>, QueryError> {
    let sql: Vec<String> = tables
        .iter()
        .map(|table| {
            let time = if *table == "events" { "Start" } else { "Timestamp" };
            let since = since_ns.map_or(String::new(), |since_ns| {
                format!(" WHERE {time} >= fromUnixTimestamp64Nano(toInt64({since_ns}), 'UTC')")
            });
            format!(
                "SELECT '{table}' AS table, toUnixTimestamp64Nano(min({time})) AS first_ns, \
                 toUnixTimestamp64Nano(max({time})) AS last_ns, count() AS rows FROM {table}{since}"
            )
        })
        .collect();
    let mut found: Vec<Observed> = store.rows(&sql.join(" UNION ALL ")).await?;
    found.retain(|of| of.rows > 0);
    Ok(found)
}

/// From when to when anything was observed; none in an empty store.
pub async fn extent(store: &Store) -> Result<Option<Extent>, QueryError> {
    let found = observed(store, &["logs", "samples", "events"], None).await?;
    let bounds = found.iter().map(|of| of.first_ns).min().zip(found.iter().map(|of| of.last_ns).max());
    let tables = found.iter().map(|of| (of.table.clone(), of.first_ns)).collect();
    Ok(bounds.map(|(first_ns, last_ns)| Extent { first_ns, last_ns, tables }))
}

/// The first instant of these tables at or after another.
pub async fn first_since(store: &Store, tables: &[&str], since_ns: i64) -> Result<Option<i64>, QueryError> {
    Ok(observed(store, tables, Some(since_ns)).await?.iter().map(|of| of.first_ns).min())
}

/// Adds the hosts that ever sent anything, so that those without events count as observed.
pub async fn hosts(store: &Store, names: &Names) -> Result<(), QueryError> {
    #[derive(serde::Deserialize)]
    struct Of {
        hosts: String,
    }
    let found: Vec<Of> = store.rows("SELECT DISTINCT Hosts AS hosts FROM batches").await?;
    let mut known = names.hosts.lock().unwrap_or_else(PoisonError::into_inner);
    for host in found.iter().flat_map(|of| of.hosts.split(',')).filter(|host| !host.is_empty()) {
        known.number(host);
    }
    Ok(())
}
