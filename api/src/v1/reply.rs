//! How replies are written.

use axum::{body::Body, response::Response};
use hyper::header::{self, HeaderMap, HeaderValue};
use serde::Serialize;

use crate::{Chunks, Problem, patience::bounded};

/// Header of a question's answer: how many of the events that were asked for matched.
pub const MATCHED_HEADER: &str = "lastwords-matched";

/// Header of SQL's rows: whether there are any.
pub const FOUND_HEADER: &str = "lastwords-found";

/// Browsers take an answer for what it says it is, keep none, and show none to another origin or in a frame.
const GUARDS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Tells browsers what to do with a response.
pub(super) fn guard(headers: &mut HeaderMap) {
    for &(name, value) in GUARDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// One JSON document.
pub(super) fn document(document: &impl Serialize) -> Result<Response, Problem> {
    let text = serde_json::to_string(document).map_err(Problem::failed)?;
    Ok(with_type("application/json", Body::from(text + "\n")))
}

/// A text as it comes. Who stops reading it is let go.
pub(super) fn streamed(content_type: &str, chunks: Chunks) -> Response {
    with_type(content_type, Body::from_stream(bounded(chunks)))
}

fn with_type(content_type: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    let bytes = HeaderValue::from_static("application/octet-stream");
    let content_type = HeaderValue::from_str(content_type).unwrap_or(bytes);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
