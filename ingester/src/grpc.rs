//! The gRPC side of `lastwords.v1.Shipping`: decodes, calls, maps to status. What a shipper has to know stands in
//! `shipping.proto`.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use lastwords_proto::v1::{
    self, Acknowledgement, HeartbeatReply, Rejection, ShipRequest, ShipResponse, Throttle, Welcome,
    ship_request,
    ship_response::Message,
    shipping_server::{Shipping, ShippingServer},
};
use lastwords_record::{BatchId, batch::FORMAT_VERSION, limits::ENVELOPE_BYTES_MAX};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming, transport::server::Connected};

use crate::{
    admit::{Admission, AdmitOptions},
    metrics::Counters,
    queue::{Durability, Incoming, Queue, Ticket, WriteError},
    write::now_ns,
};

/// What a shipper is asked to wait when the queue is full.
const PAUSE_MS: u32 = 200;
/// Responses that wait for a slow reader; behind them acknowledgements wait.
const RESPONSES_MAX: usize = 64;

/// Serves shippers on whatever connections come, until `shutdown`; then what was taken is acknowledged and the calls
/// end.
///
/// # Errors
/// Where the transport fails as a whole.
pub async fn serve_grpc<IO, E>(
    incoming: impl Stream<Item = Result<IO, E>>,
    queue: impl Into<Queue>,
    options: AdmitOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error>
where
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    IO::ConnectInfo: Clone + Send + Sync + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stop = CancellationToken::new();
    let service = Service { queue: queue.into(), options: Arc::new(options), stop: stop.clone() };
    let stopping = async move {
        shutdown.await;
        stop.cancel();
    };
    tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .serve_with_incoming_shutdown(ShippingServer::new(service), incoming, stopping)
        .await
}

struct Service {
    queue: Queue,
    options: Arc<AdmitOptions>,
    stop: CancellationToken,
}

#[tonic::async_trait]
impl Shipping for Service {
    type ShipStream = Pin<Box<dyn Stream<Item = Result<ShipResponse, Status>> + Send>>;

    async fn ship(
        &self,
        request: Request<Streaming<ShipRequest>>,
    ) -> Result<Response<Self::ShipStream>, Status> {
        let mut requests = request.into_inner();
        let first = requests.message().await?.and_then(|request| request.message);
        let Some(ship_request::Message::Hello(hello)) = first else {
            return Err(Status::invalid_argument("the first message of a call has to be Hello"));
        };
        let admission = Admission::begin(&hello, &self.options)
            .map_err(|error| Status::failed_precondition(error.to_string()))?;
        tracing::info!(
            host = hello.host.map(|host| host.name),
            epoch = hello.epoch,
            agent = hello.agent,
            "a shipper calls"
        );
        let (responses, stream) = mpsc::channel(RESPONSES_MAX);
        let welcome = Welcome {
            format_version: FORMAT_VERSION,
            agent: concat!("lastwords/", env!("CARGO_PKG_VERSION")).to_owned(),
            in_flight_bytes_max: self.options.in_flight_bytes_max,
            batch_bytes_max: u32::try_from(ENVELOPE_BYTES_MAX).unwrap_or(u32::MAX),
        };
        // The channel is new and has room.
        let _ = responses.send(Ok(response(Message::Welcome(welcome)))).await;
        let call = Call {
            queue: self.queue.clone(),
            in_flight_bytes_max: self.options.in_flight_bytes_max,
            in_flight: Arc::new(AtomicU64::new(0)),
            responses,
        };
        tokio::spawn(call.run(requests, admission, self.stop.clone()));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

/// One call: a reader, which never waits for the store, so that probes of the clock are answered at once; a
/// submitter, which waits for room in the queue; an acknowledger, which waits for storage, in order.
struct Call {
    queue: Queue,
    in_flight_bytes_max: u64,
    in_flight: Arc<AtomicU64>,
    responses: Responses,
}

type Responses = mpsc::Sender<Result<ShipResponse, Status>>;
/// Bounded by the bytes in flight.
type Admitted = mpsc::UnboundedSender<(BatchId, Bytes)>;

impl Call {
    async fn run(
        self,
        mut requests: Streaming<ShipRequest>,
        mut admission: Admission,
        stop: CancellationToken,
    ) {
        let (admitted, to_submit) = mpsc::unbounded_channel();
        let (submitted, to_acknowledge) = mpsc::unbounded_channel();
        let submitter =
            tokio::spawn(submit(self.queue.clone(), to_submit, submitted, self.responses.clone()));
        let acknowledger =
            tokio::spawn(acknowledge(to_acknowledge, Arc::clone(&self.in_flight), self.responses.clone()));
        let ended = loop {
            let request = tokio::select! {
                () = stop.cancelled() => break Some(Status::unavailable("the ingester is stopping; call again")),
                () = self.responses.closed() => break None,
                request = requests.message() => request,
            };
            match request {
                Ok(Some(ShipRequest { message: Some(message) })) => {
                    if let Err(status) = self.take(message, &mut admission, &admitted).await {
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
        let _ = submitter.await;
        let _ = acknowledger.await;
        if let Some(status) = ended {
            let _ = self.responses.send(Err(status)).await;
        }
    }

    async fn take(
        &self,
        message: ship_request::Message,
        admission: &mut Admission,
        admitted: &Admitted,
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
                    let before = self.in_flight.fetch_add(envelope.len() as u64, Ordering::Relaxed);
                    // One batch above the bound is the shipper's right: a single one must never wait for ever.
                    if before > self.in_flight_bytes_max {
                        let detail = format!(
                            "{before} bytes are unacknowledged, at most {} may be; wait for acknowledgements",
                            self.in_flight_bytes_max
                        );
                        return Err(Status::resource_exhausted(detail));
                    }
                    admitted.send((header.id, envelope)).map_err(|_| stopping())?;
                }
                Err(rejected) => {
                    Counters::add(&self.queue.counters().rejected, 1);
                    tracing::warn!(detail = rejected.detail, "a batch is not admitted");
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

type Submitted = (BatchId, u64, Ticket);

async fn submit(
    queue: Queue,
    mut admitted: mpsc::UnboundedReceiver<(BatchId, Bytes)>,
    submitted: mpsc::UnboundedSender<Submitted>,
    responses: Responses,
) {
    while let Some((id, envelope)) = admitted.recv().await {
        if queue.is_full() {
            let throttle = Throttle { pause_ms: PAUSE_MS, reason: "the ingester's queue is full".to_owned() };
            let _ = responses.send(Ok(response(Message::Throttle(throttle)))).await;
        }
        let bytes = envelope.len() as u64;
        match queue.submit(Incoming::Sealed(envelope)).await {
            Ok(ticket) => {
                if submitted.send((id, bytes, ticket)).is_err() {
                    return;
                }
            }
            Err(error) => {
                let _ = responses.send(Err(Status::unavailable(error.to_string()))).await;
                return;
            }
        }
    }
}

async fn acknowledge(
    mut submitted: mpsc::UnboundedReceiver<Submitted>,
    in_flight: Arc<AtomicU64>,
    responses: Responses,
) {
    while let Some((id, bytes, ticket)) = submitted.recv().await {
        match ticket.await {
            Ok(written) => {
                in_flight.fetch_sub(bytes, Ordering::Relaxed);
                let acknowledgement = Acknowledgement {
                    epoch: id.epoch,
                    sequence: id.sequence,
                    durability: match written.durability {
                        Durability::StoreSynced => v1::Durability::StoreSynced,
                        Durability::KafkaReplicated => v1::Durability::KafkaReplicated,
                    }
                    .into(),
                    events: written.events,
                    quarantined: written.quarantined,
                };
                if responses.send(Ok(response(Message::Acknowledgement(acknowledgement)))).await.is_err() {
                    return;
                }
            }
            Err(WriteError::Refused(detail)) => {
                in_flight.fetch_sub(bytes, Ordering::Relaxed);
                tracing::warn!(batch = %id, detail, "a batch is refused");
                let reason = v1::rejection::Reason::TooLarge.into();
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

fn response(message: Message) -> ShipResponse {
    ShipResponse { message: Some(message) }
}

fn stopping() -> Status {
    Status::unavailable("the ingester is stopping; call again")
}
