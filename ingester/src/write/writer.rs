//! The writer of the direct queue: one gatherer, two inserters.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use lastwords_detect::Detector;
use lastwords_record::BatchId;
use lastwords_runtime::now_ns;
use lastwords_store::{QueryError, Store, StoredLedger};
use thiserror::Error;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

use super::{
    gather::{Gatherer, Ways},
    insert::{First, Inserter},
    intent::{Intent, IntentError, Intents},
    ledger::Ledger,
    memory::Memory,
    read_back::{rows_without_ledger, stored_units},
    state::{Broken, Shared, Submitted},
    turns::BlockLimits,
    unit::Table,
};
use crate::metrics::Counters;

/// How long before the newest entry of the ledger rows may have been planned that a process was in the middle of.
const UNINTENDED_S: u32 = 900;

/// Why the writer cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store does not say what it holds.
    #[error("the store does not say which batches it holds: {0}")]
    Store(#[from] QueryError),
    /// The folder of intents.
    #[error(transparent)]
    Intent(#[from] IntentError),
}

/// A writer that knows what is stored.
#[derive(Debug)]
pub(crate) struct Writer {
    gatherer: Gatherer,
    inserter: Inserter,
}

impl Writer {
    /// Reads the ledger and reads back open intents.
    ///
    /// # Errors
    /// Where the store does not answer, or the folder of intents cannot be used.
    pub(crate) async fn open(
        store: Store,
        detector: Arc<Detector>,
        intents: &Path,
        limits: BlockLimits,
        counters: Arc<Counters>,
    ) -> Result<Writer, StartError> {
        let intents = Intents::open(intents.to_owned())?;
        let stored = read_ledger(&store).await?;
        let newest_s = stored.newest_planned_s;
        let mut memory = Memory::new(Ledger::of(&stored, |_| true));
        drop(stored);
        let mut left_over = Vec::new();
        for intent in intents.open_ones()? {
            let open: Vec<BatchId> = intent.batches.iter().copied().filter(|id| !memory.knows(id)).collect();
            for table in Table::ALL {
                for (id, unit) in stored_units(&store, table, &open).await? {
                    memory.stored(id, unit);
                }
            }
            left_over.push(intent);
        }
        left_over.extend(find_unintended(&store, &intents, newest_s, &mut memory).await?);
        // What an audit took out of the ledger is stored in part.
        let repaired = store.repaired_batches().await?;
        for table in Table::ALL {
            stored_units(&store, table, &repaired)
                .await?
                .into_iter()
                .for_each(|(id, unit)| memory.stored(id, unit));
        }
        if memory.partly_stored() > 0 {
            tracing::info!(batches = memory.partly_stored(), "partly stored batches wait to be sent again");
        }
        let shared = Arc::new(Shared::new(memory));
        let gatherer = Gatherer {
            store: store.clone(),
            detector,
            limits,
            counters: Arc::clone(&counters),
            shared: Arc::clone(&shared),
        };
        let mut inserter = Inserter::new(store, intents, left_over, counters, shared);
        inserter.forget_settled();
        Ok(Writer { gatherer, inserter })
    }

    /// What it knows to be stored.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.gatherer.shared)
    }

    /// Takes batches until the queue is closed, and stores them.
    ///
    /// # Errors
    /// Where a part of it breaks: the others are given up as if the process had been killed. What they had begun is
    /// settled at the next start.
    pub(crate) async fn run(self, batches: mpsc::UnboundedReceiver<Submitted>) -> Result<(), Broken> {
        // A block of each kind waits while others are inserted: detection and forming run beside the store.
        let ((live, live_formed), (few, few_formed), (many, many_formed)) =
            (mpsc::channel(1), mpsc::channel(1), mpsc::channel(1));
        let ways = Ways { live, few, many };
        let formed = Arc::new(Ways {
            live: Mutex::new(live_formed),
            few: Mutex::new(few_formed),
            many: Mutex::new(many_formed),
        });
        let Writer { gatherer, inserter: first } = self;
        // Blocks have no batch in common, so two can be under way: one alone does not keep two cores of a store busy.
        let second = first.beside();
        let mut parts = JoinSet::new();
        parts.spawn(gatherer.run(batches, ways));
        parts.spawn(first.run(Arc::clone(&formed), First::Live));
        parts.spawn(second.run(formed, First::History));
        all_end_well(parts).await
    }
}

/// The ledger; parts of it that cannot be read are set aside, since nothing would be taken in for ever.
async fn read_ledger(store: &Store) -> Result<StoredLedger, QueryError> {
    let error = match store.stored_ledger().await {
        // Damage looks like much else; whether there is any is what the check says.
        Err(error) if !matches!(error, QueryError::Unreachable(_)) => error,
        read => return read,
    };
    tracing::error!(%error, "the ledger cannot be read; looking for parts of it that are damaged");
    let aside = store.set_broken_ledger_aside().await?;
    if aside.is_empty() {
        return Err(error);
    }
    tracing::error!(
        ?aside,
        "damaged parts of the ledger are set aside: `lastwords store audit` says what they knew"
    );
    store.stored_ledger().await
}

/// What is stored of batches that neither the ledger nor an intent knows: an intent was damaged, or is gone. They get an
/// intent, so that the next start knows them as well.
async fn find_unintended(
    store: &Store,
    intents: &Intents,
    newest_s: u32,
    memory: &mut Memory,
) -> Result<Option<Intent>, StartError> {
    let mut batches = BTreeSet::new();
    let since_s = newest_s.saturating_sub(UNINTENDED_S);
    let found = rows_without_ledger(store, since_s, |id| memory.knows(id)).await?;
    for (id, unit) in found {
        if !memory.is_partly_stored(&id) || batches.contains(&id) {
            memory.stored(id, unit);
            batches.insert(id);
        }
    }
    if batches.is_empty() {
        return Ok(None);
    }
    tracing::warn!(
        batches = batches.len(),
        "the store has rows of batches that neither the ledger nor an intent knows; only what is missing of them will be stored"
    );
    let nonce = u64::try_from(now_ns()).unwrap_or(0);
    let intent =
        Intent { nonce, number: 0, attempt: 0, planned_s: newest_s, batches: batches.into_iter().collect() };
    intents.keep(&intent)?;
    Ok(Some(intent))
}

/// Waits for all parts; where one breaks, the others are ended.
async fn all_end_well(mut parts: JoinSet<Result<(), Broken>>) -> Result<(), Broken> {
    while let Some(ended) = parts.join_next().await {
        let broken = match ended {
            Ok(Ok(())) => continue,
            Ok(Err(broken)) => broken,
            Err(error) => Broken(format!("a part of the writer broke: {error}")),
        };
        parts.shutdown().await;
        return Err(broken);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_panics_ends_the_others_and_says_so() {
        let (alive, gone) = tokio::sync::oneshot::channel::<()>();
        let mut parts = JoinSet::new();
        parts.spawn(async { Ok(()) });
        parts.spawn(async move {
            let _alive = alive;
            std::future::pending().await
        });
        parts.spawn(async { panic!("as it does in this test") });
        let broken = all_end_well(parts).await.unwrap_err();
        assert!(broken.to_string().contains("as it does in this test"), "{broken}");
        assert!(gone.await.is_err(), "the part that was at work has been dropped");
    }

    #[tokio::test]
    async fn parts_that_end_well_are_waited_for() {
        let mut parts = JoinSet::new();
        parts.spawn(async { Ok(()) });
        parts.spawn(async {
            tokio::task::yield_now().await;
            Ok(())
        });
        assert_eq!(all_end_well(parts).await, Ok(()));
    }
}
