//! Poison is set aside: a batch that cannot be opened, or that the store refuses for good, goes to the `quarantine`
//! table with the reason, its number counts as stored, and the stream goes on. Later, with a newer program or a mended
//! store, it can be tried again.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use lastwords_detect::Detector;
use lastwords_record::{Batch, BatchId, Compression};
use lastwords_store::{QueryError, Store, store::Settled};
use thiserror::Error;

use crate::{
    metrics::Counters,
    queue::Incoming,
    write::{
        Bounds, Prepared, Unit, attempt_over, form, host_names, insert_unit,
        plan::{Outcome, Plan, Step, Trust},
        planning_time_s, prepare_within, stored_units,
    },
};

/// A batch that is set aside.
#[derive(Debug, Clone)]
pub struct Aside {
    /// The batch.
    pub id: BatchId,
    /// The bytes as they came, or sealed anew where it came open; empty where it cannot even be sealed.
    pub envelope: Bytes,
    /// Why, for people.
    pub reason: String,
    /// When it was sealed, as far as known.
    pub sealed_ns: i64,
}

impl Aside {
    /// Sets a batch aside that could be opened.
    pub fn opened(batch: &Batch, reason: String) -> Aside {
        let (id, sealed_ns) = (batch.header.id, batch.header.sealed_time_ns);
        match batch.seal(Compression::DEFAULT) {
            Ok(envelope) => Aside { id, envelope, reason, sealed_ns },
            Err(error) => {
                Aside { id, envelope: Bytes::new(), reason: format!("{reason}; {error}"), sealed_ns }
            }
        }
    }
}

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

const PAUSE: Duration = Duration::from_millis(500);

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
    let prepared = match opened.await {
        Ok(prepared @ Prepared::Opened(..)) => prepared,
        Ok(Prepared::Aside(aside)) => return Err(RetryError::Unopenable(aside.reason)),
        Err(error) => return Err(RetryError::Unopenable(error.to_string())),
    };
    if prepared.id() != id {
        return Err(RetryError::Another(prepared.id()));
    }
    let counters = Counters::default();
    let mut refusal = String::new();
    let mut planned_s = planning_time_s(store).await;
    let mut units = form(std::iter::once(&prepared), |_, _| true, planned_s);
    let mut plan = Plan::resumed(units.len(), 0, Trust::Doubt);
    loop {
        let outcome = match plan.next() {
            Step::Done => break,
            Step::Refused { .. } => return Err(RetryError::Refused(refusal)),
            Step::Insert { unit, attempt } => {
                let Some((unit, rows)) = units.get(unit) else { break };
                let token = format!("retry-{id}-{attempt}-{}-{}", unit.table.name(), unit.day);
                let outcome = insert_unit(store, *unit, rows.clone(), token, &mut refusal, &counters).await;
                if outcome == Outcome::Failed {
                    tokio::time::sleep(PAUSE).await;
                }
                outcome
            }
            Step::ReadBack { unit } => {
                let Some((unit, _)) = units.get(unit) else { break };
                if is_stored(store, *unit, id).await? { Outcome::Present } else { Outcome::Absent }
            }
            Step::Wait => {
                attempt_over(store, planned_s).await;
                Outcome::Over
            }
            Step::Replan { .. } => {
                planned_s = planning_time_s(store).await;
                units = form(std::iter::once(&prepared), |_, _| true, planned_s);
                Outcome::Replanned
            }
        };
        plan.seen(outcome);
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

async fn is_stored(store: &Store, unit: Unit, id: BatchId) -> Result<bool, QueryError> {
    Ok(stored_units(store, unit.table, &[id]).await?.iter().any(|(_, stored)| *stored == unit))
}
