//! What is in a store, at a glance.

use serde::Deserialize;

use super::{QueryError, Store};

/// The schema since which there are audits.
const AUDITS_SINCE: u32 = 5;

/// What there is to know about a store at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Version of its schema; 0: none yet.
    pub schema: u32,
    /// Batches in quarantine.
    pub quarantined: u64,
    /// What the last audit found missing; 0 where there was none.
    pub missing_batches: u64,
    /// When that was, seconds since 1970; 0: never.
    pub audited_s: u32,
    /// Parts that the engine has set aside as broken.
    pub broken_parts: u64,
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
        #[derive(Default, Deserialize)]
        struct Audited {
            time: u32,
            missing: u64,
        }
        let schema = number(self, "SELECT max(Number) AS number FROM migrations").await?;
        let audited = match schema {
            // Older schemas know no audits.
            ..AUDITS_SINCE => Audited::default(),
            _ => {
                let sql = "SELECT toUnixTimestamp(Time) AS time, MissingBatches AS missing FROM audits \
                           ORDER BY Time DESC LIMIT 1";
                self.rows::<Audited>(sql).await?.into_iter().next().unwrap_or_default()
            }
        };
        let broken = format!(
            "SELECT count() AS number FROM system.detached_parts WHERE database = '{}' \
             AND (reason = '' OR startsWith(reason, 'broken'))",
            self.database()
        );
        Ok(Contents {
            schema,
            quarantined: number(self, "SELECT count() AS number FROM quarantine").await?,
            missing_batches: audited.missing,
            audited_s: audited.time,
            broken_parts: number(self, &broken).await?,
        })
    }
}
