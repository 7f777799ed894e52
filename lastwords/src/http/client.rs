//! Asking a running `lastwords up`: over the socket in its data folder, or by URL.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, Uri, body::Incoming, client::conn::http1::SendRequest, header};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};

use crate::outcome::UsageError;

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
        let wanted = || UsageError(format!("--server: wanted a URL such as http://127.0.0.1:8640, found {text:?}"));
        let uri: Uri = text.parse().map_err(|_| wanted())?;
        match (uri.scheme_str(), uri.host()) {
            (Some("http"), Some(_)) => Ok(Server::Url(uri)),
            _ => Err(wanted()),
        }
    }

    /// Sends one POST of JSON and gives the answer's head and body as they arrive.
    ///
    /// # Errors
    /// Where the server cannot be reached or breaks off.
    pub async fn post(&self, path: &str, body: Vec<u8>) -> anyhow::Result<Response<Incoming>> {
        self.send("POST", path, body).await
    }

    /// Sends one GET.
    ///
    /// # Errors
    /// Where the server cannot be reached or breaks off.
    pub async fn get(&self, path: &str) -> anyhow::Result<Response<Incoming>> {
        self.send("GET", path, Vec::new()).await
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

/// Reads a whole body, up to `bytes_max`.
///
/// # Errors
/// Where the server breaks off or sends more.
pub async fn read_all(body: Incoming, bytes_max: usize) -> anyhow::Result<Bytes> {
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
