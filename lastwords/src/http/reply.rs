//! Answers and refusals as HTTP says them.

use std::pin::Pin;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    body::Frame,
    header::{self, HeaderMap, HeaderValue},
};
use serde_json::{Value, json};
use tokio_stream::{Stream, StreamExt as _};

use super::{access::Denied, patience::bounded};
use crate::questions::{Body, Refusal, RefusalKind, Reply};

/// Header of a question's answer: how many anchors matched.
pub const MATCHED_HEADER: &str = "lastwords-matched";

type Failure = Box<dyn std::error::Error + Send + Sync>;
/// An answer's body: whole, or as it comes.
pub type ResponseBody = UnsyncBoxBody<Bytes, Failure>;

/// Browsers take an answer for what it says it is, keep none, and show none to another origin or in a frame.
const GUARDS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Why there is no answer, and how that is said.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    message: String,
    /// The method that the path takes, where another was used.
    allow: Option<&'static str>,
}

impl Problem {
    /// The request cannot be answered as it is.
    pub fn usage(status: StatusCode, message: String) -> Problem {
        Problem { status, kind: "usage", message, allow: None }
    }

    /// The path takes another method.
    pub fn method(allow: &'static str) -> Problem {
        let message = format!("this path takes {allow}");
        Problem { allow: Some(allow), ..Problem::usage(StatusCode::METHOD_NOT_ALLOWED, message) }
    }

    /// The response that says it.
    pub fn response(&self) -> Response<ResponseBody> {
        let document = json!({"error": {"kind": self.kind, "message": self.message}});
        let mut response = document_response(self.status, &document);
        if let Some(allow) = self.allow {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if matches!(self.status, StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE) {
            // What is left of the body is not waited for.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Problem {
        Problem { status: denied.status(), kind: "refused", message: denied.to_string(), allow: None }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let (status, kind) = match refusal.kind {
            RefusalKind::Usage => (StatusCode::BAD_REQUEST, "usage"),
            RefusalKind::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
        };
        Problem { status, kind, message: refusal.message, allow: None }
    }
}

/// A reply of any kind.
pub fn reply_response(reply: Reply) -> Response<ResponseBody> {
    let body = match reply.body {
        Body::Whole(bytes) => whole(bytes),
        Body::Rows(rows) => {
            let frames: Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Failure>> + Send>> =
                Box::pin(bounded(rows).map(|chunk| chunk.map(Frame::data).map_err(Failure::from)));
            StreamBody::new(frames).boxed_unsync()
        }
    };
    let mut response = with_type(Response::new(body), reply.content_type);
    if let Some(matched) = reply.matched {
        response.headers_mut().insert(MATCHED_HEADER, HeaderValue::from(matched));
    }
    response
}

/// One JSON document.
pub fn document_response(status: StatusCode, document: &Value) -> Response<ResponseBody> {
    let mut response = with_type(Response::new(whole(format!("{document}\n").into())), "application/json");
    *response.status_mut() = status;
    response
}

/// Tells browsers what to do with a response.
pub fn guard(headers: &mut HeaderMap) {
    for &(name, value) in GUARDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn with_type(mut response: Response<ResponseBody>, content_type: &'static str) -> Response<ResponseBody> {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn whole(bytes: Bytes) -> ResponseBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
