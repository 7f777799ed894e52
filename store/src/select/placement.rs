//! Which host ran a guest when, and what hosts and guests were like: table `placement`.

use std::collections::BTreeMap;

use lastwords_record::FOUND_BY;
use serde::Deserialize;

use crate::{Store, store::QueryError};

/// A time in which a guest ran on a host, or in which a host had its attributes: `[start, end)`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Stay {
    /// The host's name.
    pub host: String,
    /// The guest's name; empty for the host itself.
    pub guest: String,
    /// The guest's UUID in lower case, or empty.
    pub uuid: String,
    /// Start, nanoseconds since the epoch.
    pub start_ns: i64,
    /// End, exclusive; the greatest number while it lasts.
    pub end_ns: i64,
    /// Memory, rack and so on at that time.
    pub attributes: BTreeMap<String, String>,
}

/// Whose attributes are read; those of guests are most of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attributes {
    /// Those of hosts alone.
    OfHosts,
    /// Those of guests as well.
    OfAll,
}

/// All stays, latest versions.
///
/// # Errors
/// Where the store fails.
pub async fn read_placement(store: &Store, attributes: Attributes) -> Result<Vec<Stay>, QueryError> {
    let attributes = match attributes {
        Attributes::OfAll => "Attributes".to_owned(),
        Attributes::OfHosts => {
            format!("mapFilter((name, _) -> Guest = '' OR name = '{FOUND_BY}', Attributes)")
        }
    };
    let sql = format!(
        "SELECT Host AS host, Guest AS guest, lower(toString(GuestUuid)) AS uuid, toUnixTimestamp64Nano(Start) AS start_ns, \
         ifNull(toUnixTimestamp64Nano(End), {}) AS end_ns, {attributes} AS attributes \
         FROM placement FINAL ORDER BY Guest, GuestUuid, Start, Host",
        i64::MAX
    );
    store.many_rows(&sql).await
}

/// What changes whenever the table does, and at times when it does not.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PlacementVersion {
    rows: u64,
    newest: u64,
    planned: u64,
}

/// The version that the table has now. It costs next to nothing where the table has been seen before.
///
/// # Errors
/// Where the store fails.
pub async fn read_placement_version(store: &Store) -> Result<PlacementVersion, QueryError> {
    let sql = "SELECT count() AS rows, toUInt64(max(Version)) AS newest, sum(toUnixTimestamp(Planned)) AS planned FROM placement";
    let found: Vec<PlacementVersion> = store.rows(sql).await?;
    found.into_iter().next().ok_or_else(|| QueryError::Answer("no version of placement".to_owned()))
}
