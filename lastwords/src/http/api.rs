//! What the API of `up` answers.
//!
//! ```text
//! POST /api/v1/query   {"question": …} or {"sql": …}, see `questions::Ask`
//! POST /api/v1/quarantine  {"action": "list"}, or show, retry, drop with "batch", see `quarantine::Act`
//! POST /api/v1/rescan      {"from_ns", "to_ns"}, see `rescan::Request`; lines of JSON as it goes on
//! GET  /api/v1/complete    ?q=QUESTION&at=BYTE: what may stand there
//! GET  /api/v1/store   schema version, batches in quarantine
//! GET  /healthz        the process lives
//! GET  /readyz         it takes in and answers; 503 while it starts or ends
//! GET  /metrics        Prometheus text
//! ```
//!
//! Errors are `{"error": {"kind", "message"}}`: `usage` (400), `unavailable` (503), `failed` (500).

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::{self, HeaderValue},
};
use lastwords_ingester::Health;
use lastwords_store::Store;
use serde_json::{Value, json};
use tokio_stream::{Stream, StreamExt as _};

use crate::{
    outcome::explain,
    pipeline::Contents,
    quarantine::{self, Act},
    questions::{self, Ask, Body, Known, Refusal, RefusalKind, Reply},
    rescan,
    rules::Rules,
};

/// Header of a question's answer: how many anchors matched.
pub const MATCHED_HEADER: &str = "lastwords-matched";
/// A request's body may have so many bytes.
const REQUEST_BYTES_MAX: usize = 1 << 20;

type Failure = Box<dyn std::error::Error + Send + Sync>;
/// An answer's body: whole, or as it comes.
pub type ResponseBody = UnsyncBoxBody<Bytes, Failure>;

/// What answers need.
pub struct Api {
    store: Store,
    known: Known,
    rules: Rules,
    health: Health,
    ready: Arc<AtomicBool>,
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
        let why = move || {
            is_ready.load(Ordering::Acquire).then_some(()).ok_or_else(|| "it starts or ends".to_owned())
        };
        Api { store, known, rules, health: Health::new(metrics, why), ready }
    }

    /// Says whether the process takes in and answers.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        if let Some(answer) = self.health.answer(request.method(), request.uri().path()) {
            return answer.map(|body| body.map_err(|never| match never {}).boxed_unsync());
        }
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/api/v1/query") => match self.query(request).await {
                Ok(reply) => replied(reply),
                Err(refusal) => refused(&refusal),
            },
            (&Method::POST, "/api/v1/quarantine") => match self.quarantine(request).await {
                Ok(done) => json_text(StatusCode::OK, &done),
                Err(refusal) => refused(&refusal),
            },
            (&Method::POST, "/api/v1/rescan") => match self.rescan(request).await {
                Ok(reply) => replied(reply),
                Err(refusal) => refused(&refusal),
            },
            (&Method::GET, "/api/v1/store") => match Contents::of(&self.store).await {
                Ok(contents) => json_text(StatusCode::OK, &json!(contents)),
                Err(failure) => refused(&Refusal::failed(explain(&failure))),
            },
            (&Method::GET, "/api/v1/complete") => {
                match self.complete(request.uri().query().unwrap_or_default()).await {
                    Ok(found) => json_text(StatusCode::OK, &json!(found)),
                    Err(refusal) => refused(&refusal),
                }
            }
            (
                _,
                "/api/v1/query" | "/api/v1/complete" | "/api/v1/store" | "/api/v1/quarantine"
                | "/api/v1/rescan",
            ) => error(StatusCode::METHOD_NOT_ALLOWED, "usage", "this path takes another method"),
            (_, path) => {
                let message = format!("no {path} here: wanted /api/v1/query, /healthz, /readyz or /metrics");
                error(StatusCode::NOT_FOUND, "usage", &message)
            }
        }
    }

    async fn query(&self, request: Request<Incoming>) -> Result<Reply, Refusal> {
        let ask: Ask = serde_json::from_slice(&collected(request).await?).map_err(|error| {
            Refusal::usage(format!("wanted {{\"question\": …}} or {{\"sql\": …}}: {error}"))
        })?;
        questions::reply(&self.store, &ask, &self.known).await
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
                _ => return Err(Refusal::usage(format!("wanted q and at, found {name}"))),
            }
        }
        let options = self.known.options(jiff::tz::TimeZone::UTC);
        let vocabulary = lastwords_query::ask::vocabulary(&self.store, &options).await;
        let vocabulary = vocabulary.map_err(|error| Refusal::failed(error.to_string()))?;
        let at = at.unwrap_or(question.len());
        Ok(lastwords_query::language::complete(&question, at, &vocabulary))
    }

    async fn quarantine(&self, request: Request<Incoming>) -> Result<Value, Refusal> {
        is_json(&request)?;
        let act: Act = serde_json::from_slice(&collected(request).await?).map_err(|error| {
            Refusal::usage(format!(
                "wanted {{\"action\": \"list\"}}, or show, retry or drop with \"batch\": {error}"
            ))
        })?;
        quarantine::act(&self.store, &self.rules, &act).await
    }

    async fn rescan(&self, request: Request<Incoming>) -> Result<Reply, Refusal> {
        is_json(&request)?;
        let request: rescan::Request = serde_json::from_slice(&collected(request).await?)
            .map_err(|error| Refusal::usage(format!("wanted {{\"from_ns\": …, \"to_ns\": …}}: {error}")))?;
        let telling = rescan::start(&self.store, &self.rules, request)?;
        let body = Body::Rows(Box::pin(rescan::lines(telling)));
        Ok(Reply { content_type: "application/x-ndjson", matched: None, body })
    }
}

/// A page in a browser can send this type to us only if we said so to a question that we do not answer.
fn is_json(request: &Request<Incoming>) -> Result<(), Refusal> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "application/json") {
        return Err(Refusal::usage("wanted Content-Type: application/json".to_owned()));
    }
    Ok(())
}

async fn collected(request: Request<Incoming>) -> Result<Bytes, Refusal> {
    let body = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect().await;
    let body = body.map_err(|error| Refusal::usage(format!("the request's body cannot be read: {error}")))?;
    Ok(body.to_bytes())
}

fn replied(reply: Reply) -> Response<ResponseBody> {
    let body = match reply.body {
        Body::Whole(bytes) => whole(bytes),
        Body::Rows(rows) => {
            let frames: Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Failure>> + Send>> =
                Box::pin(rows.map(|chunk| chunk.map(Frame::data).map_err(Failure::from)));
            StreamBody::new(frames).boxed_unsync()
        }
    };
    let mut response = with_type(Response::new(body), reply.content_type);
    if let Some(matched) = reply.matched {
        response.headers_mut().insert(MATCHED_HEADER, HeaderValue::from(matched));
    }
    response
}

fn refused(refusal: &Refusal) -> Response<ResponseBody> {
    let (status, kind) = match refusal.kind {
        RefusalKind::Usage => (StatusCode::BAD_REQUEST, "usage"),
        RefusalKind::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
    };
    error(status, kind, &refusal.message)
}

fn error(status: StatusCode, kind: &str, message: &str) -> Response<ResponseBody> {
    let document = json!({"error": {"kind": kind, "message": message}});
    json_text(status, &document)
}

fn json_text(status: StatusCode, document: &Value) -> Response<ResponseBody> {
    with_type(text(status, format!("{document}\n")), "application/json")
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<ResponseBody> {
    let mut response = Response::new(whole(text.into()));
    *response.status_mut() = status;
    response
}

fn with_type(mut response: Response<ResponseBody>, content_type: &'static str) -> Response<ResponseBody> {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn whole(bytes: Bytes) -> ResponseBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
