//! Runs a plan's statements and sorts what comes into events by unit and start.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use lastwords_store::{AnswerBytes, QueryError, Store};

use crate::{
    ask::AskError,
    columns::{BlockError, Blocks, Column, Interner},
    correlate::{Events, NO_GUEST, Row},
    plan::Fetch,
};

/// Memory of an event asked for, as it comes and while chance looks at it; what a [`Comparison`](crate::conditions) keeps
/// of it is counted there. Measured: 210 bytes in all.
const ANCHOR_BYTES: usize = 130;
/// Memory of a partner in a piece: as it comes, as much again of the next piece, and sorted by where and when.
const PARTNER_BYTES: usize = 180;
/// The part of the memory left that a piece may take.
const PIECE_PART: usize = 4;
/// Rows of a block of the store's. Each block says all of its names again: with fewer rows, many hosts cost more than
/// their events.
const ROWS_OF_BLOCK: usize = 262_144;
const ROWS_OF_BLOCK_MIN: usize = 65_536;
/// What is read for a block takes about so many bytes at most: records whose texts are looked at come in smaller ones.
const BLOCK_BYTES: &str = "16777216";
/// A piece has at least so many rows.
const PIECE_ROWS_MIN: usize = ROWS_OF_BLOCK_MIN;
/// Larger pieces are slower: they and what is made of them leave the processor's caches.
const PIECE_ROWS_MAX: usize = 1_000_000;

/// Names met by both sets, so that equal hosts have equal numbers; and the memory that a question may still take.
#[derive(Debug, Default)]
pub struct Names {
    /// Hosts.
    pub hosts: Mutex<Interner>,
    /// Guests as units.
    pub guests: Mutex<Interner>,
    /// What is counted by.
    pub keys: Mutex<Interner>,
    /// Room for so many more bytes; none: no bound.
    room: Option<AtomicUsize>,
}

impl Names {
    /// For a question that may keep so many bytes.
    pub fn with_room(bytes_max: usize) -> Names {
        Names { room: Some(AtomicUsize::new(bytes_max)), ..Names::default() }
    }

    /// Takes room.
    ///
    /// # Errors
    /// Where there is none.
    pub fn keep(&self, bytes: usize) -> Result<(), AskError> {
        let Some(room) = &self.room else { return Ok(()) };
        let taken = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.map(|_| ()).map_err(|_| {
            AskError::Statement(
                "The events that this question asks for do not fit into its memory: ask about a shorter time (since 7 days \
                 ago) or fewer machines (on host hv01), or raise query.memory_max."
                    .to_owned(),
            )
        })
    }

    /// Takes the room of so many events asked for.
    ///
    /// # Errors
    /// Where there is none.
    pub fn keep_anchors(&self, rows: usize) -> Result<(), AskError> {
        self.keep(rows.saturating_mul(ANCHOR_BYTES))
    }

    /// Takes the room of so many partners.
    ///
    /// # Errors
    /// Where there is none.
    pub fn keep_partners(&self, rows: usize) -> Result<(), AskError> {
        self.keep(rows.saturating_mul(Events::ROW_BYTES))
    }

    /// Gives room back.
    pub fn release(&self, bytes: usize) {
        if let Some(room) = &self.room {
            room.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Rows of a piece of a set that comes piece by piece.
    pub fn piece_rows(&self) -> usize {
        let left = self.room.as_ref().map_or(usize::MAX, |room| room.load(Ordering::Relaxed));
        (left / PIECE_PART / PARTNER_BYTES).clamp(PIECE_ROWS_MIN, PIECE_ROWS_MAX)
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

/// Fetches one set whole.
pub async fn set(store: &Store, fetch: &Fetch, names: &Names) -> Result<Fetched, AskError> {
    let mut pieces = Pieces::of(store, fetch, names)?;
    let mut fetched = Fetched::default();
    let mut kept = 0;
    while pieces.more(&mut fetched).await? {
        names.keep_anchors(fetched.rows.len() - kept)?;
        kept = fetched.rows.len();
    }
    Ok(fetched)
}

/// A set that comes piece by piece.
pub struct Pieces<'a> {
    fetch: &'a Fetch,
    names: &'a Names,
    answer: AnswerBytes,
    blocks: Blocks,
    ended: bool,
}

impl<'a> Pieces<'a> {
    /// Asks for a set.
    ///
    /// # Errors
    /// Where the store cannot be asked.
    pub fn of(store: &Store, fetch: &'a Fetch, names: &'a Names) -> Result<Pieces<'a>, AskError> {
        let rows = (names.piece_rows() / 4).clamp(ROWS_OF_BLOCK_MIN, ROWS_OF_BLOCK).to_string();
        let settings = [
            ("max_block_size", rows.as_str()),
            ("preferred_block_size_bytes", BLOCK_BYTES),
            ("readonly", "2"),
        ];
        let answer = store.query_bytes(&fetch.sql, &[], "Native", &settings)?;
        Ok(Pieces { fetch, names, answer, blocks: Blocks::default(), ended: false })
    }

    /// The next rows, `rows_max` and a block at most; none at the end.
    ///
    /// # Errors
    /// Where the store fails or sends what cannot be read.
    pub async fn next(&mut self, rows_max: usize) -> Result<Option<Vec<Row>>, AskError> {
        let mut fetched = Fetched::default();
        while fetched.rows.len() < rows_max && self.more(&mut fetched).await? {}
        Ok((!fetched.rows.is_empty()).then_some(fetched.rows))
    }

    /// Takes what comes next; false at the end.
    async fn more(&mut self, into: &mut Fetched) -> Result<bool, AskError> {
        if self.ended {
            return Ok(false);
        }
        match self.answer.next().await? {
            Some(chunk) => {
                self.blocks.push::<AskError>(&chunk, |columns| into.take(columns, self.fetch, self.names))?;
            }
            None => {
                self.blocks.finish()?;
                self.ended = true;
            }
        }
        Ok(!self.ended)
    }
}

impl Fetched {
    fn take(&mut self, columns: Vec<Column<'_>>, fetch: &Fetch, names: &Names) -> Result<(), AskError> {
        let mut columns = columns.into_iter();
        let hosts = numbers(columns.next(), &names.hosts, None)?;
        let (starts, ends, ids) = (values(columns.next())?, values(columns.next())?, values(columns.next())?);
        let guests = if fetch.wanted.guest {
            numbers(columns.next(), &names.guests, Some(NO_GUEST))?
        } else {
            Vec::new()
        };
        let keys = if fetch.wanted.key { numbers(columns.next(), &names.keys, None)? } else { Vec::new() };
        if fetch.wanted.clock {
            let most = values(columns.next())?.iter().map(|value| u64::from_le_bytes(*value)).max();
            self.clock_uncertainty_ns = self.clock_uncertainty_ns.max(most.unwrap_or(0));
        }
        let times = starts.iter().zip(ends).zip(ids);
        self.rows.extend(hosts.iter().zip(times).enumerate().map(|(at, (host, ((start, end), id)))| Row {
            unit: 0,
            host: *host,
            guest: guests.get(at).copied().unwrap_or(NO_GUEST),
            key: keys.get(at).copied().unwrap_or(0),
            start_ns: i64::from_le_bytes(*start),
            end_ns: i64::from_le_bytes(*end),
            id: u64::from_le_bytes(*id),
        }));
        Ok(())
    }
}

fn values(column: Option<Column<'_>>) -> Result<&[[u8; 8]], BlockError> {
    match column {
        Some(Column::Number(values)) => Ok(values),
        _ => Err(BlockError::Damaged("numbers were wanted")),
    }
}

/// The number of each row's name; `unnamed`: of the empty name, where that is none.
fn numbers(
    column: Option<Column<'_>>,
    names: &Mutex<Interner>,
    unnamed: Option<u32>,
) -> Result<Vec<u32>, BlockError> {
    let Some(Column::Name { keys, rows }) = column else {
        return Err(BlockError::Damaged("names were wanted"));
    };
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    let number = |key: &&[u8]| match unnamed {
        Some(unnamed) if key.is_empty() => Ok(unnamed),
        _ => names.number_of(key),
    };
    rows.of(&keys.iter().map(number).collect::<Result<Vec<u32>, BlockError>>()?)
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

/// Adds the hosts that ever sent anything, so that those without events count as observed. Asked for first, they have the
/// same numbers each time, on which chance's draws depend.
pub async fn hosts(store: &Store, names: &Names) -> Result<(), QueryError> {
    #[derive(serde::Deserialize)]
    struct Of {
        hosts: String,
    }
    let found: Vec<Of> = store.rows("SELECT DISTINCT HostNames AS hosts FROM batches").await?;
    let mut hosts: Vec<&str> =
        found.iter().flat_map(|of| of.hosts.split('\n')).filter(|host| !host.is_empty()).collect();
    hosts.sort_unstable();
    let mut known = names.hosts.lock().unwrap_or_else(PoisonError::into_inner);
    for host in hosts {
        known.number(host);
    }
    Ok(())
}
