//! The direct queue: batches in the order of their submission, bounded in bytes from admission to storage. Its writer
//! is in this process.
//!
//! Where the writer breaks, whatever breaks it, the queue is poisoned: nothing more is taken, whoever waits is told, and
//! the process has to be started again, which settles what was under way.

use std::{
    future::Future,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use lastwords_detect::Detector;
use lastwords_record::{Header, ShipperId, limits::BATCH_RECORDS_MAX};
use lastwords_runtime::Poison;
use lastwords_store::Store;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    metrics::Counters,
    queue::{Incoming, Pending, Queue, SubmitError, WriteError, Written},
    write::{BlockLimits, Broken, Shared, StartError, Submitted, WAITING_BYTES, Writer},
};

/// What a record takes beside its text.
const RECORD_BYTES: usize = 40;

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
        Pin::new(&mut self.0).poll(context).map(|written| match written {
            Ok(Written { conflicting: true, .. }) => Err(WriteError::Conflict),
            written => written.map_err(|_| WriteError::Stopped),
        })
    }
}

impl Queue for Direct {
    async fn submit(&self, envelope: Bytes) -> Result<Pending, SubmitError> {
        Ok(Box::pin(Direct::submit(self, Incoming::Sealed(envelope)).await?))
    }

    fn is_full(&self) -> bool {
        Direct::is_full(self)
    }

    fn highest(&self, shipper: ShipperId, epoch: u64) -> Option<u64> {
        Direct::highest(self, shipper, epoch)
    }
}

/// However the writer ends, nobody waits for room any more.
struct Ending(Arc<Semaphore>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.close();
    }
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
    poison: Poison,
    /// What the writer knows to be stored.
    stored: OnceLock<Arc<Shared>>,
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
        let intents = data_dir.join("intents");
        let writer = Writer::open(store, detector, &intents, options.block, Arc::clone(&counters)).await?;
        let stored = writer.shared();
        let (direct, handle) =
            Direct::before(options.queue_bytes_max, counters, |batches| writer.run(batches));
        // It is new: nothing is set yet.
        let _ = direct.0.stored.set(stored);
        Ok((direct, handle))
    }

    /// A queue before a writer, which takes batches until there can be no more.
    fn before<W>(
        queue_bytes_max: usize,
        counters: Arc<Counters>,
        writer: impl FnOnce(mpsc::UnboundedReceiver<Submitted>) -> W,
    ) -> (Direct, JoinHandle<()>)
    where
        W: Future<Output = Result<(), Broken>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::unbounded_channel();
        let room_bytes = queue_bytes_max.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        let (room, poison) = (Arc::new(Semaphore::new(room_bytes)), Poison::default());
        // The only holds on the queue are its callers': the writer ends when they are gone.
        let closed = sender.downgrade();
        let (broken, ending) = (poison.clone(), Ending(Arc::clone(&room)));
        // Made before the task, so that it is missed even where the task never runs.
        let guard = poison.guard("the writer");
        let working = writer(receiver);
        let handle = tokio::spawn(async move {
            let _ending = ending;
            match working.await {
                Ok(()) if closed.upgrade().is_none() => {}
                Ok(()) => broken.spread("the writer ended by itself"),
                Err(error) => broken.spread(&error.to_string()),
            }
            guard.ended_well();
        });
        let batches = Mutex::new(Some(sender));
        let stored = OnceLock::new();
        (Direct(Arc::new(Inner { batches, room, room_bytes, counters, poison, stored })), handle)
    }

    /// Takes a batch, waiting for room. Batches are stored in the order in which they were taken.
    ///
    /// # Errors
    /// Where the header cannot be read, the queue is closed, or its writer has broken.
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
        let bytes = (bytes + WAITING_BYTES).min(self.0.room_bytes);
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.0.room);
        let room = room.acquire_many_owned(permits).await.map_err(|_| self.refusal())?;
        let (reply, answer) = oneshot::channel();
        let batches = self.0.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = batches.as_ref().ok_or_else(|| self.refusal())?;
        sender.send(Submitted { id, incoming, reply, room }).map_err(|_| self.refusal())?;
        Ok(Ticket(answer))
    }

    /// Why nothing is taken.
    fn refusal(&self) -> SubmitError {
        self.0.poison.reason().map_or(SubmitError::Closed, SubmitError::Broken)
    }

    /// What has broken the writer, if anything has: only a new process helps.
    #[must_use]
    pub fn broken(&self) -> Option<Arc<str>> {
        self.0.poison.reason()
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

    /// The highest number of a shipper and epoch that is stored.
    pub fn highest(&self, shipper: ShipperId, epoch: u64) -> Option<u64> {
        self.0.stored.get()?.highest(shipper, epoch)
    }

    /// What has been counted, for whoever counts beside.
    #[must_use]
    pub fn shared_counters(&self) -> Arc<Counters> {
        Arc::clone(&self.0.counters)
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
mod tests;
