//! Stores the blocks of the direct queue, one after the other: each by its plan, under an intent.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use lastwords_record::BatchId;
use lastwords_runtime::{Backoff, now_ns};
use lastwords_store::{NativeBlock, Store};
use tokio::{
    sync::{Mutex, mpsc},
    time::Instant,
};

use super::{
    attempt::{PAUSES, planning_time_s},
    books::count_stored,
    drive::{Driver, Ended, Planned, Replanned},
    gather::{Block, Ways},
    intent::{Intent, Intents},
    plan::Plan,
    prepared::Prepared,
    state::{Broken, Shared, form_units},
    unit::Unit,
};
use crate::{
    metrics::Counters,
    queue::{Durability, Written},
};

/// A formed block that has waited longer is planned anew before it is tried: its attempt would be too short.
const PLAN_AGE_MAX: Duration = Duration::from_secs(15);

/// The second half of the writer; two of them take turns.
#[derive(Debug)]
pub struct Inserter {
    store: Store,
    intents: Intents,
    /// Intents that stay until their partly stored batches have come again.
    left_over: Vec<Intent>,
    counters: Arc<Counters>,
    shared: Arc<Shared>,
    driver: Driver,
    nonce: u64,
    /// Numbers of the blocks of this process.
    numbers: Arc<AtomicU64>,
}

/// What an inserter takes before anything else. While one of them is busy with history, what comes live has the other;
/// and the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Rows of these days; then history of a few units, which does not take long.
    Live,
    /// History; then rows of these days.
    History,
}

/// A block under its intent.
struct Intended<'a> {
    store: &'a Store,
    intents: &'a Intents,
    shared: &'a Shared,
    batches: &'a [Arc<Prepared>],
    /// What was stored of its batches before it.
    already: HashMap<BatchId, BTreeSet<Unit>>,
    units: Vec<(Unit, NativeBlock)>,
    intent: Intent,
}

impl Planned for Intended<'_> {
    type Abandoned = Broken;

    fn unit(&self, place: usize) -> Option<(Unit, NativeBlock)> {
        self.units.get(place).cloned()
    }

    fn token(&self, place: usize, _attempt: u32) -> Option<String> {
        // The intent has the number of the attempt.
        self.units.get(place).map(|(unit, _)| self.intent.token(*unit))
    }

    fn witnesses(&self, place: usize) -> Vec<BatchId> {
        let Some((unit, _)) = self.units.get(place) else { return Vec::new() };
        let had = |id: &BatchId| self.already.get(id).is_some_and(|units| units.contains(unit));
        self.intent.batches.iter().copied().filter(|id| !had(id)).collect()
    }

    fn planned_s(&self) -> u32 {
        self.intent.planned_s
    }
}

impl Replanned for Intended<'_> {
    async fn replan(&mut self, attempt: u32) -> Result<(), Broken> {
        self.intent.attempt = attempt;
        self.intent.planned_s = planning_time_s(self.store).await;
        // The same batches give the same units, now with the new plan's time in their rows.
        self.units = form_units(self.shared, self.batches, self.intent.planned_s).await?;
        keep(self.intents, &self.intent).await;
        Ok(())
    }
}

/// Makes an intent durable; nothing is inserted before. A full disk may have room again.
async fn keep(intents: &Intents, intent: &Intent) {
    let mut backoff = Backoff::new(PAUSES);
    loop {
        let (intents, intent) = (intents.clone(), intent.clone());
        match tokio::task::spawn_blocking(move || intents.keep(&intent)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::error!(%error, "nothing is stored until the intent can be written"),
            Err(error) => tracing::error!(%error, "writing an intent broke"),
        }
        backoff.wait().await;
    }
}

impl Inserter {
    pub fn new(
        store: Store,
        intents: Intents,
        left_over: Vec<Intent>,
        counters: Arc<Counters>,
        shared: Arc<Shared>,
    ) -> Inserter {
        // The data folder is locked, so two processes never share a nanosecond.
        let nonce = u64::try_from(now_ns()).unwrap_or(0);
        let driver = Driver::new(store.clone(), Arc::clone(&counters));
        let numbers = Arc::new(AtomicU64::new(0));
        Inserter { store, intents, left_over, counters, shared, driver, nonce, numbers }
    }

    /// Another one, which takes blocks beside this one.
    pub fn beside(&self) -> Inserter {
        Inserter {
            store: self.store.clone(),
            intents: self.intents.clone(),
            left_over: Vec::new(),
            counters: Arc::clone(&self.counters),
            shared: Arc::clone(&self.shared),
            driver: Driver::new(self.store.clone(), Arc::clone(&self.counters)),
            nonce: self.nonce,
            numbers: Arc::clone(&self.numbers),
        }
    }

    /// Runs until the gatherer has ended.
    ///
    /// # Errors
    /// Where a block cannot be formed again.
    pub async fn run(
        mut self,
        blocks: Arc<Ways<Mutex<mpsc::Receiver<Block>>>>,
        first: First,
    ) -> Result<(), Broken> {
        while let Some(block) = next_block(&blocks, first).await {
            let Block { batches, units, planned_s, formed, room } = block;
            let (waited, since) = (formed.elapsed(), Instant::now());
            let rows: usize = batches.iter().map(|batch| batch.rows()).sum();
            let units = if waited > PLAN_AGE_MAX { None } else { Some((units, planned_s)) };
            self.settle(batches, units).await?;
            tracing::debug!(
                rows,
                waited_ms = waited.as_millis(),
                took_ms = since.elapsed().as_millis(),
                "block stored"
            );
            drop(room);
        }
        // What the other one has settled.
        self.forget_settled();
        Ok(())
    }

    /// Stores these batches, whatever it takes. A block that is refused is halved until the poison is alone, which
    /// is then set aside.
    async fn settle(
        &mut self,
        batches: Vec<Arc<Prepared>>,
        formed: Option<(Vec<(Unit, NativeBlock)>, u32)>,
    ) -> Result<(), Broken> {
        let mut left = vec![(batches, formed)];
        let mut backoff = Backoff::new(PAUSES);
        while let Some((batches, formed)) = left.pop() {
            let (place, reason, intent, units) = match self.store(&batches, formed).await? {
                Settled::Stored(intent) => {
                    self.acknowledge(&batches);
                    self.forget(&intent);
                    self.forget_settled();
                    continue;
                }
                Settled::Refused { place, reason, intent, units } => (place, reason, intent, units),
            };
            self.remember(&batches, units.get(..place).unwrap_or_default());
            self.left_over.push(intent);
            match batches.as_slice() {
                [alone] => {
                    if matches!(**alone, Prepared::Aside(_)) {
                        tracing::error!(batch = %alone.id(), reason, "even the quarantine is refused; trying again");
                        backoff.wait().await;
                    }
                    left.push((vec![Arc::new(alone.set_aside(reason))], None));
                }
                _ => {
                    let (head, tail) = batches.split_at(batches.len() / 2);
                    left.push((tail.to_vec(), None));
                    left.push((head.to_vec(), None));
                }
            }
        }
        Ok(())
    }

    /// Stores one block by its plan.
    async fn store(
        &mut self,
        batches: &[Arc<Prepared>],
        formed: Option<(Vec<(Unit, NativeBlock)>, u32)>,
    ) -> Result<Settled, Broken> {
        let (units, planned_s) = match formed {
            Some(formed) => formed,
            None => {
                let planned_s = planning_time_s(&self.store).await;
                (form_units(&self.shared, batches, planned_s).await?, planned_s)
            }
        };
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let ids: Vec<BatchId> = batches.iter().map(|batch| batch.id()).collect();
        let already = self.shared.lock().memory.partly_stored_among(ids.iter().copied());
        let intent = Intent { nonce: self.nonce, number, attempt: 0, planned_s, batches: ids };
        keep(&self.intents, &intent).await;
        let plan = Plan::new(units.len());
        let mut block = Intended {
            store: &self.store,
            intents: &self.intents,
            shared: &self.shared,
            batches,
            already,
            units,
            intent,
        };
        let ended = self.driver.run(&mut block, plan).await?;
        let Intended { units, intent, .. } = block;
        Ok(match ended {
            Ended::Stored => Settled::Stored(intent),
            Ended::Refused { place, reason } => Settled::Refused { place, reason, intent, units },
        })
    }

    /// Everybody who waits for one of these batches is told.
    fn acknowledge(&self, batches: &[Arc<Prepared>]) {
        count_stored(&self.counters, batches);
        let mut state = self.shared.lock();
        for batch in batches {
            let id = batch.id();
            state.memory.done(id);
            let quarantined = u64::from(matches!(**batch, Prepared::Aside(_)));
            let (durability, events) = (Durability::StoreSynced, batch.events() as u64);
            let written = Written { durability, events, quarantined, conflicting: false };
            for waiting in state.under_way.remove(&id).unwrap_or_default() {
                // Whoever sent it may be gone.
                let _ = waiting.send(written);
            }
        }
    }

    /// Keeps in mind which units of a refused block are stored.
    fn remember(&self, batches: &[Arc<Prepared>], stored: &[(Unit, NativeBlock)]) {
        let mut state = self.shared.lock();
        for (unit, _) in stored {
            for batch in batches {
                // A batch without rows of this unit loses nothing by being noted.
                state.memory.stored(batch.id(), *unit);
            }
        }
    }

    /// Removes the intents whose batches are all settled.
    pub fn forget_settled(&mut self) {
        let settled = {
            let state = self.shared.lock();
            let is_open =
                |intent: &mut Intent| intent.batches.iter().any(|id| state.memory.is_partly_stored(id));
            self.left_over.extract_if(.., |intent| !is_open(intent)).collect::<Vec<_>>()
        };
        settled.iter().for_each(|intent| self.forget(intent));
    }

    fn forget(&self, intent: &Intent) {
        if let Err(error) = self.intents.forget(intent) {
            tracing::warn!(%error, "an intent stays and is read back at the next start");
        }
    }
}

/// How a block ended, with its intent as it is now.
enum Settled {
    Stored(Intent),
    /// The store refuses the unit at this place; those before it are stored.
    Refused {
        place: usize,
        reason: String,
        intent: Intent,
        units: Vec<(Unit, NativeBlock)>,
    },
}

/// The next block for an inserter; none once there are no more.
async fn next_block(blocks: &Ways<Mutex<mpsc::Receiver<Block>>>, first: First) -> Option<Block> {
    let live = async { blocks.live.lock().await.recv().await };
    let few = async { blocks.few.lock().await.recv().await };
    let many = async { blocks.many.lock().await.recv().await };
    match first {
        First::Live => tokio::select! {
            biased;
            Some(block) = live => Some(block),
            Some(block) = few => Some(block),
            else => None,
        },
        First::History => tokio::select! {
            biased;
            Some(block) = many => Some(block),
            Some(block) = few => Some(block),
            Some(block) = live => Some(block),
            else => None,
        },
    }
}
