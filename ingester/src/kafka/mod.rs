//! Kafka between admission and storage. The stages in flow order:
//!
//! 1. [`topics`]: made once, checked at every start.
//! 2. [`produce`]: sealed batches onto Kafka, as `message` says; an acknowledgement when all in-sync replicas have them.
//! 3. [`group`]: one member of the writers' group. Partitions come and go in the callbacks of its `consumer`, with the
//!    group's generation, by which commits are fenced; `leases`: which ones it may write.
//! 4. `read`: one partition's messages, opened and scanned ahead of the store.
//! 5. `partition`: a partition's `writer` does what the `machine` says, which is pure. `gather` makes its blocks,
//!    `offset_plan` keeps the plan in the committed offset's metadata, `commit` commits, `progress` tells how far it is; `losses`: a log that
//!    is not the one that was read.

mod commit;
mod consumer;
mod gather;
pub mod group;
mod leases;
mod losses;
mod machine;
mod message;
#[cfg(test)]
mod model;
mod offset_plan;
mod options;
mod partition;
pub mod produce;
mod progress;
mod read;
pub mod topics;
mod writer;

/// What `lastwords write` takes at most while it holds so many partitions and forms blocks of so many bytes: what there is
/// without any, and for each partition what is read ahead, opened, a block of it, and what Kafka's client has fetched.
#[must_use]
pub fn writer_bytes_max(partitions: usize, block_bytes: usize) -> usize {
    crate::limits::BASE_BYTES + partitions * 4 * block_bytes
}

pub use group::{GroupError, GroupOptions, run_group};
pub use options::{KafkaOptions, PropertyError};
pub use produce::Producer;
pub use progress::PartitionStates;
pub use topics::{Heard, TopicError, TopicState};
