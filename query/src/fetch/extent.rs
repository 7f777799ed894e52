//! From when to when the store has observed anything, and of which hosts.

use lastwords_store::{QueryError, Store};

use crate::names::Names;

/// What the store has observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extent {
    /// The first instant of anything.
    pub first_ns: i64,
    /// The last instant of anything.
    pub last_ns: i64,
    /// The first instant of each table that has rows.
    pub tables: Vec<(String, i64)>,
}

impl Extent {
    /// The first instant of these tables; none where all are empty.
    pub fn first_of(&self, tables: &[&str]) -> Option<i64> {
        self.tables
            .iter()
            .filter(|(table, _)| tables.contains(&table.as_str()))
            .map(|(_, first_ns)| *first_ns)
            .min()
    }
}

/// One table's observations.
#[derive(serde::Deserialize)]
struct Observed {
    table: String,
    first_ns: i64,
    last_ns: i64,
    rows: u64,
}

/// Parts know the least and greatest value of what they are partitioned by, so this reads few rows or none.
async fn observed(
    store: &Store,
    tables: &[&str],
    since_ns: Option<i64>,
) -> Result<Vec<Observed>, QueryError> {
    let sql: Vec<String> = tables
        .iter()
        .map(|table| {
            let time = if *table == "events" { "Start" } else { "Timestamp" };
            let since = since_ns.map_or(String::new(), |since_ns| {
                format!(" WHERE {time} >= fromUnixTimestamp64Nano(toInt64({since_ns}), 'UTC')")
            });
            format!(
                "SELECT '{table}' AS table, toUnixTimestamp64Nano(min({time})) AS first_ns, \
                 toUnixTimestamp64Nano(max({time})) AS last_ns, count() AS rows FROM {table}{since}"
            )
        })
        .collect();
    let mut found: Vec<Observed> = store.rows(&sql.join(" UNION ALL ")).await?;
    found.retain(|of| of.rows > 0);
    Ok(found)
}

/// From when to when anything was observed; none in an empty store.
pub(crate) async fn extent(store: &Store) -> Result<Option<Extent>, QueryError> {
    let found = observed(store, &["logs", "samples", "events"], None).await?;
    let bounds = found.iter().map(|of| of.first_ns).min().zip(found.iter().map(|of| of.last_ns).max());
    let tables = found.iter().map(|of| (of.table.clone(), of.first_ns)).collect();
    Ok(bounds.map(|(first_ns, last_ns)| Extent { first_ns, last_ns, tables }))
}

/// The first instant of these tables at or after another.
pub(crate) async fn first_since(
    store: &Store,
    tables: &[&str],
    since_ns: i64,
) -> Result<Option<i64>, QueryError> {
    Ok(observed(store, tables, Some(since_ns)).await?.iter().map(|of| of.first_ns).min())
}

/// Adds the hosts that ever sent anything, so that those without events count as observed. Asked for first, they have the
/// same numbers each time, on which chance's draws depend.
pub(crate) async fn number_hosts(store: &Store, names: &Names) -> Result<(), QueryError> {
    #[derive(serde::Deserialize)]
    struct Of {
        hosts: String,
    }
    let found: Vec<Of> = store.rows("SELECT DISTINCT HostNames AS hosts FROM batches").await?;
    let mut hosts: Vec<&str> =
        found.iter().flat_map(|of| of.hosts.split('\n')).filter(|host| !host.is_empty()).collect();
    hosts.sort_unstable();
    for host in hosts {
        names.hosts.number(host);
    }
    Ok(())
}
