//! Reads one partition ahead of its writer: messages are opened and scanned while the store is busy, as far as room
//! for them goes.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use lastwords_detect::Detector;
use lastwords_record::{BatchId, Header, limits::BATCH_STORED_BYTES_MAX};
use lastwords_runtime::now_ns;
use rdkafka::{
    Message as _, Offset,
    consumer::{BaseConsumer, Consumer as _, base_consumer::PartitionQueue},
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use super::{group::Context, message::foreign};
use crate::{
    quarantine::Aside,
    queue::Incoming,
    write::{Prepared, prepare},
};

/// A queue that is said to be empty is looked at again after so long.
const LOOK: Duration = Duration::from_millis(200);
const SEEK_TIMEOUT: Duration = Duration::from_secs(10);
/// What a message takes beside its bytes.
const OVERHEAD_BYTES: usize = 4096;

/// A message on its way to the partition's writer.
#[derive(Debug)]
pub(super) struct Read {
    /// Which seek it follows.
    pub era: u64,
    pub offset: i64,
    /// When the broker or the producer says that it came, milliseconds since 1970; 0: unknown.
    pub time_ms: i64,
    pub prepared: Arc<Prepared>,
    /// Given back when it is taken.
    _room: OwnedSemaphorePermit,
}

impl Read {
    pub fn id(&self) -> BatchId {
        self.prepared.id()
    }
}

/// The reader's end of one partition.
pub(super) struct Reader {
    reads: mpsc::UnboundedReceiver<Read>,
    seeks: mpsc::UnboundedSender<(u64, i64)>,
    era: u64,
    /// Taken from the channel and not by the writer.
    held: Option<Read>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reader {
    /// Begins to read, `room_bytes` ahead, once the first offset is given by [`Reader::seek`].
    pub fn start(
        queue: PartitionQueue<Context>,
        consumer: Weak<BaseConsumer<Context>>,
        topic: &str,
        partition: i32,
        detector: Arc<Detector>,
        room_bytes: usize,
    ) -> Reader {
        let (sender, reads) = mpsc::unbounded_channel();
        let (seeks, commands) = mpsc::unbounded_channel();
        let source = Source {
            queue,
            consumer,
            topic: topic.to_owned(),
            partition,
            detector,
            room: Arc::new(Semaphore::new(room_bytes)),
            room_bytes,
        };
        let task = tokio::spawn(source.run(sender, commands));
        Reader { reads, seeks, era: 0, held: None, task }
    }

    /// Goes on from this offset; what was read before is forgotten.
    pub fn seek(&mut self, offset: i64) {
        self.era += 1;
        self.held = None;
        // A reader that has ended gives no messages, which is noticed there.
        let _ = self.seeks.send((self.era, offset));
    }

    /// The next message; none where the reader has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<Read> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        loop {
            let read = self.reads.recv().await?;
            if read.era == self.era {
                return Some(read);
            }
        }
    }

    /// Gives a message back, to be the next one.
    pub fn put_back(&mut self, read: Read) {
        self.held = Some(read);
    }
}

struct Source {
    queue: PartitionQueue<Context>,
    consumer: Weak<BaseConsumer<Context>>,
    topic: String,
    partition: i32,
    detector: Arc<Detector>,
    room: Arc<Semaphore>,
    room_bytes: usize,
}

impl Source {
    async fn run(
        mut self,
        reads: mpsc::UnboundedSender<Read>,
        mut commands: mpsc::UnboundedReceiver<(u64, i64)>,
    ) {
        let arrived = Arc::new(Notify::new());
        let notified = Arc::clone(&arrived);
        self.queue.set_nonempty_callback(move || notified.notify_one());
        // The first offset and each that the writer goes back to.
        let mut position: Option<(u64, i64)> = None;
        loop {
            while let Ok(command) = commands.try_recv() {
                position = Some(command);
                self.seek(command.1).await;
            }
            let Some((era, next)) = position else {
                match commands.recv().await {
                    Some(command) => {
                        position = Some(command);
                        self.seek(command.1).await;
                        continue;
                    }
                    None => return,
                }
            };
            let polled = self.queue.poll(Duration::ZERO).map(|message| {
                message.map(|message| {
                    (
                        message.offset(),
                        message.timestamp().to_millis().unwrap_or(0),
                        Bytes::copy_from_slice(message.payload().unwrap_or_default()),
                    )
                })
            });
            match polled {
                // What was fetched before a seek.
                Some(Ok((offset, ..))) if offset < next => {}
                Some(Ok((offset, time_ms, envelope))) => {
                    position = Some((era, offset + 1));
                    let Some(read) = self.open(era, offset, time_ms, envelope).await else { return };
                    if reads.send(read).is_err() {
                        return;
                    }
                }
                Some(Err(error)) => {
                    tracing::warn!(partition = self.partition, %error, "a partition cannot be read now");
                    tokio::time::sleep(LOOK).await;
                }
                None => {
                    tokio::select! {
                        () = arrived.notified() => {}
                        () = tokio::time::sleep(LOOK) => {}
                        command = commands.recv() => match command {
                            Some(command) => {
                                position = Some(command);
                                self.seek(command.1).await;
                            }
                            None => return,
                        },
                    }
                }
            }
        }
    }

    async fn seek(&self, offset: i64) {
        let (consumer, topic, partition) = (self.consumer.clone(), self.topic.clone(), self.partition);
        let sought = tokio::task::spawn_blocking(move || {
            let consumer = consumer.upgrade()?;
            // A partition that was assigned just now may not be ready to seek.
            for _ in 0..20 {
                match consumer.seek(&topic, partition, Offset::Offset(offset), SEEK_TIMEOUT) {
                    Ok(()) => return Some(()),
                    Err(error) => tracing::debug!(partition, offset, %error, "seeking again"),
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            None
        });
        if !matches!(sought.await, Ok(Some(()))) {
            tracing::warn!(partition, offset, "the partition could not be sought");
        }
    }

    /// Opens and scans a message, waiting for room; none where that broke. What it becomes is known afterwards: before,
    /// there has to be room for the most that it may become, of which the rest is given back.
    async fn open(&self, era: u64, offset: i64, time_ms: i64, envelope: Bytes) -> Option<Read> {
        let header = Header::peek(&envelope);
        let most = header.as_ref().map_or(0, |_| BATCH_STORED_BYTES_MAX) + envelope.len() + OVERHEAD_BYTES;
        let permits = u32::try_from(most.min(self.room_bytes)).unwrap_or(u32::MAX);
        let mut room = Arc::clone(&self.room).acquire_many_owned(permits).await.ok()?;
        let envelope_bytes = envelope.len();
        let prepared = match header {
            Ok(header) => {
                let detector = Arc::clone(&self.detector);
                let id = header.id;
                let opened =
                    tokio::task::spawn_blocking(move || prepare(&detector, id, Incoming::Sealed(envelope)));
                opened.await.ok()?
            }
            Err(error) => Prepared::Aside(Aside {
                id: foreign(&self.topic, self.partition, offset),
                envelope,
                reason: format!("{}/{} offset {offset}: {error}", self.topic, self.partition),
                sealed_ns: now_ns(),
            }),
        };
        let bytes = prepared.bytes() + envelope_bytes + OVERHEAD_BYTES;
        drop(room.split(room.num_permits().saturating_sub(bytes)));
        Some(Read { era, offset, time_ms, prepared: Arc::new(prepared), _room: room })
    }
}
