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
mod encoding;
mod request;
mod response;
mod statement;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use access::{Access, User};
use request::Call;
use response::{Failure, Reply};

use crate::engine::Engine;

/// Connections that a listener keeps at the same time.
const CONNECTIONS_MAX: usize = 512;
/// How long open connections may go on when the listener is asked to end.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves the protocol until `shutdown` is ready; then open connections have a few seconds to finish.
pub async fn serve_http(
    listener: TcpListener,
    engine: Arc<Engine>,
    access: Access,
    shutdown: impl Future<Output = ()>,
) {
    let access = Arc::new(access);
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => {
                    // Small answers wait for nothing.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(serve_stream(TokioIo::new(stream), Arc::clone(&engine), Arc::clone(&access)));
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
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, finished).await.is_err() {
        tracing::warn!("connections were cut off at the end");
    }
}

/// Serves one connection until it ends.
pub(crate) async fn serve_stream<S>(stream: S, engine: Arc<Engine>, access: Arc<Access>)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let (engine, access) = (Arc::clone(&engine), Arc::clone(&access));
        async move { Ok::<_, Infallible>(handle(request, engine, &access).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(1 << 20)
        .serve_connection(stream, service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}

async fn handle(request: Request<Incoming>, engine: Arc<Engine>, access: &Access) -> Reply {
    let path = request.uri().path();
    let plain = match (request.method(), path) {
        (&Method::GET | &Method::HEAD, "/ping" | "/replicas_status") => {
            Some(response::text(StatusCode::OK, "Ok.\n"))
        }
        (&Method::GET | &Method::HEAD, "/") if request.uri().query().is_none() => {
            Some(response::text(StatusCode::OK, "Ok.\n"))
        }
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
        let rights = access.check(&parts)?;
        let call = Call::read(&parts, body, rights).await?;
        statement::answer(call, engine).await
    };
    answered.await.unwrap_or_else(|failure: Failure| failure.reply())
}
