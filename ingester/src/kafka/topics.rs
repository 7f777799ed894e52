//! The topics: made once, checked at every start.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lastwords_runtime::{Backoff, Pauses, now_ns};
use rdkafka::{
    ClientContext, Message as _, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    metadata::Metadata,
};
use thiserror::Error;

use super::KafkaOptions;

const TIMEOUT: Duration = Duration::from_secs(20);
/// Between two tries of a Kafka that does not answer.
const PAUSES: Pauses = Pauses::between(Duration::from_millis(500), Duration::from_secs(5));
/// So many events of the connections are listened to.
const EVENTS_HEARD: usize = 100;
/// How long one message is waited for.
const LOOK: Duration = Duration::from_secs(5);

/// Why the topics cannot be used.
#[derive(Debug, Error)]
pub enum TopicError {
    /// No answer, or a refusal.
    #[error("Kafka at {brokers}: {source}{heard}; are kafka.brokers and kafka.properties right?")]
    Kafka {
        /// Where.
        brokers: String,
        /// What it said.
        source: KafkaError,
        /// What was heard of the connections.
        heard: Heard,
    },
    /// It could not be made.
    #[error("the topic {topic} cannot be made: {reason}")]
    Create {
        /// Its name.
        topic: String,
        /// The broker's reason.
        reason: String,
    },
    /// It is not there.
    #[error("the topic {0} does not exist: run `lastwords kafka init`")]
    Missing(String),
    /// It has another number of partitions.
    #[error(
        "the topic {topic} has {found} partitions, kafka.partitions says {wanted}: a shipper's batches have to stay \
         on one partition for all of the topic's life; set kafka.partitions to {found}, or use a new topic"
    )]
    Partitions {
        /// Its name.
        topic: String,
        /// How many it has.
        found: usize,
        /// How many were wanted.
        wanted: i32,
    },
}

/// What librdkafka says of its connections: errors of calls speak of time-outs alone.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<Mutex<Option<String>>>);

impl ClientContext for Heard {
    fn error(&self, _: KafkaError, reason: &str) {
        // That all brokers are down is what the call says.
        if !reason.contains("brokers are down") {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for Heard {}

impl std::fmt::Display for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}

/// What is known of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Its name.
    pub topic: String,
    /// Its partitions.
    pub partitions: usize,
    /// Fewest copies of a partition.
    pub replicas: usize,
    /// Partitions of which fewer copies are in step than there are.
    pub behind: usize,
}

/// Makes the topics that are missing; says which were made.
///
/// # Errors
/// Where Kafka does not answer or refuses.
pub async fn init(options: &KafkaOptions) -> Result<Vec<String>, TopicError> {
    let asked = options.clone();
    let reached = tokio::task::spawn_blocking(move || metadata(&asked).map(|_| ())).await;
    reached.unwrap_or_else(|_| Err(ended(options.brokers.clone())))?;
    let failed = |source| failed(options, source, &Heard::default());
    let admin: AdminClient<DefaultClientContext> = options.client().create().map_err(failed)?;
    let retention_ms = options.retention_hours.saturating_mul(3_600_000).to_string();
    let in_sync = if options.replication >= 3 { "2" } else { "1" };
    let topic = |name, partitions| {
        NewTopic::new(name, partitions, TopicReplication::Fixed(options.replication))
            .set("retention.ms", &retention_ms)
            .set("min.insync.replicas", in_sync)
            .set("unclean.leader.election.enable", "false")
            .set("cleanup.policy", "delete")
            // The time of arrival: what a wrong clock sealed must not be deleted before it is read.
            .set("message.timestamp.type", "LogAppendTime")
    };
    let wanted = [topic(&options.topic, options.partitions), topic(&options.quarantine_topic, 1)];
    let outcome = admin
        .create_topics(&wanted, &AdminOptions::new().operation_timeout(Some(TIMEOUT)))
        .await
        .map_err(failed)?;
    let mut made = Vec::new();
    for result in outcome {
        match result {
            Ok(topic) => made.push(topic),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(TopicError::Create { topic, reason: code.to_string() }),
        }
    }
    check(options).await?;
    Ok(made)
}

/// Says what the topics are like.
///
/// # Errors
/// Where Kafka does not answer, a topic is missing, or has another number of partitions.
pub async fn check(options: &KafkaOptions) -> Result<Vec<TopicState>, TopicError> {
    let options = options.clone();
    let brokers = options.brokers.clone();
    let checked = tokio::task::spawn_blocking(move || check_blocking(&options)).await;
    checked.unwrap_or_else(|_| Err(ended(brokers)))
}

/// As [`check`], and waits for a Kafka that does not answer.
///
/// # Errors
/// Where a topic is missing, or has another number of partitions.
pub async fn checked(options: &KafkaOptions) -> Result<(), TopicError> {
    let mut backoff = Backoff::new(PAUSES);
    loop {
        match check(options).await {
            // What cannot even be tried does not get better.
            Err(
                error @ TopicError::Kafka {
                    source: KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_),
                    ..
                },
            ) => return Err(error),
            Err(error @ TopicError::Kafka { .. }) => {
                tracing::warn!(%error, "Kafka does not answer; trying again")
            }
            Err(error) => return Err(error),
            Ok(_) => return Ok(()),
        }
        backoff.wait().await;
    }
}

/// What the brokers say of all topics.
fn metadata(options: &KafkaOptions) -> Result<Metadata, TopicError> {
    let heard = Heard::default();
    let failed = |source| failed(options, source, &heard);
    let consumer: BaseConsumer<Heard> =
        options.client().create_with_context(heard.clone()).map_err(failed)?;
    let answered = consumer.fetch_metadata(None, TIMEOUT);
    if answered.is_err() {
        // What happened to the connections is told by polling.
        for _ in 0..EVENTS_HEARD {
            let _ = consumer.poll(Duration::ZERO);
        }
    }
    answered.map_err(failed)
}

fn check_blocking(options: &KafkaOptions) -> Result<Vec<TopicState>, TopicError> {
    let metadata = metadata(options)?;
    let state = |name: &str| {
        let topic = metadata.topics().iter().find(|topic| topic.name() == name);
        let topic = topic.ok_or_else(|| TopicError::Missing(name.to_owned()))?;
        let partitions = topic.partitions();
        Ok(TopicState {
            topic: name.to_owned(),
            partitions: partitions.len(),
            replicas: partitions.iter().map(|partition| partition.replicas().len()).min().unwrap_or(0),
            behind: partitions
                .iter()
                .filter(|partition| partition.isr().len() < partition.replicas().len())
                .count(),
        })
    };
    let batches = state(&options.topic)?;
    if i32::try_from(batches.partitions) != Ok(options.partitions) {
        return Err(TopicError::Partitions {
            topic: options.topic.clone(),
            found: batches.partitions,
            wanted: options.partitions,
        });
    }
    Ok(vec![batches, state(&options.quarantine_topic)?])
}

fn failed(options: &KafkaOptions, source: KafkaError, heard: &Heard) -> TopicError {
    TopicError::Kafka { brokers: options.brokers.clone(), source, heard: heard.clone() }
}

/// Sets the writers' group back to the beginning of every partition: what Kafka still has is read again, and what is
/// stored is skipped. Refused by the broker while a writer is in the group.
///
/// # Errors
/// Where Kafka does not answer, or refuses.
pub async fn read_again(options: &KafkaOptions) -> Result<(), TopicError> {
    let options = options.clone();
    let brokers = options.brokers.clone();
    let asked = tokio::task::spawn_blocking(move || {
        let heard = Heard::default();
        set_back(&options, &heard).map_err(|source| failed(&options, source, &heard))
    });
    asked.await.unwrap_or_else(|_| Err(ended(brokers)))
}

fn set_back(options: &KafkaOptions, heard: &Heard) -> Result<(), KafkaError> {
    let consumer: BaseConsumer<Heard> = options.consumer().create_with_context(heard.clone())?;
    let mut offsets = TopicPartitionList::new();
    for partition in 0..options.partitions {
        let (low, _) = consumer.fetch_watermarks(&options.topic, partition, TIMEOUT)?;
        offsets.add_partition_offset(&options.topic, partition, Offset::Offset(low))?;
    }
    // Without a member's name: the broker takes it from a tool, if the group is empty.
    consumer.commit(&offsets, CommitMode::Sync)
}

/// How far the writers are on one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionLag {
    /// The partition.
    pub partition: i32,
    /// Batches that are not stored yet.
    pub batches: i64,
    /// Age of the oldest of them, seconds; none where there is none.
    pub seconds: Option<i64>,
}

/// Says how far the group of writers is, without joining it.
///
/// # Errors
/// Where Kafka does not answer.
pub async fn lag(options: &KafkaOptions) -> Result<Vec<PartitionLag>, TopicError> {
    let options = options.clone();
    let brokers = options.brokers.clone();
    let asked = tokio::task::spawn_blocking(move || {
        let heard = Heard::default();
        lag_blocking(&options, &heard).map_err(|source| failed(&options, source, &heard))
    });
    asked.await.unwrap_or_else(|_| Err(ended(brokers)))
}

/// Our own work was ended.
fn ended(brokers: String) -> TopicError {
    TopicError::Kafka { brokers, source: KafkaError::Canceled, heard: Heard::default() }
}

fn lag_blocking(options: &KafkaOptions, heard: &Heard) -> Result<Vec<PartitionLag>, KafkaError> {
    let consumer: BaseConsumer<Heard> = options.consumer().create_with_context(heard.clone())?;
    let mut wanted = TopicPartitionList::new();
    for partition in 0..options.partitions {
        wanted.add_partition(&options.topic, partition);
    }
    let committed = consumer.committed_offsets(wanted, TIMEOUT)?;
    let mut lags = Vec::new();
    for partition in 0..options.partitions {
        let (low, end) = consumer.fetch_watermarks(&options.topic, partition, TIMEOUT)?;
        let next = committed
            .find_partition(&options.topic, partition)
            .and_then(|element| match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            })
            .unwrap_or(low)
            .max(low);
        let seconds = if next < end { age(&consumer, options, partition, next)? } else { None };
        lags.push(PartitionLag { partition, batches: (end - next).max(0), seconds });
    }
    Ok(lags)
}

/// Age of the message at an offset, by the broker's stamp.
fn age(
    consumer: &BaseConsumer<Heard>,
    options: &KafkaOptions,
    partition: i32,
    offset: i64,
) -> Result<Option<i64>, KafkaError> {
    let mut at = TopicPartitionList::new();
    at.add_partition_offset(&options.topic, partition, Offset::Offset(offset))?;
    consumer.assign(&at)?;
    let message = consumer.poll(LOOK).transpose()?;
    let stamp_ms = message.and_then(|message| message.timestamp().to_millis());
    Ok(stamp_ms.map(|stamp_ms| (now_ns() / 1_000_000 - stamp_ms).max(0) / 1_000))
}
