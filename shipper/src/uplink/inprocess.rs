//! The way into this very process: batches stay columns, nothing is compressed.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use lastwords_record::{Batch, BatchId};
use lastwords_runtime::Backoff;
use tokio::sync::mpsc;

use super::{Content, Deliver, DeliverError, Delivered, Identity, Outgoing, Report};

type Attempt = Pin<Box<dyn Future<Output = Result<Delivered, DeliverError>> + Send>>;

/// Batches that the sink has and has not answered for, oldest first.
#[derive(Default)]
struct Underway(VecDeque<(BatchId, Slot)>);

enum Slot {
    Running(Attempt),
    Done(Result<Delivered, DeliverError>),
}

impl Underway {
    /// Lets every attempt go on, oldest first, so that the sink sees batches in their order; ready with the oldest.
    fn poll_first(&mut self, context: &mut Context<'_>) -> Poll<(BatchId, Result<Delivered, DeliverError>)> {
        for (_, slot) in &mut self.0 {
            if let Slot::Running(attempt) = slot
                && let Poll::Ready(outcome) = attempt.as_mut().poll(context)
            {
                *slot = Slot::Done(outcome);
            }
        }
        match self.0.pop_front() {
            Some((id, Slot::Done(outcome))) => Poll::Ready((id, outcome)),
            Some(running) => {
                self.0.push_front(running);
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }
}

pub(super) async fn drive(
    sink: Arc<dyn Deliver>,
    identity: Identity,
    mut outgoing: mpsc::Receiver<Outgoing>,
    reports: mpsc::Sender<Report>,
) {
    let known = sink.highest(identity.next.shipper, identity.next.epoch);
    if let Some(sequence) = known.filter(|known| *known > identity.given)
        && reports.send(Report::Ahead { sequence }).await.is_err()
    {
        return;
    }
    let mut underway = Underway::default();
    let mut open = true;
    while open || !underway.0.is_empty() {
        tokio::select! {
            biased;
            (id, outcome) = std::future::poll_fn(|context| underway.poll_first(context)) => {
                if reports.send(report(id, outcome)).await.is_err() {
                    return;
                }
            }
            taken = outgoing.recv(), if open => match taken {
                Some(batch) => underway.0.push_back((batch.id, begin(&sink, batch))),
                None => open = false,
            },
        }
    }
}

fn report(id: BatchId, outcome: Result<Delivered, DeliverError>) -> Report {
    match outcome {
        Ok(delivered) => Report::Acknowledged { sequence: id.sequence, delivered },
        Err(DeliverError::Conflict(reason)) => Report::Refused { sequence: id.sequence, reason },
        Err(DeliverError::Rejected(reason) | DeliverError::Retry(reason)) => {
            Report::Rejected { sequence: id.sequence, reason }
        }
    }
}

/// Delivers a batch until it is taken or rejected.
fn begin(sink: &Arc<dyn Deliver>, outgoing: Outgoing) -> Slot {
    let id = outgoing.id;
    let batch = match open(outgoing.content) {
        Ok(batch) => batch,
        Err(reason) => return Slot::Done(Err(DeliverError::Rejected(reason))),
    };
    let sink = Arc::clone(sink);
    Slot::Running(Box::pin(async move {
        let mut backoff = Backoff::default();
        loop {
            // The text is shared, not copied; the columns beside it are what a second try costs.
            match sink.deliver(batch.clone()).await {
                Err(DeliverError::Retry(reason)) => {
                    let pause = backoff.pause();
                    tracing::warn!(batch = %id, %reason, ?pause, "the batch was not taken; trying again");
                    tokio::time::sleep(pause).await;
                }
                outcome => return outcome,
            }
        }
    }))
}

fn open(content: Content) -> Result<Batch, String> {
    match content {
        Content::Open(batch) => Ok(*batch),
        Content::Sealed(envelope) => Batch::open(&envelope).map_err(|error| error.to_string()),
    }
}
