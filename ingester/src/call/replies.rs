//! The way back to the shipper.

use std::{sync::Arc, time::Duration};

use lastwords_proto::v1::{ShipResponse, Throttle, ship_response::Message};
use lastwords_runtime::{link::Link, refusal::ConnectionReason};
use tokio::sync::mpsc;
use tonic::Status;

/// What a shipper is asked to wait when the queue is full.
const PAUSE_MS: u32 = 200;

/// Answers of one call. A reader that takes nothing for too long ends its connection, as no answer can tell it.
#[derive(Debug, Clone)]
pub(crate) struct Replies {
    responses: mpsc::Sender<Result<ShipResponse, Status>>,
    link: Arc<Link>,
    within: Duration,
}

/// Nobody takes answers any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

impl Replies {
    pub(crate) fn new(
        responses: mpsc::Sender<Result<ShipResponse, Status>>,
        link: Arc<Link>,
        within: Duration,
    ) -> Replies {
        Replies { responses, link, within }
    }

    pub(crate) async fn send(&self, message: Message) -> Result<(), Gone> {
        self.put(Ok(response(message))).await
    }

    pub(crate) async fn end(&self, status: Status) {
        // Who has gone need not be told.
        let _ = self.put(Err(status)).await;
    }

    /// The last word, if it can be said at once: a reader so slow that there is no room finds the call ended without one.
    pub(crate) fn end_at_once(&self, status: Status) {
        let _ = self.responses.try_send(Err(status));
    }

    /// Resolves when nobody takes answers any more.
    pub(crate) async fn closed(&self) {
        self.responses.closed().await;
    }

    async fn put(&self, response: Result<ShipResponse, Status>) -> Result<(), Gone> {
        match self.responses.send_timeout(response, self.within).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(Gone),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                self.link.doom(ConnectionReason::SlowReader);
                Err(Gone)
            }
        }
    }
}

/// There is no room: the shipper waits, and knows why.
pub(crate) fn throttle(reason: &str) -> Message {
    Message::Throttle(Throttle { pause_ms: PAUSE_MS, reason: reason.to_owned(), seal_after_ms: 0 })
}

/// The shipper gathers for so long from now on.
pub(crate) fn gather_for(seal_after_ms: u32) -> Message {
    let reason = "so many shippers send here".to_owned();
    Message::Throttle(Throttle { pause_ms: 0, reason, seal_after_ms })
}

/// A message as an answer.
pub(crate) fn response(message: Message) -> ShipResponse {
    ShipResponse { message: Some(message) }
}

/// Nothing more is taken here.
pub(crate) fn stopping() -> Status {
    Status::unavailable("the ingester is stopping; call again")
}
