//! What a client asks for, from the URL, the headers and the body.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::encoding::{Coding, Method as BlockMethod, accepted, decode};
use super::failure::Failure;
use super::multipart::{External, Part, boundary, parts};
use super::words::insert_head;

/// A statement's text, without an `INSERT`'s data.
pub(super) const STATEMENT_BYTES_MAX: usize = 1 << 20;
/// A body up to this size is taken without a place for large ones.
const SMALL_BYTES_MAX: usize = 1 << 20;

/// What is taken of a body that has to be in memory at once: a statement with data in it, or a compressed one.
pub(super) struct Bounds<'a> {
    /// Bytes of one, also when it is decompressed.
    pub(super) bytes_max: usize,
    /// All of it has to come within this time.
    pub(super) patience: Duration,
    /// Bodies of more than a mebibyte that may be in memory at the same time; none: as many as come.
    pub(super) places: Option<&'a Arc<Semaphore>>,
}

impl Bounds<'_> {
    /// Of our own process.
    pub(super) const OWN: Bounds<'static> =
        Bounds { bytes_max: 256 << 20, patience: Duration::from_secs(60), places: None };
}

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
    /// The revision of the protocol that `Native` is written for; 0 is that of HTTP.
    pub(super) revision: u64,
    /// The answer's head tells how far the statement has come.
    pub(super) progress: bool,
    /// The answer is begun when it has so many bytes; none: when it is clear that it does not fail at once.
    pub(super) buffer_bytes: Option<usize>,
    /// The answer is not begun before the statement has ended.
    pub(super) whole: bool,
    /// `GET` reads only, as with ClickHouse.
    pub(super) reads_only: bool,
    /// Tables that come with it.
    pub(super) external: Vec<External>,
    /// Which session it belongs to.
    pub(super) session: SessionAsked,
    /// While a large body is in memory.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// What a request says about its session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SessionAsked {
    pub(super) id: Option<String>,
    pub(super) timeout_s: Option<u64>,
    /// The session has to be there already.
    pub(super) check: bool,
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
    /// A call of nothing but a statement.
    #[cfg(test)]
    pub(super) fn of_text(text: &str) -> Call {
        Call {
            text: text.as_bytes().to_vec(),
            data: Data::None,
            parameters: Vec::new(),
            settings: Vec::new(),
            database: None,
            format: None,
            query_id: None,
            coding: Coding::None,
            revision: 0,
            progress: false,
            buffer_bytes: None,
            whole: false,
            reads_only: false,
            external: Vec::new(),
            session: SessionAsked::default(),
            place: None,
        }
    }

    /// Reads a request.
    pub(super) async fn read(head: &Parts, body: Incoming, bounds: &Bounds<'_>) -> Result<Call, Failure> {
        let header =
            |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut call = Call {
            text: Vec::new(),
            data: Data::None,
            parameters: Vec::new(),
            settings: Vec::new(),
            database: header("x-clickhouse-database"),
            format: header("x-clickhouse-format"),
            query_id: None,
            coding: Coding::None,
            revision: 0,
            progress: false,
            buffer_bytes: None,
            whole: false,
            reads_only: head.method != Method::POST,
            external: Vec::new(),
            session: SessionAsked::default(),
            place: None,
        };
        let (mut http_compression, mut blocks_out, mut blocks_in) = (true, false, false);
        for (name, value) in form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()) {
            let value = value.into_owned();
            match name.as_ref() {
                "query" => call.text = value.into_bytes(),
                "compress" => blocks_out = is_on(&value),
                "decompress" => blocks_in = is_on(&value),
                "enable_http_compression" => http_compression = value != "0",
                _ => call.take(&name, value)?,
            }
        }
        if blocks_out {
            let stated = call.settings.iter().rev().find(|(name, _)| name == "network_compression_method");
            call.coding = Coding::Blocks(BlockMethod::named(stated.map_or("", |(_, method)| method)));
        } else if http_compression {
            call.coding = accepted(header("accept-encoding").as_deref().unwrap_or_default());
        }
        let content_type = header("content-type").unwrap_or_default();
        let coding = Coding::named(header("content-encoding").as_deref())?;
        if let Some(boundary) = content_type.strip_prefix("multipart/form-data").and_then(boundary) {
            let bytes_max = bounds.bytes_max.min(STATEMENT_BYTES_MAX * 4);
            let (body, _place) = collect(body, bytes_max, bounds).await?;
            let body = decode(coding, body, bytes_max)?;
            call.take_parts(
                &parts(&body, boundary).ok_or_else(|| bad("the multipart body could not be read"))?,
            )?;
        } else if insert_head(&call.text).is_some() {
            let packed = coding != Coding::None || blocks_in;
            call.data = if packed {
                let (body, place) = unpacked(body, coding, blocks_in, bounds).await?;
                call.place = place;
                Data::Bytes(body)
            } else {
                Data::Coming(body)
            };
        } else {
            // The text may have data after it; where it ends, the engine's own parser knows.
            let (body, place) = unpacked(body, coding, blocks_in, bounds).await?;
            call.place = place;
            call.text = joined(call.text, body);
        }
        if call.text.iter().all(u8::is_ascii_whitespace) {
            return Err(bad("Empty query"));
        }
        Ok(call)
    }

    /// What a form says, and the tables that it brings along.
    fn take_parts(&mut self, parts: &[Part<'_>]) -> Result<(), Failure> {
        for part in parts.iter().filter(|part| !part.is_file) {
            let value = std::str::from_utf8(part.value)
                .map_err(|_| bad(&format!("Wanted the field {} in UTF-8", part.name)))?;
            match part.name {
                "query" => self.text = value.as_bytes().to_vec(),
                name => self.take(name, value.to_owned())?,
            }
        }
        for part in parts.iter().filter(|part| part.is_file) {
            let table = External::take(part.name, part.value, &mut self.settings).ok_or_else(|| {
                let name = part.name;
                bad(&format!("Wanted the columns of the table {name} in {name}_structure, or {name}_types"))
            })?;
            self.external.push(table);
        }
        Ok(())
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
            | "role"
            | "stacktrace"
            | "http_zlib_compression_level"
            | "http_headers_progress_interval_ms"
            | "cancel_http_readonly_queries_on_client_close"
            | "compression_level" => {}
            "database" => self.database = Some(value).filter(|value| !value.is_empty()),
            "default_format" => self.format = Some(value),
            "session_id" => self.session.id = Some(value).filter(|value| !value.is_empty()),
            "session_timeout" => self.session.timeout_s = value.parse().ok(),
            "session_check" => self.session.check = is_on(&value),
            "query_id" => self.query_id = Some(value),
            "wait_end_of_query" => self.whole = is_on(&value),
            // Zero is ClickHouse's word for its default.
            "buffer_size" | "http_response_buffer_size" => {
                self.buffer_bytes = value.parse().ok().filter(|bytes| *bytes > 0);
            }
            "send_progress_in_http_headers" => self.progress = is_on(&value),
            "client_protocol_version" => {
                self.revision = value.parse().map_err(|_| {
                    bad(&format!("Wanted client_protocol_version to be a number; found {value:?}"))
                })?;
            }
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

/// Whether a switch is on.
fn is_on(value: &str) -> bool {
    matches!(value, "1" | "true")
}

/// A statement's text: what the URL has of it, and on a line of its own what the body has.
fn joined(mut text: Vec<u8>, body: Bytes) -> Vec<u8> {
    if text.is_empty() {
        return body.into();
    }
    if !body.is_empty() {
        text.push(b'\n');
        text.extend_from_slice(&body);
    }
    text
}

/// All of a body as it was before it was compressed.
async fn unpacked(
    body: Incoming,
    coding: Coding,
    blocks: bool,
    bounds: &Bounds<'_>,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Failure> {
    let (body, place) = collect(body, bounds.bytes_max, bounds).await?;
    let body = decode(coding, body, bounds.bytes_max)?;
    let coding = if blocks { Coding::Blocks(BlockMethod::Lz4) } else { Coding::None };
    Ok((decode(coding, body, bounds.bytes_max)?, place))
}

fn bad(text: &str) -> Failure {
    Failure::Statement { code: 62, text: format!("Code: 62. DB::Exception: {text}. (SYNTAX_ERROR)") }
}

/// All of a body, within its bounds; with a place where it is large.
async fn collect(
    mut body: Incoming,
    bytes_max: usize,
    bounds: &Bounds<'_>,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Failure> {
    let all = async {
        let mut place = None;
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| Failure::Gone(error.to_string()))?.into_data() else {
                continue;
            };
            let bytes = first.as_ref().map_or(0, Bytes::len) + rest.len() + data.len();
            if bytes > bytes_max {
                return Err(Failure::TooLarge { bytes_max });
            }
            if let Some(places) = bounds.places.filter(|_| bytes > SMALL_BYTES_MAX && place.is_none()) {
                place = Arc::clone(places).acquire_owned().await.ok();
            }
            match &first {
                None => first = Some(data),
                Some(_) => rest.extend_from_slice(&data),
            }
        }
        let whole = match first {
            None => Bytes::new(),
            Some(first) if rest.is_empty() => first,
            Some(first) => [first.as_ref(), rest.as_ref()].concat().into(),
        };
        Ok((whole, place))
    };
    let late = |_| Failure::Gone(format!("it did not come within {} s", bounds.patience.as_secs()));
    tokio::time::timeout(bounds.patience, all).await.map_err(late)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urls_text_and_the_bodys_are_one_statement() {
        let check = |url: &str, body: &'static str, expected: &str| {
            let found = joined(url.into(), Bytes::from_static(body.as_bytes()));
            assert_eq!(String::from_utf8_lossy(&found), expected);
        };
        check("", "SELECT 1", "SELECT 1");
        check("SELECT 1", "", "SELECT 1");
        check("SELECT 1 +", "1 -- a line", "SELECT 1 +\n1 -- a line");
        check("INSERT INTO logs (Body)", "VALUES ('x')", "INSERT INTO logs (Body)\nVALUES ('x')");
    }
}
