//! Asking a running `lastwords up`: over the socket in its data folder, or by URL.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, StatusCode, Uri, body::Incoming, client::conn::http1::SendRequest, header};
use hyper_util::rt::TokioIo;
use lastwords_runtime::address::{carries_secrets, redacted};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader},
    net::{TcpStream, UnixStream},
};
use tokio_stream::{StreamExt as _, wrappers::LinesStream};
use tokio_util::io::StreamReader;

use super::reply::MATCHED_HEADER;
use crate::{
    outcome::UsageError,
    pipeline::Contents,
    quarantine::Act,
    questions::{self, Ask, Body, Refusal, Reply},
    rescan,
};

/// Where a server is.
#[derive(Debug, Clone)]
pub enum Server {
    /// The socket in a data folder.
    Socket(PathBuf),
    /// `http://HOST:PORT`.
    Url(Uri),
}

impl Server {
    /// Reads `http://HOST[:PORT]`.
    ///
    /// # Errors
    /// A usage error that says what was wanted.
    pub fn parse(text: &str) -> Result<Server, UsageError> {
        if carries_secrets(text) {
            return Err(UsageError(format!(
                "--server: wanted a URL without user, password and parameters, found {:?}: the HTTP API asks for none",
                redacted(text)
            )));
        }
        let wanted =
            || UsageError(format!("--server: wanted a URL such as http://127.0.0.1:8640, found {text:?}"));
        let uri: Uri = text.parse().map_err(|_| wanted())?;
        match (uri.scheme_str(), uri.host(), uri.path()) {
            (Some("http"), Some(_), "" | "/") => Ok(Server::Url(uri)),
            _ => Err(wanted()),
        }
    }

    /// Asks a question or SQL; the answer's body comes as it arrives.
    ///
    /// # Errors
    /// Where the server cannot be reached, or refuses.
    pub async fn ask(&self, ask: &Ask) -> anyhow::Result<Reply> {
        let response = self.send("POST", "/api/v1/query", serde_json::to_vec(ask)?).await?;
        if response.status() != StatusCode::OK {
            return Err(refusal(self, response).await);
        }
        let matched =
            response.headers().get(MATCHED_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        if matched.is_none() && ask.question.is_some() {
            bail!("{self} is no lastwords: its answer lacks {MATCHED_HEADER}");
        }
        let name = self.to_string();
        let chunks = response.into_body().into_data_stream().map(move |chunk| {
            chunk.map_err(|error| {
                Refusal::failed(format!("{name} broke off in the middle of the answer: {error}"))
            })
        });
        Ok(Reply { content_type: "", matched, body: Body::Rows(Box::pin(chunks)) })
    }

    /// Lets the server look for events in what it has stored.
    ///
    /// # Errors
    /// Where the server cannot be reached, or refuses.
    pub async fn rescan(&self, request: &rescan::Request) -> anyhow::Result<rescan::Telling> {
        let response = self.send("POST", "/api/v1/rescan", serde_json::to_vec(request)?).await?;
        if response.status() != StatusCode::OK {
            return Err(refusal(self, response).await);
        }
        let name = self.to_string();
        let reader = StreamReader::new(
            response.into_body().into_data_stream().map(|chunk| chunk.map_err(io::Error::other)),
        );
        let lines = LinesStream::new(BufReader::new(reader).lines());
        Ok(Box::pin(lines.map(move |line| {
            let line = line
                .map_err(|error| Refusal::failed(format!("{name} broke off before it was done: {error}")))?;
            serde_json::from_str(&line)
                .map_err(|error| Refusal::failed(format!("{name} said {line:?}: {error}")))
        })))
    }

    /// What the server's store holds.
    ///
    /// # Errors
    /// Where the server cannot be reached, or refuses.
    pub async fn contents(&self) -> anyhow::Result<Contents> {
        let response = self.send("GET", "/api/v1/store", Vec::new()).await?;
        if response.status() != StatusCode::OK {
            return Err(refusal(self, response).await);
        }
        Ok(serde_json::from_slice(&read_all(response.into_body(), ERROR_BYTES_MAX).await?)?)
    }

    /// Does something with the quarantine of the server's store.
    ///
    /// # Errors
    /// Where the server cannot be reached, or refuses.
    pub async fn quarantine(&self, act: &Act) -> anyhow::Result<Value> {
        let response = self.send("POST", "/api/v1/quarantine", serde_json::to_vec(act)?).await?;
        if response.status() != StatusCode::OK {
            return Err(refusal(self, response).await);
        }
        Ok(serde_json::from_slice(&read_all(response.into_body(), LIST_BYTES_MAX).await?)?)
    }

    async fn send(&self, method: &str, path: &str, body: Vec<u8>) -> anyhow::Result<Response<Incoming>> {
        let (mut sender, host) = match self {
            Server::Socket(socket) => (connect_unix(socket).await?, "localhost".to_owned()),
            Server::Url(uri) => connect_tcp(uri).await?,
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        sender.send_request(request).await.with_context(|| format!("{self} broke off"))
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Server::Socket(path) => write!(f, "{}", path.display()),
            Server::Url(uri) => write!(f, "{uri}"),
        }
    }
}

/// What a server said instead of answering.
async fn refusal(server: &Server, response: Response<Incoming>) -> anyhow::Error {
    let status = response.status();
    let body = match read_all(response.into_body(), ERROR_BYTES_MAX).await {
        Ok(body) => body,
        Err(error) => return error,
    };
    let document: Value = serde_json::from_slice(&body).unwrap_or_default();
    let field =
        |name: &str| document.pointer(&format!("/error/{name}")).and_then(Value::as_str).map(str::to_owned);
    match (field("kind").as_deref(), field("message")) {
        (Some("usage"), Some(message)) => questions::usage_or_failure(Refusal::usage(message)),
        (Some(_), Some(message)) => questions::usage_or_failure(Refusal::failed(message)),
        _ => anyhow::anyhow!("{server} answered {status}: is it a lastwords?"),
    }
}

/// An error's body may have so many bytes.
const ERROR_BYTES_MAX: usize = 1 << 20;
/// A list of batches in quarantine may have so many.
const LIST_BYTES_MAX: usize = 256 << 20;

async fn read_all(body: Incoming, bytes_max: usize) -> anyhow::Result<Bytes> {
    match http_body_util::Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => bail!("the server's answer could not be read: {error}"),
    }
}

async fn connect_unix(socket: &Path) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = UnixStream::connect(socket)
        .await
        .with_context(|| format!("nobody answers at {}: is `lastwords up` running?", socket.display()))?;
    handshake(stream).await
}

async fn connect_tcp(uri: &Uri) -> anyhow::Result<(SendRequest<Full<Bytes>>, String)> {
    let host = uri.host().unwrap_or("127.0.0.1");
    let port = uri.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port))
        .await
        .with_context(|| format!("nobody answers at {uri}: is `lastwords up` running there?"))?;
    stream.set_nodelay(true)?;
    Ok((handshake(stream).await?, format!("{host}:{port}")))
}

async fn handshake<S>(stream: S) -> anyhow::Result<SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender; a break is seen by whoever waits for the answer.
    tokio::spawn(connection);
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_without_a_password() {
        for good in ["http://127.0.0.1:8640", "http://hv01", "http://[::1]:8640/"] {
            assert!(Server::parse(good).is_ok(), "{good}");
        }
        for wrong in [
            "https://hv01:8640",
            "hv01:8640",
            "http://",
            "http://hv01:8640/api",
            "http://user:hunter2@hv01:8640",
            "user:hunter2@hv01",
            "http://hv01?password=hunter2",
        ] {
            let error = Server::parse(wrong).unwrap_err().to_string();
            assert!(error.starts_with("--server: wanted a URL"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
