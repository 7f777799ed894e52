//! From when to when the store has observed anything, and of which hosts.

use lastwords_store::{
    QueryError, Store,
    select::{Observations, Observed, read_extent, read_hosts},
};

use crate::names::Names;

/// What the store has observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first instant of anything.
    pub first_ns: i64,
    /// The last instant of anything.
    pub last_ns: i64,
    tables: Vec<Observed>,
}

impl Extent {
    /// The first instant of these tables; none where all are empty.
    pub fn first_of(&self, tables: &[Observations]) -> Option<i64> {
        let of_these = self.tables.iter().filter(|observed| tables.contains(&observed.table));
        of_these.map(|observed| observed.first_ns).min()
    }
}

/// From when to when anything was observed; none in an empty store.
pub(crate) async fn fetch_extent(store: &Store) -> Result<Option<Extent>, QueryError> {
    let tables = read_extent(store, &Observations::ALL, None).await?;
    let first_ns = tables.iter().map(|observed| observed.first_ns).min();
    let last_ns = tables.iter().map(|observed| observed.last_ns).max();
    Ok(first_ns.zip(last_ns).map(|(first_ns, last_ns)| Extent { first_ns, last_ns, tables }))
}

/// The first instant of these tables at or after another.
pub(crate) async fn fetch_first_since(
    store: &Store,
    tables: &[Observations],
    since_ns: i64,
) -> Result<Option<i64>, QueryError> {
    let found = read_extent(store, tables, Some(since_ns)).await?;
    Ok(found.iter().map(|observed| observed.first_ns).min())
}

/// Adds the hosts that ever sent anything, so that those without events count as observed. Asked for first, they have the
/// same numbers each time, on which chance's draws depend.
pub(crate) async fn number_hosts(store: &Store, names: &Names) -> Result<(), QueryError> {
    for host in read_hosts(store).await? {
        names.hosts.number(&host);
    }
    Ok(())
}
