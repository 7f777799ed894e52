//! HTTP/1 connections: accepts on TCP or a unix socket, drains on shutdown. What is answered is the caller's.
//!
//! There are fewer places than descriptors. A connection without a request under way makes way when all are taken, ends
//! after a while, and may not send more than a request's head; one whose other side takes no answer ends, too.

use std::{
    convert::Infallible,
    error::Error,
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    descriptors,
    link::{Link, Watched, Welcomed},
    places::{PlaceLimits, Places},
    quiet::Quiet,
    refusal::ConnectionReason,
};

/// A client that sends no whole request head for so long is let go, also between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection without a request for so long is let go.
const IDLE_MAX: Duration = Duration::from_secs(75);
/// A client that takes nothing of its answer for so long is let go. On the socket in the data folder nobody is: there
/// an owner reads page by page.
const STALL_MAX: Duration = Duration::from_secs(120);
const NO_STALL: Duration = Duration::from_secs(86_400 * 365);
/// Bytes of a request's head, and of an answer that waits for the socket.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long to wait after an accept that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often it is said that there are no places.
const FULL_EVERY: Duration = Duration::from_secs(30);

/// A bound listener.
#[derive(Debug)]
pub enum Listener {
    /// On the network.
    Tcp(TcpListener),
    /// A socket in a folder.
    Unix(UnixListener),
}

/// Who may come, and who hears of those who may not.
#[derive(Clone)]
pub struct HttpLimits {
    /// Places of the listener.
    pub places: Places,
    /// Hears why a connection is refused, or let go.
    pub refused: OnRefused,
}

/// Hears why a connection is refused.
pub type OnRefused = Arc<dyn Fn(ConnectionReason) + Send + Sync>;

impl fmt::Debug for HttpLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLimits").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Default for HttpLimits {
    /// As many as the descriptors of this process allow.
    fn default() -> Self {
        let places = Places::new(PlaceLimits::new(descriptors::current().http));
        HttpLimits { places, refused: Arc::new(|_| {}) }
    }
}

/// Serves until `shutdown`, then lets open requests end.
pub async fn serve_http<A, F, B>(listener: Listener, answer: A, shutdown: CancellationToken)
where
    A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    serve_http_within(HttpLimits::default(), listener, answer, shutdown).await;
}

/// The same, with limits of its own.
pub async fn serve_http_within<A, F, B>(
    limits: HttpLimits,
    listener: Listener,
    answer: A,
    shutdown: CancellationToken,
) where
    A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (answer, connections, full) = (Arc::new(answer), TaskTracker::new(), Quiet::new(1, FULL_EVERY));
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener) => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                match limits.places.enter(address.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |from| from.ip())) {
                    Ok(place) => {
                        let link = Link::new(Some(Arc::new(place)));
                        let stall_max = if address.is_some() { STALL_MAX } else { NO_STALL };
                        let stream = Watched::new(stream, Arc::clone(&link), stall_max);
                        let (answer, refused) = (Arc::clone(&answer), Arc::clone(&limits.refused));
                        connections.spawn(connection(stream, link, refused, answer, shutdown.clone()));
                    }
                    Err(error) => {
                        let reason = ConnectionReason::TooMany;
                        (limits.refused)(reason);
                        if let Some(unsaid) = full.may_say(Instant::now()) {
                            tracing::warn!(?address, reason = reason.as_str(), detail = %error, unsaid, "an HTTP connection is refused");
                        }
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "an HTTP connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

/// Any byte stream.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn accept(listener: &Listener) -> io::Result<(Box<dyn Stream>, Option<SocketAddr>)> {
    Ok(match listener {
        Listener::Tcp(listener) => {
            let (stream, address) = listener.accept().await?;
            // Has no bearing on whether it is taken: the other side may be gone already.
            let _ = stream.set_nodelay(true);
            (Box::new(stream), Some(address))
        }
        Listener::Unix(listener) => (Box::new(listener.accept().await?.0), None),
    })
}

async fn connection<A, F, B>(
    stream: Watched<Box<dyn Stream>>,
    link: Arc<Link>,
    refused: OnRefused,
    answer: Arc<A>,
    shutdown: CancellationToken,
) where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes> + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let caller = Arc::clone(&link);
    let service = service_fn(move |request| {
        let (answer, under_way) = (answer(request), caller.welcome());
        async move { Ok::<_, Infallible>(answer.await.map(|body| Kept { body, _under_way: under_way })) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let (mut connection, mut must_end) = (pin!(connection), pin!(link.must_end(IDLE_MAX)));
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "an HTTP connection broke");
                }
                break;
            }
            reason = &mut must_end => {
                // A connection that is done is no refusal.
                if reason != ConnectionReason::NoCall {
                    refused(reason);
                }
                break;
            }
            () = shutdown.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
    link.ended();
}

/// A body during which its connection keeps its place.
struct Kept<B> {
    body: B,
    _under_way: Welcomed,
}

impl<B: Body + Unpin> Body for Kept<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
