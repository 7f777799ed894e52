//! From when to when anything was observed, and by which hosts.

use serde::Deserialize;

use super::literal::instant;
use crate::{Store, store::QueryError};

/// A table of observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Observations {
    /// Log records.
    Logs,
    /// Samples of counters.
    Samples,
    /// Events.
    Events,
}

impl Observations {
    /// All of them.
    pub const ALL: [Observations; 3] = [Observations::Logs, Observations::Samples, Observations::Events];

    /// Its table, and the column that says when.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Observations::Logs => ("logs", "Timestamp"),
            Observations::Samples => ("samples", "Timestamp"),
            Observations::Events => ("events", "Start"),
        }
    }
}

/// The first and the last instant of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Observed {
    /// Which table.
    pub table: Observations,
    /// The first instant, nanoseconds since the epoch.
    pub first_ns: i64,
    /// The last one.
    pub last_ns: i64,
    rows: u64,
}

/// When each of these tables observed anything, at or after an instant where one is given; those that did not are left
/// out. Parts know the least and greatest value of what they are partitioned by, so this reads few rows or none.
///
/// # Errors
/// Where the store fails.
pub async fn read_extent(
    store: &Store,
    tables: &[Observations],
    since_ns: Option<i64>,
) -> Result<Vec<Observed>, QueryError> {
    let sql: Vec<String> = tables
        .iter()
        .map(|table| {
            let (table, time) = table.names();
            let since =
                since_ns.map_or(String::new(), |since_ns| format!(" WHERE {time} >= {}", instant(since_ns)));
            format!(
                "SELECT '{table}' AS table, toUnixTimestamp64Nano(min({time})) AS first_ns, \
                 toUnixTimestamp64Nano(max({time})) AS last_ns, count() AS rows FROM {table}{since}"
            )
        })
        .collect();
    let mut found: Vec<Observed> = store.rows(&sql.join(" UNION ALL ")).await?;
    found.retain(|observed| observed.rows > 0);
    Ok(found)
}

/// Names of all hosts that ever sent anything, in order.
///
/// # Errors
/// Where the store fails.
pub async fn read_hosts(store: &Store) -> Result<Vec<String>, QueryError> {
    #[derive(Deserialize)]
    struct Batch {
        hosts: String,
    }
    let found: Vec<Batch> = store.rows("SELECT DISTINCT toString(HostNames) AS hosts FROM batches UNION DISTINCT SELECT HostNames FROM ranges").await?;
    let names = found.iter().flat_map(|batch| batch.hosts.split('\n')).filter(|host| !host.is_empty());
    let mut hosts: Vec<String> = names.map(str::to_owned).collect();
    hosts.sort_unstable();
    hosts.dedup();
    Ok(hosts)
}

/// The names of guests that events or records are of.
///
/// # Errors
/// Where the store fails.
pub async fn read_guests(store: &Store) -> Result<Vec<String>, QueryError> {
    #[derive(Deserialize)]
    struct Found {
        guest: String,
    }
    let sql = "SELECT guest FROM (SELECT DISTINCT toString(Guest) AS guest FROM events UNION DISTINCT \
               SELECT DISTINCT toString(Guest) AS guest FROM logs) WHERE guest != ''";
    let found: Vec<Found> = store.many_rows(sql).await?;
    Ok(found.into_iter().map(|found| found.guest).collect())
}
