//! Which classes of events there are.

use serde::Deserialize;

use super::literal::instant;
use crate::{Store, store::QueryError};

/// A class with its events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ClassCount {
    /// The class.
    pub class: String,
    /// How many events it has.
    pub events: u64,
}

/// Classes of events that reach into a time, in order of their names.
///
/// # Errors
/// Where the store fails.
pub async fn read_classes(store: &Store, from_ns: i64, to_ns: i64) -> Result<Vec<ClassCount>, QueryError> {
    let sql = format!(
        "SELECT Class AS class, count() AS events FROM events WHERE Start < {} AND (End IS NULL OR End >= {}) \
         GROUP BY class ORDER BY class",
        instant(to_ns),
        instant(from_ns)
    );
    store.rows(&sql).await
}
