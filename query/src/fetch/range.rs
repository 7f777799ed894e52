//! The time that an answer speaks of where its question names none, or not both ends.
//!
//! Chance compares whole days, and a day without observations would pass for a day without partners. One record
//! with a clock of 1970, or of 2099, must not add decades of such days.

use lastwords_store::{QueryError, Store, select::Observations};

use super::extent::{Extent, fetch_first_since};
use crate::{
    answer::Range,
    language::{Bounds, Members, Set},
};

const DAY_NS: i64 = 86_400_000_000_000;
/// So many days before its end a range begins at the earliest, unless the question says since when.
pub const DAYS_MAX: i64 = 1_100;
/// So much later than now a range ends at the latest, unless the question says until when.
pub const AHEAD_NS_MAX: i64 = DAY_NS;

/// The range of a question: what it names, else from the first observation by which its sets could be seen to the
/// last. `compares`: whether with chance.
pub(crate) async fn find_range(
    store: &Store,
    bounds: &Bounds,
    sets: &[&Set],
    compares: bool,
    extent: &Extent,
    now_ns: i64,
) -> Result<Range, QueryError> {
    let mut range = bound_range(bounds, compares, extent, now_ns);
    if !compares || bounds.from_ns.is_some() {
        return Ok(range);
    }
    let tables = tables(sets);
    let first_ns = extent.first_of(tables).unwrap_or(extent.first_ns);
    let earliest_ns = earliest(range.to, now_ns);
    range.from = if first_ns >= earliest_ns {
        first_ns
    } else {
        fetch_first_since(store, tables, earliest_ns).await?.unwrap_or(earliest_ns)
    };
    range.from = range.from.min(range.to);
    Ok(range)
}

/// What needs no look at the store.
fn bound_range(bounds: &Bounds, compares: bool, extent: &Extent, now_ns: i64) -> Range {
    let observed_ns = extent.last_ns.saturating_add(1);
    let latest_ns = if compares { now_ns.saturating_add(AHEAD_NS_MAX) } else { i64::MAX };
    Range {
        from: bounds.from_ns.map_or(extent.first_ns, |from_ns| from_ns.max(extent.first_ns)),
        to: bounds.to_ns.unwrap_or(latest_ns).min(observed_ns),
    }
}

/// Where a range with this end begins at the earliest.
fn earliest(to_ns: i64, now_ns: i64) -> i64 {
    to_ns.min(now_ns).saturating_sub(DAYS_MAX * DAY_NS)
}

/// Texts and conditions are seen by log records alone; classes by samples as well.
fn tables(sets: &[&Set]) -> &'static [Observations] {
    if sets.iter().any(|set| matches!(set.members, Members::Class(_) | Members::Classes(_))) {
        &Observations::ALL
    } else {
        &[Observations::Logs]
    }
}
