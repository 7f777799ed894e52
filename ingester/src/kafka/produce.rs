//! The way onto Kafka: sealed batches are produced, and acknowledged when all in-sync replicas have them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use lastwords_record::{Header, limits::ENVELOPE_BYTES_MAX};
use rdkafka::{
    ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{FutureProducer, FutureRecord, Producer as _, future_producer::Delivery},
};
use tokio::sync::Semaphore;

use super::{
    KafkaOptions,
    message::{headers, partition_of},
    topics::{self, Heard, TopicError},
};
use crate::{
    metrics::Counters,
    queue::{Durability, Pending, Queue, SubmitError, WriteError, Written},
};

/// Bytes of envelopes that are produced and not acknowledged, at most: more would only make everybody wait longer.
const ROOM_BYTES_MAX: usize = 128 << 20;
/// Bytes that a message takes beside its envelope.
const OVERHEAD_BYTES: usize = 1024;
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// The producer of batches. Cheap to clone.
#[derive(Clone)]
pub struct Producer(Arc<Inner>);

struct Inner {
    producer: FutureProducer<Context>,
    topic: String,
    partitions: i32,
    room: Arc<Semaphore>,
    room_bytes: usize,
    closed: AtomicBool,
    counters: Arc<Counters>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Producer({})", self.0.topic)
    }
}

/// Logs what librdkafka has to say.
pub(super) struct Context;

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka");
    }
}

impl Producer {
    /// Connects, waiting for Kafka to answer, and checks the topics. Of `memory_bytes` as much is used as is of
    /// use.
    ///
    /// # Errors
    /// Where the topics or properties are not as they have to be.
    pub async fn start(options: &KafkaOptions, memory_bytes: usize) -> Result<Producer, TopicError> {
        topics::checked(options).await?;
        let room_bytes = memory_bytes.clamp(ENVELOPE_BYTES_MAX + OVERHEAD_BYTES, ROOM_BYTES_MAX);
        let producer = options.producer(room_bytes).create_with_context(Context).map_err(|source| {
            TopicError::Kafka { brokers: options.brokers.clone(), source, heard: Heard::default() }
        })?;
        Ok(Producer(Arc::new(Inner {
            producer,
            topic: options.topic.clone(),
            partitions: options.partitions,
            room: Arc::new(Semaphore::new(room_bytes)),
            room_bytes,
            closed: AtomicBool::new(false),
            counters: Arc::new(Counters::default()),
        })))
    }

    /// Hands a sealed batch to the producer, waiting for room. Batches of one caller go out in order.
    ///
    /// # Errors
    /// Where the header cannot be read, or the producer is closed.
    pub async fn submit(&self, envelope: Bytes) -> Result<Pending, SubmitError> {
        let inner = &self.0;
        let header = Header::peek(&envelope)?;
        let bytes = (envelope.len() + OVERHEAD_BYTES).min(inner.room_bytes);
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room =
            Arc::clone(&inner.room).acquire_many_owned(permits).await.map_err(|_| SubmitError::Closed)?;
        let partition = partition_of(&header.id.shipper, inner.partitions);
        let mut record = FutureRecord::to(&inner.topic)
            .partition(partition)
            .key(&header.id.shipper.0[..])
            .payload(&envelope[..])
            .headers(headers(&header));
        let delivery = loop {
            if inner.closed.load(Ordering::Acquire) {
                return Err(SubmitError::Closed);
            }
            match inner.producer.send_result(record) {
                Ok(delivery) => break delivery,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    tokio::time::sleep(FULL_PAUSE).await;
                }
                // Said when it is this batch's turn to be acknowledged.
                Err((error, _)) => {
                    let error = self.failed(error, bytes);
                    return Ok(Box::pin(std::future::ready(Err(error))));
                }
            }
        };
        let (this, records) = (self.clone(), u64::from(header.records));
        Ok(Box::pin(async move {
            let delivered = delivery.await;
            drop(room);
            match delivered {
                Ok(Ok(Delivery { .. })) => {
                    this.0.counters.durable(records, bytes as u64);
                    Ok(Written { durability: Durability::KafkaReplicated, ..Written::default() })
                }
                Ok(Err((error, _))) => Err(this.failed(error, bytes)),
                Err(_) => Err(WriteError::Stopped),
            }
        }))
    }

    fn failed(&self, error: KafkaError, bytes: usize) -> WriteError {
        let code = error.rdkafka_error_code();
        if matches!(code, Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize))
        {
            return WriteError::Refused(format!(
                "Kafka takes no message of {bytes} bytes: raise the topic's max.message.bytes and kafka.properties.\"message.max.bytes\""
            ));
        }
        self.0.counters.failed_inserts.inc();
        WriteError::Unavailable(format!("Kafka did not take the batch: {error}"))
    }

    /// Takes nothing more; what was taken is still delivered or given up.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
    }

    /// Whether a batch would have to wait for room.
    pub fn is_full(&self) -> bool {
        self.0.room.available_permits() < self.0.room_bytes / 4
    }

    /// What has been counted.
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// The counters in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        self.0.counters.render(self.0.room_bytes.saturating_sub(self.0.room.available_permits()))
    }

    /// What has broken the producer for good, if anything has: only a new process helps.
    pub fn fatal_error(&self) -> Option<String> {
        self.0.producer.client().fatal_error().map(|(code, reason)| format!("{code}: {reason}"))
    }

    /// Whether Kafka answers.
    pub fn is_reachable(&self) -> bool {
        let timeout = Duration::from_secs(3);
        self.0.producer.client().fetch_metadata(Some(&self.0.topic), timeout).is_ok()
    }
}

impl Queue for Producer {
    async fn submit(&self, envelope: Bytes) -> Result<Pending, SubmitError> {
        Producer::submit(self, envelope).await
    }

    fn is_full(&self) -> bool {
        Producer::is_full(self)
    }
}
