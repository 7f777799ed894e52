//! What is printed of events, in columns: for lists of very many.

use std::{collections::HashSet, sync::Arc};

use super::{events::EventSelection, literal::numbers};
use crate::{
    Store,
    native::read::{BlockError, Blocks, Column, Indices},
    store::QueryError,
};

/// Texts come in blocks of so many rows, which are small enough to be whole soon.
const BLOCK_ROWS: &str = "16384";
/// So many different titles are kept, so that events of one title share it.
const TITLES_MAX: usize = 16_384;

/// What is printed of an event; events share what they have in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventText {
    /// Its class; `record` for a record in which nothing was recognised.
    pub class: Arc<str>,
    /// Its host.
    pub host: Arc<str>,
    /// Its guest; empty for the host itself.
    pub guest: Arc<str>,
    /// How bad it is.
    pub severity: Arc<str>,
    /// What happened, in a line.
    pub title: Arc<str>,
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
    let (mut blocks, mut titles) = (Blocks::default(), Titles::default());
    while let Some(chunk) = answer.next().await? {
        blocks.push::<QueryError>(&chunk, |columns| {
            Ok(take_block(columns, &mut titles, &wanted, &mut take)?)
        })?;
    }
    Ok(blocks.finish()?)
}

/// Titles that were met.
#[derive(Default)]
struct Titles(HashSet<Arc<str>>);

impl Titles {
    fn share(&mut self, title: &[u8]) -> Arc<str> {
        let title = String::from_utf8_lossy(title);
        if let Some(met) = self.0.get(title.as_ref()) {
            return Arc::clone(met);
        }
        if self.0.len() >= TITLES_MAX {
            self.0.clear();
        }
        let title: Arc<str> = title.into();
        self.0.insert(Arc::clone(&title));
        title
    }
}

fn take_block(
    columns: Vec<Column<'_>>,
    titles: &mut Titles,
    wanted: &impl Fn(u64) -> bool,
    take: &mut impl FnMut(u64, EventText),
) -> Result<(), BlockError> {
    let Ok([Column::Number(ids), class, host, guest, severity, Column::Text(texts)]) =
        <[Column<'_>; 6]>::try_from(columns)
    else {
        return Err(BlockError::Damaged("ids, names and titles were wanted"));
    };
    let (class, host, guest, severity) =
        (Names::new(class)?, Names::new(host)?, Names::new(guest)?, Names::new(severity)?);
    let rows =
        class.rows()?.into_iter().zip(host.rows()?).zip(guest.rows()?.into_iter().zip(severity.rows()?));
    let numbers = ids.iter().map(|id| u64::from_le_bytes(*id));
    for (id, (((class, host), (guest, severity)), title)) in numbers.zip(rows.zip(texts)) {
        if wanted(id) {
            let [class, host, guest, severity] = [class, host, guest, severity].map(Arc::clone);
            take(id, EventText { class, host, guest, severity, title: titles.share(title) });
        }
    }
    Ok(())
}

/// Names of rows, each once.
struct Names<'a> {
    names: Vec<Arc<str>>,
    rows: Indices<'a>,
}

impl<'a> Names<'a> {
    fn new(column: Column<'a>) -> Result<Names<'a>, BlockError> {
        let Column::Name { keys, rows } = column else {
            return Err(BlockError::Damaged("names were wanted"));
        };
        let names = keys.iter().map(|name| String::from_utf8_lossy(name).into()).collect();
        Ok(Names { names, rows })
    }

    /// The name of each row.
    fn rows(&self) -> Result<Vec<&Arc<str>>, BlockError> {
        let names: Vec<&Arc<str>> = self.names.iter().collect();
        self.rows.resolve(&names)
    }
}
