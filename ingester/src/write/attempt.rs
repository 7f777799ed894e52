//! When an attempt begins and when it is over, by the store's clock: whoever plans at one moment and inserts at another
//! may be on another machine, or have stood still in between.

use std::time::Duration;

use lastwords_runtime::{Backoff, Pauses};
use lastwords_store::Store;

/// The store takes an attempt's inserts for so long (constraint `in_time` of every table).
pub(crate) const ATTEMPT_S: u32 = 60;
/// From the store's check to the part's commit, at most.
pub(crate) const SLACK_S: u32 = 5;
/// Between two tries of what the store did not answer, or did not take.
pub(crate) const PAUSES: Pauses = Pauses::between(Duration::from_millis(50), Duration::from_secs(5));
/// Between two looks at an attempt that goes on.
const LOOKS: Pauses = Pauses::between(Duration::from_millis(200), Duration::from_secs(1));

/// The store's clock, asked until it answers.
pub(crate) async fn planning_time_s(store: &Store) -> u32 {
    let mut backoff = Backoff::new(PAUSES);
    loop {
        match store.planning_time_s().await {
            Ok(planned_s) => return planned_s,
            Err(error) => tracing::warn!(%error, "the store does not tell its time; asking again"),
        }
        backoff.wait().await;
    }
}

/// Waits until nothing that was planned then can arrive in the store any more.
pub(crate) async fn attempt_over(store: &Store, planned_s: u32) {
    let mut backoff = Backoff::new(LOOKS);
    loop {
        match store.is_over(planned_s, ATTEMPT_S + SLACK_S).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the store does not tell its time; asking again"),
        }
        backoff.wait().await;
    }
}
