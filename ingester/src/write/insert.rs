//! Carries out the plan of one block after the other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use lastwords_record::BatchId;
use lastwords_runtime::now_ns;
use lastwords_store::{InsertError, Inserting, NativeBlock, Store};
use tokio::{
    sync::{Mutex, mpsc},
    time::Instant,
};

use super::{
    Shared, Unit,
    block::Prepared,
    gather::{Block, Ways, attempt_over, form_units, planning_time_s},
    intent::{Intent, Intents},
    plan::{Outcome, Plan, Step},
    read_back,
};
use crate::{
    metrics::Counters,
    quarantine::Aside,
    queue::{Durability, Written},
};

/// The store takes an attempt's inserts for so long (constraint `in_time` of every table).
pub const ATTEMPT: u32 = 60;
/// From the store's check to the part's commit, at most.
pub const SLACK: u32 = 5;
/// An insert that is not answered in this time is in doubt.
const INSERT_TIMEOUT: Duration = Duration::from_secs(90);
/// A formed block that has waited longer is planned anew before it is tried: its attempt would be too short.
const PLAN_AGE_MAX: Duration = Duration::from_secs(15);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The second half of the writer; two of them take turns.
#[derive(Debug)]
pub struct Inserter {
    store: Store,
    intents: Intents,
    /// Intents that stay until their partly stored batches have come again.
    left_over: Vec<Intent>,
    counters: Arc<Counters>,
    shared: Arc<Shared>,
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

/// How a block ended.
enum Ended {
    Stored,
    /// The store refuses the unit; those before it are stored.
    Refused {
        unit: usize,
        reason: String,
    },
    /// This process is ending.
    Abandoned,
}

impl Inserter {
    pub fn new(
        store: Store,
        intents: Intents,
        left_over: Vec<Intent>,
        counters: Arc<Counters>,
        shared: Arc<Shared>,
        numbers: Arc<AtomicU64>,
    ) -> Inserter {
        // The data folder is locked, so two processes never share a nanosecond.
        let nonce = u64::try_from(now_ns()).unwrap_or(0);
        Inserter { store, intents, left_over, counters, shared, nonce, numbers }
    }

    /// Another one, which takes blocks beside this one.
    pub fn beside(&self) -> Inserter {
        Inserter {
            store: self.store.clone(),
            intents: self.intents.clone(),
            left_over: Vec::new(),
            counters: Arc::clone(&self.counters),
            shared: Arc::clone(&self.shared),
            nonce: self.nonce,
            numbers: Arc::clone(&self.numbers),
        }
    }

    /// Runs until the gatherer has ended.
    pub async fn run(mut self, blocks: &Ways<Mutex<mpsc::Receiver<Block>>>, first: First) {
        while let Some(block) = next_block(blocks, first).await {
            let Block { batches, units, planned_s, formed, room } = block;
            let (waited, begun) = (formed.elapsed(), Instant::now());
            let rows: usize = batches.iter().map(|batch| batch.rows()).sum();
            let units = if waited > PLAN_AGE_MAX { None } else { Some((units, planned_s)) };
            if !self.settle(batches, units).await {
                return;
            }
            tracing::debug!(
                rows,
                waited_ms = waited.as_millis(),
                took_ms = begun.elapsed().as_millis(),
                "block stored"
            );
            drop(room);
        }
        // What the other one has settled.
        self.forget_settled();
    }

    /// Stores these batches, whatever it takes. A block that is refused is halved until the poison is alone, which
    /// is then set aside. False where this process is ending.
    async fn settle(
        &mut self,
        batches: Vec<Arc<Prepared>>,
        formed: Option<(Vec<(Unit, NativeBlock)>, u32)>,
    ) -> bool {
        let mut left = vec![(batches, formed)];
        let mut pause = PAUSE_MIN;
        while let Some((batches, formed)) = left.pop() {
            let (mut units, planned_s) = match formed {
                Some(formed) => formed,
                None => {
                    let planned_s = planning_time_s(&self.store).await;
                    match form_units(&self.shared, &batches, planned_s).await {
                        Some(units) => (units, planned_s),
                        None => return false,
                    }
                }
            };
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let ids: Vec<BatchId> = batches.iter().map(|batch| batch.id()).collect();
            let mut intent = Intent { nonce: self.nonce, number, attempt: 0, planned_s, batches: ids };
            match self.insert(&batches, &mut units, &mut intent).await {
                Ended::Abandoned => return false,
                Ended::Stored => {
                    self.acknowledge(&batches);
                    self.forget(&intent);
                    self.forget_settled();
                }
                Ended::Refused { unit, reason } => {
                    self.remember(&batches, units.get(..unit).unwrap_or_default());
                    self.left_over.push(intent);
                    match batches.as_slice() {
                        [alone] => {
                            if matches!(**alone, Prepared::Aside(_)) {
                                tracing::error!(batch = %alone.id(), reason, "even the quarantine is refused; trying again");
                                tokio::time::sleep(pause).await;
                                pause = (pause * 2).min(PAUSE_MAX);
                            }
                            left.push((vec![Arc::new(set_aside(alone, reason))], None));
                        }
                        _ => {
                            let (head, tail) = batches.split_at(batches.len() / 2);
                            left.push((tail.to_vec(), None));
                            left.push((head.to_vec(), None));
                        }
                    }
                }
            }
        }
        true
    }

    /// Inserts one block by its plan.
    async fn insert(
        &mut self,
        batches: &[Arc<Prepared>],
        units: &mut Vec<(Unit, NativeBlock)>,
        intent: &mut Intent,
    ) -> Ended {
        self.keep(intent).await;
        let mut plan = Plan::new(units.len());
        let mut refusal = String::new();
        let mut pause = PAUSE_MIN;
        loop {
            let outcome = match plan.next() {
                Step::Done => return Ended::Stored,
                Step::Refused { unit } => return Ended::Refused { unit, reason: refusal },
                Step::Insert { unit, .. } => {
                    let Some((unit, block)) = units.get(unit) else { return Ended::Abandoned };
                    let token = intent.token(*unit);
                    let outcome =
                        insert_unit(&self.store, *unit, block.clone(), token, &mut refusal, &self.counters)
                            .await;
                    if outcome == Outcome::Failed {
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(PAUSE_MAX);
                    }
                    outcome
                }
                Step::ReadBack { unit } => {
                    let Some((unit, _)) = units.get(unit) else { return Ended::Abandoned };
                    self.read_back(*unit, intent).await
                }
                Step::Wait => {
                    attempt_over(&self.store, intent.planned_s).await;
                    Outcome::Over
                }
                Step::Replan { attempt } => {
                    intent.attempt = attempt;
                    intent.planned_s = planning_time_s(&self.store).await;
                    // The same batches give the same units, now with the new plan's time in their rows.
                    match form_units(&self.shared, batches, intent.planned_s).await {
                        Some(formed) => *units = formed,
                        None => return Ended::Abandoned,
                    }
                    self.keep(intent).await;
                    Outcome::Replanned
                }
            };
            plan.seen(outcome);
        }
    }

    /// Looks for the unit's rows until the store answers. One part has the rows of all batches, so one batch's rows
    /// stand for the unit; they are looked for by every identity that the block has.
    async fn read_back(&self, unit: Unit, intent: &Intent) -> Outcome {
        let already = self.shared.lock().memory.partly_stored_among(intent.batches.iter().copied());
        let mut pause = PAUSE_MIN;
        loop {
            match read_back::stored_units(&self.store, unit.table, &intent.batches).await {
                Ok(found) => {
                    // What was stored before this block is no sign that this block's unit is.
                    let fresh = found.iter().any(|(id, stored)| {
                        *stored == unit && !already.get(id).is_some_and(|units| units.contains(&unit))
                    });
                    return if fresh { Outcome::Present } else { Outcome::Absent };
                }
                Err(error) => tracing::warn!(%error, "the store cannot be read back; trying again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Makes an intent durable; nothing is inserted before. A full disk may have room again.
    async fn keep(&self, intent: &Intent) {
        let mut pause = PAUSE_MIN;
        loop {
            let (intents, intent) = (self.intents.clone(), intent.clone());
            match tokio::task::spawn_blocking(move || intents.keep(&intent)).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => {
                    tracing::error!(%error, "nothing is stored until the intent can be written")
                }
                Err(error) => tracing::error!(%error, "writing an intent broke"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Everybody who waits for one of these batches is told.
    fn acknowledge(&self, batches: &[Arc<Prepared>]) {
        let mut state = self.shared.lock();
        let counters = &self.counters;
        for batch in batches {
            let id = batch.id();
            state.memory.done(id);
            let quarantined = matches!(**batch, Prepared::Aside(_));
            let events = batch.events() as u64;
            let written =
                Written { durability: Durability::StoreSynced, events, quarantined: u64::from(quarantined) };
            for waiting in state.under_way.remove(&id).unwrap_or_default() {
                // Whoever sent it may be gone.
                let _ = waiting.send(written);
            }
            Counters::add(&counters.batches, 1);
            Counters::add(&counters.events, events);
            match &**batch {
                Prepared::Opened(opened, ..) => {
                    Counters::add(&counters.records, opened.records.len() as u64);
                    Counters::add(&counters.bytes, opened.records.text.len() as u64);
                    let lag_ns = now_ns().saturating_sub(opened.header.sealed_time_ns);
                    counters.lag_ns.store(lag_ns, Ordering::Relaxed);
                }
                Prepared::Aside(aside) => {
                    Counters::add(&counters.quarantined, 1);
                    tracing::warn!(batch = %aside.id, reason = aside.reason, "a batch was set aside");
                }
            }
        }
        Counters::add(&counters.blocks, 1);
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

/// Inserts one unit under a token; a refusal's reason is kept.
pub async fn insert_unit(
    store: &Store,
    unit: Unit,
    block: NativeBlock,
    token: String,
    refusal: &mut String,
    counters: &Counters,
) -> Outcome {
    let inserting = Inserting { token: Some(token), timeout: Some(INSERT_TIMEOUT), settings: Vec::new() };
    let Err(error) = store.insert_native(unit.table.name(), block, &inserting).await else {
        return Outcome::Inserted;
    };
    Counters::add(&counters.failed_inserts, 1);
    tracing::warn!(%error, "an insert is in doubt");
    match error {
        InsertError::TooLate { .. } => Outcome::TooLate,
        InsertError::Refused { .. } => {
            *refusal = error.to_string();
            Outcome::Refused
        }
        InsertError::Retryable { .. } | InsertError::Unanswered { .. } => Outcome::Failed,
    }
}

/// Poison, on its way to the quarantine.
pub fn set_aside(batch: &Prepared, reason: String) -> Prepared {
    Prepared::Aside(match batch {
        Prepared::Opened(batch, ..) => Aside::opened(batch, reason),
        Prepared::Aside(aside) => aside.clone(),
    })
}
