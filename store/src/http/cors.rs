//! Answers that a page of another origin may read, as ClickHouse gives them: where the request asks for it with
//! `add_http_cors_header=1`. A page knows no password of ours, so it still has to be told one.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, ORIGIN,
};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

const HEADERS: &str = "origin, x-requested-with, content-type, authorization, x-clickhouse-user, x-clickhouse-key, \
                       x-clickhouse-database, x-clickhouse-format";
const EXPOSED: &str = "x-clickhouse-query-id, x-clickhouse-summary, x-clickhouse-exception-code, x-clickhouse-format, x-clickhouse-timezone";

/// What a browser asks before it sends a statement.
pub(super) fn preflight() -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(Bytes::new()));
    *reply.status_mut() = StatusCode::NO_CONTENT;
    let headers = reply.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, GET, HEAD, OPTIONS"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    reply
}

/// Whether a request asks for an answer that its page may read.
pub(super) fn is_asked(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    parts.headers.contains_key(ORIGIN)
        && form_urlencoded::parse(query).any(|(name, value)| name == "add_http_cors_header" && value == "1")
}

/// Lets it be read.
pub(super) fn allow(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, origin: bool, expected: bool) {
        let mut request = hyper::Request::builder().uri(uri);
        if origin {
            request = request.header(ORIGIN, "https://page.example");
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(is_asked(&parts), expected, "{uri} {origin}");
    }

    #[test]
    fn pages_read_answers_where_it_was_asked_for() {
        check("/?add_http_cors_header=1", true, true);
        check("/?add_http_cors_header=1", false, false);
        check("/?add_http_cors_header=0", true, false);
        check("/", true, false);
    }
}
