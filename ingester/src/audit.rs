//! The audit of a store that is written to: at the start, and every day; what is old of its ledger is folded then. What is missing is told as events of class
//! `lastwords.loss`, noted in the store for whoever asks, and counted.

use std::{sync::Arc, time::Duration};

use lastwords_store::{Audit, Depth, QueryError, Store};
use tokio::time::sleep;

use crate::{
    metrics::Counters,
    write::loss::{self, Loss},
};

/// After the start: what comes first is more urgent.
const FIRST: Duration = Duration::from_secs(20);
const EVERY: Duration = Duration::from_secs(24 * 3600);
/// Where the store does not answer.
const AGAIN: Duration = Duration::from_secs(600);
/// Batches are compared by their whole content for so long.
const FOLDED_AFTER_S: u32 = 30 * 24 * 3600;
/// Events of one audit; what is beyond is in the sum.
const TOLD_MAX: usize = 1_000;

/// Audits for ever.
pub async fn watch(store: Store, counters: Arc<Counters>) {
    sleep(FIRST).await;
    loop {
        fold(&store).await;
        let pause = match audit(&store, Depth::Sums).await {
            Ok(audit) => {
                counters.audited(audit.missing.len() as u64, audit.broken_parts);
                EVERY
            }
            Err(error) => {
                tracing::warn!(%error, "the store cannot be audited; trying again later");
                AGAIN
            }
        };
        sleep(pause).await;
    }
}

/// Folds what is old of the ledger.
async fn fold(store: &Store) {
    let folded = match store.planning_time_s().await {
        Ok(now_s) => store.fold_ledger(now_s.saturating_sub(FOLDED_AFTER_S)).await,
        Err(error) => Err(error),
    };
    match folded {
        Ok(0) => {}
        Ok(chunks) => tracing::info!(chunks, "old entries of the ledger have become ranges"),
        Err(error) => tracing::warn!(%error, "the ledger cannot be folded now"),
    }
}

/// Audits once, and tells what is missing.
///
/// # Errors
/// Where the store does not answer.
pub async fn audit(store: &Store, depth: Depth) -> Result<Audit, QueryError> {
    let audit = store.audit(depth).await?;
    let ranges = audit.missing_ranges();
    for (range, hosts, records) in ranges.iter().take(TOLD_MAX) {
        let host = if hosts.contains('\n') { "" } else { hosts };
        let batches = range.last - range.first + 1;
        let attributes = [
            ("cause", "missing_rows".to_owned()),
            ("shipper", range.shipper.to_string()),
            ("epoch", range.epoch.to_string()),
            ("first_sequence", range.first.to_string()),
            ("last_sequence", range.last.to_string()),
            ("batches", batches.to_string()),
            ("records", records.to_string()),
        ];
        let title = format!(
            "{records} records of {} are gone from the store (batches {} to {}): the ledger says that they were stored; `lastwords store audit --repair` has them stored again where somebody still has them",
            if host.is_empty() { "several hosts" } else { host },
            range.first,
            range.last
        );
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let key = format!("rows/{}/{}/{}/{}", range.shipper, range.epoch, range.first, range.last);
        // Epochs are when a shipper began: the same for the same loss.
        let time_ns = i64::try_from(range.epoch).unwrap_or(0);
        loss::tell(store, &Loss { key, time_ns, host: host.to_owned(), title, attributes }).await;
    }
    if audit.broken_parts > 0 {
        tracing::warn!(
            parts = audit.broken_parts,
            "the engine has set parts aside as broken: what was in them is not found any more"
        );
    }
    if !audit.unknown.is_empty() {
        tracing::warn!(
            batches = audit.unknown.len(),
            "the store has rows of batches that its ledger does not know; `lastwords store audit --repair` enters them"
        );
    }
    store.note_audit(&audit).await?;
    Ok(audit)
}
