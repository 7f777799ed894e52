//! When machines spoke: by their log records and their samples.

use serde::Deserialize;

use super::literal::instant;
use crate::{Store, store::QueryError};

/// Which machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machines {
    /// Hosts.
    Hosts,
    /// Guests: by UUID, or by `host/name` where that is not known.
    Guests,
}

/// When a machine was heard of first and last.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Heard {
    /// Its host.
    pub host: String,
    /// The guest; empty for a host.
    pub guest: String,
    /// The first instant, nanoseconds since the epoch.
    pub first_ns: i64,
    /// The last one.
    pub last_ns: i64,
}

/// When each machine was heard of in a time; a guest once for each host.
///
/// # Errors
/// Where the store fails.
pub async fn read_heard(
    store: &Store,
    machines: Machines,
    from_ns: i64,
    to_ns: i64,
) -> Result<Vec<Heard>, QueryError> {
    let (guest, which) = match machines {
        Machines::Guests => (
            "multiIf(GuestUuid != '', lower(toString(GuestUuid)), Guest != '', concat(Host, '/', Guest), '')",
            "guest != ''",
        ),
        Machines::Hosts => ("''", "Host != ''"),
    };
    let of_table = |table: &str| {
        format!(
            "SELECT toString(Host) AS host, {guest} AS guest, min(toUnixTimestamp64Nano(Timestamp)) AS first, \
             max(toUnixTimestamp64Nano(Timestamp)) AS last FROM {table} \
             WHERE {which} AND Timestamp >= {} AND Timestamp < {} GROUP BY host, guest",
            instant(from_ns),
            instant(to_ns)
        )
    };
    let sql = format!(
        "SELECT host, guest, min(first) AS first_ns, max(last) AS last_ns FROM ({} UNION ALL {}) GROUP BY host, guest",
        of_table("logs"),
        of_table("samples")
    );
    store.rows(&sql).await
}

/// A time in which a machine that had spoken said nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Gap {
    /// The machine.
    pub machine: String,
    /// Its host.
    pub host: String,
    /// The last that was heard of it, nanoseconds since the epoch.
    pub from_ns: i64,
    /// When it spoke again; 0 while it is silent.
    pub to_ns: i64,
}

/// Gaps of at least so many nanoseconds that reach into a time, and those that last, in order of their beginnings.
///
/// They are found by the first and last instants in buckets of half that length: a gap never fits into one.
///
/// # Errors
/// Where the store fails.
pub async fn read_gaps(
    store: &Store,
    machines: Machines,
    gap_ns_min: i64,
    (from_ns, to_ns): (i64, i64),
) -> Result<Vec<Gap>, QueryError> {
    let (machine, which) = match machines {
        Machines::Hosts => ("toString(Host)", "Host != ''"),
        Machines::Guests => (
            "if(GuestUuid != '', toString(GuestUuid), concat(Host, '/', Guest))",
            "(Guest != '' OR GuestUuid != '')",
        ),
    };
    let bucket_ns = (gap_ns_min / 2).max(1);
    // What was said before the time tells since when a machine is silent in it.
    let spoken = |table: &str| {
        format!(
            "SELECT {machine} AS machine, greatest(intDiv(toUnixTimestamp64Nano(Timestamp), {bucket_ns}), \
             intDiv(toInt64({from_ns}), {bucket_ns}) - 1) AS bucket, anyLast(toString(Host)) AS host, \
             min(toUnixTimestamp64Nano(Timestamp)) AS first, max(toUnixTimestamp64Nano(Timestamp)) AS last \
             FROM {table} WHERE {which} AND Timestamp < {to} GROUP BY machine, bucket",
            to = instant(to_ns),
        )
    };
    let sql = format!(
        "WITH spoken AS (SELECT machine, bucket, anyLast(host) AS host, min(first) AS first, max(last) AS last FROM \
         ({} UNION ALL {}) GROUP BY machine, bucket), \
         gaps AS (SELECT machine, host, last AS from_ns, leadInFrame(first) OVER (PARTITION BY machine ORDER BY bucket \
         ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS to_ns FROM spoken) \
         SELECT machine, host, from_ns, to_ns FROM gaps WHERE to_ns = 0 OR \
         (to_ns - from_ns >= {gap_ns_min} AND to_ns > {from_ns}) ORDER BY from_ns, machine",
        spoken("logs"),
        spoken("samples"),
    );
    store.rows(&sql).await
}
