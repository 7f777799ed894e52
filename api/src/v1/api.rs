//! The API of a process: a request is judged by its head, goes to its resource, and is answered.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    body::{Body, Bytes},
    response::{IntoResponse as _, Response},
};
use hyper::{HeaderMap, Request, header};
use lastwords_runtime::Health;
use tower::ServiceExt as _;

use super::{reply, routes::routes, state::Shared};
use crate::{
    Problem, Service,
    access::{Authority, Door, admit},
};

/// The API of a process.
pub struct Api {
    router: Router,
    ready: Arc<AtomicBool>,
    names: Vec<Authority>,
}

impl Api {
    /// Answers from this service; `metrics` writes the Prometheus text.
    pub fn new(service: Service, metrics: impl Fn() -> String + Send + Sync + 'static) -> Api {
        let ready = Arc::new(AtomicBool::new(false));
        let is_ready = Arc::clone(&ready);
        let engine = service.store().process().cloned();
        let process = engine.clone();
        let why = move || {
            if !is_ready.load(Ordering::Acquire) {
                return Err("it starts or ends".to_owned());
            }
            process.as_ref().and_then(|process| process.trouble()).map_or(Ok(()), Err)
        };
        let asked = service.clone();
        let metrics = move || {
            let engine = engine.as_ref().map(|process| process.metrics()).unwrap_or_default();
            metrics() + &asked.metrics() + &engine
        };
        let shared = Arc::new(Shared { service, health: Health::new(metrics, why) });
        Api { router: routes().with_state(shared), ready, names: Vec::new() }
    }

    /// Lets it be asked by these names, too.
    #[must_use]
    pub fn known_as(self, names: Vec<Authority>) -> Api {
        Api { names, ..self }
    }

    /// Says whether the process takes in and answers.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Answers one request.
    pub async fn answer<B>(&self, door: Door, mut request: Request<B>) -> Response
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let mut response = match admit(door, &self.names, &request) {
            Err(denied) => Problem::from(denied).into_response(),
            Ok(()) => {
                request.extensions_mut().insert(door);
                let answered = self.router.clone().oneshot(request.map(Body::new)).await;
                answered.unwrap_or_else(|never| match never {})
            }
        };
        allow_options(response.headers_mut());
        reply::guard(response.headers_mut());
        response
    }
}

/// `OPTIONS` is answered everywhere, so every list of methods says so.
fn allow_options(headers: &mut HeaderMap) {
    let allowed = headers.get(header::ALLOW).and_then(|allowed| allowed.to_str().ok());
    if let Some(allowed) = allowed.and_then(|allowed| format!("{allowed},OPTIONS").parse().ok()) {
        headers.insert(header::ALLOW, allowed);
    }
}

#[cfg(test)]
mod tests;
