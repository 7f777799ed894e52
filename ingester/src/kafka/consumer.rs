//! The consumer of one member of the writers' group. Partitions come and go in its callbacks, which run on the one
//! thread that polls; what is done then is the member's ([`Rebalanced`]).
//!
//! The generation is read in the callbacks only: there the member waits for us before it joins anew, so what is read
//! belongs to the partitions that it holds. A member that has been expelled hears of it (and loses its leases) before
//! it can be given anything again. Whatever still commits under an old generation is refused by the broker.

use std::sync::{Arc, OnceLock, Weak};

use rdkafka::{
    ClientContext, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, ConsumerGroupMetadata, Rebalance},
    error::KafkaError,
};

/// The consumer that partitions are read with.
pub(super) type PartitionConsumer = BaseConsumer<Callbacks>;

/// A member's generation: what its commits are made under.
pub(super) type Generation = Arc<ConsumerGroupMetadata>;

/// What a member does when partitions come and go.
pub(super) trait Rebalanced: Send + Sync {
    /// Partitions come. Nothing of them has been fetched yet.
    fn assigned(&self, consumer: &Arc<PartitionConsumer>, partitions: &[i32]);

    /// Partitions go; where they are `lost`, others may have them already.
    fn revoked(&self, partitions: &[i32], lost: bool);

    /// All partitions are lost.
    fn failed(&self);

    /// What came and went is carried out, under this generation; none: it has been expelled meanwhile, and the callback
    /// that says so comes next.
    fn settled(&self, generation: Option<Generation>);
}

/// The consumer's callbacks.
pub(super) struct Callbacks {
    member: Box<dyn Rebalanced>,
    consumer: OnceLock<Weak<PartitionConsumer>>,
}

impl Callbacks {
    pub fn new(member: Box<dyn Rebalanced>) -> Callbacks {
        Callbacks { member, consumer: OnceLock::new() }
    }

    /// Says which consumer these are of; before it polls.
    pub fn attach(consumer: &Arc<PartitionConsumer>) {
        // Once.
        let _ = consumer.context().consumer.set(Arc::downgrade(consumer));
    }
}

impl ClientContext for Callbacks {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka");
    }
}

impl ConsumerContext for Callbacks {
    fn pre_rebalance(&self, consumer: &PartitionConsumer, rebalance: &Rebalance<'_>) {
        match rebalance {
            // Before anything is fetched, so that every message comes by its partition's queue.
            Rebalance::Assign(partitions) => {
                if let Some(consumer) = self.consumer.get().and_then(Weak::upgrade) {
                    self.member.assigned(&consumer, &numbers(partitions));
                }
            }
            Rebalance::Revoke(partitions) => {
                let (partitions, lost) = (numbers(partitions), consumer.assignment_lost());
                tracing::info!(?partitions, finish = !lost, "partitions go");
                self.member.revoked(&partitions, lost);
            }
            Rebalance::Error(error) => {
                tracing::warn!(%error, "a rebalance failed");
                self.member.failed();
            }
        }
    }

    fn post_rebalance(&self, consumer: &PartitionConsumer, rebalance: &Rebalance<'_>) {
        self.member.settled(generation(consumer));
        if let Rebalance::Assign(partitions) = rebalance {
            tracing::info!(new = ?numbers(partitions), "partitions come");
        }
    }
}

fn numbers(partitions: &TopicPartitionList) -> Vec<i32> {
    partitions.elements().iter().map(|element| element.partition()).collect()
}

/// The member's generation; none where it is no member any more. A commit without a member's name would be taken as
/// that of a tool, and not be refused.
fn generation(consumer: &PartitionConsumer) -> Option<Generation> {
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
