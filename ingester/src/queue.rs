//! What lies between admission and storage, the only stage in which deployments differ. Here the direct queue: batches
//! in the order of their submission, bounded in bytes from admission to storage. The other is Kafka.

use std::{
    future::Future,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use lastwords_detect::Detector;
use lastwords_record::{Batch, BatchId, Header, OpenError, limits::BATCH_RECORDS_MAX};
use lastwords_store::Store;
use thiserror::Error;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    metrics::Counters,
    write::{self, BlockLimits, StartError},
};

/// Bytes that a batch takes in the queue beyond its body.
const BATCH_OVERHEAD_BYTES: usize = 4096;
/// What a record takes beside its text.
const RECORD_BYTES: usize = 40;

/// A batch in one of its forms.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is moved a few times for a thousand records")]
pub enum Incoming {
    /// The envelope as it travelled.
    Sealed(Bytes),
    /// The columns, from a shipper in this process.
    Opened(Batch),
}

/// How much the direct queue holds.
#[derive(Debug, Clone)]
pub struct DirectOptions {
    /// Bytes of opened batches that are admitted and not stored yet.
    pub queue_bytes_max: usize,
    /// When batches become a block.
    pub block: BlockLimits,
}

impl Default for DirectOptions {
    fn default() -> Self {
        DirectOptions { queue_bytes_max: 192 << 20, block: BlockLimits::default() }
    }
}

/// What survives once a batch is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// In the store, with fsync: the loss of power.
    #[default]
    StoreSynced,
    /// On all in-sync replicas of Kafka: the loss of any one of them.
    KafkaReplicated,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// What survives.
    pub durability: Durability,
    /// Events in it, recognised and shipped; 0 where the batch was known already.
    pub events: u64,
    /// 1 where it was set aside.
    pub quarantined: u64,
}

/// Why a batch was not taken.
#[derive(Debug, Error)]
pub enum SubmitError {
    /// Not even its header can be read.
    #[error(transparent)]
    Unreadable(#[from] OpenError),
    /// The queue has been closed.
    #[error("the ingester is stopping and takes no more batches; send it again later")]
    Closed,
}

/// Why a batch is not durable, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The writer ended first. What it had begun is taken up at the next start.
    #[error("the writer stopped before the batch was stored; send it again later")]
    Stopped,
    /// Not now: it may be sent again.
    #[error("{0}; send it again later")]
    Unavailable(String),
    /// Never: sending it again is useless.
    #[error("{0}")]
    Refused(String),
}

/// Where admitted batches go: the direct queue, or another.
pub trait Queue: Clone + Send + Sync + 'static {
    /// Takes a sealed batch, waiting for room; what it gives resolves when the batch is durable. Where the future is
    /// dropped before it resolves, the batch may or may not have been taken: it comes again.
    fn submit(&self, envelope: Bytes) -> impl Future<Output = Result<Pending, SubmitError>> + Send;

    /// Whether a batch would have to wait for room.
    fn is_full(&self) -> bool;
}

/// Resolves when a batch is durable.
pub type Pending = Pin<Box<dyn Future<Output = Result<Written, WriteError>> + Send>>;

impl Queue for Direct {
    async fn submit(&self, envelope: Bytes) -> Result<Pending, SubmitError> {
        Ok(Box::pin(Direct::submit(self, Incoming::Sealed(envelope)).await?))
    }

    fn is_full(&self) -> bool {
        Direct::is_full(self)
    }
}

/// What a sealed batch takes once it is opened. A header that claims more rows than a batch may have is found out when it
/// is opened; until then it must not have all the room for its own.
fn sealed_bytes(header: &Header, envelope_bytes: usize) -> usize {
    header.body_bytes as usize
        + envelope_bytes
        + (header.records as usize).min(BATCH_RECORDS_MAX) * RECORD_BYTES
}

/// Resolves when the batch is durable.
#[derive(Debug)]
pub struct Ticket(oneshot::Receiver<Written>);

impl Future for Ticket {
    type Output = Result<Written, WriteError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|written| written.map_err(|_| WriteError::Stopped))
    }
}

/// A batch on its way to the writer.
#[derive(Debug)]
pub(crate) struct Submitted {
    pub id: BatchId,
    pub incoming: Incoming,
    pub reply: oneshot::Sender<Written>,
    /// Given back when the batch is stored.
    pub room: OwnedSemaphorePermit,
}

/// The way in. Cheap to clone; the writer ends when all clones are gone, or one of them is closed.
#[derive(Debug, Clone)]
pub struct Direct(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Bounded by `room`.
    batches: Mutex<Option<mpsc::UnboundedSender<Submitted>>>,
    room: Arc<Semaphore>,
    room_bytes: usize,
    counters: Arc<Counters>,
}

impl Direct {
    /// Reads the ledger, settles what a former process left open in `data_dir/intents`, and starts the writer. The
    /// caller holds the data folder: no other process writes to this store. The handle ends when everything that was
    /// submitted is stored after the last `Direct` has gone.
    ///
    /// # Errors
    /// Where the store does not answer, or the folder of intents cannot be used.
    pub async fn start(
        store: Store,
        detector: Arc<Detector>,
        data_dir: &Path,
        options: DirectOptions,
    ) -> Result<(Direct, JoinHandle<()>), StartError> {
        let counters = Arc::new(Counters::default());
        let (sender, receiver) = mpsc::unbounded_channel();
        let writer = write::start(
            store,
            detector,
            &data_dir.join("intents"),
            options.block,
            Arc::clone(&counters),
            receiver,
        )
        .await?;
        let room_bytes = options.queue_bytes_max.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        let inner = Inner {
            batches: Mutex::new(Some(sender)),
            room: Arc::new(Semaphore::new(room_bytes)),
            room_bytes,
            counters,
        };
        Ok((Direct(Arc::new(inner)), writer))
    }

    /// Takes a batch, waiting for room. Batches are stored in the order in which they were taken.
    ///
    /// # Errors
    /// Where the header cannot be read, or the queue is closed.
    pub async fn submit(&self, incoming: Incoming) -> Result<Ticket, SubmitError> {
        let (id, bytes) = match &incoming {
            Incoming::Opened(batch) => (
                batch.header.id,
                batch.records.text.len()
                    + batch.records.len() * RECORD_BYTES
                    + (batch.samples.len() + batch.events.len() + batch.placements.len()) * 512,
            ),
            Incoming::Sealed(envelope) => {
                let header = Header::peek(envelope)?;
                (header.id, sealed_bytes(&header, envelope.len()))
            }
        };
        // A batch above the bound must not wait for ever: it takes all the room there is.
        let bytes = (bytes + BATCH_OVERHEAD_BYTES).min(self.0.room_bytes);
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.0.room);
        let room = room.acquire_many_owned(permits).await.map_err(|_| SubmitError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let batches = self.0.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = batches.as_ref().ok_or(SubmitError::Closed)?;
        sender.send(Submitted { id, incoming, reply, room }).map_err(|_| SubmitError::Closed)?;
        Ok(Ticket(answer))
    }

    /// Takes nothing more; the writer ends once it has stored what was taken.
    pub fn close(&self) {
        self.0.batches.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.0.room.close();
    }

    /// Whether a batch would have to wait for room.
    pub fn is_full(&self) -> bool {
        self.0.room.available_permits()
            < lastwords_record::limits::BATCH_BODY_BYTES_MAX.min(self.0.room_bytes / 2)
    }

    /// What has been counted.
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// The counters in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        self.0.counters.render(self.0.room_bytes.saturating_sub(self.0.room.available_permits()))
    }
}

#[cfg(test)]
mod tests {
    use lastwords_record::{BatchBuilder, Clock, ShipperId};

    use super::*;

    #[test]
    fn a_batch_that_claims_rows_beyond_measure_takes_no_more_room_than_the_largest() {
        let id = BatchId { shipper: ShipperId([1; 16]), epoch: 1, sequence: 1 };
        let header = BatchBuilder::new().finish(id, 1, Clock::default()).header;
        let claims = Header { records: u32::MAX, ..header };
        assert!(sealed_bytes(&claims, 1000) < 2 << 20, "{}", sealed_bytes(&claims, 1000));
    }
}
