//! What a client asks for, from the URL, the headers and the body.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use hyper::http::request::Parts;

use super::access::Rights;
use super::encoding::{Coding, accepted, decode};
use super::response::Failure;

/// A statement's text, without an `INSERT`'s data.
pub(super) const STATEMENT_BYTES_MAX: usize = 1 << 20;
/// A body that has to be in memory at once: a statement with data in it, or a compressed one.
pub(super) const BODY_BYTES_MAX: usize = 256 << 20;

/// A statement with everything that the client said about it.
pub(super) struct Call {
    /// The text.
    pub(super) text: Vec<u8>,
    /// What follows the text: an `INSERT`'s data.
    pub(super) data: Data,
    /// `{name:Type}` by name.
    pub(super) parameters: Vec<(String, String)>,
    /// Settings of this statement.
    pub(super) settings: Vec<(String, String)>,
    pub(super) database: Option<String>,
    /// Format of the answer where the statement names none.
    pub(super) format: Option<String>,
    pub(super) query_id: Option<String>,
    /// How the answer is to be compressed.
    pub(super) coding: Coding,
    /// The answer is not begun before the statement has ended.
    pub(super) whole: bool,
    /// `GET` reads only, as with ClickHouse.
    pub(super) reads_only: bool,
    pub(super) rights: Rights,
}

/// An `INSERT`'s data.
pub(super) enum Data {
    None,
    /// In memory.
    Bytes(Bytes),
    /// Still coming.
    Coming(Incoming),
}

impl Call {
    /// Reads a request.
    pub(super) async fn read(parts: &Parts, body: Incoming, rights: Rights) -> Result<Call, Failure> {
        let header =
            |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut call = Call {
            text: Vec::new(),
            data: Data::None,
            parameters: Vec::new(),
            settings: Vec::new(),
            database: header("x-clickhouse-database"),
            format: header("x-clickhouse-format"),
            query_id: None,
            coding: Coding::None,
            whole: false,
            reads_only: parts.method == Method::GET,
            rights,
        };
        let mut blocks_in = false;
        let mut blocks_out = false;
        let mut http_compression = true;
        for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            let value = value.into_owned();
            match name.as_ref() {
                "query" => call.text = value.into_bytes(),
                "decompress" => blocks_in = value == "1",
                "compress" => blocks_out = value == "1",
                "enable_http_compression" => http_compression = value != "0",
                _ => call.take(&name, value)?,
            }
        }
        if blocks_out {
            call.coding = Coding::Blocks;
        } else if http_compression {
            call.coding = accepted(header("accept-encoding").as_deref().unwrap_or_default());
        }
        let content_type = header("content-type").unwrap_or_default();
        let coding =
            if blocks_in { Coding::Blocks } else { Coding::named(header("content-encoding").as_deref())? };
        if let Some(boundary) = content_type.strip_prefix("multipart/form-data").and_then(boundary) {
            let body =
                decode(coding, collect(body, STATEMENT_BYTES_MAX * 4).await?, STATEMENT_BYTES_MAX * 4)?;
            for (name, value) in
                fields(&body, boundary).ok_or_else(|| bad("the multipart body could not be read"))?
            {
                if name == "query" {
                    call.text = value.as_bytes().to_vec();
                } else {
                    call.take(name, value.to_owned())?;
                }
            }
        } else if call.text.is_empty() {
            let body = decode(coding, collect(body, BODY_BYTES_MAX).await?, BODY_BYTES_MAX)?;
            // The text may have data after it; where it ends, the engine's own parser knows.
            call.text = body.into();
        } else if parts.method == Method::POST {
            call.data = match coding {
                Coding::None => Data::Coming(body),
                coding => Data::Bytes(decode(coding, collect(body, BODY_BYTES_MAX).await?, BODY_BYTES_MAX)?),
            };
        }
        if call.text.iter().all(u8::is_ascii_whitespace) {
            return Err(bad("Empty query"));
        }
        Ok(call)
    }

    fn take(&mut self, name: &str, value: String) -> Result<(), Failure> {
        if let Some(parameter) = name.strip_prefix("param_") {
            self.parameters.push((parameter.to_owned(), value));
            return Ok(());
        }
        match name {
            "user"
            | "password"
            | "quota_key"
            | "session_id"
            | "session_timeout"
            | "session_check"
            | "role"
            | "stacktrace"
            | "http_zlib_compression_level"
            | "buffer_size"
            | "send_progress_in_http_headers"
            | "http_headers_progress_interval_ms"
            | "client_protocol_version"
            | "cancel_http_readonly_queries_on_client_close"
            | "compression_level" => {}
            "database" => self.database = Some(value).filter(|value| !value.is_empty()),
            "default_format" => self.format = Some(value),
            "query_id" => self.query_id = Some(value),
            "wait_end_of_query" => self.whole = value == "1",
            _ if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && !name.is_empty() =>
            {
                self.settings.push((name.to_owned(), value));
            }
            _ => {
                return Err(Failure::Statement {
                    code: 115,
                    text: format!("Code: 115. DB::Exception: Unknown setting '{name}'. (UNKNOWN_SETTING)"),
                });
            }
        }
        Ok(())
    }
}

fn bad(text: &str) -> Failure {
    Failure::Statement { code: 62, text: format!("Code: 62. DB::Exception: {text}. (SYNTAX_ERROR)") }
}

/// All of a body, within a limit.
async fn collect(mut body: Incoming, bytes_max: usize) -> Result<Bytes, Failure> {
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| Failure::Gone(error.to_string()))?.into_data() else { continue };
        if first.as_ref().map_or(0, Bytes::len) + rest.len() + data.len() > bytes_max {
            return Err(Failure::TooLarge { bytes_max });
        }
        match &first {
            None => first = Some(data),
            Some(_) => rest.extend_from_slice(&data),
        }
    }
    Ok(match first {
        None => Bytes::new(),
        Some(first) if rest.is_empty() => first,
        Some(first) => [first.as_ref(), rest.as_ref()].concat().into(),
    })
}

fn boundary(parameters: &str) -> Option<&str> {
    let value = parameters.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    Some(value.trim_matches('"')).filter(|value| !value.is_empty())
}

/// Names and values of a `multipart/form-data` body (RFC 7578).
fn fields<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<(&'a str, &'a str)>> {
    let body = std::str::from_utf8(body).ok()?;
    let delimiter = format!("\r\n--{boundary}");
    let opening = format!("--{boundary}");
    let mut rest = body
        .strip_prefix(opening.as_str())
        .or_else(|| body.split_once(delimiter.as_str()).map(|(_, rest)| rest))?;
    let mut found = Vec::new();
    loop {
        if rest.starts_with("--") {
            return Some(found);
        }
        rest = rest.strip_prefix("\r\n")?;
        let (part, after) = rest.split_once(delimiter.as_str())?;
        let (head, value) = part.split_once("\r\n\r\n")?;
        let disposition =
            head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
        let name =
            disposition.split(';').find_map(|piece| piece.trim().strip_prefix("name="))?.trim_matches('"');
        found.push((name, value));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Option<&[(&str, &str)]>) {
        assert_eq!(fields(body.as_bytes(), "B").as_deref(), expected, "{body:?}");
    }

    #[test]
    fn multipart_fields_are_read_to_the_closing_boundary() {
        check(
            "--B\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT\r\n1\r\n--B\r\ncontent-disposition: form-data; name=param_a\r\n\r\n\r\n--B--\r\n",
            Some(&[("query", "SELECT\r\n1"), ("param_a", "")]),
        );
        check("--B--\r\n", Some(&[]));
    }

    #[test]
    fn a_multipart_body_that_is_cut_off_is_refused() {
        check("--B\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT 1", None);
        check("", None);
        check("--B\r\nX: y\r\n\r\nv\r\n--B--", None);
    }

    #[test]
    fn the_boundary_is_found_among_the_content_types_parameters() {
        assert_eq!(boundary("; charset=utf-8; boundary=\"a b\""), Some("a b"));
        assert_eq!(boundary("; charset=utf-8"), None);
    }
}
