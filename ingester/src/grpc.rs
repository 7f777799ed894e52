//! The gRPC side of `lastwords.v1.Shipping`: serves, welcomes, drains. What a shipper has to know stands in
//! `shipping.proto`; what follows a welcome, in [`call`](crate::call).
//!
//! HTTP/2 is hyper's, set up for callers who mean no good: few streams, small windows, small answers under way, small
//! headers. gRPC's answers are tonic's; its requests are read by [`messages`](crate::messages), as tonic takes whatever
//! comes into memory.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http_body_util::Empty;
use hyper::{Request as HttpRequest, body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use lastwords_proto::v1::{
    Hello, ShipRequest, ShipResponse, Welcome, ship_request,
    ship_response::Message,
    shipping_server::{Shipping, ShippingServer},
};
use lastwords_record::{batch::FORMAT_VERSION, limits::ENVELOPE_BYTES_MAX};
use lastwords_runtime::{
    link::{Link, Watched},
    quiet::bounded,
};
use prost::Message as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    time::Instant,
};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tokio_util::task::TaskTracker;
use tonic::{
    Code, Request, Response, Status, Streaming, codegen::Service as _, transport::server::Connected,
};

use crate::{
    admit::{Admission, AdmitOptions, HelloError},
    budget::Holder,
    call::{Call, Drain, QuietCalls, Replies, response, stopping},
    connection::Peer,
    gathering_time::{gathering_time, milliseconds},
    limits::{Limits, WINDOW_BYTES},
    messages::{Broken, Messages},
    queue::Queue,
    refusals::{CallReason, ConnectionReason, Refused},
};

/// Responses that wait for a slow reader; behind them acknowledgements wait.
const RESPONSES_MAX: usize = 64;
/// How long connections may take to close after the grace period.
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// Bytes of a Hello: names and a machine-id.
const HELLO_BYTES_MAX: usize = 4096;
/// Calls of a connection at once; a shipper has one.
const STREAMS_MAX: u32 = 4;
/// Bytes of a request's headers; a shipper's are some 200.
const HEADERS_BYTES_MAX: u32 = 8 * 1024;
/// Bytes of answers of one call that HTTP/2 keeps for a reader.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Streams that the other side opened and gave up, before the connection ends.
const RESETS_MAX: usize = 16;
/// Streams that had to be given up for the other side's errors, before the connection ends.
const ERRORS_MAX: usize = 16;
/// A connection whose other side is gone is noticed within twice this time.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Serves shippers on whatever connections come, until `shutdown`. Then nothing more is taken; what was taken is
/// acknowledged as far as it becomes durable within `options.grace`; then the calls end with `UNAVAILABLE`, so that
/// shippers send the rest elsewhere.
pub async fn serve_grpc<IO, E>(
    incoming: impl Stream<Item = Result<IO, E>>,
    queue: impl Queue,
    options: AdmitOptions,
    shutdown: impl Future<Output = ()>,
) where
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    IO::ConnectInfo: Clone + Send + Sync + 'static,
    E: std::fmt::Display,
{
    let (drain, grace) = (Drain::default(), options.grace);
    let quiet = QuietCalls::default();
    let service = Service { queue, options: Arc::new(options), drain: drain.clone(), quiet: Arc::new(quiet) };
    let connections = TaskTracker::new();
    {
        let (mut incoming, mut shutdown) = (pin!(incoming), pin!(shutdown));
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = incoming.next() => match accepted {
                    Some(Ok(io)) => {
                        connections.spawn(connection(io, service.clone()));
                    }
                    Some(Err(error)) => tracing::debug!(%error, "a connection could not be accepted"),
                    None => break,
                },
            }
        }
    }
    drain.begin.cancel();
    connections.close();
    let over = async {
        tokio::time::sleep(grace).await;
        drain.over.cancel();
        tokio::time::sleep(CLOSE_MAX).await;
    };
    tokio::select! {
        () = connections.wait() => {}
        () = over => {
            tracing::warn!(?grace, "connections of shippers are still open after the grace period; they are left");
        }
    }
}

/// Serves one connection until it ends or has to.
async fn connection<IO, Q>(io: IO, service: Service<Q>)
where
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    IO::ConnectInfo: Clone + Send + Sync + 'static,
    Q: Queue,
{
    let mut extensions = hyper::http::Extensions::new();
    extensions.insert(io.connect_info());
    let mut peer: Option<Peer> = extensions.remove();
    let link = Link::new(peer.as_mut().and_then(|peer| peer.place.take()));
    let (deadlines, drain) = (service.options.limits.deadlines, service.drain.clone());
    let (refusals, address) = (Arc::clone(&service.options.refusals), peer.as_ref().map(|peer| peer.address));
    let watched = Watched::new(io, Arc::clone(&link), deadlines.reply);
    let shipping = ShippingServer::new(service);
    let caller = (peer, Arc::clone(&link));
    // Before the socket closes, so that nobody finds all places taken by what is gone.
    let _ended = Ended(Arc::clone(&link));
    let answer = service_fn(move |request: HttpRequest<Incoming>| {
        let (mut parts, body) = request.into_parts();
        let (peer, link) = caller.clone();
        parts.extensions.insert(Inbound { body: Arc::new(Mutex::new(Some(body))), peer, link });
        // Tonic finds nothing to read: the body goes round it.
        let request = HttpRequest::from_parts(parts, Empty::<bytes::Bytes>::new());
        let answer = shipping.clone().call(request);
        async move { answer.await.map_err(|never: Infallible| never) }
    });
    let serving = settings().serve_connection(TokioIo::new(watched), answer);
    let mut serving = pin!(serving);
    let mut must_end = pin!(link.must_end(deadlines.hello));
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = &mut serving => {
                if let Err(error) = ended {
                    tracing::debug!(?address, %error, "a shipper's connection broke");
                }
                break;
            }
            reason = &mut must_end => {
                refusals.count(Refused::Connection(reason));
                if reason != ConnectionReason::NoCall {
                    tracing::debug!(?address, reason = reason.as_str(), "a connection is ended");
                }
                break;
            }
            () = drain.begin.cancelled(), if !stopping => {
                stopping = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Gives the place of a connection back, however its end comes.
struct Ended(Arc<Link>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended();
    }
}

fn settings() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .max_send_buf_size(ANSWER_BYTES_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(ERRORS_MAX)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    builder
}

/// A request's body on its way round tonic, with the connection that it came on.
#[derive(Debug, Clone)]
struct Inbound {
    body: Arc<Mutex<Option<Incoming>>>,
    peer: Option<Peer>,
    link: Arc<Link>,
}

#[derive(Debug)]
struct Service<Q> {
    queue: Q,
    options: Arc<AdmitOptions>,
    drain: Drain,
    quiet: Arc<QuietCalls>,
}

impl<Q: Clone> Clone for Service<Q> {
    fn clone(&self) -> Self {
        Service {
            queue: self.queue.clone(),
            options: Arc::clone(&self.options),
            drain: self.drain.clone(),
            quiet: Arc::clone(&self.quiet),
        }
    }
}

#[tonic::async_trait]
impl<Q: Queue> Shipping for Service<Q> {
    type ShipStream = Pin<Box<dyn Stream<Item = Result<ShipResponse, Status>> + Send>>;

    async fn ship(
        &self,
        mut request: Request<Streaming<ShipRequest>>,
    ) -> Result<Response<Self::ShipStream>, Status> {
        let inbound = request.extensions_mut().remove::<Inbound>();
        let Inbound { body, peer, link } =
            inbound.ok_or_else(|| Status::internal("the request has no body"))?;
        let body = body.lock().unwrap_or_else(PoisonError::into_inner).take();
        let body = body.ok_or_else(|| Status::internal("the request's body was taken before"))?;
        let mut messages = Messages::new(body);
        let hello = tokio::select! {
            () = self.drain.begin.cancelled() => return Err(stopping()),
            hello = hello(&mut messages, &self.options.limits) => hello,
        };
        let hello = hello.map_err(|(reason, status)| {
            self.refuse(&peer, reason, status.message());
            status
        })?;
        let certificate = peer.as_ref().and_then(|peer| peer.certificate.as_deref());
        let admission = Admission::begin(&hello, &self.options, certificate).map_err(|error| {
            let said = bounded(&error.to_string());
            self.refuse(&peer, error.reason(), &said);
            Status::new(code(&error), said)
        })?;
        self.tell(&peer, &hello);
        let (responses, stream) = mpsc::channel(RESPONSES_MAX);
        let limits = &self.options.limits;
        let seal_after = gathering_time(limits.callers.shippers() + 1);
        let welcome = Welcome {
            format_version: FORMAT_VERSION,
            agent: concat!("lastwords/", env!("CARGO_PKG_VERSION")).to_owned(),
            in_flight_bytes_max: self
                .options
                .in_flight_bytes_max
                .min(limits.budget.limits().share_bytes as u64),
            batch_bytes_max: u32::try_from(ENVELOPE_BYTES_MAX).unwrap_or(u32::MAX),
            highest_sequence: self.queue.highest(admission.shipper(), admission.epoch()),
            seal_after_ms: milliseconds(seal_after),
        };
        // The channel is new and has room.
        let _ = responses.send(Ok(response(Message::Welcome(welcome)))).await;
        let call = Call {
            queue: self.queue.clone(),
            options: Arc::clone(&self.options),
            holder: Holder { shipper: admission.shipper(), connection: link.number() },
            peer,
            replies: Replies::new(responses, Arc::clone(&link), limits.deadlines.reply),
            drain: self.drain.clone(),
            quiet: Arc::clone(&self.quiet),
            welcomed: link.welcome(),
            seal_after,
        };
        tokio::spawn(call.run(messages, admission));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

impl<Q> Service<Q> {
    fn refuse(&self, peer: &Option<Peer>, reason: CallReason, error: &str) {
        self.options.refusals.count(Refused::Call(reason));
        if let Some(unsaid) = self.quiet.refused.may_say(Instant::now()) {
            let address = peer.as_ref().map(|peer| peer.address);
            tracing::warn!(?address, reason = reason.as_str(), error, unsaid, "a call is refused");
        }
    }

    fn tell(&self, peer: &Option<Peer>, hello: &Hello) {
        if let Some(unsaid) = self.quiet.welcome.may_say(Instant::now()) {
            tracing::info!(
                address = ?peer.as_ref().map(|peer| peer.address),
                host = hello.host.as_ref().map(|host| bounded(&host.name)),
                epoch = hello.epoch,
                agent = bounded(&hello.agent),
                certificate = peer.as_ref().is_some_and(|peer| peer.certificate.is_some()),
                unsaid,
                "a shipper calls"
            );
        }
    }
}

/// The first message: a Hello, soon and small.
async fn hello(messages: &mut Messages<Incoming>, limits: &Limits) -> Result<Hello, (CallReason, Status)> {
    const NO_HELLO: &str = "the first message of a call has to be Hello";
    let within = limits.deadlines.hello;
    let first = async {
        match messages.announced(HELLO_BYTES_MAX, within).await? {
            Some(bytes) => messages.read(bytes, within, || false).await.map(Some),
            None => Ok(None),
        }
    };
    let first = tokio::time::timeout(within, first).await.unwrap_or(Err(Broken::Idle(within)));
    let first = first.map_err(|broken| match broken {
        Broken::Idle(within) | Broken::Slow(within) => {
            (CallReason::NoHello, Status::deadline_exceeded(format!("wanted Hello within {within:?}")))
        }
        Broken::TooLarge { bytes, bytes_max } => {
            let said = format!("{NO_HELLO} of at most {bytes_max} bytes, found {bytes} bytes");
            (CallReason::TooLarge, Status::out_of_range(said))
        }
        other => (CallReason::Malformed, Status::invalid_argument(format!("{NO_HELLO}: {other}"))),
    })?;
    let decoded = first.map(ShipRequest::decode).and_then(Result::ok).and_then(|request| request.message);
    match decoded {
        Some(ship_request::Message::Hello(hello)) => Ok(hello),
        _ => Err((CallReason::Malformed, Status::invalid_argument(NO_HELLO))),
    }
}

fn code(error: &HelloError) -> Code {
    match error.reason() {
        CallReason::Version | CallReason::UnknownHost => Code::FailedPrecondition,
        CallReason::Identity | CallReason::Certificate => Code::PermissionDenied,
        _ => Code::InvalidArgument,
    }
}
