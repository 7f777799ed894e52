//! The gRPC side of `lastwords.v1.Shipping`: serves, welcomes, drains. What a shipper has to know stands in
//! `shipping.proto`; what follows a welcome, in [`call`](crate::call).

use std::{pin::Pin, sync::Arc, time::Duration};

use lastwords_proto::v1::{
    ShipRequest, ShipResponse, Welcome, ship_request,
    ship_response::Message,
    shipping_server::{Shipping, ShippingServer},
};
use lastwords_record::{batch::FORMAT_VERSION, limits::ENVELOPE_BYTES_MAX};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status, Streaming, transport::server::Connected};

use crate::{
    accept::Peer,
    admit::{Admission, AdmitOptions, HelloError},
    call::{Call, Drain, response, stopping},
    queue::Queue,
    refusals::{CallReason, Refused},
};

/// Responses that wait for a slow reader; behind them acknowledgements wait.
const RESPONSES_MAX: usize = 64;
/// How long connections may take to close after the grace period.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// Serves shippers on whatever connections come, until `shutdown`. Then nothing more is taken; what was taken is
/// acknowledged as far as it becomes durable within `options.grace`; then the calls end with `UNAVAILABLE`, so that
/// shippers send the rest elsewhere.
///
/// # Errors
/// Where the transport fails as a whole.
pub async fn serve_grpc<IO, E>(
    incoming: impl Stream<Item = Result<IO, E>>,
    queue: impl Queue,
    options: AdmitOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error>
where
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    IO::ConnectInfo: Clone + Send + Sync + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (drain, grace) = (Drain::default(), options.grace);
    let service = Service { queue, options: Arc::new(options), drain: drain.clone() };
    let begin = drain.begin.clone();
    let stopping = async move {
        shutdown.await;
        begin.cancel();
    };
    let serving = tonic::transport::Server::builder().tcp_nodelay(true).serve_with_incoming_shutdown(
        ShippingServer::new(service),
        incoming,
        stopping,
    );
    let over = async {
        drain.begin.cancelled().await;
        tokio::time::sleep(grace).await;
        drain.over.cancel();
        tokio::time::sleep(CLOSE_MAX).await;
    };
    tokio::select! {
        served = serving => served,
        () = over => {
            tracing::warn!(?grace, "connections of shippers are still open after the grace period; they are left");
            Ok(())
        }
    }
}

struct Service<Q> {
    queue: Q,
    options: Arc<AdmitOptions>,
    drain: Drain,
}

#[tonic::async_trait]
impl<Q: Queue> Shipping for Service<Q> {
    type ShipStream = Pin<Box<dyn Stream<Item = Result<ShipResponse, Status>> + Send>>;

    async fn ship(
        &self,
        request: Request<Streaming<ShipRequest>>,
    ) -> Result<Response<Self::ShipStream>, Status> {
        let peer = request.extensions().get::<Peer>().cloned();
        let address = peer.as_ref().map(|peer| peer.address);
        let mut requests = request.into_inner();
        let first = tokio::select! {
            () = self.drain.begin.cancelled() => return Err(stopping()),
            first = requests.message() => first?.and_then(|request| request.message),
        };
        let Some(ship_request::Message::Hello(hello)) = first else {
            self.options.refusals.count(Refused::Call(CallReason::Malformed));
            return Err(Status::invalid_argument("the first message of a call has to be Hello"));
        };
        let certificate = peer.as_ref().and_then(|peer| peer.certificate.as_deref());
        let admission = Admission::begin(&hello, &self.options, certificate).map_err(|error| {
            self.options.refusals.count(Refused::Call(error.reason()));
            tracing::warn!(?address, reason = error.reason().as_str(), %error, "a call is refused");
            Status::new(code(&error), error.to_string())
        })?;
        tracing::info!(
            ?address,
            host = hello.host.map(|host| host.name),
            epoch = hello.epoch,
            agent = hello.agent,
            certificate = certificate.is_some(),
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
            options: Arc::clone(&self.options),
            peer,
            responses,
            drain: self.drain.clone(),
        };
        tokio::spawn(call.run(requests, admission));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

fn code(error: &HelloError) -> Code {
    match error.reason() {
        CallReason::Malformed => Code::InvalidArgument,
        CallReason::Version | CallReason::UnknownHost => Code::FailedPrecondition,
        CallReason::Identity | CallReason::Certificate => Code::PermissionDenied,
    }
}
