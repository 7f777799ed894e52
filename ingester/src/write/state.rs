//! What the parts of the direct queue's writer share: what is stored, what is under way, and who waits for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lastwords_record::{BatchId, ShipperId};
use lastwords_store::NativeBlock;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{block, gaps::Gaps, memory::Memory, prepared::Prepared, unit::Unit};
use crate::queue::{Incoming, Written};

/// A batch on its way to the writer.
#[derive(Debug)]
pub(crate) struct Submitted {
    pub id: BatchId,
    pub incoming: Incoming,
    pub reply: oneshot::Sender<Written>,
    /// Given back when the batch is stored.
    pub room: OwnedSemaphorePermit,
}

/// What both halves of the writer share.
#[derive(Debug, Default)]
pub(crate) struct Shared(Mutex<State>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) memory: Memory,
    /// Batches between gathering and storage, with those who wait for them.
    pub(super) under_way: HashMap<BatchId, Vec<oneshot::Sender<Written>>>,
    pub(super) gaps: Gaps,
}

impl Shared {
    /// Nothing is under way.
    pub(super) fn new(memory: Memory) -> Shared {
        Shared(Mutex::new(State { memory, ..State::default() }))
    }

    /// The highest number of a shipper and epoch that is stored.
    pub(crate) fn highest(&self, shipper: ShipperId, epoch: u64) -> Option<u64> {
        self.lock().memory.highest(shipper, epoch)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No half of a change is ever visible: a panic between two of them loses nothing but the process's trust.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the writer cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Broken(pub String);

/// Forms units away from the threads that serve.
///
/// # Errors
/// Where that broke.
pub(super) async fn form_units(
    shared: &Shared,
    batches: &[Arc<Prepared>],
    planned_s: u32,
) -> Result<Vec<(Unit, NativeBlock)>, Broken> {
    // A batch is in one block at a time, so what is stored of it does not change meanwhile.
    let partly = shared.lock().memory.partly_stored_among(batches.iter().map(|batch| batch.id()));
    let batches = batches.to_vec();
    let formed = tokio::task::spawn_blocking(move || {
        let lacks = |id: &BatchId, unit: Unit| !partly.get(id).is_some_and(|units| units.contains(&unit));
        block::form(batches.iter().map(Arc::as_ref), lacks, planned_s)
    });
    formed.await.map_err(|error| Broken(format!("forming a block broke: {error}")))
}
