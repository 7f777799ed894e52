//! What is printed of events, in columns: for lists of very many.

use super::{events::EventSelection, literal::numbers};
use crate::{
    Store,
    native::read::{BlockError, Blocks, Column},
    store::QueryError,
};

/// Texts come in blocks of so many rows, which are small enough to be whole soon.
const BLOCK_ROWS: &str = "16384";

/// What is printed of an event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventText {
    /// Its class; `record` for a record in which nothing was recognised.
    pub class: String,
    /// Its host.
    pub host: String,
    /// Its guest; empty for the host itself.
    pub guest: String,
    /// How bad it is.
    pub severity: String,
    /// What happened, in a line.
    pub title: String,
}

/// Calls `take` with the id and the text of each event of a selection that is wanted; of those with these ids, where
/// some are given.
///
/// # Errors
/// Where the store fails or sends what cannot be read.
pub async fn read_texts(
    store: &Store,
    selection: &EventSelection,
    ids: Option<&[u64]>,
    wanted: impl Fn(u64) -> bool,
    mut take: impl FnMut(u64, EventText),
) -> Result<(), QueryError> {
    let table = selection.members.table();
    let (filter, only) = match ids {
        Some([]) => return Ok(()),
        Some(ids) => (table.filter, format!(" AND {} IN ({})", table.id, numbers(ids))),
        None => ("WHERE", String::new()),
    };
    let sql = format!(
        "SELECT {} AS id, toLowCardinality(toString({})), toLowCardinality(toString(Host)), \
         toLowCardinality(toString(Guest)), toLowCardinality(toString({})), toString({}) FROM {} {filter} {}{only} {}",
        table.id,
        table.class,
        table.severity,
        table.title,
        table.from,
        selection.conditions(),
        table.settings,
    );
    let size = (sql.len() + 1_024).to_string();
    let settings = [("max_block_size", BLOCK_ROWS), ("max_query_size", size.as_str()), ("readonly", "2")];
    let mut answer = store.query_bytes(&sql, &[], "Native", &settings)?;
    let mut blocks = Blocks::default();
    while let Some(chunk) = answer.next().await? {
        blocks.push::<QueryError>(&chunk, |columns| Ok(take_block(columns, &wanted, &mut take)?))?;
    }
    Ok(blocks.finish()?)
}

fn take_block(
    columns: Vec<Column<'_>>,
    wanted: &impl Fn(u64) -> bool,
    take: &mut impl FnMut(u64, EventText),
) -> Result<(), BlockError> {
    let Ok([Column::Number(ids), class, host, guest, severity, Column::Text(titles)]) =
        <[Column<'_>; 6]>::try_from(columns)
    else {
        return Err(BlockError::Damaged("ids, names and titles were wanted"));
    };
    let (class, host, guest, severity) = (names(class)?, names(host)?, names(guest)?, names(severity)?);
    let numbers = ids.iter().map(|id| u64::from_le_bytes(*id));
    let texts = class.into_iter().zip(host).zip(guest.into_iter().zip(severity)).zip(titles);
    for (id, (((class, host), (guest, severity)), title)) in numbers.zip(texts).filter(|(id, _)| wanted(*id))
    {
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        let (class, host, guest) = (text(class), text(host), text(guest));
        take(id, EventText { class, host, guest, severity: text(severity), title: text(title) });
    }
    Ok(())
}

/// The name of each row.
fn names<'a>(column: Column<'a>) -> Result<Vec<&'a [u8]>, BlockError> {
    match column {
        Column::Name { keys, rows } => rows.resolve(&keys),
        _ => Err(BlockError::Damaged("names were wanted")),
    }
}
