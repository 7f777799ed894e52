//! Collects batches until a block is worth its insert. While the store is busy, blocks grow; when it is idle, a block
//! leaves after a moment, so that a fresh line is soon found.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use lastwords_detect::Detector;
use lastwords_record::{Batch, BatchId};
use lastwords_store::{NativeBlock, Store};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::Instant,
};

use super::{
    BlockLimits, Shared, Unit,
    block::{self, Prepared, now_ns},
    insert::{ATTEMPT, SLACK},
};
use crate::{
    detect,
    metrics::Counters,
    quarantine::Aside,
    queue::{Incoming, Submitted, Written},
};

/// A block on its way to the store.
#[derive(Debug)]
pub struct Block {
    /// Its batches.
    pub batches: Vec<Arc<Prepared>>,
    /// Their rows.
    pub units: Vec<(Unit, NativeBlock)>,
    /// The store's clock when it was formed, seconds.
    pub planned_s: u32,
    /// When that was by our clock.
    pub formed: Instant,
    /// Room in the queue, given back with the block.
    pub room: Vec<OwnedSemaphorePermit>,
}

/// The first half of the writer.
#[derive(Debug)]
pub struct Gatherer {
    pub store: Store,
    pub detector: Arc<Detector>,
    pub limits: BlockLimits,
    pub counters: Arc<Counters>,
    pub shared: Arc<Shared>,
}

#[derive(Default)]
struct Gathered {
    batches: Vec<Arc<Prepared>>,
    room: Vec<OwnedSemaphorePermit>,
    rows: usize,
    bytes: usize,
}

impl Gatherer {
    /// Runs until the queue is closed and empty.
    pub async fn run(self, mut queue: mpsc::UnboundedReceiver<Submitted>, blocks: mpsc::Sender<Block>) {
        while let Some(first) = queue.recv().await {
            let mut gathered = Gathered::default();
            self.take(first, &mut gathered).await;
            if gathered.batches.is_empty() {
                continue;
            }
            let settled = Instant::now() + self.limits.settle;
            let mut open = true;
            let slot = loop {
                if gathered.rows >= self.limits.rows_max || gathered.bytes >= self.limits.bytes_max {
                    break blocks.reserve().await;
                }
                // A steady stream must not keep an idle store waiting.
                if Instant::now() >= settled
                    && let Ok(slot) = blocks.try_reserve()
                {
                    break Ok(slot);
                }
                tokio::select! {
                    biased;
                    next = queue.recv(), if open => match next {
                        Some(next) => self.take(next, &mut gathered).await,
                        None => open = false,
                    },
                    slot = blocks.reserve(), if !open || Instant::now() >= settled => break slot,
                    () = tokio::time::sleep_until(settled), if Instant::now() < settled => {}
                }
            };
            let Ok(slot) = slot else { return };
            match self.form(gathered).await {
                Some(block) => slot.send(block),
                None => return,
            }
        }
    }

    /// Opens and scans one batch, unless it is known or under way already.
    async fn take(&self, submitted: Submitted, gathered: &mut Gathered) {
        let Submitted { id, incoming, reply, room } = submitted;
        {
            let mut state = self.shared.lock();
            if state.memory.knows(&id) {
                Counters::add(&self.counters.known_batches, 1);
                // Whoever sent it may be gone.
                let _ = reply.send(Written::default());
                return;
            }
            let waiting = state.under_way.entry(id).or_default();
            waiting.push(reply);
            if waiting.len() > 1 {
                Counters::add(&self.counters.known_batches, 1);
                return;
            }
        }
        let detector = Arc::clone(&self.detector);
        let prepared = tokio::task::spawn_blocking(move || prepare(&detector, id, incoming)).await;
        match prepared {
            Ok(prepared) => {
                gathered.rows += prepared.rows();
                gathered.bytes += prepared.bytes();
                gathered.batches.push(Arc::new(prepared));
                gathered.room.push(room);
            }
            Err(error) => {
                // Its sender gets no acknowledgement and sends it again.
                tracing::error!(batch = %id, %error, "opening a batch broke");
                self.shared.lock().under_way.remove(&id);
            }
        }
    }

    /// Forms the block; none where this process is ending.
    async fn form(&self, gathered: Gathered) -> Option<Block> {
        let planned_s = planning_time_s(&self.store).await;
        let Gathered { batches, room, .. } = gathered;
        let units = form_units(&self.shared, &batches, planned_s).await?;
        Some(Block { batches, units, planned_s, formed: Instant::now(), room })
    }
}

/// The store's clock, asked until it answers.
pub async fn planning_time_s(store: &Store) -> u32 {
    let mut pause = Duration::from_millis(50);
    loop {
        match store.planning_time_s().await {
            Ok(planned_s) => return planned_s,
            Err(error) => tracing::warn!(%error, "the store does not tell its time; asking again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// Waits until nothing that was planned then can arrive in the store any more.
pub async fn attempt_over(store: &Store, planned_s: u32) {
    let mut pause = Duration::from_millis(200);
    loop {
        match store.is_over(planned_s, ATTEMPT + SLACK).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the store does not tell its time; asking again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Forms units away from the threads that serve; none where this process is ending.
pub async fn form_units(
    shared: &Shared,
    batches: &[Arc<Prepared>],
    planned_s: u32,
) -> Option<Vec<(Unit, NativeBlock)>> {
    // A batch is in one block at a time, so what is stored of it does not change meanwhile.
    let partly = shared.lock().memory.partly_stored_among(batches.iter().map(|batch| batch.id()));
    let batches = batches.to_vec();
    let formed = tokio::task::spawn_blocking(move || {
        let lacks = |id: &BatchId, unit: Unit| !partly.get(id).is_some_and(|units| units.contains(&unit));
        block::form(batches.iter().map(Arc::as_ref), lacks, planned_s)
    });
    match formed.await {
        Ok(units) => Some(units),
        Err(error) => {
            tracing::error!(%error, "forming a block broke");
            None
        }
    }
}

/// Opens and scans a batch; whatever goes wrong, it becomes something that can be stored.
pub fn prepare(detector: &Detector, id: BatchId, incoming: Incoming) -> Prepared {
    let batch = match incoming {
        Incoming::Opened(batch) => batch,
        Incoming::Sealed(envelope) => {
            let opened = catch_unwind(AssertUnwindSafe(|| Batch::open(&envelope)));
            let reason = match opened {
                Ok(Ok(batch)) => return scanned(detector, batch),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "opening it broke the program".to_owned(),
            };
            return Prepared::Aside(Aside { id, envelope, reason, sealed_ns: now_ns() });
        }
    };
    scanned(detector, batch)
}

/// A batch on which the detector breaks would break it again and again: it is poison.
fn scanned(detector: &Detector, batch: Batch) -> Prepared {
    match catch_unwind(AssertUnwindSafe(|| detect::scan(detector, &batch))) {
        Ok(found) => Prepared::Opened(Box::new(batch), found),
        Err(_) => {
            Prepared::Aside(Aside::opened(&batch, "looking for events in it broke the program".to_owned()))
        }
    }
}
