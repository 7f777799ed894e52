//! One call of a shipper, from the welcome on: a reader, which never waits for the queue, so that probes of the clock
//! are answered at once; a submitter, which waits for room in the queue; an acknowledger, which waits for storage, in
//! order.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use hyper::body::Incoming;
use lastwords_proto::v1::{
    self, Acknowledgement, HeartbeatReply, Rejection, ShipRequest, ShipResponse, Throttle, ship_request,
    ship_response::Message,
};
use lastwords_record::{BatchId, limits::ENVELOPE_BYTES_MAX};
use lastwords_runtime::{
    link::{Link, Welcomed},
    now_ns,
    quiet::bounded,
};
use prost::Message as _;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{
    accept::Peer,
    admit::{Admission, AdmitOptions, Rejected},
    budget::{Holder, Lease},
    grpc::QuietCalls,
    messages::{Broken, Messages},
    queue::{Durability, Pending, Queue, WriteError, Written},
    refusals::{CallReason, ConnectionReason, Refused},
    turns::{Turn, Turns},
};

/// Bytes of a message: envelopes above their own bound are rejected one by one, what is above this ends the call.
const MESSAGE_BYTES_MAX: usize = 2 * ENVELOPE_BYTES_MAX;
/// What a message takes beside its bytes, until it is durable.
const MESSAGE_OVERHEAD_BYTES: usize = 1024;
/// A shipper that waits for room is told so, and then every so often, lest it take the silence for a broken call.
const FIRST_WORD: Duration = Duration::from_millis(500);
const NEXT_WORD: Duration = Duration::from_secs(5);
/// What a shipper is asked to wait when the queue is full.
const PAUSE_MS: u32 = 200;

/// How a server ends: first nothing more is taken, then nothing more is waited for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drain {
    /// Nothing more is taken.
    pub begin: CancellationToken,
    /// The grace period is over.
    pub over: CancellationToken,
}

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
}

/// The way back to the shipper. A reader that takes nothing for too long ends its connection, as no answer can tell it.
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

    async fn send(&self, message: Message) -> Result<(), Gone> {
        self.put(Ok(response(message))).await
    }

    async fn end(&self, status: Status) {
        // Who has gone need not be told.
        let _ = self.put(Err(status)).await;
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

/// A batch with the room that it holds until it is durable.
type Admitted = (BatchId, Bytes, Lease);

/// A batch in the queue, with all that it holds until it is durable.
struct Submitted {
    id: BatchId,
    bytes: u64,
    pending: Pending,
    _lease: Lease,
    _turn: Option<Turn>,
}

impl<Q: Queue> Call<Q> {
    pub(crate) async fn run(self, messages: Messages<Incoming>, admission: Admission) {
        let (drain, responses) = (self.drain.clone(), self.replies.responses.clone());
        tokio::select! {
            () = self.exchange(messages, admission) => {}
            () = drain.over.cancelled() => {
                // A reader so slow that there is no room finds the call ended without a word.
                let _ = responses.try_send(Err(stopping()));
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
        let ended = loop {
            let message = tokio::select! {
                () = self.drain.begin.cancelled() => break Some(stopping()),
                status = &mut barred => break Some(status),
                () = caller.replaced() => break Some(self.replaced()),
                () = self.replies.responses.closed() => break None,
                message = self.next(&mut messages) => message,
            };
            match message {
                Ok(Some((message, lease))) => {
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
                    admitted.send((header.id, envelope, lease)).map_err(|_| stopping())?;
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

/// Hands batches to the queue, waiting for room, and for a turn where the call has not proved itself.
struct Submitter<Q> {
    queue: Q,
    turns: Turns,
    proven: Arc<AtomicBool>,
    replies: Replies,
}

impl<Q: Queue> Submitter<Q> {
    async fn run(
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

    async fn submit(&self, (id, envelope, lease): Admitted) -> Result<Submitted, Status> {
        let turn = if self.proven.load(Ordering::Acquire) { None } else { Some(self.turns.take().await) };
        if self.queue.is_full() {
            let _ = self.replies.send(throttle("the ingester's queue is full")).await;
        }
        let bytes = envelope.len() as u64;
        let pending = self.queue.submit(envelope).await;
        let pending = pending.map_err(|error| Status::unavailable(bounded(&error.to_string())))?;
        Ok(Submitted { id, bytes, pending, _lease: lease, _turn: turn })
    }
}

/// Answers for batches in the order of the stream.
struct Acknowledger {
    options: Arc<AdmitOptions>,
    proven: Arc<AtomicBool>,
    quiet: Arc<QuietCalls>,
    replies: Replies,
    in_flight: Arc<AtomicU64>,
}

impl Acknowledger {
    async fn run(self, mut submitted: mpsc::UnboundedReceiver<Submitted>) {
        while let Some(batch) = submitted.recv().await {
            let Submitted { id, bytes, pending, _lease: lease, _turn: turn } = batch;
            let answer = match pending.await {
                Ok(written) => {
                    self.proven.store(written.quarantined == 0, Ordering::Release);
                    if written.quarantined > 0 {
                        self.options.limits.turns.set_aside();
                    }
                    acknowledgement(id, &written)
                }
                Err(WriteError::Refused(detail)) => self.refused(id, &detail),
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

    fn refused(&self, id: BatchId, detail: &str) -> Message {
        let (reason, detail) = (v1::rejection::Reason::TooLarge, bounded(detail));
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

fn throttle(reason: &str) -> Message {
    Message::Throttle(Throttle { pause_ms: PAUSE_MS, reason: reason.to_owned() })
}

pub(crate) fn response(message: Message) -> ShipResponse {
    ShipResponse { message: Some(message) }
}

pub(crate) fn stopping() -> Status {
    Status::unavailable("the ingester is stopping; call again")
}

#[cfg(test)]
mod tests {
    use lastwords_runtime::tls::Leaf;
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
