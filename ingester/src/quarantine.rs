//! Poison is set aside: a batch that cannot be opened, or that the store refuses for good, goes to the `quarantine`
//! table with the reason, its number counts as stored, and the stream goes on. Later, with a newer program or a mended
//! store, it can be tried again.

use std::sync::Arc;

use bytes::Bytes;
use lastwords_detect::Detector;
use lastwords_record::BatchId;
use lastwords_store::{NativeBlock, QueryError, Store, store::Settled};
use thiserror::Error;

use crate::{
    queue::Incoming,
    write::{
        Bounds, Driver, Ended, Planned, Prepared, Replanned, Unit, form, host_names,
        plan::{Plan, Trust},
        planning_time_s, prepare_within,
    },
};

/// Why a batch stays in quarantine.
#[derive(Debug, Error)]
pub enum RetryError {
    /// No such batch.
    #[error("it is not in quarantine: `lastwords quarantine list` says what is")]
    NotThere,
    /// There is nothing to try.
    #[error("it could not even be sealed when it was set aside: only its reason is kept")]
    Empty,
    /// Whoever sets it aside is at work.
    #[error("the ledger does not have it yet: its writer has not finished with it; try again in two minutes")]
    Unsettled,
    /// The envelope is of another batch than its row says.
    #[error("its envelope is that of {0}")]
    Another(BatchId),
    /// It cannot be opened by this program either.
    #[error("it still cannot be opened: {0}")]
    Unopenable(String),
    /// The store refuses it still.
    #[error("the store still refuses it: {0}")]
    Refused(String),
    /// The store does not answer, or says something else.
    #[error(transparent)]
    Store(#[from] QueryError),
}

/// Stores what of a batch in quarantine is not stored yet, and gives the number of its records and events.
///
/// Its number is in the ledger already, so that no writer touches it: the ledger is written last, and a refusal ends a
/// block only when nothing of it can arrive any more. Whoever tries it uses the same tokens, and every unit is in doubt
/// from the beginning: two that try at once, or one that was killed before, store nothing twice. When all units are
/// there the ledger says so, then the envelope goes; killed in between, the next attempt finds all units there.
///
/// # Errors
/// Where it stays in quarantine.
pub async fn retry(
    store: &Store,
    detector: Arc<Detector>,
    id: BatchId,
) -> Result<(usize, usize), RetryError> {
    let envelope = Bytes::from(store.quarantined_envelope(id).await?.ok_or(RetryError::NotThere)?);
    if envelope.is_empty() {
        return Err(RetryError::Empty);
    }
    if !store.is_in_ledger(id).await? {
        return Err(RetryError::Unsettled);
    }
    let opened = tokio::task::spawn_blocking(move || {
        prepare_within(&detector, id, Incoming::Sealed(envelope), Bounds::Retry)
    });
    let mut prepared = match opened.await {
        Ok(prepared @ Prepared::Opened(..)) => prepared,
        Ok(Prepared::Aside(aside)) => return Err(RetryError::Unopenable(aside.reason)),
        Err(error) => return Err(RetryError::Unopenable(error.to_string())),
    };
    if prepared.id() != id {
        // It was set aside under an epoch of its own, which its envelope does not say.
        prepared.renumber_to(&id);
    }
    if prepared.id() != id {
        return Err(RetryError::Another(prepared.id()));
    }
    let planned_s = planning_time_s(store).await;
    let mut block = Retried { store, id, units: units(&prepared, planned_s), prepared: &prepared, planned_s };
    let plan = Plan::resumed(block.units.len(), 0, Trust::Doubt);
    let mut driver = Driver::new(store.clone(), Arc::default());
    if let Ended::Refused { reason, .. } = driver.run(&mut block, plan).await? {
        return Err(RetryError::Refused(reason));
    }
    let Prepared::Opened(batch, found, _) = &prepared else { return Err(RetryError::Empty) };
    let hosts = host_names(&batch.header.hosts);
    let settled = Settled {
        records: batch.records.len(),
        samples: batch.samples.len(),
        events: batch.events.len() + found.len(),
        placements: batch.placements.len(),
        bytes: u64::from(batch.header.body_bytes),
        hosts: &hosts,
    };
    store.release_from_quarantine(id, &settled).await?;
    Ok((settled.records, prepared.events()))
}

/// A batch of the quarantine as a block of its own.
struct Retried<'a> {
    store: &'a Store,
    id: BatchId,
    prepared: &'a Prepared,
    units: Vec<(Unit, NativeBlock)>,
    planned_s: u32,
}

impl Planned for Retried<'_> {
    type Abandoned = RetryError;

    fn unit(&self, place: usize) -> Option<(Unit, NativeBlock)> {
        self.units.get(place).cloned()
    }

    /// Whoever tries a batch again uses the same ones.
    fn token(&self, place: usize, attempt: u32) -> Option<String> {
        let (unit, _) = self.units.get(place)?;
        Some(format!("retry-{}-{attempt}-{}-{}", self.id, unit.table.name(), unit.day))
    }

    fn witnesses(&self, _place: usize) -> Vec<BatchId> {
        vec![self.id]
    }

    fn planned_s(&self) -> u32 {
        self.planned_s
    }

    /// An operator waits: he hears of it and decides.
    fn unread(&self, error: QueryError) -> Result<(), RetryError> {
        Err(error.into())
    }
}

impl Replanned for Retried<'_> {
    async fn replan(&mut self, _attempt: u32) -> Result<(), RetryError> {
        self.planned_s = planning_time_s(self.store).await;
        self.units = units(self.prepared, self.planned_s);
        Ok(())
    }
}

fn units(prepared: &Prepared, planned_s: u32) -> Vec<(Unit, NativeBlock)> {
    form(std::iter::once(prepared), |_, _| true, planned_s)
}
