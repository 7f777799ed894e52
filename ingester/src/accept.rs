//! Connections from shippers, with or without TLS: what is refused here never reaches a call.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use lastwords_tls::Leaf;
use rustls::CertificateError;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::{
    refusals::{ConnectionReason, Refusals, Refused},
    tls::{Looked, ServerTls},
};

/// How long a connection may take until a call can begin.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Connections that are on their way there at once.
const HANDSHAKES_MAX: usize = 1024;
/// How often changed files are looked for when nobody connects.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long to wait after an accept that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The first byte of a TLS connection: a handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// Who is at the other end; every request of the connection carries it.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Its certificate, where one was wanted: verified.
    pub certificate: Option<Arc<Leaf>>,
    /// Cancelled when the CA that vouched for it is no longer trusted.
    pub(crate) trust: CancellationToken,
}

/// One that may call.
pub struct Connection {
    peer: Peer,
    stream: Wire,
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Accepts on a listener until it is dropped. Without `tls` connections are plain; with it, everything else is
/// refused. Changed certificate files are looked for at every connection, every ten seconds, and on SIGHUP.
#[must_use]
pub fn connections(
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    refusals: Arc<Refusals>,
) -> Connections {
    let (sender, accepted) = mpsc::channel(1);
    let task = tokio::spawn(Acceptor { listener, tls, refusals }.run(sender));
    Connections { accepted, task }
}

/// The connections of one listener.
#[derive(Debug)]
pub struct Connections {
    accepted: mpsc::Receiver<Connection>,
    task: JoinHandle<()>,
}

impl Stream for Connections {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.accepted.poll_recv(context).map(|accepted| accepted.map(Ok))
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Acceptor {
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    refusals: Arc<Refusals>,
}

impl Acceptor {
    async fn run(self, accepted: mpsc::Sender<Connection>) {
        let mut handshakes = JoinSet::new();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hangup = self.tls.as_ref().and_then(|_| {
            signal(SignalKind::hangup())
                .inspect_err(|error| tracing::warn!(%error, "SIGHUP will not be heard"))
                .ok()
        });
        loop {
            let hung_up = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                connection = self.listener.accept(), if handshakes.len() < HANDSHAKES_MAX => match connection {
                    Ok((stream, address)) => {
                        self.refresh();
                        let offer = self.tls.as_ref().map(|tls| tls.current());
                        let (accepted, refusals) = (accepted.clone(), Arc::clone(&self.refusals));
                        handshakes.spawn(async move {
                            match begin(stream, address, offer).await {
                                // Nobody takes it any more: the server is ending.
                                Ok(Some(connection)) => drop(accepted.send(connection).await),
                                Ok(None) => tracing::debug!(%address, "a connection said nothing"),
                                Err(refusal) => refusal.tell(address, &refusals),
                            }
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a shipper's connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = handshakes.join_next() => {}
                _ = look.tick() => self.refresh(),
                _ = hung_up => self.refresh(),
            }
        }
    }

    fn refresh(&self) {
        if let Some(tls) = &self.tls
            && let Looked::Kept(_) = tls.refresh()
        {
            self.refusals.count(Refused::Reload);
        }
    }
}

struct Refusal {
    reason: ConnectionReason,
    detail: String,
}

impl Refusal {
    fn tell(&self, address: SocketAddr, refusals: &Refusals) {
        refusals.count(Refused::Connection(self.reason));
        tracing::warn!(%address, reason = self.reason.as_str(), detail = self.detail, "a connection is refused");
    }
}

type Offer = Option<(Arc<rustls::ServerConfig>, CancellationToken)>;

/// Until a call may begin; none: the other side closed it without a word, as port checks do.
async fn begin(stream: TcpStream, address: SocketAddr, offer: Offer) -> Result<Option<Connection>, Refusal> {
    let timeout = |_| Refusal {
        reason: ConnectionReason::Timeout,
        detail: format!("wanted the begin of a call within {HANDSHAKE_MAX:?}, found nothing"),
    };
    tokio::time::timeout(HANDSHAKE_MAX, shake(stream, address, offer)).await.map_err(timeout)?
}

async fn shake(stream: TcpStream, address: SocketAddr, offer: Offer) -> Result<Option<Connection>, Refusal> {
    let mut first = [0];
    // In HTTP/2 as in TLS it is the client that speaks first.
    match stream.peek(&mut first).await {
        Ok(1) => {}
        Ok(_) | Err(_) => return Ok(None),
    }
    // Has no bearing on whether it is taken.
    let _ = stream.set_nodelay(true);
    match (offer, first == [TLS_HANDSHAKE]) {
        (None, false) => {
            let peer = Peer { address, certificate: None, trust: CancellationToken::new() };
            Ok(Some(Connection { peer, stream: Wire::Plain(stream) }))
        }
        (None, true) => Err(Refusal {
            reason: ConnectionReason::TlsToPlain,
            detail: "wanted plain HTTP/2, found TLS: this port has no certificate; configure one, or an http:// ingester at the shipper".to_owned(),
        }),
        (Some(_), false) => Err(Refusal {
            reason: ConnectionReason::PlainText,
            detail: "wanted TLS, found plain text: configure an https:// ingester at the shipper".to_owned(),
        }),
        (Some((config, trust)), true) => {
            let stream = TlsAcceptor::from(config).accept(stream).await.map_err(|error| refusal(&error))?;
            let certificate = certificate(&stream)?.map(Arc::new);
            let peer = Peer { address, certificate, trust };
            Ok(Some(Connection { peer, stream: Wire::Tls(Box::new(stream)) }))
        }
    }
}

/// What the client's certificate says; it has been verified.
fn certificate(stream: &TlsStream<TcpStream>) -> Result<Option<Leaf>, Refusal> {
    let Some(certificate) = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()) else {
        return Ok(None);
    };
    let nameless = |detail: String| Refusal { reason: ConnectionReason::Nameless, detail };
    let leaf = Leaf::of(certificate).map_err(|error| nameless(error.to_string()))?;
    if leaf.names.is_empty() {
        return Err(nameless("wanted a certificate with a DNS name or a common name, found none".to_owned()));
    }
    if leaf.days_left(SystemTime::now()) < 0 {
        return Err(Refusal {
            reason: ConnectionReason::Expired,
            detail: "the certificate has ended".to_owned(),
        });
    }
    Ok(Some(leaf))
}

fn refusal(error: &io::Error) -> Refusal {
    use rustls::Error;
    let reason = match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::NoCertificatesPresented) => ConnectionReason::NoCertificate,
        Some(Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => ConnectionReason::Expired,
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            ConnectionReason::UnknownCa
        }
        Some(Error::AlertReceived(_)) => ConnectionReason::RefusedByPeer,
        _ => ConnectionReason::Handshake,
    };
    Refusal { reason, detail: error.to_string() }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Wire::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Wire::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Wire::Plain(stream) => Pin::new(stream).poll_write_vectored(context, buffers),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(context, buffers),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Wire::Plain(stream) => stream.is_write_vectored(),
            Wire::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(context),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
