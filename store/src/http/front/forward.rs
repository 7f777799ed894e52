//! The way to the engine and back: a request made anew, and an answer of which only known headers are passed on.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use hyper::{Method, Request, Response};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::decide::{Inserted, Sent};
use crate::http::encoding::Coding;
use crate::http::lanes::LANE_HEADER;
use crate::http::multipart::External;
use crate::http::request::Data;

type Failed = Box<dyn std::error::Error + Send + Sync>;
/// What is sent to the engine.
pub(super) type Outgoing = UnsyncBoxBody<Bytes, Failed>;

/// Headers of the engine's answer that its client gets.
const PASSED_ON: [HeaderName; 10] = [
    CONTENT_TYPE,
    CONTENT_ENCODING,
    RETRY_AFTER,
    HeaderName::from_static("x-clickhouse-exception-code"),
    HeaderName::from_static("x-clickhouse-exception-tag"),
    HeaderName::from_static("x-clickhouse-format"),
    HeaderName::from_static("x-clickhouse-progress"),
    HeaderName::from_static("x-clickhouse-query-id"),
    HeaderName::from_static("x-clickhouse-summary"),
    HeaderName::from_static("x-clickhouse-timezone"),
];
/// By which clients know what they speak to.
const DISPLAY_NAME: HeaderName = HeaderName::from_static("x-clickhouse-server-display-name");

/// The request for a statement.
///
/// # Errors
/// Where it cannot be put into a request.
pub(super) fn request(sent: Sent) -> Result<Request<Outgoing>, hyper::http::Error> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("database", &sent.database);
    if let Some(format) = sent.format {
        query.append_pair("default_format", format);
    }
    if let Some(id) = &sent.query_id {
        query.append_pair("query_id", id);
    }
    if sent.whole {
        query.append_pair("wait_end_of_query", "1");
    }
    if let Some(bytes) = sent.buffer_bytes {
        query.append_pair("buffer_size", &bytes.to_string());
    }
    if sent.progress {
        query.append_pair("send_progress_in_http_headers", "1");
    }
    if sent.revision > 0 {
        query.append_pair("client_protocol_version", &sent.revision.to_string());
    }
    if let Coding::Blocks(method) = sent.coding {
        query.append_pair("compress", "1");
        query.append_pair("network_compression_method", method.name());
    }
    for (name, value) in &sent.settings {
        query.append_pair(name, value);
    }
    let mut builder = Request::builder().method(Method::POST).header(LANE_HEADER, sent.lane.name());
    if let Some(coding) = sent.coding.header() {
        builder = builder.header(ACCEPT_ENCODING, coding);
    }
    let body = match sent.data {
        Some(inserted) => {
            query.append_pair("query", &format!("{} FORMAT {}", sent.text, inserted.format));
            for (name, value) in &sent.parameters {
                query.append_pair(&format!("param_{name}"), value);
            }
            data(inserted)
        }
        None if sent.parameters.is_empty() && sent.external.is_empty() => whole(sent.text.into()),
        None => {
            for table in &sent.external {
                query.append_pair(&format!("{}_format", table.name), &table.format);
                query.append_pair(&format!("{}_structure", table.name), &table.structure);
            }
            let (boundary, form) = form(&sent.text, &sent.parameters, &sent.external);
            builder = builder.header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"));
            whole(form.into())
        }
    };
    builder.uri(format!("/?{}", query.finish())).body(body)
}

fn whole(bytes: Bytes) -> Outgoing {
    Full::new(bytes).map_err(Into::into).boxed_unsync()
}

/// An insert's data, as it comes.
fn data(inserted: Inserted) -> Outgoing {
    let Inserted { beginning, following, .. } = inserted;
    match following {
        Data::None => Full::new(beginning).map_err(Into::into).boxed_unsync(),
        Data::Bytes(rest) if beginning.is_empty() => Full::new(rest).map_err(Into::into).boxed_unsync(),
        Data::Bytes(rest) => {
            Full::new(Bytes::from([beginning, rest].concat())).map_err(Into::into).boxed_unsync()
        }
        Data::Coming(rest) => {
            let beginning = (!beginning.is_empty()).then_some(beginning);
            Led { beginning, rest }.map_err(Into::into).boxed_unsync()
        }
    }
}

/// Bytes that are there, and those that are still coming.
struct Led {
    beginning: Option<Bytes>,
    rest: Incoming,
}

impl Body for Led {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.beginning.take() {
            Some(beginning) => Poll::Ready(Some(Ok(Frame::data(beginning)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }
}

/// Text, parameters and tables as a form, whose boundary stands in none of them.
fn form(text: &str, parameters: &[(String, String)], tables: &[External]) -> (String, Vec<u8>) {
    let mut boundary = "lastwords".to_owned();
    let parts = || {
        let values = parameters.iter().map(|(_, value)| value.as_bytes());
        values.chain(tables.iter().map(|table| table.data.as_ref())).chain([text.as_bytes()])
    };
    while parts().any(|part| part.windows(boundary.len()).any(|window| window == boundary.as_bytes())) {
        // Longer than any run of dashes in it, in the end.
        boundary.push('-');
    }
    let mut form = Vec::new();
    let mut put = |name: &str, more: &str, value: &[u8]| {
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n");
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(value);
        form.extend_from_slice(b"\r\n");
    };
    for (name, value) in parameters {
        put(&format!("param_{name}"), "", value.as_bytes());
    }
    for table in tables {
        put(&table.name, "; filename=\"\"", &table.data);
    }
    put("query", "", text.as_bytes());
    form.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (boundary, form)
}

/// An answer on its way to a client, with what is held while it is.
pub(super) struct Answer<H> {
    body: Incoming,
    until: Instant,
    /// Why it breaks off; said one turn later.
    broken: Option<Broken>,
    killed: Pin<Box<WaitForCancellationFutureOwned>>,
    _held: H,
}

/// The answer did not reach its client in time.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the engine's answer broke off: {0}")]
    Engine(#[from] hyper::Error),
    #[error("the answer was not taken in time")]
    Slow,
    #[error("the statement was ended by its own user")]
    Killed,
}

impl<H: Unpin> Body for Answer<H> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(broken) = self.broken.take() {
            return Poll::Ready(Some(Err(broken)));
        }
        if Instant::now() > self.until {
            return Poll::Ready(Some(Err(Broken::Slow)));
        }
        if self.killed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(Broken::Killed)));
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Err(error))) => {
                // A turn of nothing lets the connection send what it holds, the error's text first of all.
                self.broken = Some(Broken::Engine(error));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            polled => polled.map_err(Broken::Engine),
        }
    }
    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The engine's answer as its client gets it. All of it has to be taken within a time.
pub(super) fn answer<H: Unpin>(
    answered: Response<Incoming>,
    within: Duration,
    killed: CancellationToken,
    held: H,
) -> Response<Answer<H>> {
    let (from, body) = answered.into_parts();
    let mut reply = Response::new(Answer {
        body,
        until: Instant::now() + within,
        broken: None,
        killed: Box::pin(killed.cancelled_owned()),
        _held: held,
    });
    *reply.status_mut() = from.status;
    for name in PASSED_ON {
        if let Some(value) = from.headers.get(&name) {
            reply.headers_mut().insert(name, value.clone());
        }
    }
    reply.headers_mut().insert(DISPLAY_NAME, hyper::header::HeaderValue::from_static("lastwords"));
    reply
}

/// The request whether the engine runs statements.
pub(super) fn ready() -> Request<Outgoing> {
    let mut request = Request::new(Empty::new().map_err(Into::into).boxed_unsync());
    *request.uri_mut() = hyper::Uri::from_static("/readyz");
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forms_boundary_stands_in_none_of_its_parts() {
        let parameters = [("a".to_owned(), "--lastwords--\r\n".to_owned())];
        let table = External {
            name: "t".into(),
            format: "Native".into(),
            structure: "a String".into(),
            data: Bytes::from_static(b"\xff--lastwords----\r\n"),
        };
        let (boundary, form) = form("SELECT 'lastwords---'", &parameters, &[table]);
        assert_eq!(form.windows(boundary.len()).filter(|window| *window == boundary.as_bytes()).count(), 4);
        assert!(form.ends_with(format!("--{boundary}--\r\n").as_bytes()));
    }
}
