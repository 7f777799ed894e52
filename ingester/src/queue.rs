//! What lies between admission and storage, the only stage in which deployments differ: the direct queue
//! ([`crate::direct`]), or Kafka ([`crate::kafka`]).

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use lastwords_record::{Batch, OpenError, ShipperId};
use thiserror::Error;

/// A batch in one of its forms.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is moved a few times for a thousand records")]
pub enum Incoming {
    /// The envelope as it travelled.
    Sealed(Bytes),
    /// The columns, from a shipper in this process.
    Opened(Batch),
}

/// What survives once a batch is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// In the store, with fsync: the loss of power.
    #[default]
    StoreSynced,
    /// On all in-sync replicas of Kafka: the loss of any one of them.
    KafkaReplicated,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// What survives.
    pub durability: Durability,
    /// Events in it, recognised and shipped; 0 where the batch was known already.
    pub events: u64,
    /// 1 where it was set aside.
    pub quarantined: u64,
    /// Another content is stored under its number: this one is not.
    pub(crate) conflicting: bool,
}

/// Why a batch was not taken.
#[derive(Debug, Error)]
pub enum SubmitError {
    /// Not even its header can be read.
    #[error(transparent)]
    Unreadable(#[from] OpenError),
    /// The queue has been closed.
    #[error("the ingester is stopping and takes no more batches; send it again later")]
    Closed,
    /// What stores batches has broken.
    #[error("the ingester cannot store batches until it is started again ({0}); send it again later")]
    Broken(Arc<str>),
}

/// Why a batch is not durable, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The writer ended first. What it had begun is taken up at the next start.
    #[error("the writer stopped before the batch was stored; send it again later")]
    Stopped,
    /// Not now: it may be sent again.
    #[error("{0}; send it again later")]
    Unavailable(String),
    /// Never: sending it again is useless.
    #[error("{0}")]
    Refused(String),
    /// Never under this number: another content is stored under it.
    #[error("another batch is stored under this number; send it again in a new epoch")]
    Conflict,
}

/// Where admitted batches go: the direct queue, or another.
pub trait Queue: Clone + Send + Sync + 'static {
    /// Takes a sealed batch, waiting for room; what it gives resolves when the batch is durable. Where the future is
    /// dropped before it resolves, the batch may or may not have been taken: it comes again.
    fn submit(&self, envelope: Bytes) -> impl Future<Output = Result<Pending, SubmitError>> + Send;

    /// Whether a batch would have to wait for room.
    fn is_full(&self) -> bool;

    /// The highest number of a shipper and epoch that is stored; none where there is none, or it is not known here.
    fn highest(&self, _shipper: ShipperId, _epoch: u64) -> Option<u64> {
        None
    }
}

/// Resolves when a batch is durable.
pub type Pending = Pin<Box<dyn Future<Output = Result<Written, WriteError>> + Send>>;
