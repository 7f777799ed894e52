//! What is counted of batches that are stored, whichever way they came.

use std::sync::Arc;

use lastwords_runtime::now_ns;

use super::prepared::Prepared;
use crate::metrics::Counters;

/// Counts a block that is stored.
pub(crate) fn count_stored(counters: &Counters, batches: &[Arc<Prepared>]) {
    for batch in batches {
        counters.events.inc_by(batch.events() as u64);
        match &**batch {
            Prepared::Opened(opened, ..) => {
                counters.durable(opened.records.len() as u64, opened.records.text.len() as u64);
                let lag_ns = now_ns().saturating_sub(opened.header.sealed_time_ns);
                counters.lag_ms.set(lag_ns / 1_000_000);
            }
            Prepared::Aside(aside) => {
                counters.batches.inc();
                counters.quarantined.inc();
                tracing::warn!(batch = %aside.id, reason = aside.reason, "a batch was set aside");
            }
        }
    }
    if !batches.is_empty() {
        counters.blocks.inc();
    }
}
