//! Commits of offsets, as transactions under the group's generation: the broker refuses those of a member that has
//! been expelled meanwhile, however late they come.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::ConsumerGroupMetadata,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, Producer as _},
};

use super::{KafkaOptions, machine::Outcome};

const TIMEOUT: Duration = Duration::from_secs(15);
/// Retriable failures in a row, after which the outcome is looked up instead.
const RETRIES: usize = 5;

/// One process's way of committing. Transactions follow one another.
pub(super) struct Committer {
    options: KafkaOptions,
    id: String,
    producer: std::sync::Mutex<Option<BaseProducer>>,
}

impl Committer {
    pub fn new(options: &KafkaOptions) -> Committer {
        // Nobody takes over another process's transactions: what it left open ends by time-out.
        let id = format!("{}-{:016x}", options.group, rand::random::<u64>());
        Committer { options: options.clone(), id, producer: std::sync::Mutex::new(None) }
    }

    /// Commits an offset with metadata. Blocks the thread.
    pub fn commit(
        &self,
        partition: i32,
        offset: i64,
        metadata: &str,
        generation: &Arc<ConsumerGroupMetadata>,
    ) -> Outcome {
        let mut slot = self.producer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let producer = match slot.take() {
            Some(producer) => producer,
            None => match self.begin() {
                Ok(producer) => producer,
                Err(error) => {
                    tracing::warn!(%error, "the committer cannot begin");
                    return Outcome::Unknown;
                }
            },
        };
        let outcome = self.transaction(&producer, partition, offset, metadata, generation);
        match outcome {
            Ok(()) => {
                *slot = Some(producer);
                Outcome::Committed
            }
            Err(error) => {
                let code = error.rdkafka_error_code();
                // A new producer settles whatever the old one left open before it begins.
                tracing::info!(partition, offset, %error, "a commit failed");
                if is_refusal(code) && producer.abort_transaction(TIMEOUT).is_ok() {
                    *slot = Some(producer);
                    return Outcome::Fenced;
                }
                Outcome::Unknown
            }
        }
    }

    fn begin(&self) -> Result<BaseProducer, KafkaError> {
        let producer: BaseProducer = self.options.committer(&self.id).create()?;
        producer.init_transactions(TIMEOUT)?;
        Ok(producer)
    }

    fn transaction(
        &self,
        producer: &BaseProducer,
        partition: i32,
        offset: i64,
        metadata: &str,
        generation: &ConsumerGroupMetadata,
    ) -> Result<(), KafkaError> {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition(&self.options.topic, partition).set_offset(Offset::Offset(offset))?;
        for mut element in offsets.elements() {
            element.set_metadata(metadata);
        }
        producer.begin_transaction()?;
        retried(|| producer.send_offsets_to_transaction(&offsets, generation, TIMEOUT))?;
        retried(|| producer.commit_transaction(TIMEOUT))
    }
}

fn retried(mut step: impl FnMut() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    let mut last = Ok(());
    for _ in 0..RETRIES {
        last = step();
        match &last {
            Err(KafkaError::Transaction(error)) if error.is_retriable() => {}
            _ => break,
        }
    }
    last
}

/// Whether the broker said that the partition is another's, or may be.
fn is_refusal(code: Option<RDKafkaErrorCode>) -> bool {
    matches!(
        code,
        Some(
            RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::FencedInstanceId
                | RDKafkaErrorCode::RebalanceInProgress
        )
    )
}
