//! One call of a shipper, from the welcome on: a reader, which never waits for the queue, so that probes of the clock
//! are answered at once; a submitter, which waits for room in the queue; an acknowledger, which waits for storage, in
//! order.

mod deliver;
mod replies;
mod shared;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hyper::body::Incoming;
use lastwords_proto::v1::{HeartbeatReply, Rejection, ShipRequest, ship_request, ship_response::Message};
use lastwords_record::limits::ENVELOPE_BYTES_MAX;
use lastwords_runtime::{link::Welcomed, now_ns, quiet::bounded};
use prost::Message as _;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tonic::Status;

use crate::{
    admit::{Admission, AdmitOptions, Rejected},
    budget::{Holder, Lease},
    connection::Peer,
    gathering_time::{changed, milliseconds},
    messages::{Broken, Messages},
    queue::Queue,
    refusals::{CallReason, Refused},
};
use deliver::{Acknowledger, Admitted, Submitter};
pub(crate) use replies::{Replies, response, stopping};
use replies::{gather_for, throttle};
pub(crate) use shared::{Drain, QuietCalls};

/// Bytes of a message: envelopes above their own bound are rejected one by one, what is above this ends the call.
const MESSAGE_BYTES_MAX: usize = 2 * ENVELOPE_BYTES_MAX;
/// What a message takes beside its bytes, until it is durable.
const MESSAGE_OVERHEAD_BYTES: usize = 1024;
/// A shipper that waits for room is told so, and then every so often, lest it take the silence for a broken call.
const FIRST_WORD: Duration = Duration::from_millis(500);
const NEXT_WORD: Duration = Duration::from_secs(5);

/// One call.
pub(crate) struct Call<Q> {
    pub queue: Q,
    pub options: Arc<AdmitOptions>,
    pub holder: Holder,
    pub peer: Option<Peer>,
    pub replies: Replies,
    pub drain: Drain,
    pub quiet: Arc<QuietCalls>,
    pub welcomed: Welcomed,
    /// How long the shipper has been told to gather.
    pub seal_after: Duration,
}

impl<Q: Queue> Call<Q> {
    pub(crate) async fn run(self, messages: Messages<Incoming>, admission: Admission) {
        let (drain, replies) = (self.drain.clone(), self.replies.clone());
        tokio::select! {
            () = self.exchange(messages, admission) => {}
            () = drain.over.cancelled() => {
                replies.end_at_once(stopping());
            }
        }
    }

    async fn exchange(self, mut messages: Messages<Incoming>, mut admission: Admission) {
        let in_flight = Arc::new(AtomicU64::new(0));
        // Both are bounded by the leases of what is in them.
        let (admitted, to_submit) = mpsc::unbounded_channel();
        let (submitted, to_acknowledge) = mpsc::unbounded_channel();
        // Aborted where this call is dropped.
        let mut workers = JoinSet::new();
        let proven = Arc::new(AtomicBool::new(false));
        let submitter = Submitter {
            queue: self.queue.clone(),
            turns: self.options.limits.turns.clone(),
            proven: Arc::clone(&proven),
            replies: self.replies.clone(),
        };
        workers.spawn(submitter.run(to_submit, submitted, self.drain.begin.clone()));
        let acknowledger = Acknowledger {
            options: Arc::clone(&self.options),
            proven,
            quiet: Arc::clone(&self.quiet),
            replies: self.replies.clone(),
            in_flight: Arc::clone(&in_flight),
        };
        workers.spawn(acknowledger.run(to_acknowledge));
        let caller = self.options.limits.callers.enter(self.holder.shipper);
        let barred = barred(self.peer.as_ref());
        tokio::pin!(barred);
        let mut seal_after = self.seal_after;
        let ended = loop {
            let message = tokio::select! {
                () = self.drain.begin.cancelled() => break Some(stopping()),
                status = &mut barred => break Some(status),
                () = caller.replaced() => break Some(self.replaced()),
                () = self.replies.closed() => break None,
                message = self.next(&mut messages) => message,
            };
            match message {
                Ok(Some((message, lease))) => {
                    seal_after = self.tell_gathering_time(seal_after).await;
                    if let Err(status) =
                        self.take(message, lease, &mut admission, &admitted, &in_flight).await
                    {
                        break Some(status);
                    }
                }
                Ok(None) => break None,
                Err(broken) => break self.broken(&broken),
            }
        };
        drop((caller, messages));
        // What was taken is still acknowledged.
        drop(admitted);
        while workers.join_next().await.is_some() {}
        if let Some(status) = ended {
            self.replies.end(status).await;
        }
        drop(self.welcomed);
    }

    /// The next message that says something, with the room that it takes.
    async fn next(
        &self,
        messages: &mut Messages<Incoming>,
    ) -> Result<Option<(ship_request::Message, Lease)>, Broken> {
        let (limits, deadlines) = (&self.options.limits, self.options.limits.deadlines);
        loop {
            let Some(bytes) = messages.announced(MESSAGE_BYTES_MAX, deadlines.idle).await? else {
                return Ok(None);
            };
            let lease = self.room(bytes + MESSAGE_OVERHEAD_BYTES).await;
            let message = messages.read(bytes, deadlines.message, || limits.budget.is_short()).await?;
            let request = ShipRequest::decode(message).map_err(|error| Broken::Gone(error.to_string()))?;
            if let Some(message) = request.message {
                return Ok(Some((message, lease)));
            }
        }
    }

    /// Waits for room, and says so.
    async fn room(&self, bytes: usize) -> Lease {
        let taken = self.options.limits.budget.take(self.holder, bytes);
        tokio::pin!(taken);
        let mut patience = FIRST_WORD;
        loop {
            tokio::select! {
                biased;
                lease = &mut taken => return lease,
                () = tokio::time::sleep(patience) => {
                    patience = NEXT_WORD;
                    // Who has gone is noticed elsewhere.
                    let _ = self.replies.send(throttle("the ingester's memory for batches is in use")).await;
                }
            }
        }
    }

    /// Many shippers have come, or gone: each gathers for longer now, or not as long. Gives what it has been told.
    async fn tell_gathering_time(&self, told: Duration) -> Duration {
        let Some(now) = changed(told, self.options.limits.callers.shippers()) else { return told };
        // Who has gone is noticed elsewhere.
        let _ = self.replies.send(gather_for(milliseconds(now))).await;
        now
    }

    fn replaced(&self) -> Status {
        self.options.refusals.count(Refused::Call(CallReason::Replaced));
        Status::aborted("newer calls of this shipper took this one's place")
    }

    /// How a call ends that broke off; none: there is nobody to tell.
    fn broken(&self, broken: &Broken) -> Option<Status> {
        let said = broken.to_string();
        let (reason, status) = match broken {
            Broken::Gone(_) | Broken::Cut => {
                tracing::debug!(error = bounded(&said), "a call broke");
                return None;
            }
            Broken::Compressed(_) => (CallReason::Malformed, Status::unimplemented(said)),
            Broken::TooLarge { .. } => (CallReason::TooLarge, Status::out_of_range(said)),
            Broken::Idle(_) => (CallReason::Idle, Status::deadline_exceeded(said)),
            Broken::Slow(_) => (CallReason::Slow, Status::deadline_exceeded(said)),
            Broken::GaveWay => (CallReason::GaveWay, Status::resource_exhausted(said)),
        };
        self.options.refusals.count(Refused::Call(reason));
        if let Some(unsaid) = self.quiet.refused.may_say(Instant::now()) {
            let address = self.peer.as_ref().map(|peer| peer.address);
            tracing::warn!(
                ?address,
                reason = reason.as_str(),
                error = status.message(),
                unsaid,
                "a call is ended"
            );
        }
        Some(status)
    }

    async fn take(
        &self,
        message: ship_request::Message,
        lease: Lease,
        admission: &mut Admission,
        admitted: &mpsc::UnboundedSender<Admitted>,
        in_flight: &AtomicU64,
    ) -> Result<(), Status> {
        match message {
            ship_request::Message::Hello(_) => {
                return Err(Status::invalid_argument("Hello may only be the first message of a call"));
            }
            ship_request::Message::Heartbeat(heartbeat) => {
                let ingester_received_ns = now_ns();
                let reply = HeartbeatReply {
                    shipper_sent_ns: heartbeat.shipper_sent_ns,
                    ingester_received_ns,
                    ingester_sent_ns: now_ns(),
                };
                // A shipper that has gone is noticed by the next read.
                let _ = self.replies.send(Message::Heartbeat(reply)).await;
            }
            ship_request::Message::Batch(envelope) => match admission.admit(&envelope) {
                Ok(header) => {
                    let (max, bytes) = (self.options.in_flight_bytes_max, envelope.len() as u64);
                    let before = in_flight.fetch_add(bytes, Ordering::Relaxed);
                    // One batch above the bound is the shipper's right: a single one must never wait for ever.
                    if before > max {
                        let detail = format!(
                            "{before} bytes are unacknowledged, at most {max} may be; wait for acknowledgements"
                        );
                        return Err(Status::resource_exhausted(detail));
                    }
                    let batch = Admitted { id: header.id, envelope, lease, received: Instant::now() };
                    admitted.send(batch).map_err(|_| stopping())?;
                }
                Err(rejected) => self.reject(admission, rejected).await,
            },
        }
        Ok(())
    }

    async fn reject(&self, admission: &Admission, rejected: Rejected) {
        let detail = bounded(&rejected.detail);
        self.options.refusals.count(Refused::Batch(rejected.reason));
        if let Some(unsaid) = self.quiet.refused.may_say(Instant::now()) {
            tracing::warn!(
                host = bounded(admission.host()),
                address = ?self.peer.as_ref().map(|peer| peer.address),
                reason = rejected.reason.as_str_name(),
                detail,
                unsaid,
                "a batch is not admitted"
            );
        }
        let (epoch, sequence) = rejected.id.unwrap_or_default();
        let rejection = Rejection { epoch, sequence, reason: rejected.reason.into(), detail };
        let _ = self.replies.send(Message::Rejection(rejection)).await;
    }
}

/// Resolves when the certificate that a call rests on counts no more.
async fn barred(peer: Option<&Peer>) -> Status {
    let Some(peer) = peer else { return std::future::pending().await };
    let ended = async {
        let Some(certificate) = &peer.certificate else { return std::future::pending().await };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let end = Duration::from_secs(u64::try_from(certificate.not_after_s).unwrap_or(0));
        tokio::time::sleep(end.saturating_sub(now)).await;
    };
    tokio::select! {
        () = ended => Status::unauthenticated("the shipper's certificate has ended; put a new one in its place"),
        () = peer.trust.cancelled() => {
            Status::unauthenticated("other CAs are trusted here now; call again with a certificate of one of them")
        }
    }
}

#[cfg(test)]
mod tests {
    use lastwords_runtime::tls::Leaf;
    use tokio_util::sync::CancellationToken;
    use tonic::Code;

    use super::*;

    fn peer(not_after_s: i64) -> Peer {
        let certificate = Some(Arc::new(Leaf { names: vec!["hv01".to_owned()], not_after_s }));
        Peer {
            address: ([127, 0, 0, 1], 9).into(),
            certificate,
            trust: CancellationToken::new(),
            place: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_with_its_certificate_and_with_the_trust_in_its_ca() {
        let in_a_day = now_ns() / 1_000_000_000 + 86_400;
        let call = peer(in_a_day);
        let since = tokio::time::Instant::now();
        let status = barred(Some(&call)).await;
        assert!((86_390..=86_400).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
        assert!(status.code() == Code::Unauthenticated && status.message().contains("ended"), "{status}");
        let call = peer(in_a_day);
        call.trust.cancel();
        let since = tokio::time::Instant::now();
        assert_eq!(barred(Some(&call)).await.code(), Code::Unauthenticated);
        assert_eq!(since.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_a_certificate_goes_on() {
        let plain = Peer { certificate: None, ..peer(0) };
        let year = Duration::from_secs(31_536_000);
        assert!(tokio::time::timeout(year, barred(Some(&plain))).await.is_err());
        assert!(tokio::time::timeout(year, barred(None)).await.is_err());
    }
}
