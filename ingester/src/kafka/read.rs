//! Reads one partition ahead of its writer: messages are opened and scanned while the store is busy, as far as room
//! for them goes.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use lastwords_detect::Detector;
use lastwords_record::{BatchId, Header, limits::BATCH_STORED_BYTES_MAX};
use lastwords_runtime::{Backoff, Pauses, now_ns};
use rdkafka::{
    Message as _, Offset,
    consumer::{Consumer as _, base_consumer::PartitionQueue},
    error::{KafkaError, RDKafkaErrorCode},
};
use thiserror::Error;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use super::{
    consumer::{Callbacks, PartitionConsumer},
    message::foreign,
    offset_plan::{Mark, identities_hash},
};
use crate::{
    queue::Incoming,
    write::{Aside, Prepared, prepare},
};

/// A queue that is said to be empty is looked at again after so long.
const LOOK: Duration = Duration::from_millis(200);
const SEEK_TIMEOUT: Duration = Duration::from_secs(10);
/// A partition that was assigned just now may not be ready to seek: it is tried so often, so far apart.
const SEEKS: usize = 20;
const SEEK_PAUSES: Pauses = Pauses::between(Duration::from_millis(100), Duration::from_millis(200));
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
    /// Whether it has been given an epoch of its own.
    pub renumbered: bool,
    /// What it was called when it came.
    came_as: BatchId,
    /// Given back when it is taken.
    _room: OwnedSemaphorePermit,
}

impl Read {
    pub fn id(&self) -> BatchId {
        self.prepared.id()
    }

    /// What is noted of it where it is the last one before an offset.
    pub fn mark(&self) -> Mark {
        Mark { last: identities_hash([self.came_as].iter()), time_ms: self.time_ms }
    }

    /// Gives its batch an epoch of its own, since another one is stored under its number.
    pub fn renumber(&mut self) {
        // Nobody else has it yet.
        if let Some(prepared) = Arc::get_mut(&mut self.prepared) {
            prepared.renumber();
            self.renumbered = true;
        }
    }
}

/// Why messages do not come.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Interrupted {
    /// What would be read is not what was asked for: it has to be sought again, from what is committed.
    #[error("offset {offset} cannot be sought: {reason}")]
    Seek {
        /// Where to.
        offset: i64,
        /// What Kafka's client says.
        reason: String,
    },
    /// The log is not the one that was read: it lost its end, was deleted so far, or made anew.
    #[error("Kafka has another log than the one that was read: {0}")]
    OtherLog(String),
    /// Nobody reads any more.
    #[error("its reader is gone")]
    ReaderGone,
}

/// What a reader gives, or which seek has failed.
type Reads = mpsc::UnboundedSender<Result<Read, (u64, Interrupted)>>;

/// The reader's end of one partition.
pub(super) struct Reader {
    reads: mpsc::UnboundedReceiver<Result<Read, (u64, Interrupted)>>,
    seeks: mpsc::UnboundedSender<(u64, i64)>,
    era: u64,
    /// Taken from the channel and not by the writer.
    given_back: Option<Read>,
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
        queue: PartitionQueue<Callbacks>,
        consumer: Weak<PartitionConsumer>,
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
        Reader { reads, seeks, era: 0, given_back: None, task }
    }

    /// One whose task is gone.
    #[cfg(test)]
    pub fn gone() -> Reader {
        let (reads, seeks) = (mpsc::unbounded_channel().1, mpsc::unbounded_channel().0);
        Reader { reads, seeks, era: 0, given_back: None, task: tokio::spawn(async {}) }
    }

    /// Goes on from this offset; what was read before is forgotten.
    pub fn seek(&mut self, offset: i64) {
        self.era += 1;
        self.given_back = None;
        // A reader that has ended gives no messages, which is noticed there.
        let _ = self.seeks.send((self.era, offset));
    }

    /// The next message. Cancel-safe.
    ///
    /// # Errors
    /// Where the last seek failed, or the reader has ended.
    pub async fn next(&mut self) -> Result<Read, Interrupted> {
        if let Some(read) = self.given_back.take() {
            return Ok(read);
        }
        loop {
            match self.reads.recv().await {
                Some(Ok(read)) if read.era == self.era => return Ok(read),
                Some(Err((era, interrupted))) if era == self.era => return Err(interrupted),
                // Of a seek before.
                Some(_) => {}
                None => return Err(Interrupted::ReaderGone),
            }
        }
    }

    /// Gives a message back, to be the next one.
    pub fn put_back(&mut self, read: Read) {
        self.given_back = Some(read);
    }
}

struct Source {
    queue: PartitionQueue<Callbacks>,
    consumer: Weak<PartitionConsumer>,
    topic: String,
    partition: i32,
    detector: Arc<Detector>,
    room: Arc<Semaphore>,
    room_bytes: usize,
}

impl Source {
    async fn run(mut self, reads: Reads, mut commands: mpsc::UnboundedReceiver<(u64, i64)>) {
        let arrived = Arc::new(Notify::new());
        let notified = Arc::clone(&arrived);
        self.queue.set_nonempty_callback(move || notified.notify_one());
        // The first offset and each that the writer goes back to; none: nothing is read.
        let mut position: Option<(u64, i64)> = None;
        // Whether a message has been handed over since it went there.
        let mut delivered = false;
        loop {
            if let Ok(command) = commands.try_recv() {
                (position, delivered) = (self.go_to(command, &reads).await, false);
                continue;
            }
            let Some((era, next)) = position else {
                let Some(command) = commands.recv().await else { return };
                (position, delivered) = (self.go_to(command, &reads).await, false);
                continue;
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
                Some(Ok((offset, ..))) if offset < next => {
                    // Kafka's client has gone back to the log's beginning; or this was fetched before a seek.
                    if delivered || self.ends_before(next).await {
                        position = None;
                        let found = format!("wanted offset {next}, found {offset}");
                        if reads.send(Err((era, Interrupted::OtherLog(found)))).is_err() {
                            return;
                        }
                    }
                }
                Some(Ok((offset, time_ms, envelope))) => {
                    delivered = true;
                    position = Some((era, offset + 1));
                    let Some(read) = self.open(era, offset, time_ms, envelope).await else { return };
                    if reads.send(Ok(read)).is_err() {
                        return;
                    }
                }
                Some(Err(error)) if is_other_log(&error) => {
                    // Nothing is read until the writer has looked, and said from where.
                    position = None;
                    if reads.send(Err((era, Interrupted::OtherLog(error.to_string())))).is_err() {
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
                                (position, delivered) = (self.go_to(command, &reads).await, false);
                            }
                            None => return,
                        },
                    }
                }
            }
        }
    }

    /// Whether the log ends before an offset that is to be read next.
    async fn ends_before(&self, next: i64) -> bool {
        let (consumer, topic, partition) = (self.consumer.clone(), self.topic.clone(), self.partition);
        let asked = tokio::task::spawn_blocking(move || {
            consumer.upgrade()?.fetch_watermarks(&topic, partition, SEEK_TIMEOUT).ok()
        });
        matches!(asked.await, Ok(Some((_, high))) if high < next)
    }

    /// Goes to an offset. Where that fails nothing is read until the next command: what came would be from elsewhere.
    async fn go_to(&self, (era, offset): (u64, i64), reads: &Reads) -> Option<(u64, i64)> {
        match self.seek(offset).await {
            Ok(()) => Some((era, offset)),
            Err(reason) => {
                // A writer that has gone need not know.
                let _ = reads.send(Err((era, Interrupted::Seek { offset, reason })));
                None
            }
        }
    }

    async fn seek(&self, offset: i64) -> Result<(), String> {
        let (consumer, topic, partition) = (self.consumer.clone(), self.topic.clone(), self.partition);
        let sought = tokio::task::spawn_blocking(move || {
            let consumer = consumer.upgrade().ok_or("the consumer has been closed")?;
            let (mut last, mut backoff) = (String::new(), Backoff::new(SEEK_PAUSES));
            for _ in 0..SEEKS {
                match consumer.seek(&topic, partition, Offset::Offset(offset), SEEK_TIMEOUT) {
                    Ok(()) => return Ok(()),
                    Err(error) => {
                        tracing::debug!(partition, offset, %error, "seeking again");
                        last = error.to_string();
                    }
                }
                std::thread::sleep(backoff.pause());
            }
            Err(last)
        });
        sought.await.unwrap_or_else(|error| Err(error.to_string()))
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
        let came_as = prepared.id();
        let bytes = prepared.bytes() + envelope_bytes + OVERHEAD_BYTES;
        drop(room.split(room.num_permits().saturating_sub(bytes)));
        Some(Read {
            era,
            offset,
            time_ms,
            prepared: Arc::new(prepared),
            renumbered: false,
            came_as,
            _room: room,
        })
    }
}

/// Whether Kafka says that there is nothing at the offset that was asked for, and never will be.
fn is_other_log(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AutoOffsetReset, LogTruncation, OffsetOutOfRange};
    matches!(error.rdkafka_error_code(), Some(AutoOffsetReset | LogTruncation | OffsetOutOfRange))
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;

    use super::*;
    use crate::kafka::consumer::Rebalanced;

    struct Nobody;

    impl Rebalanced for Nobody {
        fn assigned(&self, _: &Arc<PartitionConsumer>, _: &[i32]) {}
        fn revoked(&self, _: &[i32], _: bool) {}
        fn failed(&self) {}
        fn settled(&self, _: Option<crate::kafka::consumer::Generation>) {}
    }

    /// A reader of a partition that has not been assigned, of a broker that does not answer.
    fn reader() -> (Arc<PartitionConsumer>, Reader) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:1").set("group.id", "g");
        let consumer: PartitionConsumer =
            config.create_with_context(Callbacks::new(Box::new(Nobody))).unwrap();
        let consumer = Arc::new(consumer);
        let queue = consumer.split_partition_queue("t", 0).unwrap();
        let detector = Arc::new(Detector::built_in());
        let reader = Reader::start(queue, Arc::downgrade(&consumer), "t", 0, detector, 1 << 20);
        (consumer, reader)
    }

    #[tokio::test]
    async fn a_seek_that_fails_is_said_and_nothing_is_read_on() {
        let (_consumer, mut reader) = reader();
        reader.seek(5);
        let failed = reader.next().await.unwrap_err();
        assert!(matches!(&failed, Interrupted::Seek { offset: 5, .. }), "{failed}");
        // The next one is answered by itself, whatever came of those before.
        reader.seek(6);
        reader.seek(7);
        let failed = reader.next().await.unwrap_err();
        assert!(matches!(&failed, Interrupted::Seek { offset: 7, .. }), "{failed}");
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_is_noticed() {
        let (_consumer, mut reader) = reader();
        reader.task.abort();
        assert_eq!(reader.next().await.map(|read| read.offset), Err(Interrupted::ReaderGone));
        reader.seek(5);
        assert_eq!(reader.next().await.map(|read| read.offset), Err(Interrupted::ReaderGone));
    }
}
