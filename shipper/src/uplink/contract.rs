//! What goes to an uplink, and what it has to say.

use std::{future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use lastwords_record::{Batch, BatchId, Clock, Compression, Host, SealError, ShipperId};

/// What becomes of a batch that is delivered in process.
pub type DeliverFuture = Pin<Box<dyn Future<Output = Result<Delivered, DeliverError>> + Send>>;

/// Takes batches in process.
pub trait Deliver: Send + Sync {
    /// Takes a batch; the future resolves when it is durable. Called in the order of the batches' numbers; several
    /// may be under way.
    fn deliver(&self, batch: Batch) -> DeliverFuture;

    /// The highest number that it knows of a shipper and epoch; none where it knows none, or cannot tell.
    fn highest(&self, _shipper: ShipperId, _epoch: u64) -> Option<u64> {
        None
    }
}

/// What the writer made of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivered {
    /// Events recognised in it.
    pub events: u64,
    /// 1 where it was set aside, else 0.
    pub quarantined: u64,
}

/// Why a batch was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// Not now; the very same batch is offered again after a pause.
    #[error("{0}")]
    Retry(String),
    /// Never; it counts as lost.
    #[error("{0}")]
    Rejected(String),
    /// Another content is stored under its number; it may come again under another one.
    #[error("{0}")]
    Conflict(String),
}

/// Who speaks.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The first number that will be sent, with shipper and epoch.
    pub next: BatchId,
    /// The highest number of this epoch that was ever given to a batch.
    pub given: u64,
    /// The host that the shipper runs on.
    pub host: Host,
}

/// A batch on its way to the uplink.
#[derive(Debug)]
pub struct Outgoing {
    /// Its number.
    pub id: BatchId,
    /// What there is of it.
    pub content: Content,
}

/// A batch in one of its forms.
#[derive(Debug, Clone)]
pub enum Content {
    /// As columns.
    Open(Box<Batch>),
    /// Closed already.
    Sealed(Bytes),
}

impl Content {
    /// The envelope.
    ///
    /// # Errors
    /// As [`Batch::seal`].
    pub fn seal(self, compression: Compression) -> Result<Bytes, SealError> {
        match self {
            Content::Open(batch) => batch.seal(compression),
            Content::Sealed(envelope) => Ok(envelope),
        }
    }
}

/// What an uplink has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// This batch and all before it are durable or were rejected.
    Acknowledged {
        /// Its number.
        sequence: u64,
        /// Sums over the batches that this report newly acknowledges.
        delivered: Delivered,
    },
    /// This batch will never be taken.
    Rejected {
        /// Its number.
        sequence: u64,
        /// Why.
        reason: String,
    },
    /// The other side holds another content under this number.
    Refused {
        /// Its number.
        sequence: u64,
        /// For people.
        reason: String,
    },
    /// The other side knows a number that was never given here.
    Ahead {
        /// The highest that it knows.
        sequence: u64,
    },
    /// The other side wants batches to be gathered for so long; zero: as configured.
    SealAfter(Duration),
    /// The clock was measured.
    Clock(Clock),
    /// The other side is reached, or is not any more.
    Connection {
        /// Whether it is.
        is_up: bool,
    },
}
