//! One member of the writers' group. Partitions come and go in the consumer's callbacks, which run on the one thread
//! that polls; a partition's lease carries the generation under which its writer may commit.
//!
//! The generation is read in the callbacks only: there the member waits for us before it joins anew, so what is read
//! belongs to the partitions that it holds. A member that has been expelled hears of it (and loses its leases) before
//! it can be given anything again. Whatever still commits under an old generation is refused by the broker.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak, mpsc as blocking},
    time::Duration,
};

use lastwords_detect::Detector;
use lastwords_store::Store;
use rdkafka::{
    ClientContext, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, ConsumerGroupMetadata, Rebalance},
    error::KafkaError,
};
use thiserror::Error;
use tokio::{runtime::Handle, sync::watch};
use tokio_util::sync::CancellationToken;

use super::{
    KafkaOptions,
    commit::Committer,
    partition::{self, Lease, Shared},
    produce,
    progress::PartitionStates,
    read::Reader,
    topics::{self, TopicError},
};
use crate::{metrics::Counters, write::BlockLimits};

/// What a group member works with.
#[derive(Debug, Clone)]
pub struct GroupOptions {
    /// Kafka.
    pub kafka: KafkaOptions,
    /// When batches become a block.
    pub block: BlockLimits,
    /// How long a partition that is taken away may finish its block.
    pub grace: Duration,
}

/// Why a writer cannot go on.
#[derive(Debug, Error)]
pub enum GroupError {
    /// The topics.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The consumer.
    #[error("Kafka at {brokers}: {source}")]
    Kafka {
        /// Where.
        brokers: String,
        /// What it said.
        source: KafkaError,
    },
    /// Its thread.
    #[error("the thread that polls Kafka ended by itself")]
    Ended,
}

const POLL: Duration = Duration::from_millis(100);

/// Writes as a member of the group until `stop`; then blocks under way are finished, and the group is left.
///
/// # Errors
/// Where Kafka cannot be used as configured, or the consumer fails for good.
pub async fn run_group(
    options: GroupOptions,
    store: Store,
    detector: Arc<Detector>,
    counters: Arc<Counters>,
    states: Arc<PartitionStates>,
    stop: CancellationToken,
) -> Result<(), GroupError> {
    match stop.run_until_cancelled(topics::checked(&options.kafka)).await {
        Some(checked) => checked?,
        None => return Ok(()),
    }
    let failed = |source| GroupError::Kafka { brokers: options.kafka.brokers.clone(), source };
    let quarantine = options.kafka.producer(1 << 20).create_with_context(produce::Context).map_err(failed)?;
    let shared = Arc::new(Shared {
        store,
        counters,
        states,
        block: options.block.clone(),
        topic: options.kafka.topic.clone(),
        quarantine_topic: options.kafka.quarantine_topic.clone(),
        quarantine,
        committer: Committer::new(&options.kafka),
    });
    let context = Context {
        shared,
        detector,
        handle: Handle::current(),
        grace: options.grace,
        consumer: OnceLock::new(),
        held: Mutex::default(),
    };
    let config = options.kafka.consumer();
    let topic = options.kafka.topic.clone();
    let (ended, end) = tokio::sync::oneshot::channel();
    // Creating and closing a consumer block, and callbacks wait for partitions: a thread of its own.
    std::thread::spawn(move || {
        let polled = config.create_with_context(context).and_then(|consumer| poll(consumer, &topic, &stop));
        let _ = ended.send(polled);
    });
    match end.await {
        Ok(polled) => polled.map_err(failed),
        Err(_) => Err(GroupError::Ended),
    }
}

fn poll(consumer: BaseConsumer<Context>, topic: &str, stop: &CancellationToken) -> Result<(), KafkaError> {
    let consumer = Arc::new(consumer);
    let context = Arc::clone(consumer.context());
    // Set once, before the first callback.
    let _ = context.consumer.set(Arc::downgrade(&consumer));
    consumer.subscribe(&[topic])?;
    let mut failed = None;
    while !stop.is_cancelled() && failed.is_none() {
        match consumer.poll(POLL) {
            // Messages come by the partitions' own queues.
            Some(Ok(_)) => {
                tracing::warn!("a message came outside of its partition's queue; it is read again there")
            }
            Some(Err(error)) => {
                if let Some((code, reason)) = consumer.client().fatal_error() {
                    tracing::error!(%code, reason, "the consumer is broken for good");
                    failed = Some(error);
                } else {
                    tracing::warn!(%error, "kafka");
                }
            }
            None => {}
        }
    }
    context.end_all(true);
    // The last holders are the readers' queues, which have ended.
    drop(consumer);
    failed.map_or(Ok(()), Err)
}

/// A partition that this member holds.
struct Held {
    /// Finish the block, then end.
    drain: CancellationToken,
    /// End now.
    lost: CancellationToken,
    generation: watch::Sender<Option<Arc<ConsumerGroupMetadata>>>,
    ended: blocking::Receiver<()>,
}

/// The consumer's callbacks.
pub(super) struct Context {
    shared: Arc<Shared>,
    detector: Arc<Detector>,
    handle: Handle,
    grace: Duration,
    consumer: OnceLock<Weak<BaseConsumer<Context>>>,
    held: Mutex<HashMap<i32, Held>>,
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka");
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                // Before anything is fetched, so that every message comes by its partition's queue.
                for partition in numbers(partitions) {
                    self.take(partition);
                }
            }
            Rebalance::Revoke(partitions) => {
                let finish = !consumer.assignment_lost();
                tracing::info!(partitions = ?numbers(partitions), finish, "partitions go");
                self.end(&numbers(partitions), finish);
            }
            Rebalance::Error(error) => {
                tracing::warn!(%error, "a rebalance failed");
                self.end_all(false);
            }
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let generation = generation(consumer);
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match generation {
            Some(generation) => {
                for partition in held.values() {
                    partition.generation.send_replace(Some(Arc::clone(&generation)));
                }
            }
            None => {
                // Expelled meanwhile: the callback that says so comes next.
                held.values().for_each(|partition| partition.lost.cancel());
            }
        }
        if let Rebalance::Assign(partitions) = rebalance {
            tracing::info!(new = ?numbers(partitions), held = held.len(), "partitions come");
        }
    }
}

impl Context {
    /// Starts the writer of a partition; it waits for its generation.
    fn take(&self, partition: i32) {
        let Some(consumer) = self.consumer.get().and_then(Weak::upgrade) else { return };
        let Some(queue) = consumer.split_partition_queue(&self.shared.topic, partition) else {
            tracing::error!(partition, "the partition has no queue");
            return;
        };
        // Known when the assignment has been carried out.
        let (generation, watched) = watch::channel(None);
        let (drain, lost) = (CancellationToken::new(), CancellationToken::new());
        let (end, ended) = blocking::sync_channel(1);
        let lease = Lease {
            partition,
            drain: drain.clone(),
            lost: lost.clone(),
            generation: watched,
            consumer: Arc::downgrade(&consumer),
        };
        let (shared, detector) = (Arc::clone(&self.shared), Arc::clone(&self.detector));
        let weak = Arc::downgrade(&consumer);
        let room = self.shared.block.bytes_max;
        self.handle.spawn(async move {
            let topic = shared.topic.clone();
            let reader = Reader::start(queue, weak, &topic, partition, detector, room);
            partition::run(lease, reader, shared).await;
            let _ = end.send(());
        });
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(partition, Held { drain, lost, generation, ended });
    }

    /// Ends the writers of these partitions. With `finish` blocks under way are stored and committed, as far as the
    /// grace goes: the successor has nothing in doubt then.
    fn end(&self, partitions: &[i32], finish: bool) {
        let ending: Vec<Held> = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            partitions.iter().filter_map(|partition| held.remove(partition)).collect()
        };
        for partition in &ending {
            partition.drain.cancel();
            if !finish {
                partition.lost.cancel();
            }
        }
        let deadline = std::time::Instant::now() + self.grace;
        for partition in &ending {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if partition.ended.recv_timeout(left).is_err() {
                partition.lost.cancel();
                // It ends at its next step; what it commits later is refused.
                let _ = partition.ended.recv_timeout(Duration::from_secs(2));
            }
        }
    }

    fn end_all(&self, finish: bool) {
        let all: Vec<i32> = {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.keys().copied().collect()
        };
        self.end(&all, finish);
    }
}

fn numbers(partitions: &TopicPartitionList) -> Vec<i32> {
    partitions.elements().iter().map(|element| element.partition()).collect()
}

/// The member's generation; none where it is no member any more. A commit without a member's name would be taken as
/// that of a tool, and not be refused.
fn generation(consumer: &BaseConsumer<Context>) -> Option<Arc<ConsumerGroupMetadata>> {
    let generation = consumer.group_metadata()?;
    // Looked at after the generation was read: within a callback a member can only be expelled, not join.
    // SAFETY: the client is alive; the text is ours to free, and ends with NUL.
    let is_member = unsafe {
        let name = rdkafka::bindings::rd_kafka_memberid(consumer.client().native_ptr());
        if name.is_null() {
            false
        } else {
            let is_member = *name != 0;
            rdkafka::bindings::rd_kafka_mem_free(consumer.client().native_ptr(), name.cast());
            is_member
        }
    };
    is_member.then(|| Arc::new(generation))
}
