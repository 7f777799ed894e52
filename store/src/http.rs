//! ClickHouse's HTTP protocol, at both ends of the engine.
//!
//! Before the engine, in the process that holds it, for this program alone. The way of a statement:
//! 1. [`lanes`]: by whom it is for, it waits for a place.
//! 2. [`request`]: text, parameters, settings, database and formats, from the URL, the headers and the body.
//! 3. [`encoding`]: bodies are decompressed, answers compressed where the client takes it.
//! 4. [`statement`]: it runs on a connection of its own in a thread of its own; its answer comes back in chunks.
//! 5. [`response`]: headers, errors and chunks as ClickHouse sends them.
//!
//! [`serve`]: what all listeners do alike.
//!
//! Before that, for everybody else: [`front`], which is what listens on a port.
//!
//! Before the engine each statement stands for itself; sessions are the port's.

mod cors;
mod counts;
mod encoding;
mod failure;
mod front;
mod lanes;
mod multipart;
mod request;
mod response;
mod serve;
mod served;
mod statement;
mod words;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use failure::Failure;
pub use front::{Matches, Matching, Port, PortLimits, Role, TlsNow, User, serve_port};
pub(crate) use lanes::LANE_HEADER;
pub use lanes::Lane;
use request::{Bounds, Call};
use response::Reply;
pub(crate) use serve::accept_until;
use serve::{ConnectionBounds, serve_connection};
pub(crate) use served::Served;

use crate::engine::{Engine, Statement};

/// Connections that a listener keeps at the same time.
const CONNECTIONS_MAX: usize = 512;
/// How long statements may go on when the listener is asked to end.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves the engine to this program, with every right, until `shutdown` is ready; then statements under way are
/// finished, within limits. Not for a port that others reach: that is [`serve_port`].
pub async fn serve_http(listener: TcpListener, engine: Arc<Engine>, shutdown: impl Future<Output = ()>) {
    let served = Served::new(engine);
    let serve = |(stream, _), ending| Some(serve_stream(stream, Arc::clone(&served), ending));
    if !accept_until(listener, CONNECTIONS_MAX, DRAIN, shutdown, serve).await {
        tracing::warn!("statements were cut off at the end");
    }
}

/// Serves one connection until it ends; when `ending` is cancelled, after the statement under way.
pub(crate) async fn serve_stream<S>(stream: S, served: Arc<Served>, ending: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let bounds = ConnectionBounds { head_patience: None, buffer_bytes_max: 1 << 20 };
    let answer = |request| {
        let served = Arc::clone(&served);
        async move { handle(request, &served).await }
    };
    serve_connection(stream, bounds, answer, ending).await;
}

async fn handle(request: Request<Incoming>, served: &Arc<Served>) -> Reply {
    let plain = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD | &Method::POST, "/") => None,
        (&Method::OPTIONS, _) => Some(cors::preflight()),
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
