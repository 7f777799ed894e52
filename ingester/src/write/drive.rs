//! Carries out the plan of a block, whichever way the block came: through the direct queue, from a partition, or out of
//! the quarantine. What is inserted or read back next says the [`plan`](super::plan); what differs between the ways
//! stands behind two small traits.

use std::{sync::Arc, time::Duration};

use lastwords_record::BatchId;
use lastwords_runtime::Backoff;
use lastwords_store::{InsertError, Inserting, NativeBlock, QueryError, Store};
use tokio::time::Instant;

use super::{
    attempt::{PAUSES, attempt_over},
    plan::{Outcome, Plan, Step},
    read_back::stored_units,
    unit::Unit,
};
use crate::metrics::Counters;

/// An insert that is not answered in this time is in doubt.
const INSERT_TIMEOUT: Duration = Duration::from_secs(90);

/// A block whose plan is carried out. Places are those of the plan.
pub(crate) trait Planned {
    /// Why the drive is given up before the plan is at its end.
    type Abandoned;

    /// A unit's table and day, and its rows.
    fn unit(&self, place: usize) -> Option<(Unit, NativeBlock)>;

    /// A unit's token in this attempt. A token is never used for anything else.
    fn token(&self, place: usize, attempt: u32) -> Option<String>;

    /// The batches by whose rows a unit is recognised in the store: those of which nothing of it was stored before. A
    /// unit is stored whole or not at all, so that any one of them stands for it.
    fn witnesses(&self, place: usize) -> Vec<BatchId>;

    /// The store's clock when this attempt was planned, seconds.
    fn planned_s(&self) -> u32;

    /// The store does not answer a read: it is asked again after a pause, unless the drive is given up.
    ///
    /// # Errors
    /// Why it is given up.
    fn unread(&self, error: QueryError) -> Result<(), Self::Abandoned> {
        tracing::warn!(%error, "the store cannot be read back; trying again");
        Ok(())
    }
}

/// A block of which further attempts can be made without anybody else's consent.
pub(crate) trait Replanned: Planned {
    /// Makes a further attempt durable, planned at the store's clock of now, and forms its units.
    fn replan(&mut self, attempt: u32) -> impl Future<Output = Result<(), Self::Abandoned>> + Send;
}

/// How a plan ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Every unit is stored.
    Stored,
    /// The store refuses a unit for good; those before it are stored.
    Refused {
        /// Its place.
        place: usize,
        /// What the store says.
        reason: String,
    },
}

/// Drives one block after the other.
#[derive(Debug)]
pub(crate) struct Driver {
    store: Store,
    counters: Arc<Counters>,
    backoff: Backoff,
    refusal: String,
}

impl Driver {
    pub(crate) fn new(store: Store, counters: Arc<Counters>) -> Driver {
        Driver { store, counters, backoff: Backoff::new(PAUSES), refusal: String::new() }
    }

    /// What the store said when it refused a unit last.
    pub(crate) fn refusal(&self) -> &str {
        &self.refusal
    }

    /// Carries a plan out to its end.
    ///
    /// # Errors
    /// Where the block is given up before.
    pub(crate) async fn run<B: Replanned>(
        &mut self,
        block: &mut B,
        mut plan: Plan,
    ) -> Result<Ended, B::Abandoned> {
        loop {
            let outcome = match plan.next() {
                Step::Done => return Ok(Ended::Stored),
                Step::Refused { unit } => {
                    return Ok(Ended::Refused { place: unit, reason: self.refusal.clone() });
                }
                Step::Replan { attempt } => {
                    block.replan(attempt).await?;
                    Outcome::Replanned
                }
                step => self.carry_out(block, step).await?,
            };
            plan.seen(outcome);
        }
    }

    /// Carries out one step of the store's.
    ///
    /// # Errors
    /// Where the block is given up before.
    pub(crate) async fn carry_out<B: Planned>(
        &mut self,
        block: &B,
        step: Step,
    ) -> Result<Outcome, B::Abandoned> {
        match step {
            Step::Insert { unit, attempt } => Ok(self.insert(block, unit, attempt).await),
            Step::ReadBack { unit } => self.read_back(block, unit).await,
            Step::Wait => {
                attempt_over(&self.store, block.planned_s()).await;
                Ok(Outcome::Over)
            }
            // Whoever asks keeps these to himself: the plan says the same again.
            Step::Replan { .. } | Step::Done | Step::Refused { .. } => Ok(Outcome::Failed),
        }
    }

    async fn insert<B: Planned>(&mut self, block: &B, place: usize, attempt: u32) -> Outcome {
        let (Some((unit, rows)), Some(token)) = (block.unit(place), block.token(place, attempt)) else {
            tracing::error!(place, "a plan has more units than its block");
            self.backoff.wait().await;
            return Outcome::Failed;
        };
        let inserting = Inserting { token: Some(token), timeout: Some(INSERT_TIMEOUT), settings: Vec::new() };
        let since = Instant::now();
        let inserted = self.store.insert_native(unit.table.name(), rows, &inserting).await;
        self.counters.inserted(since.elapsed(), inserted.is_ok());
        let Err(error) = inserted else {
            self.backoff.reset();
            return Outcome::Inserted;
        };
        tracing::warn!(%error, "an insert is in doubt");
        match error {
            InsertError::TooLate { .. } => Outcome::TooLate,
            InsertError::Refused { .. } => {
                self.refusal = error.to_string();
                Outcome::Refused
            }
            InsertError::Retryable { .. } | InsertError::Unanswered { .. } => {
                self.backoff.wait().await;
                Outcome::Failed
            }
        }
    }

    /// Looks for a unit's rows until the store answers.
    async fn read_back<B: Planned>(&self, block: &B, place: usize) -> Result<Outcome, B::Abandoned> {
        let Some((unit, _)) = block.unit(place) else { return Ok(Outcome::Absent) };
        let witnesses = block.witnesses(place);
        let mut backoff = Backoff::new(PAUSES);
        loop {
            match stored_units(&self.store, unit.table, &witnesses).await {
                Ok(found) if found.iter().any(|(_, stored)| *stored == unit) => return Ok(Outcome::Present),
                Ok(_) => return Ok(Outcome::Absent),
                Err(error) => block.unread(error)?,
            }
            backoff.wait().await;
        }
    }
}
