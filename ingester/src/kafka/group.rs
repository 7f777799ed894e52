//! One member of the writers' group: what it does when partitions come and go.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use lastwords_detect::Detector;
use lastwords_runtime::Poison;
use lastwords_store::Store;
use rdkafka::{ClientConfig, consumer::Consumer as _, error::KafkaError};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    KafkaOptions,
    commit::Committer,
    consumer::{Callbacks, Generation, PartitionConsumer, Rebalanced},
    leases::Leases,
    partition, produce,
    progress::PartitionStates,
    read::Reader,
    topics::{self, TopicError},
    writer::Shared,
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
    /// A writer or its reader.
    #[error("a part of the writer broke, and its partitions have been given back: {0}; start it again")]
    Broken(Arc<str>),
}

const POLL: Duration = Duration::from_millis(100);

/// Writes as a member of the group until `stop`; then blocks under way are finished, and the group is left. So it is
/// where a part of it breaks: only a new process can go on, and others have the partitions meanwhile.
///
/// # Errors
/// Where Kafka cannot be used as configured, the consumer fails for good, or a part broke.
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
    let poison = states.poison().clone();
    let shared = Arc::new(Shared {
        store,
        counters,
        states,
        block: options.block.clone(),
        topic: options.kafka.topic.clone(),
        partitions: options.kafka.partitions,
        quarantine_topic: options.kafka.quarantine_topic.clone(),
        quarantine,
        committer: Committer::new(&options.kafka),
    });
    let leases = Arc::new(Leases::new(Handle::current(), options.grace, poison.clone()));
    let member = Member { shared, detector, leases: Arc::clone(&leases) };
    let (config, topic) = (options.kafka.consumer(), options.kafka.topic.clone());
    let (ended, end) = tokio::sync::oneshot::channel();
    // Creating and closing a consumer block, and callbacks wait for partitions: a thread of its own.
    std::thread::spawn(move || {
        let _ = ended.send(poll(&config, member, &topic, &leases, &poison, &stop));
    });
    match end.await {
        Ok(Ok(None)) => Ok(()),
        Ok(Ok(Some(broken))) => Err(GroupError::Broken(broken)),
        Ok(Err(source)) => Err(failed(source)),
        Err(_) => Err(GroupError::Ended),
    }
}

/// Polls until `stop`, or a part breaks, and gives all partitions back; says what broke.
fn poll(
    config: &ClientConfig,
    member: Member,
    topic: &str,
    leases: &Leases,
    poison: &Poison,
    stop: &CancellationToken,
) -> Result<Option<Arc<str>>, KafkaError> {
    let consumer: PartitionConsumer = config.create_with_context(Callbacks::new(Box::new(member)))?;
    let consumer = Arc::new(consumer);
    Callbacks::attach(&consumer);
    consumer.subscribe(&[topic])?;
    let mut ended = Ok(None);
    while !stop.is_cancelled() && matches!(ended, Ok(None)) {
        match consumer.poll(POLL) {
            // Messages come by the partitions' own queues.
            Some(Ok(_)) => {
                tracing::warn!("a message came outside of its partition's queue; it is read again there")
            }
            Some(Err(error)) => {
                if let Some((code, reason)) = consumer.client().fatal_error() {
                    tracing::error!(%code, reason, "the consumer is broken for good");
                    ended = Err(error);
                } else {
                    tracing::warn!(%error, "kafka");
                }
            }
            None => {}
        }
        if let (Ok(None), Some(broken)) = (&ended, poison.reason()) {
            ended = Ok(Some(broken));
        }
    }
    leases.end_all(true);
    // The last holders are the readers' queues, which have ended.
    drop(consumer);
    ended
}

/// This process in the group.
struct Member {
    shared: Arc<Shared>,
    detector: Arc<Detector>,
    leases: Arc<Leases>,
}

impl Rebalanced for Member {
    fn assigned(&self, consumer: &Arc<PartitionConsumer>, partitions: &[i32]) {
        for partition in partitions {
            self.take(consumer, *partition);
        }
    }

    fn revoked(&self, partitions: &[i32], lost: bool) {
        self.leases.end(partitions, !lost);
    }

    fn failed(&self) {
        self.leases.end_all(false);
    }

    fn settled(&self, generation: Option<Generation>) {
        self.leases.renew(generation);
    }
}

impl Member {
    /// Starts the writer of a partition; it waits for its generation.
    fn take(&self, consumer: &Arc<PartitionConsumer>, partition: i32) {
        let Some(queue) = consumer.split_partition_queue(&self.shared.topic, partition) else {
            tracing::error!(partition, "the partition has no queue");
            return;
        };
        let (shared, detector) = (Arc::clone(&self.shared), Arc::clone(&self.detector));
        let (consumer, room) = (Arc::downgrade(consumer), self.shared.block.bytes_max);
        self.leases.begin(partition, |lease| async move {
            let reader =
                Reader::start(queue, Weak::clone(&consumer), &shared.topic, partition, detector, room);
            partition::run(lease, consumer, reader, shared).await
        });
    }
}

#[cfg(test)]
mod tests {
    use lastwords_store::RemoteOptions;

    use super::*;
    use crate::kafka::{leases::Lease, writer::Writer};

    const HOUR: Duration = Duration::from_secs(3600);

    /// A member that holds two partitions, of a group at a broker that does not answer; and how the partition is
    /// written that the others go on beside.
    async fn end_of_a_member_with<W>(
        writer: impl FnOnce(Lease, Arc<Shared>) -> W,
    ) -> (Option<Arc<str>>, usize, Result<(), String>)
    where
        W: Future<Output = Result<(), String>> + Send + 'static,
    {
        let kafka = KafkaOptions { brokers: "127.0.0.1:1".to_owned(), ..KafkaOptions::default() };
        let states = Arc::new(PartitionStates::default());
        let shared = Arc::new(Shared {
            store: Store::remote(&RemoteOptions::new(["http://127.0.0.1:1"])).unwrap(),
            counters: Arc::default(),
            states: Arc::clone(&states),
            block: BlockLimits::default(),
            topic: kafka.topic.clone(),
            partitions: kafka.partitions,
            quarantine_topic: kafka.quarantine_topic.clone(),
            quarantine: kafka.producer(1 << 20).create_with_context(produce::Context).unwrap(),
            committer: Committer::new(&kafka),
        });
        let poison = states.poison().clone();
        let leases = Arc::new(Leases::new(Handle::current(), HOUR, poison.clone()));
        leases.begin(1, |lease| async move {
            lease.drain.cancelled().await;
            Ok::<(), String>(())
        });
        leases.begin(2, |lease| writer(lease, Arc::clone(&shared)));
        let member = Member { shared, detector: Arc::new(Detector::built_in()), leases: Arc::clone(&leases) };
        let theirs = Arc::clone(&leases);
        let polled = tokio::task::spawn_blocking(move || {
            poll(&kafka.consumer(), member, &kafka.topic, &theirs, &poison, &CancellationToken::new())
        });
        (polled.await.unwrap().unwrap(), leases.count(), states.readiness())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reader_that_is_gone_ends_all_leases_turns_readiness_red_and_ends_the_member() {
        let (broken, leases, readiness) = end_of_a_member_with(|lease, shared| async move {
            let mut writer = Writer::new(lease, Weak::new(), Reader::gone(), shared);
            writer.gather(0, false).await.map(drop).map_err(|interrupted| interrupted.to_string())
        })
        .await;
        let wanted = "partition 2 cannot be written: its reader is gone";
        assert_eq!((broken.as_deref(), leases, readiness), (Some(wanted), 0, Err(wanted.to_owned())));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_writer_that_panics_does_so_too() {
        let (broken, leases, readiness) =
            end_of_a_member_with(|_lease, _shared| async move { panic!("as it does in this test") }).await;
        let wanted = "the writer of a partition panicked";
        assert_eq!((broken.as_deref(), leases, readiness), (Some(wanted), 0, Err(wanted.to_owned())));
    }
}
