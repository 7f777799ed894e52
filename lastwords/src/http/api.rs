//! What the API of `up` answers.
//!
//! ```text
//! POST /api/v1/query   {"question": …} or {"sql": …}, see `questions::Ask`
//! POST /api/v1/quarantine  {"action": "list"}, or show, retry, drop with "batch", see `quarantine::Act`; socket only
//! POST /api/v1/rescan      {"from_ns", "to_ns"}, see `rescan::Request`; lines of JSON as it goes on; socket only
//! GET  /api/v1/complete    ?q=QUESTION&at=BYTE: what may stand there
//! GET  /api/v1/store   schema version, batches in quarantine
//! GET  /healthz        the process lives
//! GET  /readyz         it takes in and answers; 503 while it, or its engine, starts or ends
//! GET  /metrics        Prometheus text
//! ```
//!
//! Errors are `{"error": {"kind", "message"}}`: `usage` (400 and its kin), `refused` (403, 415, 421: see `access`),
//! `failed` (500).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Incoming},
};
use lastwords_runtime::Health;
use lastwords_store::Store;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    access::{Authority, Denied, Door, admit, declares_json},
    reply::{Problem, ResponseBody, document_response, guard, reply_response},
};
use crate::{
    outcome::explain,
    pipeline::Contents,
    quarantine::{self, Act},
    questions::{self, Ask, Known, Refusal, Reply},
    rescan,
    rules::Rules,
};

/// A request's body may have so many bytes.
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// And may take so long to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// What answers need.
pub struct Api {
    store: Store,
    known: Known,
    rules: Rules,
    health: Health,
    ready: Arc<AtomicBool>,
    names: Vec<Authority>,
}

/// What can be asked beside health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource {
    Query,
    Complete,
    Store,
    Quarantine,
    Rescan,
}

impl Resource {
    fn at(path: &str) -> Option<Resource> {
        Some(match path {
            "/api/v1/query" => Resource::Query,
            "/api/v1/complete" => Resource::Complete,
            "/api/v1/store" => Resource::Store,
            "/api/v1/quarantine" => Resource::Quarantine,
            "/api/v1/rescan" => Resource::Rescan,
            _ => return None,
        })
    }

    fn method(self) -> Method {
        match self {
            Resource::Query | Resource::Quarantine | Resource::Rescan => Method::POST,
            Resource::Complete | Resource::Store => Method::GET,
        }
    }

    /// What it is called where it changes something, or brings rules along: such is for the folder's owner alone.
    fn administrative(self) -> Option<&'static str> {
        match self {
            Resource::Quarantine => Some("/api/v1/quarantine"),
            Resource::Rescan => Some("/api/v1/rescan"),
            Resource::Query | Resource::Complete | Resource::Store => None,
        }
    }
}

impl Api {
    /// Answers from this store; `metrics` writes the Prometheus text.
    pub fn new(
        store: Store,
        known: Known,
        rules: Rules,
        metrics: impl Fn() -> String + Send + Sync + 'static,
    ) -> Api {
        let ready = Arc::new(AtomicBool::new(false));
        let is_ready = Arc::clone(&ready);
        let engine = store.process().cloned();
        let process = engine.clone();
        let why = move || {
            if !is_ready.load(Ordering::Acquire) {
                return Err("it starts or ends".to_owned());
            }
            process.as_ref().and_then(|process| process.trouble()).map_or(Ok(()), Err)
        };
        let metrics =
            move || metrics() + &engine.as_ref().map(|process| process.metrics()).unwrap_or_default();
        Api { store, known, rules, health: Health::new(metrics, why), ready, names: Vec::new() }
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
    pub async fn answer(&self, door: Door, request: Request<Incoming>) -> Response<ResponseBody> {
        let mut response = match self.route(door, request).await {
            Ok(response) => response,
            Err(problem) => {
                let response = problem.response();
                tracing::debug!(status = response.status().as_u16(), "an HTTP request is not answered");
                response
            }
        };
        guard(response.headers_mut());
        response
    }

    async fn route(&self, door: Door, request: Request<Incoming>) -> Result<Response<ResponseBody>, Problem> {
        admit(door, &self.names, &request)?;
        if let Some(answer) = self.health.answer(request.method(), request.uri().path()) {
            return Ok(answer.map(|body| body.map_err(|never| match never {}).boxed_unsync()));
        }
        let Some(resource) = Resource::at(request.uri().path()) else {
            let message = "no such path here: wanted /api/v1/query, /healthz, /readyz or /metrics";
            return Err(Problem::usage(StatusCode::NOT_FOUND, message.to_owned()));
        };
        if request.method() != resource.method() {
            let allow = if resource.method() == Method::POST { "POST" } else { "GET" };
            return Err(Problem::method(allow));
        }
        if let (Some(path), Door::Tcp(_)) = (resource.administrative(), door) {
            return Err(Denied::SocketOnly(path).into());
        }
        if resource.method() == Method::POST {
            declares_json(request.headers())?;
        }
        Ok(match resource {
            Resource::Query => reply_response(self.query(request).await?),
            Resource::Rescan => reply_response(self.rescan(request).await?),
            Resource::Quarantine => document_response(StatusCode::OK, &self.quarantine(request).await?),
            Resource::Store => match Contents::of(&self.store).await {
                Ok(contents) => document_response(StatusCode::OK, &json!(contents)),
                Err(failure) => return Err(Refusal::failed(explain(&failure)).into()),
            },
            Resource::Complete => {
                let found = self.complete(request.uri().query().unwrap_or_default()).await?;
                document_response(StatusCode::OK, &json!(found))
            }
        })
    }

    async fn query(&self, request: Request<Incoming>) -> Result<Reply, Problem> {
        let ask: Ask = read_json(request, "{\"question\": …} or {\"sql\": …}").await?;
        Ok(questions::reply(&self.store, &ask, &self.known).await?)
    }

    async fn complete(&self, query: &str) -> Result<lastwords_query::language::Completions, Refusal> {
        let mut question = String::new();
        let mut at = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "q" => question = value.into_owned(),
                "at" => {
                    let parsed = value.parse::<usize>();
                    at = Some(parsed.map_err(|_| {
                        Refusal::usage(format!("at: wanted the cursor's place in bytes, found {value:?}"))
                    })?);
                }
                _ => return Err(Refusal::usage(format!("wanted q and at, found {name:?}"))),
            }
        }
        let options = self.known.options(jiff::tz::TimeZone::UTC);
        let vocabulary = lastwords_query::ask::vocabulary(&self.store, &options).await;
        let vocabulary = vocabulary.map_err(|error| Refusal::failed(error.to_string()))?;
        let at = at.unwrap_or(question.len());
        Ok(lastwords_query::language::complete(&question, at, &vocabulary))
    }

    async fn quarantine(&self, request: Request<Incoming>) -> Result<serde_json::Value, Problem> {
        let wanted = "{\"action\": \"list\"}, or show, retry or drop with \"batch\"";
        let act: Act = read_json(request, wanted).await?;
        Ok(quarantine::act(&self.store, &self.rules, &act).await?)
    }

    async fn rescan(&self, request: Request<Incoming>) -> Result<Reply, Problem> {
        let request: rescan::Request = read_json(request, "{\"from_ns\": …, \"to_ns\": …}").await?;
        let telling = rescan::start(&self.store, &self.rules, request)?;
        let body = questions::Body::Rows(Box::pin(rescan::lines(telling)));
        Ok(Reply { content_type: "application/x-ndjson", matched: None, body })
    }
}

/// What a body says; `wanted` is what errors call it.
async fn read_json<T: DeserializeOwned>(request: Request<Incoming>, wanted: &str) -> Result<T, Problem> {
    let bytes = read_body(REQUEST_TIMEOUT, request.into_body()).await?;
    Ok(serde_json::from_slice(&bytes).map_err(|error| Refusal::usage(format!("wanted {wanted}: {error}")))?)
}

/// The whole body, within its bounds of bytes and time.
async fn read_body<B>(patience: Duration, body: B) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let too_large = || {
        let message = format!("wanted a body of at most {REQUEST_BYTES_MAX} bytes, found more");
        Problem::usage(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    if body.size_hint().lower() > REQUEST_BYTES_MAX as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(patience, Limited::new(body, REQUEST_BYTES_MAX).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Refusal::usage(format!("the request's body cannot be read: {error}")).into()),
        Err(_) => {
            let message = format!("wanted the body within {} s", patience.as_secs());
            Err(Problem::usage(StatusCode::REQUEST_TIMEOUT, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{Full, StreamBody};
    use hyper::{body::Frame, header};

    use super::*;

    #[tokio::test]
    async fn bodies_are_bounded_in_bytes_and_time() {
        let hour = Duration::from_secs(3_600);
        let whole = Bytes::from_static(b"{}");
        assert_eq!(read_body(hour, Full::new(whole.clone())).await.unwrap(), whole);
        let large = Full::new(Bytes::from(vec![b' '; REQUEST_BYTES_MAX + 1]));
        let announced = read_body(hour, large).await.unwrap_err().response();
        assert_eq!(announced.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let endless = tokio_stream::iter(std::iter::repeat_with(|| {
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b' '; 4096])))
        }));
        let streamed = read_body(hour, StreamBody::new(endless)).await.unwrap_err().response();
        assert_eq!(streamed.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let never = StreamBody::new(tokio_stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let late = read_body(Duration::from_millis(1), never).await.unwrap_err().response();
        assert_eq!(late.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(late.headers().get(header::CONNECTION).unwrap(), "close");
    }
}
