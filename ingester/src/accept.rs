//! Connections from shippers, with or without TLS: what is refused here never reaches a call.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use lastwords_runtime::{
    places::{Full, Place, Places},
    quiet::{Quiet, bounded},
    tls::Leaf,
};
use rustls::CertificateError;
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::{Mutex, mpsc},
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;

use crate::{
    connection::{Connection, Peer, Wire},
    refusals::{ConnectionReason, Refusals, Refused},
    tls::{Looked, ServerTls},
};

/// How long a connection may take until a call can begin.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// How long a connection waits for a look at the files: it goes on with what is in use.
const LOOK_MAX: Duration = Duration::from_secs(1);
/// How often changed files are looked for when nobody connects.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long to wait after an accept that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often it is said that there are no places.
const FULL_EVERY: Duration = Duration::from_secs(30);
/// The first byte of a TLS connection: a handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// Accepts on a listener until it is dropped, as long as there are places. Without `tls` connections are plain; with it,
/// everything else is refused. Changed certificate files are looked for at every connection, every ten seconds, and on
/// SIGHUP.
#[must_use]
pub fn connections(
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    refusals: Arc<Refusals>,
    places: Places,
) -> Connections {
    let (sender, accepted) = mpsc::channel(1);
    let door = Door {
        files: tls.map(|tls| Files { tls, looked: Mutex::new(Instant::now()) }),
        refusals,
        places,
        refused: Quiet::new(50, Duration::from_secs(2)),
        full: Quiet::new(1, FULL_EVERY),
    };
    let task = tokio::spawn(Acceptor { listener, door: Arc::new(door) }.run(sender));
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
    door: Arc<Door>,
}

impl Acceptor {
    async fn run(self, accepted: mpsc::Sender<Connection>) {
        // Bounded by the places.
        let mut handshakes = JoinSet::new();
        if self.door.files.is_some() {
            handshakes.spawn(Arc::clone(&self.door).watch());
        }
        loop {
            tokio::select! {
                connection = self.listener.accept() => match connection {
                    Ok((stream, address)) => match self.door.places.enter(address.ip()) {
                        Ok(place) => {
                            let (door, accepted) = (Arc::clone(&self.door), accepted.clone());
                            handshakes.spawn(async move { door.receive(stream, address, place, &accepted).await });
                        }
                        // Dropped, and so closed, before it costs anything.
                        Err(full) => self.door.full(address, full),
                    },
                    Err(error) => {
                        if let Some(unsaid) = self.door.refused.may_say(Instant::now()) {
                            tracing::warn!(%error, unsaid, "a shipper's connection could not be accepted");
                        }
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = handshakes.join_next() => {}
            }
        }
    }
}

/// What a listener's connections share.
struct Door {
    files: Option<Files>,
    refusals: Arc<Refusals>,
    places: Places,
    refused: Quiet,
    full: Quiet,
}

/// The certificate files. They are read away from whoever accepts.
struct Files {
    tls: Arc<ServerTls>,
    /// When the last look began. Whoever holds it, looks.
    looked: Mutex<Instant>,
}

impl Door {
    async fn receive(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        place: Place,
        accepted: &mpsc::Sender<Connection>,
    ) {
        let place = Arc::new(place);
        let connected = tokio::select! {
            connected = begin(stream, address, self.files.as_ref(), &self.refusals) => connected,
            () = place.must_leave() => {
                let detail = "it had no call, and others needed its place".to_owned();
                Err(Refusal { reason: ConnectionReason::GaveWay, detail })
            }
        };
        match connected {
            Ok(Some(mut connection)) => {
                connection.peer.place = Some(place);
                // Nobody takes it any more: the server is ending.
                drop(accepted.send(connection).await);
            }
            Ok(None) => tracing::debug!(%address, "a connection said nothing"),
            Err(refusal) => self.refuse(address, &refusal),
        }
    }

    fn refuse(&self, address: SocketAddr, refusal: &Refusal) {
        self.refusals.count(Refused::Connection(refusal.reason));
        if let Some(unsaid) = self.refused.may_say(Instant::now()) {
            let (reason, detail) = (refusal.reason.as_str(), bounded(&refusal.detail));
            tracing::warn!(%address, reason, detail, unsaid, "a connection is refused");
        }
    }

    fn full(&self, address: SocketAddr, full: Full) {
        let reason = ConnectionReason::TooMany;
        self.refusals.count(Refused::Connection(reason));
        if let Some(unsaid) = self.full.may_say(Instant::now()) {
            tracing::warn!(%address, reason = reason.as_str(), detail = %full, unsaid, "a connection is refused");
        }
    }

    /// Looks at the files when nobody connects, and on SIGHUP.
    async fn watch(self: Arc<Self>) {
        let Some(files) = &self.files else { return };
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hangup = signal(SignalKind::hangup())
            .inspect_err(|error| tracing::warn!(%error, "SIGHUP will not be heard"))
            .ok();
        loop {
            let hung_up = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = look.tick() => {}
                _ = hung_up => {}
            }
            files.look(&self.refusals).await;
        }
    }
}

impl Files {
    /// Looks at the files, unless a look has begun since this was called: many connections share one.
    async fn look(&self, refusals: &Refusals) {
        let called = Instant::now();
        let mut looked = self.looked.lock().await;
        if *looked > called {
            return;
        }
        *looked = Instant::now();
        let tls = Arc::clone(&self.tls);
        // What it has to say belongs into the log of whoever looks.
        let log = tracing::dispatcher::get_default(Clone::clone);
        let look = move || tracing::dispatcher::with_default(&log, || tls.refresh());
        if let Ok(Looked::Kept(_)) = tokio::task::spawn_blocking(look).await {
            refusals.count(Refused::Reload);
        }
    }
}

struct Refusal {
    reason: ConnectionReason,
    detail: String,
}

/// Until a call may begin; none: the other side closed it without a word, as port checks do.
async fn begin(
    stream: TcpStream,
    address: SocketAddr,
    files: Option<&Files>,
    refusals: &Refusals,
) -> Result<Option<Connection>, Refusal> {
    let timeout = |_| Refusal {
        reason: ConnectionReason::Timeout,
        detail: format!("wanted the begin of a call within {HANDSHAKE_MAX:?}, found nothing"),
    };
    let shaken = shake(stream, address, files, refusals);
    tokio::time::timeout(HANDSHAKE_MAX, shaken).await.map_err(timeout)?
}

async fn shake(
    stream: TcpStream,
    address: SocketAddr,
    files: Option<&Files>,
    refusals: &Refusals,
) -> Result<Option<Connection>, Refusal> {
    let mut first = [0];
    // In HTTP/2 as in TLS it is the client that speaks first.
    match stream.peek(&mut first).await {
        Ok(1) => {}
        Ok(_) | Err(_) => return Ok(None),
    }
    // Has no bearing on whether it is taken.
    let _ = stream.set_nodelay(true);
    match (files, first == [TLS_HANDSHAKE]) {
        (None, false) => {
            let peer = Peer { address, certificate: None, trust: CancellationToken::new(), place: None };
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
        (Some(files), true) => {
            // Where the files' disk hangs, those who connect do not.
            let _ = tokio::time::timeout(LOOK_MAX, files.look(refusals)).await;
            let (config, trust) = files.tls.current();
            let stream = TlsAcceptor::from(config).accept(stream).await.map_err(|error| refusal(&error))?;
            let certificate = certificate(&stream)?.map(Arc::new);
            let peer = Peer { address, certificate, trust, place: None };
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
    let leaf = Leaf::read(certificate).map_err(|error| nameless(error.to_string()))?;
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
