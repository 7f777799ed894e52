//! ClickHouse's HTTP protocol, served by the engine in this process.
//!
//! The way of a statement:
//! 1. [`access`]: whose it is, and what that user may do.
//! 2. [`request`]: text, parameters, settings, database and formats, from the URL, the headers and the body.
//! 3. [`encoding`]: bodies are decompressed, answers compressed where the client takes it.
//! 4. [`statement`]: it runs on a connection of its own in a thread of its own; its answer comes back in chunks.
//! 5. [`response`]: headers, errors and chunks as ClickHouse sends them.
//!
//! Sessions are not kept: each statement stands for itself, and `session_id` is accepted without effect.

mod access;
mod counts;
mod encoding;
mod request;
mod response;
mod statement;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use access::{Access, User};
use counts::Counts;
use request::Call;
use response::{Failure, Reply};

use crate::engine::{Engine, Statement};

/// Connections that a listener keeps at the same time.
const CONNECTIONS_MAX: usize = 512;
/// How long statements may go on when the listener is asked to end.
const DRAIN: Duration = Duration::from_secs(10);

/// What every connection of a listener shares.
pub(crate) struct Served {
    engine: Arc<Engine>,
    access: Access,
    counts: Counts,
}

impl Served {
    pub(crate) fn new(engine: Arc<Engine>, access: Access) -> Arc<Served> {
        Arc::new(Served { engine, access, counts: Counts::default() })
    }
}

/// Serves the protocol until `shutdown` is ready; then statements under way are finished, within limits.
pub async fn serve_http(
    listener: TcpListener,
    engine: Arc<Engine>,
    access: Access,
    shutdown: impl Future<Output = ()>,
) {
    let served = Served::new(engine, access);
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
    let path = request.uri().path();
    let plain = match (request.method(), path) {
        (&Method::GET | &Method::HEAD, "/ping" | "/replicas_status") => {
            Some(response::text(StatusCode::OK, "Ok.\n"))
        }
        (&Method::GET | &Method::HEAD, "/") if request.uri().query().is_none() => {
            Some(response::text(StatusCode::OK, "Ok.\n"))
        }
        (&Method::GET | &Method::HEAD, "/readyz") => Some(ready(&served.engine).await),
        (&Method::GET | &Method::HEAD, "/metrics") => Some(response::metrics(served.counts.render())),
        (&Method::GET | &Method::POST, "/") => None,
        (_, "/") => Some(response::text(StatusCode::METHOD_NOT_ALLOWED, "Use GET or POST.\n")),
        _ => Some(response::text(
            StatusCode::NOT_FOUND,
            "There is nothing here; statements go to / and /ping answers Ok.\n",
        )),
    };
    if let Some(plain) = plain {
        return plain;
    }
    let (parts, body) = request.into_parts();
    let answered = async {
        let rights = served.access.check(&parts)?;
        let call = Call::read(&parts, body, rights).await?;
        statement::answer(call, served).await
    };
    served.counts.statements.fetch_add(1, Ordering::Relaxed);
    answered.await.unwrap_or_else(|failure: Failure| {
        served.counts.failed.fetch_add(1, Ordering::Relaxed);
        if matches!(failure, Failure::Busy) {
            served.counts.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        failure.reply()
    })
}

/// Whether the engine runs statements.
async fn ready(engine: &Arc<Engine>) -> Reply {
    let engine = Arc::clone(engine);
    let asked = tokio::task::spawn_blocking(move || {
        engine.run_blocking(&Statement { text: b"SELECT 1", format: "TabSeparated", parameters: &[] }).is_ok()
    });
    match asked.await {
        Ok(true) => response::text(StatusCode::OK, "Ok.\n"),
        _ => response::text(StatusCode::SERVICE_UNAVAILABLE, "The engine does not answer.\n"),
    }
}
