//! Batches of one call into the queue, and acknowledgements out of it, in order.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::Bytes;
use lastwords_proto::v1::{self, Acknowledgement, Rejection, ship_response::Message};
use lastwords_record::BatchId;
use lastwords_runtime::quiet::bounded;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{
    replies::{Replies, throttle},
    shared::QuietCalls,
};
use crate::{
    admit::AdmitOptions,
    budget::Lease,
    queue::{Durability, Pending, Queue, WriteError, Written},
    refusals::Refused,
    turns::{Turn, Turns},
};

/// A batch with the room that it holds until it is durable.
pub(super) struct Admitted {
    pub id: BatchId,
    pub envelope: Bytes,
    pub lease: Lease,
    /// When its last byte came.
    pub received: Instant,
}

/// A batch in the queue, with all that it holds until it is durable.
pub(super) struct Submitted {
    id: BatchId,
    bytes: u64,
    received: Instant,
    pending: Pending,
    _lease: Lease,
    _turn: Option<Turn>,
}

/// Hands batches to the queue, waiting for room, and for a turn where the call has not proved itself.
pub(super) struct Submitter<Q> {
    pub queue: Q,
    pub turns: Turns,
    pub proven: Arc<AtomicBool>,
    pub replies: Replies,
}

impl<Q: Queue> Submitter<Q> {
    pub(super) async fn run(
        self,
        mut admitted: mpsc::UnboundedReceiver<Admitted>,
        submitted: mpsc::UnboundedSender<Submitted>,
        stop: CancellationToken,
    ) {
        let work = async {
            while let Some(batch) = admitted.recv().await {
                match self.submit(batch).await {
                    Ok(batch) => {
                        if submitted.send(batch).is_err() {
                            return;
                        }
                    }
                    Err(status) => {
                        self.replies.end(status).await;
                        return;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            // What still waits for room was not taken: the shipper sends it elsewhere.
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    async fn submit(&self, admitted: Admitted) -> Result<Submitted, Status> {
        let Admitted { id, envelope, lease, received } = admitted;
        let turn = if self.proven.load(Ordering::Acquire) { None } else { Some(self.turns.take().await) };
        if self.queue.is_full() {
            let _ = self.replies.send(throttle("the ingester's queue is full")).await;
        }
        let bytes = envelope.len() as u64;
        let pending = self.queue.submit(envelope).await;
        let pending = pending.map_err(|error| Status::unavailable(bounded(&error.to_string())))?;
        Ok(Submitted { id, bytes, received, pending, _lease: lease, _turn: turn })
    }
}

/// Answers for batches in the order of the stream.
pub(super) struct Acknowledger {
    pub options: Arc<AdmitOptions>,
    pub proven: Arc<AtomicBool>,
    pub quiet: Arc<QuietCalls>,
    pub replies: Replies,
    pub in_flight: Arc<AtomicU64>,
}

impl Acknowledger {
    pub(super) async fn run(self, mut submitted: mpsc::UnboundedReceiver<Submitted>) {
        while let Some(batch) = submitted.recv().await {
            let Submitted { id, bytes, received, pending, _lease: lease, _turn: turn } = batch;
            let answer = match pending.await {
                Ok(written) => {
                    self.proven.store(written.quarantined == 0, Ordering::Release);
                    if written.quarantined > 0 {
                        self.options.limits.turns.set_aside();
                    }
                    self.options.calls.acknowledgements.observe(received.elapsed());
                    acknowledgement(id, &written)
                }
                Err(WriteError::Refused(detail)) => {
                    self.refused(id, v1::rejection::Reason::TooLarge, &detail)
                }
                Err(conflict @ WriteError::Conflict) => {
                    self.refused(id, v1::rejection::Reason::Conflict, &conflict.to_string())
                }
                Err(error) => {
                    // Nothing behind it may be acknowledged either.
                    self.replies.end(Status::unavailable(bounded(&error.to_string()))).await;
                    return;
                }
            };
            self.in_flight.fetch_sub(bytes, Ordering::Relaxed);
            drop((lease, turn));
            if self.replies.send(answer).await.is_err() {
                return;
            }
        }
    }

    fn refused(&self, id: BatchId, reason: v1::rejection::Reason, detail: &str) -> Message {
        let detail = bounded(detail);
        self.options.refusals.count(Refused::Batch(reason));
        if let Some(unsaid) = self.quiet.refused.may_say(Instant::now()) {
            tracing::warn!(batch = %id, detail, unsaid, "a batch is refused");
        }
        Message::Rejection(Rejection {
            epoch: id.epoch,
            sequence: id.sequence,
            reason: reason.into(),
            detail,
        })
    }
}

fn acknowledgement(id: BatchId, written: &Written) -> Message {
    let durability = match written.durability {
        Durability::StoreSynced => v1::Durability::StoreSynced,
        Durability::KafkaReplicated => v1::Durability::KafkaReplicated,
    };
    Message::Acknowledgement(Acknowledgement {
        epoch: id.epoch,
        sequence: id.sequence,
        durability: durability.into(),
        events: written.events,
        quarantined: written.quarantined,
    })
}
