//! Reading back: which units of which batches the store has.

use std::{collections::HashSet, fmt::Write as _};

use lastwords_record::BatchId;
use lastwords_store::{QueryError, Store, rows::day_of_column};

use super::{
    ledger::shipper_from_hex,
    unit::{Table, Unit},
};

/// Batches in one statement.
const BATCHES_MAX: usize = 1000;

/// What is stored of batches that the ledger does not have, of those that were planned at this second or later: what
/// a process was in the middle of when it ended, whatever became of its intents.
///
/// # Errors
/// Where the store does not answer.
pub async fn rows_without_ledger(
    store: &Store,
    since_s: u32,
    is_known: impl Fn(&BatchId) -> bool,
) -> Result<Vec<(BatchId, Unit)>, QueryError> {
    let mut found = Vec::new();
    for table in Table::ALL.into_iter().filter(|table| *table != Table::Batches) {
        let rows = store.rows_without_ledger(table.name(), table.time_column(), since_s, &is_known).await?;
        found.extend(rows.into_iter().map(|(id, day)| (id, Unit { table, day })));
    }
    Ok(found)
}

/// Has the store remember those batches: should they come again, only what is missing of them is inserted.
///
/// # Errors
/// Where the store does not answer.
pub async fn remember_rows_without_ledger(store: &Store, since_s: u32) -> Result<(), QueryError> {
    for table in Table::ALL.into_iter().filter(|table| *table != Table::Batches) {
        store.remember_rows_without_ledger(table.name(), since_s).await?;
    }
    Ok(())
}

/// The batches among these that have rows in a table, with the days of these rows.
///
/// # Errors
/// Where the store does not answer.
pub async fn stored_units(
    store: &Store,
    table: Table,
    ids: &[BatchId],
) -> Result<HashSet<(BatchId, Unit)>, QueryError> {
    #[derive(serde::Deserialize)]
    struct Row {
        shipper: String,
        epoch: u64,
        sequence: u64,
        day: i64,
    }
    let mut found = HashSet::new();
    let day = match table.time_column() {
        Some(column) => day_of_column(column),
        None => "toInt64(0)".to_owned(),
    };
    for ids in ids.chunks(BATCHES_MAX) {
        let mut sql = format!(
            "SELECT DISTINCT lower(hex(Shipper)) AS shipper, Epoch AS epoch, Sequence AS sequence, {day} AS day \
             FROM {} WHERE (Shipper, Epoch, Sequence) IN (",
            table.name()
        );
        for (index, id) in ids.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(sql, "{comma}(unhex('{}'),{},{})", id.shipper, id.epoch, id.sequence);
        }
        sql.push(')');
        for row in store.rows::<Row>(&sql).await? {
            let shipper = shipper_from_hex(&row.shipper)
                .ok_or_else(|| QueryError::Answer(format!("'{}' is no shipper", row.shipper)))?;
            found.insert((
                BatchId { shipper, epoch: row.epoch, sequence: row.sequence },
                Unit { table, day: row.day },
            ));
        }
    }
    Ok(found)
}
