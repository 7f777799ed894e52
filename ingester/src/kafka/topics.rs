//! The topics: made once, checked at every start.

use std::time::Duration;

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
};
use thiserror::Error;

use super::KafkaOptions;

const TIMEOUT: Duration = Duration::from_secs(20);
/// Between two attempts to reach a Kafka that does not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How long one message is waited for.
const LOOK: Duration = Duration::from_secs(5);

/// Why the topics cannot be used.
#[derive(Debug, Error)]
pub enum TopicError {
    /// No answer, or a refusal.
    #[error("Kafka at {brokers}: {source}; are kafka.brokers and kafka.properties right?")]
    Kafka {
        /// Where.
        brokers: String,
        /// What it said.
        source: KafkaError,
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
    let admin: AdminClient<DefaultClientContext> =
        options.client().create().map_err(|source| failed(options, source))?;
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
        .map_err(|source| failed(options, source))?;
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
    checked.unwrap_or_else(|_| Err(TopicError::Kafka { brokers, source: KafkaError::Canceled }))
}

/// As [`check`], and waits for a Kafka that does not answer.
///
/// # Errors
/// Where a topic is missing, or has another number of partitions.
pub async fn checked(options: &KafkaOptions) -> Result<(), TopicError> {
    loop {
        match check(options).await {
            // What cannot even be tried does not get better.
            Err(TopicError::Kafka {
                brokers,
                source: source @ (KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_)),
            }) => {
                return Err(TopicError::Kafka { brokers, source });
            }
            Err(error @ TopicError::Kafka { .. }) => {
                tracing::warn!(%error, "Kafka does not answer; trying again")
            }
            Err(error) => return Err(error),
            Ok(_) => return Ok(()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn check_blocking(options: &KafkaOptions) -> Result<Vec<TopicState>, TopicError> {
    let admin: AdminClient<DefaultClientContext> =
        options.client().create().map_err(|source| failed(options, source))?;
    let metadata = admin.inner().fetch_metadata(None, TIMEOUT).map_err(|source| failed(options, source))?;
    let state = |name: &str| {
        let topic = metadata.topics().iter().find(|topic| topic.name() == name);
        let topic = topic.ok_or_else(|| TopicError::Missing(name.to_owned()))?;
        let partitions = topic.partitions();
        Ok(TopicState {
            topic: name.to_owned(),
            partitions: partitions.len(),
            replicas: partitions.iter().map(|of| of.replicas().len()).min().unwrap_or(0),
            behind: partitions.iter().filter(|of| of.isr().len() < of.replicas().len()).count(),
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

fn failed(options: &KafkaOptions, source: KafkaError) -> TopicError {
    TopicError::Kafka { brokers: options.brokers.clone(), source }
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
        lag_blocking(&options).map_err(|source| failed(&options, source))
    });
    asked.await.unwrap_or_else(|_| Err(TopicError::Kafka { brokers, source: KafkaError::Canceled }))
}

fn lag_blocking(options: &KafkaOptions) -> Result<Vec<PartitionLag>, KafkaError> {
    let consumer: BaseConsumer = options.consumer().create()?;
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
    consumer: &BaseConsumer,
    options: &KafkaOptions,
    partition: i32,
    offset: i64,
) -> Result<Option<i64>, KafkaError> {
    let mut at = TopicPartitionList::new();
    at.add_partition_offset(&options.topic, partition, Offset::Offset(offset))?;
    consumer.assign(&at)?;
    let message = consumer.poll(LOOK).transpose()?;
    let stamp_ms = message.and_then(|message| message.timestamp().to_millis());
    Ok(stamp_ms.map(|stamp_ms| (crate::write::now_ns() / 1_000_000 - stamp_ms).max(0) / 1_000))
}
