//! Runs a plan's statements and sorts what comes into events by unit and start.

use lastwords_store::{
    QueryError, Store,
    select::{EventBlock, EventBlocks, EventSelection, NameColumn, read_events},
};

use crate::{
    budget::{Budget, PIECE_ROWS_MIN},
    context::Context,
    error::AskError,
    event::{NO_GUEST, Row},
    names::{Interner, Names},
};

/// Rows of a block of the store's. Each block says all of its names again: with fewer rows, many hosts cost more than
/// their events.
const ROWS_OF_BLOCK: usize = 262_144;
const ROWS_OF_BLOCK_MIN: usize = PIECE_ROWS_MIN;
/// A set, as it came.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    /// Its events, unsorted.
    pub rows: Vec<Row>,
    /// Half the width of the interval of each corrected time, largest of all.
    pub clock_uncertainty_ns: u64,
}

/// Fetches one set whole.
pub(crate) async fn fetch_whole(
    store: &Store,
    selection: &EventSelection,
    names: &Names,
    budget: &Budget,
) -> Result<Fetched, AskError> {
    let mut pieces = Pieces::new(store, selection, names, budget)?;
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
    names: &'a Names,
    blocks: EventBlocks<'a>,
}

impl<'a> Pieces<'a> {
    /// Asks for a set.
    ///
    /// # Errors
    /// Where the store cannot be asked.
    pub fn start(
        store: &Store,
        selection: &'a EventSelection,
        context: &'a Context,
    ) -> Result<Pieces<'a>, AskError> {
        Pieces::new(store, selection, &context.names, &context.budget)
    }

    fn new(
        store: &Store,
        selection: &'a EventSelection,
        names: &'a Names,
        budget: &Budget,
    ) -> Result<Pieces<'a>, AskError> {
        let rows = (budget.piece_rows() / 4).clamp(ROWS_OF_BLOCK_MIN, ROWS_OF_BLOCK);
        Ok(Pieces { names, blocks: read_events(store, selection, rows)? })
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
        self.blocks.next(|block| into.take(&block, self.names)).await
    }
}

impl Fetched {
    fn take(&mut self, block: &EventBlock<'_>, names: &Names) -> Result<(), AskError> {
        let hosts = numbers(&block.host, &names.hosts, None)?;
        let guests = block.guest.as_ref().map(|guest| numbers(guest, &names.guests, Some(NO_GUEST)));
        let guests = guests.transpose()?.unwrap_or_default();
        let keys = block.key.as_ref().map(|key| numbers(key, &names.keys, None));
        let keys = keys.transpose()?.unwrap_or_default();
        self.clock_uncertainty_ns = self.clock_uncertainty_ns.max(block.clock_uncertainty_ns());
        self.rows.extend(hosts.iter().zip(block.spans()).enumerate().map(
            |(at, (host, (start_ns, end_ns, id)))| Row {
                unit: 0,
                host: *host,
                guest: guests.get(at).copied().unwrap_or(NO_GUEST),
                key: keys.get(at).copied().unwrap_or(0),
                start_ns,
                end_ns,
                id,
            },
        ));
        Ok(())
    }
}

/// The number of each row's name; `unnamed`: of the empty name, where that is none.
fn numbers(column: &NameColumn<'_>, names: &Interner, unnamed: Option<u32>) -> Result<Vec<u32>, AskError> {
    let numbers = names.number_all(&column.names, unnamed);
    let numbers = numbers.map_err(|_| QueryError::Answer("a name that is not UTF-8".to_owned()))?;
    Ok(column.rows(&numbers)?)
}
