//! ClickHouse's HTTP protocol, at both ends of the engine.
//!
//! Before the engine, in the process that holds it, for this program alone. The way of a statement:
//! 1. [`lanes`]: by whom it is for, it waits for a place.
//! 2. [`request`]: text, parameters, settings, database and formats, from the URL, the headers and the body.
//! 3. [`encoding`]: bodies are decompressed, answers compressed where the client takes it.
//! 4. [`statement`]: it runs on a connection of its own in a thread of its own; its answer comes back in chunks.
//! 5. [`response`]: headers, errors and chunks as ClickHouse sends them.
//!
//! Before that, for everybody else: [`front`], which is what listens on a port.
//!
//! Sessions are not kept: each statement stands for itself, and `session_id` is accepted without effect.

mod counts;
mod encoding;
mod front;
mod lanes;
mod request;
mod response;
mod statement;
mod words;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use front::{Port, PortLimits, Role, User, serve_port};
pub(crate) use lanes::LANE_HEADER;
pub use lanes::Lane;
use lanes::Lanes;
use request::{Bounds, Call};
use response::{Failure, Reply};

use crate::engine::{Engine, Statement};

/// Connections that a listener keeps at the same time.
const CONNECTIONS_MAX: usize = 512;
/// How long statements may go on when the listener is asked to end.
const DRAIN: Duration = Duration::from_secs(10);

/// What every connection of a listener shares.
pub(crate) struct Served {
    engine: Arc<Engine>,
    lanes: Lanes,
}

impl Served {
    pub(crate) fn new(engine: Arc<Engine>) -> Arc<Served> {
        let lanes = Lanes::new(engine.statements_max(), engine.port_wait_max());
        Arc::new(Served { engine, lanes })
    }
}

/// Serves the engine to this program, with every right, until `shutdown` is ready; then statements under way are
/// finished, within limits. Not for a port that others reach: that is [`serve_port`].
pub async fn serve_http(listener: TcpListener, engine: Arc<Engine>, shutdown: impl Future<Output = ()>) {
    let served = Served::new(engine);
    let ending = CancellationToken::new();
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => {
                    // Small answers wait for nothing.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(serve_stream(TokioIo::new(stream), Arc::clone(&served), ending.clone()));
                }
                Err(error) => {
                    // Out of descriptors, mostly: the next attempt would fail at once, too.
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    drop(listener);
    ending.cancel();
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, finished).await.is_err() {
        tracing::warn!("statements were cut off at the end");
    }
}

/// Serves one connection until it ends; when `ending` is cancelled, after the statement under way.
pub(crate) async fn serve_stream<S>(stream: S, served: Arc<Served>, ending: CancellationToken)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let served = Arc::clone(&served);
        async move { Ok::<_, Infallible>(handle(request, &served).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(1 << 20)
        .serve_connection(stream, service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

async fn handle(request: Request<Incoming>, served: &Arc<Served>) -> Reply {
    let plain = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::POST, "/") => None,
        (&Method::GET | &Method::HEAD, "/ping") => Some(response::text(StatusCode::OK, "Ok.\n")),
        (&Method::GET | &Method::HEAD, "/readyz") => Some(ready(&served.engine).await),
        _ => Some(response::text(StatusCode::NOT_FOUND, "There is nothing here; statements go to /.\n")),
    };
    if let Some(plain) = plain {
        return plain.map(Either::Left);
    }
    let (parts, body) = request.into_parts();
    let lane = Lane::stated(&parts.headers);
    let answered = async {
        let call = Call::read(&parts, body, &Bounds::OWN).await?;
        statement::answer(call, lane, served).await
    };
    answered.await.unwrap_or_else(|failure: Failure| failure.reply().map(Either::Left))
}

/// Whether the engine runs statements.
async fn ready(engine: &Arc<Engine>) -> Response<Full<Bytes>> {
    let engine = Arc::clone(engine);
    let asked = tokio::task::spawn_blocking(move || {
        engine.run_blocking(&Statement { text: b"SELECT 1", format: "TabSeparated", parameters: &[] }).is_ok()
    });
    match asked.await {
        Ok(true) => response::text(StatusCode::OK, "Ok.\n"),
        _ => response::text(StatusCode::SERVICE_UNAVAILABLE, "The engine does not answer.\n"),
    }
}
