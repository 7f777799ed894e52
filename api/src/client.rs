//! Asking a running `lastwords up`: over the socket in its data folder, or by URL.

use std::{
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    client::conn::http1::SendRequest,
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use lastwords_store::Contents;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader},
    net::{TcpStream, UnixStream},
};
use tokio_stream::{StreamExt as _, wrappers::LinesStream};
use tokio_util::io::StreamReader;

use crate::{
    Ask, Chunks, Problem, Reply,
    problem::ProblemDocument,
    quarantine::{Act, Done},
    rescan::{Rescan, Steps},
    rows::Rows,
    status::Kind,
    v1::{self, FOUND_HEADER, MATCHED_HEADER},
};

/// An error's body, and a short document, may have so many bytes.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// A question's answer may have so many: all matches with all their partners.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// A list of batches in quarantine may have so many.
const LIST_BYTES_MAX: usize = 256 << 20;

/// Where a server is.
#[derive(Debug, Clone)]
pub enum Server {
    /// The socket in a data folder.
    Socket(PathBuf),
    /// `http://HOST:PORT`.
    Url(Uri),
}

impl Server {
    /// Asks a question or SQL; the reply comes as it arrives.
    ///
    /// # Errors
    /// Where the server cannot be reached, or says what is wrong.
    pub async fn ask(&self, ask: &Ask) -> Result<Reply, Problem> {
        let response = self.post("/api/v1/query", ask).await?;
        let header = |name: &str| text(response.headers(), name);
        let is_answer = header(MATCHED_HEADER).is_some();
        let found = header(FOUND_HEADER).is_none_or(|found| found == "true");
        let content_type = header(header::CONTENT_TYPE.as_str()).unwrap_or_default().to_owned();
        match (is_answer, &ask.question) {
            (true, Some(_)) => Ok(Reply::Answer(self.document(response, ANSWER_BYTES_MAX).await?)),
            (false, Some(_)) if ask.explain == Some(true) => Ok(Reply::Explanation(self.chunks(response))),
            (false, Some(_)) => {
                Err(Problem::failed(format!("{self} is no lastwords: its answer lacks {MATCHED_HEADER}")))
            }
            (_, None) => Ok(Reply::Rows(Rows { content_type, found, chunks: self.chunks(response) })),
        }
    }

    /// Lets the server look for events in what it has stored.
    ///
    /// # Errors
    /// Where the server cannot be reached, or says what is wrong.
    pub async fn rescan(&self, request: &Rescan) -> Result<Steps, Problem> {
        let response = self.post("/api/v1/rescan", request).await?;
        let name = self.to_string();
        let reader = StreamReader::new(
            response.into_body().into_data_stream().map(|chunk| chunk.map_err(io::Error::other)),
        );
        let lines = LinesStream::new(BufReader::new(reader).lines());
        Ok(Box::pin(lines.map(move |line| {
            let line = line
                .map_err(|error| Problem::failed(format!("{name} broke off before it was done: {error}")))?;
            serde_json::from_str(&line)
                .map_err(|error| Problem::failed(format!("{name} said {line:?}: {error}")))
        })))
    }

    /// What the server's store holds.
    ///
    /// # Errors
    /// Where the server cannot be reached, or says what is wrong.
    pub async fn contents(&self) -> Result<Contents, Problem> {
        let response = self.send(Method::GET, "/api/v1/store", Bytes::new()).await?;
        let contents: v1::store::Contents = self.document(response, DOCUMENT_BYTES_MAX).await?;
        Ok(contents.into())
    }

    /// Does something with the quarantine of the server's store.
    ///
    /// # Errors
    /// Where the server cannot be reached, or says what is wrong.
    pub async fn quarantine(&self, act: &Act) -> Result<Done, Problem> {
        let response = self.post("/api/v1/quarantine", act).await?;
        self.document(response, LIST_BYTES_MAX).await
    }

    async fn post(&self, path: &str, body: &impl Serialize) -> Result<Response<Incoming>, Problem> {
        let body = serde_json::to_vec(body).map_err(Problem::failed)?;
        self.send(Method::POST, path, body.into()).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, Problem> {
        let (mut sender, host) = match self {
            Server::Socket(socket) => (connect_unix(socket).await?, "localhost".to_owned()),
            Server::Url(uri) => connect_tcp(uri).await?,
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(Problem::failed)?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, host.parse().map_err(Problem::failed)?);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let response = sender.send_request(request).await;
        let response = response.map_err(|error| {
            Problem::new(Kind::Unavailable, format!("{self} broke off: {}", causes(&error)))
        })?;
        if response.status() == StatusCode::OK { Ok(response) } else { Err(self.problem(response).await) }
    }

    /// What a server said instead of answering.
    async fn problem(&self, response: Response<Incoming>) -> Problem {
        let status = response.status();
        match self.document::<ProblemDocument>(response, DOCUMENT_BYTES_MAX).await {
            Ok(document) => document.into(),
            Err(_) => {
                Problem::failed(format!("{self} answered {status}: is it a lastwords of this version?"))
            }
        }
    }

    async fn document<T: DeserializeOwned>(
        &self,
        response: Response<Incoming>,
        bytes_max: usize,
    ) -> Result<T, Problem> {
        let unreadable = |error: &dyn std::fmt::Display| {
            Problem::failed(format!("the answer of {self} could not be read: {error}"))
        };
        let collected = Limited::new(response.into_body(), bytes_max).collect().await;
        let bytes = collected.map_err(|error| unreadable(&error))?.to_bytes();
        serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))
    }

    fn chunks(&self, response: Response<Incoming>) -> Chunks {
        let name = self.to_string();
        Box::pin(response.into_body().into_data_stream().map(move |chunk| {
            chunk.map_err(|error| {
                Problem::failed(format!("{name} broke off in the middle of the answer: {error}"))
            })
        }))
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

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// An error with its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

async fn connect_unix(socket: &Path) -> Result<SendRequest<Full<Bytes>>, Problem> {
    let stream = UnixStream::connect(socket).await.map_err(|error| {
        let detail = format!("nobody answers at {}: is `lastwords up` running? {error}", socket.display());
        Problem::new(Kind::Unavailable, detail)
    })?;
    handshake(stream).await
}

async fn connect_tcp(uri: &Uri) -> Result<(SendRequest<Full<Bytes>>, String), Problem> {
    let host = uri.host().unwrap_or("127.0.0.1");
    let port = uri.port_u16().unwrap_or(80);
    let nobody = |error: io::Error| {
        let detail = format!("nobody answers at {uri}: is `lastwords up` running there? {error}");
        Problem::new(Kind::Unavailable, detail)
    };
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(nobody)?;
    stream.set_nodelay(true).map_err(nobody)?;
    Ok((handshake(stream).await?, format!("{host}:{port}")))
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, Problem>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(Problem::failed)?;
    // Ends with the sender; a break is seen by whoever waits for the answer.
    tokio::spawn(connection);
    Ok(sender)
}
