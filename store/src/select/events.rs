//! Sets of events in columns: where, when and which, by a range of their table's key, latest versions only.

use super::{
    literal::{list, text},
    members::{Members, Table, Times},
};
use crate::{
    Store,
    native::read::{BlockError, Blocks, Column, Indices},
    store::{AnswerBytes, QueryError},
};

/// What is read for a block takes about so many bytes at most: records whose texts are looked at come in smaller ones.
const BLOCK_BYTES: &str = "16777216";

/// Some set of events, and what is read of them beside host, start, end and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSelection {
    /// Which ones.
    pub members: Members,
    /// When.
    pub times: Times,
    /// Only on these hosts.
    pub hosts: Option<Hosts>,
    /// Only records in these buckets of five minutes, by the second in which they begin: as the key of `logs` has them,
    /// so that nothing else is read.
    pub buckets_s: Option<Vec<i64>>,
    /// Whether the guest is read: its UUID, or `host/name` where that is not known.
    pub guest: bool,
    /// What is read as the key.
    pub key: Option<Key>,
    /// Whether the uncertainty of the clock is read.
    pub clock: bool,
}

/// Hosts to which events are narrowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// Their names.
    pub names: Vec<String>,
    /// Whether events of guests are read wherever they come from, as they may be of another host than they name.
    pub or_guests: bool,
}

/// What events are counted or told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The guest's name.
    Guest,
    /// The class.
    Class,
    /// What happened, in a line.
    Title,
    /// The message template, as a decimal number.
    Template,
}

impl EventSelection {
    /// Events of a set at any time and place.
    pub fn new(members: Members) -> EventSelection {
        EventSelection {
            members,
            times: Times::default(),
            hosts: None,
            buckets_s: None,
            guest: false,
            key: None,
            clock: false,
        }
    }

    /// The statement, for people to read.
    pub fn statement(&self) -> String {
        let table = self.members.table();
        let mut columns = vec![
            "Host".to_owned(),
            format!("toUnixTimestamp64Nano({})", table.start),
            table.end_ns.clone(),
            format!("{} AS id", table.id),
        ];
        if self.guest {
            columns.push(
                "toLowCardinality(multiIf(GuestUuid != '', toString(GuestUuid), Guest != '', concat(Host, '/', Guest), ''))"
                    .to_owned(),
            );
        }
        columns.extend(self.key.map(|key| key.column(&table)));
        if self.clock {
            columns.push("ClockUncertainty".to_owned());
        }
        format!(
            "SELECT {} FROM {} WHERE {} {}",
            columns.join(", "),
            table.from,
            self.conditions(),
            table.settings
        )
    }

    /// All of its conditions.
    pub(super) fn conditions(&self) -> String {
        let table = self.members.table();
        let mut sql = self.members.condition() + &self.times.conditions(&table);
        if let Some(Hosts { names, or_guests }) = &self.hosts {
            let guests = if *or_guests { " OR Guest != '' OR GuestUuid != ''" } else { "" };
            sql += &format!(" AND (Host IN ({}){guests})", list(names, |name| text(name)));
        }
        if let Some(buckets_s) = &self.buckets_s {
            sql += &format!(" AND toStartOfFiveMinutes(Timestamp) IN ({})", list(buckets_s, i64::to_string));
        }
        sql
    }
}

impl Key {
    fn column(self, table: &Table) -> String {
        match self {
            Key::Guest => "Guest".to_owned(),
            Key::Class => "Class".to_owned(),
            Key::Title => format!("toLowCardinality(toString({}))", table.title),
            Key::Template => "toLowCardinality(toString(Template))".to_owned(),
        }
    }
}

/// Names of a block: each different one once, and which of them each row has.
#[derive(Debug, PartialEq, Eq)]
pub struct NameColumn<'a> {
    /// The names.
    pub names: Vec<&'a [u8]>,
    rows: Indices<'a>,
}

impl NameColumn<'_> {
    /// What each row's name has been given.
    ///
    /// # Errors
    /// Where a row has a name that is not there.
    pub fn rows<T: Copy>(&self, given: &[T]) -> Result<Vec<T>, QueryError> {
        Ok(self.rows.resolve(given)?)
    }
}

/// Some events of a selection.
#[derive(Debug, PartialEq, Eq)]
pub struct EventBlock<'a> {
    /// The host that an event came from.
    pub host: NameColumn<'a>,
    start_ns: &'a [[u8; 8]],
    end_ns: &'a [[u8; 8]],
    id: &'a [[u8; 8]],
    /// The guest, where it was selected; the empty name for a host's own events.
    pub guest: Option<NameColumn<'a>>,
    /// The key, where one was selected.
    pub key: Option<NameColumn<'a>>,
    clock_uncertainty_ns: Option<&'a [[u8; 8]]>,
}

impl<'a> EventBlock<'a> {
    /// Start, end (the greatest number where it is open) and id of each event.
    pub fn spans(&self) -> impl Iterator<Item = (i64, i64, u64)> + use<'a> {
        self.start_ns.iter().zip(self.end_ns).zip(self.id).map(|((start, end), id)| {
            (i64::from_le_bytes(*start), i64::from_le_bytes(*end), u64::from_le_bytes(*id))
        })
    }

    /// The largest uncertainty of a clock in it, nanoseconds; 0 where it was not selected.
    pub fn clock_uncertainty_ns(&self) -> u64 {
        let values = self.clock_uncertainty_ns.into_iter().flatten();
        values.map(|value| u64::from_le_bytes(*value)).max().unwrap_or(0)
    }

    fn new(columns: Vec<Column<'a>>, selection: &EventSelection) -> Result<EventBlock<'a>, BlockError> {
        let mut columns = columns.into_iter();
        Ok(EventBlock {
            host: names(columns.next())?,
            start_ns: numbers(columns.next())?,
            end_ns: numbers(columns.next())?,
            id: numbers(columns.next())?,
            guest: selection.guest.then(|| names(columns.next())).transpose()?,
            key: selection.key.map(|_| names(columns.next())).transpose()?,
            clock_uncertainty_ns: selection.clock.then(|| numbers(columns.next())).transpose()?,
        })
    }
}

fn numbers(column: Option<Column<'_>>) -> Result<&[[u8; 8]], BlockError> {
    match column {
        Some(Column::Number(values)) => Ok(values),
        _ => Err(BlockError::Damaged("numbers were wanted")),
    }
}

fn names(column: Option<Column<'_>>) -> Result<NameColumn<'_>, BlockError> {
    match column {
        Some(Column::Name { keys, rows }) => Ok(NameColumn { names: keys, rows }),
        _ => Err(BlockError::Damaged("names were wanted")),
    }
}

/// A selection's events, block by block as they come.
pub struct EventBlocks<'s> {
    selection: &'s EventSelection,
    answer: AnswerBytes,
    blocks: Blocks,
    ended: bool,
}

impl EventBlocks<'_> {
    /// Calls `take` with what comes next; false at the end.
    ///
    /// # Errors
    /// Where the store fails or sends what cannot be read, and those of `take`.
    pub async fn next<E: From<QueryError> + From<BlockError>>(
        &mut self,
        mut take: impl FnMut(EventBlock<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        if self.ended {
            return Ok(false);
        }
        match self.answer.next().await? {
            Some(chunk) => {
                self.blocks.push(&chunk, |columns| take(EventBlock::new(columns, self.selection)?))?
            }
            None => {
                self.blocks.finish()?;
                self.ended = true;
            }
        }
        Ok(!self.ended)
    }
}

/// Asks for a selection, in blocks of at most so many rows.
///
/// # Errors
/// Where the store cannot be asked.
pub fn read_events<'s>(
    store: &Store,
    selection: &'s EventSelection,
    block_rows: usize,
) -> Result<EventBlocks<'s>, QueryError> {
    let rows = block_rows.to_string();
    let settings =
        [("max_block_size", rows.as_str()), ("preferred_block_size_bytes", BLOCK_BYTES), ("readonly", "2")];
    let answer = store.query_bytes(&selection.statement(), &[], "Native", &settings)?;
    Ok(EventBlocks { selection, answer, blocks: Blocks::default(), ended: false })
}

/// How many events a selection has.
///
/// # Errors
/// Where the store fails.
pub async fn count_events(store: &Store, selection: &EventSelection) -> Result<u64, QueryError> {
    #[derive(serde::Deserialize)]
    struct Counted {
        rows: u64,
    }
    let sql = format!("SELECT count() AS rows FROM ({})", selection.statement());
    Ok(store.rows::<Counted>(&sql).await?.first().map_or(0, |counted| counted.rows))
}
