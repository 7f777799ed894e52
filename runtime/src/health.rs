//! What every process tells over HTTP about itself:
//!
//! ```text
//! GET  /healthz        the process lives
//! GET  /readyz         it does its work; 503 while it starts, ends, or cannot, with the reason
//! GET  /metrics        Prometheus text
//! ```

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::http::{Listener, serve_http};

/// How a process is.
pub struct Health {
    metrics: Box<dyn Fn() -> String + Send + Sync>,
    ready: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health").finish_non_exhaustive()
    }
}

impl Health {
    /// `metrics` writes the Prometheus text, `ready` says why the process does not do its work.
    pub fn new(
        metrics: impl Fn() -> String + Send + Sync + 'static,
        ready: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Health {
        Health { metrics: Box::new(metrics), ready: Box::new(ready) }
    }

    /// Answers where the path is one of the three; none: it is another.
    pub fn answer(&self, method: &Method, path: &str) -> Option<Response<Full<Bytes>>> {
        if !matches!(path, "/healthz" | "/readyz" | "/metrics") {
            return None;
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "wanted GET or HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Some(response);
        }
        Some(match path {
            "/healthz" => text(StatusCode::OK, PLAIN, "ok\n"),
            "/metrics" => text(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", (self.metrics)()),
            _ => self.readiness(),
        })
    }

    fn readiness(&self) -> Response<Full<Bytes>> {
        let (version, pid) = (env!("CARGO_PKG_VERSION"), std::process::id());
        let (status, document) = match (self.ready)() {
            Ok(()) => (StatusCode::OK, json!({"ready": true, "version": version, "pid": pid})),
            Err(reason) => (
                StatusCode::SERVICE_UNAVAILABLE,
                json!({"ready": false, "reason": reason, "version": version, "pid": pid}),
            ),
        };
        text(status, "application/json", format!("{document}\n"))
    }
}

/// Serves `/metrics`, `/healthz` and `/readyz` until `shutdown`, then lets open requests end.
pub async fn serve_health(
    listener: TcpListener,
    metrics: impl Fn() -> String + Send + Sync + 'static,
    ready: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    shutdown: impl Future<Output = ()>,
) {
    let (health, stop) = (Arc::new(Health::new(metrics, ready)), CancellationToken::new());
    let answer = move |request: hyper::Request<hyper::body::Incoming>| {
        let answer = health.answer(request.method(), request.uri().path());
        let other = || {
            let message = format!("no {} here: wanted /healthz, /readyz or /metrics\n", request.uri().path());
            text(StatusCode::NOT_FOUND, PLAIN, message)
        };
        std::future::ready(answer.unwrap_or_else(other))
    };
    let serving = serve_http(Listener::Tcp(listener), answer, stop.clone());
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return,
        () = shutdown => stop.cancel(),
    }
    serving.await;
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn text(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
