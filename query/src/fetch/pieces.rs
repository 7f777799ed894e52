//! Runs a plan's statements and sorts what comes into events by unit and start.

use lastwords_store::{
    AnswerBytes, Store,
    native::read::{BlockError, Blocks, Column},
};

use crate::{
    budget::{Budget, PIECE_ROWS_MIN},
    context::Context,
    error::AskError,
    event::{NO_GUEST, Row},
    names::{Interner, Names},
    plan::statement::Fetch,
};

/// Rows of a block of the store's. Each block says all of its names again: with fewer rows, many hosts cost more than
/// their events.
const ROWS_OF_BLOCK: usize = 262_144;
const ROWS_OF_BLOCK_MIN: usize = PIECE_ROWS_MIN;
/// What is read for a block takes about so many bytes at most: records whose texts are looked at come in smaller ones.
const BLOCK_BYTES: &str = "16777216";
/// A set, as it came.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    /// Its events, unsorted.
    pub rows: Vec<Row>,
    /// Half the width of the interval of each corrected time, largest of all.
    pub clock_uncertainty_ns: u64,
}

/// Fetches one set whole.
pub(crate) async fn set(
    store: &Store,
    fetch: &Fetch,
    names: &Names,
    budget: &Budget,
) -> Result<Fetched, AskError> {
    let mut pieces = Pieces::new(store, fetch, names, budget)?;
    let mut fetched = Fetched::default();
    let mut kept = 0;
    while pieces.more(&mut fetched).await? {
        budget.keep_anchors(fetched.rows.len() - kept)?;
        kept = fetched.rows.len();
    }
    Ok(fetched)
}

/// A set that comes piece by piece.
pub(crate) struct Pieces<'a> {
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
    pub fn start(store: &Store, fetch: &'a Fetch, context: &'a Context) -> Result<Pieces<'a>, AskError> {
        Pieces::new(store, fetch, &context.names, &context.budget)
    }

    fn new(
        store: &Store,
        fetch: &'a Fetch,
        names: &'a Names,
        budget: &Budget,
    ) -> Result<Pieces<'a>, AskError> {
        let rows = (budget.piece_rows() / 4).clamp(ROWS_OF_BLOCK_MIN, ROWS_OF_BLOCK).to_string();
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
    names: &Interner,
    unnamed: Option<u32>,
) -> Result<Vec<u32>, BlockError> {
    let Some(Column::Name { keys, rows }) = column else {
        return Err(BlockError::Damaged("names were wanted"));
    };
    let numbers = names.number_all(&keys, unnamed);
    rows.of(&numbers.map_err(|_| BlockError::Damaged("a name that is not UTF-8"))?)
}
