//! Answers and errors as ClickHouse sends them.

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Frame;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

use super::encoding::Coding;
use super::failure::Failure;
use crate::engine::running::ClientHere;
use crate::engine::{ENGINE_VERSION, StatementError, Statistics};

/// Whoever is told to come again is told when.
const RETRY_AFTER_SECONDS: u32 = 1;

/// What goes back to the client.
pub(super) type Reply = Response<Either<Full<Bytes>, Chunks>>;

/// The body of an answer that is still being made. When it ends early, the connection is cut, so that nobody takes
/// half an answer for a whole one.
pub(super) struct Chunks {
    receiver: mpsc::Receiver<Result<Bytes, Cut>>,
    cut: bool,
    /// Tells the statement when nobody waits for it any more.
    _client: Option<ClientHere>,
}

impl Chunks {
    pub(super) fn new(receiver: mpsc::Receiver<Result<Bytes, Cut>>) -> Self {
        Chunks { receiver, cut: false, _client: None }
    }

    /// The guard goes when the answer has been sent, or its client has gone.
    pub(super) fn waited_for(self, client: ClientHere) -> Self {
        Chunks { _client: Some(client), ..self }
    }
}

/// The answer cannot be finished.
#[derive(Debug, thiserror::Error)]
#[error("the answer was cut off")]
pub(super) struct Cut;

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.cut {
            return Poll::Ready(Some(Err(Cut)));
        }
        match self.receiver.poll_recv(cx) {
            Poll::Ready(Some(Err(Cut))) => {
                // A turn of nothing lets the connection send what it holds, the error's text first of all.
                self.cut = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            next => next.map(|next| next.map(|chunk| chunk.map(Frame::data))),
        }
    }
}

impl Failure {
    /// As an HTTP response.
    pub(super) fn reply(self) -> Response<Full<Bytes>> {
        let (status, code, text) = match self {
            Failure::Access { user } => (
                StatusCode::FORBIDDEN,
                516,
                format!(
                    "Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)"
                ),
            ),
            Failure::Statement { code, text } => (status_of(code), code, text),
            Failure::TooLarge { bytes_max } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                307,
                format!(
                    "Code: 307. DB::Exception: The body has more than the {bytes_max} bytes that are taken. (TOO_MANY_BYTES)"
                ),
            ),
            Failure::Encoding(text) => (
                StatusCode::BAD_REQUEST,
                271,
                format!("Code: 271. DB::Exception: {text}. (CANNOT_DECOMPRESS)"),
            ),
            Failure::Gone(text) => (
                StatusCode::BAD_REQUEST,
                210,
                format!("Code: 210. DB::Exception: The body was cut off: {text}. (NETWORK_ERROR)"),
            ),
            Failure::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                202,
                "Code: 202. DB::Exception: Too many simultaneous queries; come again. (TOO_MANY_SIMULTANEOUS_QUERIES)"
                    .to_owned(),
            ),
            Failure::Closing => (
                StatusCode::SERVICE_UNAVAILABLE,
                236,
                "Code: 236. DB::Exception: The engine is being started again, or closed; come again. (ABORTED)".to_owned(),
            ),
        };
        let mut reply = text_reply(status, versioned(&text) + "\n");
        let headers = reply.headers_mut();
        headers.insert(HeaderName::from_static("x-clickhouse-exception-code"), HeaderValue::from(code));
        if let Ok(nothing) = HeaderValue::from_str(&summary(&Statistics::default())) {
            headers.insert(HeaderName::from_static("x-clickhouse-summary"), nothing);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        reply
    }
}

/// A text with the version behind it, as ClickHouse has it.
fn versioned(text: &str) -> String {
    let text = text.trim_end();
    if text.contains("(version ") {
        text.to_owned()
    } else {
        format!("{text} (version {ENGINE_VERSION} (official build))")
    }
}

/// ClickHouse's choice of a status for an error's code.
fn status_of(code: i32) -> StatusCode {
    match code {
        // Syntax, unknown names, types: what the client can put right.
        6 | 26 | 27 | 33 | 36 | 38 | 41 | 46 | 47 | 53 | 62 | 63 | 69 | 70 | 72 | 73 | 85 | 107 | 115
        | 117 | 130 | 349 | 386 | 452 | 457 => StatusCode::BAD_REQUEST,
        16 | 60 | 81 => StatusCode::NOT_FOUND,
        164 | 291 | 497 => StatusCode::FORBIDDEN,
        48 => StatusCode::NOT_IMPLEMENTED,
        202 => StatusCode::SERVICE_UNAVAILABLE,
        159 => StatusCode::REQUEST_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The bytes that end an answer which failed on its way, by which a client with the tag knows the error.
pub(super) fn exception_frame(tag: &str, error: &StatementError) -> Bytes {
    let text = versioned(&error.text);
    format!("\r\n__exception__\r\n{tag}\r\n{text}\n{} {tag}\r\n__exception__\r\n", text.len() + 1).into()
}

/// What is said of an answer before its body.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) format: &'a str,
    pub(super) query_id: &'a str,
    pub(super) coding: Coding,
    pub(super) statistics: Statistics,
    /// By which an error inside the body is known.
    pub(super) tag: &'a str,
    /// How far the statement had come when its answer began is told in a header of its own.
    pub(super) progress: bool,
}

/// A good answer.
pub(super) fn answer(head: &Head<'_>, body: Either<Full<Bytes>, Chunks>) -> Reply {
    let mut reply = Response::new(body);
    let headers = reply.headers_mut();
    let mut put = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    put("content-type", content_type(head.format));
    put("x-clickhouse-format", head.format);
    put("x-clickhouse-query-id", head.query_id);
    put("x-clickhouse-timezone", "UTC");
    put("x-clickhouse-server-display-name", "lastwords");
    put("x-clickhouse-exception-tag", head.tag);
    let summary = summary(&head.statistics);
    put("x-clickhouse-summary", &summary);
    if head.progress {
        put("x-clickhouse-progress", &summary);
    }
    if let Some(name) = head.coding.header() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    reply
}

/// What a statement has done, as ClickHouse says it.
fn summary(statistics: &Statistics) -> String {
    let s = statistics;
    format!(
        r#"{{"read_rows":"{}","read_bytes":"{}","written_rows":"{}","written_bytes":"{}","total_rows_to_read":"0","result_rows":"{}","result_bytes":"0","elapsed_ns":"{:.0}"}}"#,
        s.rows_read,
        s.bytes_read,
        s.rows_written,
        s.bytes_written,
        s.rows_answered,
        s.elapsed_s * 1e9
    )
}

fn content_type(format: &str) -> &'static str {
    match format {
        "JSON" | "JSONCompact" | "JSONStrings" => "application/json; charset=UTF-8",
        "JSONEachRow"
        | "JSONLines"
        | "NDJSON"
        | "JSONCompactEachRow"
        | "JSONCompactEachRowWithNamesAndTypes" => "application/x-ndjson; charset=UTF-8",
        "CSV" | "CSVWithNames" => "text/csv; charset=UTF-8; header=absent",
        "TabSeparated"
        | "TSV"
        | "TabSeparatedWithNames"
        | "TSVWithNames"
        | "TabSeparatedWithNamesAndTypes" => "text/tab-separated-values; charset=UTF-8",
        "Native" | "RowBinary" | "RowBinaryWithNamesAndTypes" | "Arrow" | "ArrowStream" | "Parquet" => {
            "application/octet-stream"
        }
        _ => "text/plain; charset=UTF-8",
    }
}

/// The answer to a statement that has none, such as `SET`.
pub(super) fn nothing() -> Response<Full<Bytes>> {
    let mut reply = text_reply(StatusCode::OK, String::new());
    if let Ok(summary) = HeaderValue::from_str(&summary(&Statistics::default())) {
        reply.headers_mut().insert(HeaderName::from_static("x-clickhouse-summary"), summary);
    }
    reply
}

/// A plain text.
pub(super) fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    text_reply(status, text.to_owned())
}

/// Prometheus' text.
pub(super) fn metrics(text: String) -> Response<Full<Bytes>> {
    let mut reply = text_reply(StatusCode::OK, text);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    reply.headers_mut().insert(CONTENT_TYPE, kind);
    reply
}

fn text_reply(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(Bytes::from(text)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    reply
}
