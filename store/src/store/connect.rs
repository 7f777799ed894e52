//! The way to a server: TCP, and TLS over it where the address says `https`.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::options::RemoteError;
use super::wire::Wire;

/// Where distributions keep the certificates that they trust.
const SYSTEM_BUNDLES: &[&str] =
    &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// Trust for `https`: the given file alone, else what the system trusts.
pub(super) fn trust(ca_file: Option<&Path>) -> Result<TlsConnector, RemoteError> {
    let path = match ca_file {
        Some(path) => path.to_owned(),
        None => std::env::var_os("SSL_CERT_FILE")
            .map(PathBuf::from)
            .into_iter()
            .chain(SYSTEM_BUNDLES.iter().map(PathBuf::from))
            .find(|path| path.is_file())
            .ok_or(RemoteError::NoSystemTrust)?,
    };
    let text = std::fs::read(&path).map_err(|source| RemoteError::CaFile { path: path.clone(), source })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let wrong = |reason: String| RemoteError::Ca { path: path.clone(), reason };
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        match roots.add(certificate) {
            // A system's bundle may hold a few that are too old to be read.
            Err(error) if ca_file.is_some() => return Err(wrong(error.to_string())),
            _ => {}
        }
    }
    if roots.is_empty() {
        return Err(RemoteError::Ca { path, reason: "there is no certificate in it".to_owned() });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| RemoteError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Makes connections to a server.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) tls: Option<TlsConnector>,
    /// For name, TCP and TLS together.
    pub(super) timeout: Duration,
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Wire>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Connector { tls, timeout } = self.clone();
        Box::pin(async move {
            let connected = tokio::time::timeout(timeout, connect(&uri, tls)).await;
            connected.unwrap_or_else(|_| {
                Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no connection within {} s", timeout.as_secs_f32()),
                ))
            })
        })
    }
}

async fn connect(uri: &Uri, tls: Option<TlsConnector>) -> io::Result<TokioIo<Wire>> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if secure { 8443 } else { 8123 });
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    if !secure {
        return Ok(Wire::new(stream));
    }
    // Made for every `https` address, see `RemoteOptions`.
    let tls = tls.ok_or_else(|| io::Error::other("no trusted certificates are loaded"))?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(Wire::new(tls.connect(name, stream).await?))
}
