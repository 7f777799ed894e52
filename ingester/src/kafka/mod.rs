//! Kafka between admission and storage. The stages in flow order:
//!
//! 1. [`topics`]: made once, checked at every start.
//! 2. [`produce`]: sealed batches onto Kafka, as `message` says; an acknowledgement when all in-sync replicas have them.
//! 3. [`group`]: partitions come and go with the group's generation; commits are fenced by it.
//! 4. `read`: one partition's messages, opened and scanned ahead of the store.
//! 5. [`partition`]: one partition's writer; it does what the `machine` says, which is pure, with the plan that
//!    `offset_plan` keeps in the committed offset's metadata.

mod commit;
pub mod group;
mod machine;
mod message;
#[cfg(test)]
mod model;
mod offset_plan;
mod options;
mod partition;
pub mod produce;
mod read;
pub mod topics;

pub use group::{GroupError, GroupOptions, run_group};
pub use options::{KafkaOptions, PropertyError};
pub use partition::PartitionStates;
pub use produce::Producer;
pub use topics::{TopicError, TopicState};
