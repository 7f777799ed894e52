//! What is in a store, at a glance.

use serde::Deserialize;

use super::{QueryError, Store};

/// What there is to know about a store at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Version of its schema; 0: none yet.
    pub schema: u32,
    /// Batches in quarantine.
    pub quarantined: u64,
}

impl Store {
    /// What is in the store.
    ///
    /// # Errors
    /// Where it doesn't answer.
    pub async fn contents(&self) -> Result<Contents, QueryError> {
        #[derive(Deserialize)]
        struct Number<T> {
            number: T,
        }
        async fn number<T: serde::de::DeserializeOwned>(store: &Store, sql: &str) -> Result<T, QueryError> {
            let rows: Vec<Number<T>> = store.rows(sql).await?;
            let row =
                rows.into_iter().next().ok_or_else(|| QueryError::Answer("it gave no row".to_owned()))?;
            Ok(row.number)
        }
        Ok(Contents {
            schema: number(self, "SELECT max(Number) AS number FROM migrations").await?,
            quarantined: number(self, "SELECT count() AS number FROM quarantine").await?,
        })
    }
}
