//! What is printed of events, in columns: for lists of very many.

use super::{
    literal::numbers,
    members::{Members, Times},
};
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

/// Calls `take` with the id and the text of each event of a set that has one of these ids and starts within these times,
/// ends included.
///
/// # Errors
/// Where the store fails or sends what cannot be read.
pub async fn read_texts(
    store: &Store,
    members: &Members,
    (first_ns, last_ns): (i64, i64),
    ids: &[u64],
    mut take: impl FnMut(u64, EventText),
) -> Result<(), QueryError> {
    if ids.is_empty() {
        return Ok(());
    }
    let table = members.table();
    let times = Times {
        start_from_ns: Some(first_ns),
        start_before_ns: Some(last_ns.saturating_add(1)),
        end_from_ns: None,
    };
    let sql = format!(
        "SELECT {id} AS id, toLowCardinality(toString({})), toLowCardinality(toString(Host)), \
         toLowCardinality(toString(Guest)), toLowCardinality(toString({})), toString({}) \
         FROM {} {} {}{} AND {id} IN ({}) {}",
        table.class,
        table.severity,
        table.title,
        table.from,
        table.filter,
        members.condition(),
        times.conditions(&table),
        numbers(ids),
        table.settings,
        id = table.id,
    );
    let size = (sql.len() + 1_024).to_string();
    let settings = [("max_block_size", BLOCK_ROWS), ("max_query_size", size.as_str()), ("readonly", "2")];
    let mut answer = store.query_bytes(&sql, &[], "Native", &settings)?;
    let mut blocks = Blocks::default();
    while let Some(chunk) = answer.next().await? {
        blocks.push::<QueryError>(&chunk, |columns| Ok(take_block(columns, &mut take)?))?;
    }
    Ok(blocks.finish()?)
}

fn take_block(columns: Vec<Column<'_>>, take: &mut impl FnMut(u64, EventText)) -> Result<(), BlockError> {
    let Ok([Column::Number(ids), class, host, guest, severity, Column::Text(titles)]) =
        <[Column<'_>; 6]>::try_from(columns)
    else {
        return Err(BlockError::Damaged("ids, names and titles were wanted"));
    };
    let (class, host, guest, severity) = (names(class)?, names(host)?, names(guest)?, names(severity)?);
    let numbers = ids.iter().map(|id| u64::from_le_bytes(*id));
    let texts = class.into_iter().zip(host).zip(guest.into_iter().zip(severity)).zip(titles);
    for (id, (((class, host), (guest, severity)), title)) in numbers.zip(texts) {
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
