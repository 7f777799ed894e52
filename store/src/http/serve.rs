//! What all listeners of this crate do alike: connections are accepted until the end is asked for; what is under way then
//! is finished, within a bound.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long to wait after an accept that failed, for want of descriptors mostly: the next would fail at once, too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come from.
pub(crate) trait Accept {
    /// A connection, as it comes.
    type Accepted;

    /// The next one.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Accepted>> + Send;
}

impl Accept for TcpListener {
    type Accepted = (TcpStream, SocketAddr);

    async fn accept(&self) -> io::Result<Self::Accepted> {
        let (stream, address) = TcpListener::accept(self).await?;
        // Small answers wait for nothing.
        let _ = stream.set_nodelay(true);
        Ok((stream, address))
    }
}

impl Accept for UnixListener {
    type Accepted = UnixStream;

    async fn accept(&self) -> io::Result<UnixStream> {
        Ok(UnixListener::accept(self).await?.0)
    }
}

/// Accepts connections, at most so many at the same time, until `shutdown` is ready; then those under way are told to
/// end, and have as long as `drain` for it. `serve` makes of a connection what serves it; none: it is closed at once. False where some had to be cut off.
pub(crate) async fn accept_until<L, F>(
    listener: L,
    connections_max: usize,
    drain: Duration,
    shutdown: impl Future<Output = ()>,
    serve: impl Fn(L::Accepted, CancellationToken) -> Option<F>,
) -> bool
where
    L: Accept,
    F: Future<Output = ()> + Send + 'static,
{
    let ending = CancellationToken::new();
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept(), if connections.len() < connections_max => match accepted {
                Ok(accepted) => {
                    if let Some(serving) = serve(accepted, ending.clone()) {
                        connections.spawn(serving);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    drop(listener);
    ending.cancel();
    let finished = async { while connections.join_next().await.is_some() {} };
    tokio::time::timeout(drain, finished).await.is_ok()
}

/// What a connection may take.
pub(crate) struct ConnectionBounds {
    /// A request's head has to come within this time, and the next request's; none: whenever it comes.
    pub(crate) head_patience: Option<Duration>,
    /// Bytes that are read ahead.
    pub(crate) buffer_bytes_max: usize,
}

/// Serves one connection until it ends; when `ending` is cancelled, after the statement under way.
pub(crate) async fn serve_connection<S, A, F, B>(
    stream: S,
    bounds: ConnectionBounds,
    answer: A,
    ending: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let service = service_fn(|request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_patience)
        .max_buf_size(bounds.buffer_bytes_max)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
