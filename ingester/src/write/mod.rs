//! Writes batches into the store, exactly once.
//!
//! The way of a block:
//! 1. [`gather`]: batches that came one by one are opened, scanned and collected until a block is worth its insert;
//!    [`turns`] say whose is next (pure), [`footprint`] what a batch will be, and whether it may (pure).
//! 2. [`block`]: their columns become units, one for each table and day.
//! 3. [`intent`]: what will be inserted is made durable.
//! 4. [`plan`]: which unit is inserted or read back next (pure); [`insert`] does it.
//! 5. [`memory`], [`ledger`]: what is stored, so that what comes again is not inserted again.

mod block;
mod footprint;
mod gather;
mod insert;
mod intent;
mod ledger;
mod memory;
#[cfg(test)]
mod model;
pub(crate) mod plan;
mod read_back;
mod turns;
mod unit;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use lastwords_detect::Detector;
use lastwords_record::{BatchId, limits::BATCH_DAYS_MAX};
use lastwords_store::{QueryError, Store};
use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

pub use block::{EventFound, Prepared, form};
pub(crate) use block::{FoundAgain, host_names};
pub use footprint::Footprint;
pub use gather::prepare;
pub(crate) use gather::{Bounds, attempt_over, planning_time_s, prepare_within};
pub(crate) use insert::{insert_unit, set_aside};
pub use intent::IntentError;
pub(crate) use ledger::Ledger;
pub(crate) use read_back::stored_units;
pub use unit::{Table, Unit};

use crate::{
    metrics::Counters,
    queue::{Submitted, Written},
};
use gather::Ways;
use insert::First;
use intent::Intents;
use memory::Memory;

/// When gathered batches become a block: at the first limit, and after `settle` whenever the store is idle.
#[derive(Debug, Clone)]
pub struct BlockLimits {
    /// Rows of a block.
    pub rows_max: usize,
    /// Bytes that the rows of a block become, as they are counted for a batch.
    pub bytes_max: usize,
    /// Units of a block of other days than these, without the ledger.
    pub units_max: usize,
    /// How long the first batch waits for company although the store is idle.
    pub settle: Duration,
}

impl Default for BlockLimits {
    fn default() -> Self {
        // Also bounds the rate of inserts: the store remembers 10,000 tokens a table, which has to outlast an attempt.
        BlockLimits {
            rows_max: 300_000,
            // So many rows of 187 bytes of text with a path.
            bytes_max: 128 << 20,
            // The most that one batch may have: its days, and those of the events in its records.
            units_max: 2 * BATCH_DAYS_MAX,
            settle: Duration::from_millis(50),
        }
    }
}

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

/// What both halves of the writer share.
#[derive(Debug, Default)]
struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    memory: Memory,
    /// Batches between gathering and storage, with those who wait for them.
    under_way: HashMap<BatchId, Vec<oneshot::Sender<Written>>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No half of a change is ever visible: a panic between two of them loses nothing but the process's trust.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the writer: reads the ledger, reads back open intents, then takes batches until the queue is closed.
pub(crate) async fn start(
    store: Store,
    detector: Arc<Detector>,
    intents: &Path,
    limits: BlockLimits,
    counters: Arc<Counters>,
    batches: mpsc::UnboundedReceiver<Submitted>,
) -> Result<JoinHandle<()>, StartError> {
    let intents = Intents::open(intents.to_owned())?;
    let mut memory = Memory::new(Ledger::load(&store).await?);
    let mut left_over = Vec::new();
    for intent in intents.open_ones()? {
        let open: Vec<BatchId> = intent.batches.iter().copied().filter(|id| !memory.knows(id)).collect();
        for table in Table::ALL {
            for (id, unit) in read_back::stored_units(&store, table, &open).await? {
                memory.stored(id, unit);
            }
        }
        left_over.push(intent);
    }
    if memory.partly_stored() > 0 {
        tracing::info!(batches = memory.partly_stored(), "partly stored batches wait to be sent again");
    }
    let shared = Arc::new(Shared(Mutex::new(State { memory, under_way: HashMap::new() })));
    // A block of each kind waits while others are inserted: detection and forming run beside the store.
    let ((live, live_formed), (few, few_formed), (many, many_formed)) =
        (mpsc::channel(1), mpsc::channel(1), mpsc::channel(1));
    let ways = Ways { live, few, many };
    let formed = Ways {
        live: tokio::sync::Mutex::new(live_formed),
        few: tokio::sync::Mutex::new(few_formed),
        many: tokio::sync::Mutex::new(many_formed),
    };
    let gatherer = gather::Gatherer {
        store: store.clone(),
        detector,
        limits,
        counters: Arc::clone(&counters),
        shared: Arc::clone(&shared),
    };
    let numbers = Arc::new(AtomicU64::new(0));
    let mut first = insert::Inserter::new(store, intents, left_over, counters, shared, numbers);
    first.forget_settled();
    // Blocks have no batch in common, so two can be under way: one alone does not keep two cores of a store busy.
    let second = first.beside();
    let gatherer = tokio::spawn(gatherer.run(batches, ways));
    Ok(tokio::spawn(async move {
        tokio::join!(first.run(&formed, First::Live), second.run(&formed, First::History));
        if let Err(error) = gatherer.await {
            tracing::error!(%error, "the gatherer broke; nothing more is stored");
        }
    }))
}
