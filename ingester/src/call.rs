//! One call of a shipper, from the welcome on: a reader, which never waits for the queue, so that probes of the clock
//! are answered at once; a submitter, which waits for room in the queue; an acknowledger, which waits for storage, in
//! order.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use lastwords_proto::v1::{
    self, Acknowledgement, HeartbeatReply, Rejection, ShipRequest, ShipResponse, Throttle, ship_request,
    ship_response::Message,
};
use lastwords_record::BatchId;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::{
    accept::Peer,
    admit::{Admission, AdmitOptions},
    queue::{Durability, Pending, Queue, WriteError},
    refusals::{Refusals, Refused},
    write::now_ns,
};

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
    pub peer: Option<Peer>,
    pub responses: Responses,
    pub drain: Drain,
}

pub(crate) type Responses = mpsc::Sender<Result<ShipResponse, Status>>;
/// Bounded by the bytes in flight.
type Admitted = mpsc::UnboundedSender<(BatchId, Bytes)>;
type Submitted = (BatchId, u64, Pending);

impl<Q: Queue> Call<Q> {
    pub(crate) async fn run(self, requests: Streaming<ShipRequest>, admission: Admission) {
        let (drain, responses) = (self.drain.clone(), self.responses.clone());
        tokio::select! {
            () = self.exchange(requests, admission) => {}
            () = drain.over.cancelled() => {
                // A reader so slow that there is no room finds the call ended without a word.
                let _ = responses.try_send(Err(stopping()));
            }
        }
    }

    async fn exchange(self, mut requests: Streaming<ShipRequest>, mut admission: Admission) {
        let in_flight = Arc::new(AtomicU64::new(0));
        let (admitted, to_submit) = mpsc::unbounded_channel();
        let (submitted, to_acknowledge) = mpsc::unbounded_channel();
        // Aborted where this call is dropped.
        let mut workers = JoinSet::new();
        let stop = self.drain.begin.clone();
        workers.spawn(submit(self.queue.clone(), to_submit, submitted, self.responses.clone(), stop));
        let refusals = Arc::clone(&self.options.refusals);
        workers.spawn(acknowledge(to_acknowledge, Arc::clone(&in_flight), self.responses.clone(), refusals));
        let barred = barred(self.peer.as_ref());
        tokio::pin!(barred);
        let ended = loop {
            let request = tokio::select! {
                () = self.drain.begin.cancelled() => break Some(stopping()),
                status = &mut barred => break Some(status),
                () = self.responses.closed() => break None,
                request = requests.message() => request,
            };
            match request {
                Ok(Some(ShipRequest { message: Some(message) })) => {
                    if let Err(status) = self.take(message, &mut admission, &admitted, &in_flight).await {
                        break Some(status);
                    }
                }
                Ok(Some(ShipRequest { message: None })) => {}
                Ok(None) => break None,
                Err(status) => {
                    tracing::debug!(%status, "a call broke");
                    break None;
                }
            }
        };
        // What was taken is still acknowledged.
        drop(admitted);
        while workers.join_next().await.is_some() {}
        if let Some(status) = ended {
            let _ = self.responses.send(Err(status)).await;
        }
    }

    async fn take(
        &self,
        message: ship_request::Message,
        admission: &mut Admission,
        admitted: &Admitted,
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
                let _ = self.responses.send(Ok(response(Message::Heartbeat(reply)))).await;
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
                    admitted.send((header.id, envelope)).map_err(|_| stopping())?;
                }
                Err(rejected) => {
                    self.options.refusals.count(Refused::Batch(rejected.reason));
                    tracing::warn!(
                        host = admission.host(),
                        address = ?self.peer.as_ref().map(|peer| peer.address),
                        reason = rejected.reason.as_str_name(),
                        detail = rejected.detail,
                        "a batch is not admitted"
                    );
                    let (epoch, sequence) = rejected.id.unwrap_or_default();
                    let rejection = Rejection {
                        epoch,
                        sequence,
                        reason: rejected.reason.into(),
                        detail: rejected.detail,
                    };
                    let _ = self.responses.send(Ok(response(Message::Rejection(rejection)))).await;
                }
            },
        }
        Ok(())
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

async fn submit(
    queue: impl Queue,
    mut admitted: mpsc::UnboundedReceiver<(BatchId, Bytes)>,
    submitted: mpsc::UnboundedSender<Submitted>,
    responses: Responses,
    stop: CancellationToken,
) {
    let work = async {
        while let Some((id, envelope)) = admitted.recv().await {
            if queue.is_full() {
                let throttle =
                    Throttle { pause_ms: PAUSE_MS, reason: "the ingester's queue is full".to_owned() };
                let _ = responses.send(Ok(response(Message::Throttle(throttle)))).await;
            }
            let bytes = envelope.len() as u64;
            match queue.submit(envelope).await {
                Ok(pending) => {
                    if submitted.send((id, bytes, pending)).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    let _ = responses.send(Err(Status::unavailable(error.to_string()))).await;
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

async fn acknowledge(
    mut submitted: mpsc::UnboundedReceiver<Submitted>,
    in_flight: Arc<AtomicU64>,
    responses: Responses,
    refusals: Arc<Refusals>,
) {
    while let Some((id, bytes, pending)) = submitted.recv().await {
        match pending.await {
            Ok(written) => {
                in_flight.fetch_sub(bytes, Ordering::Relaxed);
                let durability = match written.durability {
                    Durability::StoreSynced => v1::Durability::StoreSynced,
                    Durability::KafkaReplicated => v1::Durability::KafkaReplicated,
                };
                let acknowledgement = Acknowledgement {
                    epoch: id.epoch,
                    sequence: id.sequence,
                    durability: durability.into(),
                    events: written.events,
                    quarantined: written.quarantined,
                };
                if responses.send(Ok(response(Message::Acknowledgement(acknowledgement)))).await.is_err() {
                    return;
                }
            }
            Err(WriteError::Refused(detail)) => {
                in_flight.fetch_sub(bytes, Ordering::Relaxed);
                let reason = v1::rejection::Reason::TooLarge;
                refusals.count(Refused::Batch(reason));
                tracing::warn!(batch = %id, detail, "a batch is refused");
                let reason = reason.into();
                let rejection = Rejection { epoch: id.epoch, sequence: id.sequence, reason, detail };
                if responses.send(Ok(response(Message::Rejection(rejection)))).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                // Nothing behind it may be acknowledged either.
                let _ = responses.send(Err(Status::unavailable(error.to_string()))).await;
                return;
            }
        }
    }
}

pub(crate) fn response(message: Message) -> ShipResponse {
    ShipResponse { message: Some(message) }
}

pub(crate) fn stopping() -> Status {
    Status::unavailable("the ingester is stopping; call again")
}

#[cfg(test)]
mod tests {
    use lastwords_tls::Leaf;
    use tonic::Code;

    use super::*;

    fn peer(not_after_s: i64) -> Peer {
        let certificate = Some(Arc::new(Leaf { names: vec!["hv01".to_owned()], not_after_s }));
        Peer { address: ([127, 0, 0, 1], 9).into(), certificate, trust: CancellationToken::new() }
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
