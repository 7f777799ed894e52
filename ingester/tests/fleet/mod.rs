//! A CA with its certificates, an ingester on loopback whose queue keeps what it is given, and shippers' real uplinks.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    collections::VecDeque,
    fs,
    future::Future,
    io::Write,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use lastwords_ingester::{
    AdmitOptions, Limits, Pending, Queue, Refusals, ServerTls, SubmitError, TlsFiles, WriteError, Written,
    connections, serve_grpc,
};
use lastwords_record::{
    Batch, BatchBuilder, BatchId, Clock, Host, Origin, RecordRef, ShipperId, Source, TimeBasis,
};
use lastwords_shipper::{
    Uplink,
    uplink::{self, Content, Identity, IdentityFiles, Outgoing, Report, TlsOptions},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// Waits for what has to come.
pub async fn until(what: &str, mut there: impl FnMut() -> bool) {
    let since = Instant::now();
    while !there() {
        assert!(since.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Valid {
    Now,
    Past,
    Future,
}

pub struct Ca {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
}

fn params(names: &[&str], valid: Valid) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    let (from, to) = match valid {
        Valid::Now => (2020, 2096),
        Valid::Past => (2001, 2002),
        Valid::Future => (2090, 2096),
    };
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    params
}

impl Ca {
    pub fn new(name: &str) -> Ca {
        let mut params = params(&[], Valid::Now);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Ca { params, key, pem }
    }

    /// Writes the CA's certificate.
    pub fn write(&self, path: &Path) -> PathBuf {
        fs::write(path, &self.pem).unwrap();
        path.to_owned()
    }

    /// Writes a certificate for these names, and its key.
    pub fn issue(&self, folder: &Path, file: &str, names: &[&str], valid: Valid) -> IdentityFiles {
        self.issue_with(folder, file, params(names, valid))
    }

    /// Writes a certificate that has a common name and no alternative names.
    pub fn issue_common_name(&self, folder: &Path, file: &str, name: Option<&str>) -> IdentityFiles {
        let mut params = params(&[], Valid::Now);
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(name) = name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        self.issue_with(folder, file, params)
    }

    fn issue_with(&self, folder: &Path, file: &str, params: CertificateParams) -> IdentityFiles {
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap().pem();
        let files = IdentityFiles {
            certificate_file: folder.join(format!("{file}.pem")),
            key_file: folder.join(format!("{file}.key")),
        };
        fs::write(&files.certificate_file, certificate).unwrap();
        fs::write(&files.key_file, key.serialize_pem()).unwrap();
        fs::set_permissions(&files.key_file, fs::Permissions::from_mode(0o600)).unwrap();
        files
    }
}

/// A queue that keeps what it is given and says that it is durable when it is told to, or at once.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    taken: Vec<BatchId>,
    hold: bool,
    /// Numbers that are refused for good.
    refused: Vec<u64>,
    held: VecDeque<oneshot::Sender<()>>,
}

impl Kept {
    pub fn holding() -> Kept {
        let this = Kept::default();
        this.0.lock().unwrap().hold = true;
        this
    }

    /// Refuses this number from now on.
    pub fn refuse(&self, sequence: u64) {
        self.0.lock().unwrap().refused.push(sequence);
    }

    /// Numbers of what was taken.
    pub fn taken(&self) -> Vec<u64> {
        self.0.lock().unwrap().taken.iter().map(|id| id.sequence).collect()
    }

    /// The oldest that is held becomes durable.
    pub fn release(&self) {
        let held = self.0.lock().unwrap().held.pop_front().unwrap();
        let _ = held.send(());
    }
}

impl Queue for Kept {
    async fn submit(&self, envelope: Bytes) -> Result<Pending, SubmitError> {
        let id = Batch::open(&envelope)?.header.id;
        let mut inside = self.0.lock().unwrap();
        if inside.refused.contains(&id.sequence) {
            return Ok(Box::pin(async { Err(WriteError::Refused("too large for this queue".to_owned())) }));
        }
        inside.taken.push(id);
        let held = inside.hold.then(|| {
            let (sender, receiver) = oneshot::channel();
            inside.held.push_back(sender);
            receiver
        });
        Ok(Box::pin(async move {
            match held {
                Some(held) => held.await.map(|()| Written::default()).map_err(|_| WriteError::Stopped),
                None => Ok(Written::default()),
            }
        }))
    }

    fn is_full(&self) -> bool {
        false
    }
}

/// A running ingester.
pub struct Ingester {
    pub address: SocketAddr,
    pub queue: Kept,
    pub refusals: Arc<Refusals>,
    pub limits: Limits,
    pub tls: Option<Arc<ServerTls>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Ingester {
    pub async fn start(tls: Option<TlsFiles>) -> Ingester {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Ingester::on(listener, tls, Kept::default(), Duration::from_secs(600))
    }

    pub fn on(listener: TcpListener, tls: Option<TlsFiles>, queue: Kept, grace: Duration) -> Ingester {
        Ingester::within(listener, tls, queue, AdmitOptions { grace, ..AdmitOptions::default() })
    }

    /// With limits of its own.
    pub fn within(
        listener: TcpListener,
        tls: Option<TlsFiles>,
        queue: Kept,
        options: AdmitOptions,
    ) -> Ingester {
        let address = listener.local_addr().unwrap();
        let limits = options.limits.clone();
        let refusals = Arc::clone(&options.refusals);
        let tls = tls.map(|files| Arc::new(ServerTls::load(files).unwrap()));
        let incoming = connections(listener, tls.clone(), Arc::clone(&refusals), limits.places.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = serve_grpc(incoming, queue.clone(), options, async {
            let _ = stopped.await;
        });
        let task = tokio::spawn(serving);
        Ingester { address, queue, refusals, limits, tls, stop: Some(stop), task }
    }

    /// Tells it to end and waits until it takes no more connections.
    pub async fn begin_to_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        let address = self.address;
        let since = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            assert!(since.elapsed() < Duration::from_secs(60), "it goes on accepting");
            tokio::task::yield_now().await;
        }
    }

    /// Waits until it has ended.
    pub async fn stopped(self) {
        self.task.await.unwrap();
    }
}

/// A shipper's uplink.
pub struct Shipper {
    host: Host,
    outgoing: mpsc::Sender<Outgoing>,
    reports: mpsc::Receiver<Report>,
    task: JoinHandle<()>,
}

pub fn host(name: &str) -> Host {
    Host { name: name.to_owned(), machine_id: "0123456789abcdef0123456789abcdef".to_owned() }
}

impl Shipper {
    pub fn start(uplink: Uplink, name: &str) -> Shipper {
        let host = host(name);
        let next = BatchId { shipper: ShipperId::of(&host.name, &host.machine_id), epoch: 3, sequence: 1 };
        let (outgoing, taken) = mpsc::channel(16);
        let (said, reports) = mpsc::channel(16);
        let identity = Identity { next, given: u64::MAX, host: host.clone() };
        let task = tokio::spawn(uplink::drive(uplink, identity, taken, said));
        Shipper { host, outgoing, reports, task }
    }

    /// Hands over a batch that speaks for a host.
    pub async fn send_for(&self, sequence: u64, speaks_for: &str) {
        let mut builder = BatchBuilder::new();
        let origin = Origin { host: host(speaks_for), guest: None, source: Source::File, attributes: vec![] };
        let origin = builder.origin(&origin);
        let record = RecordRef {
            time_ns: 1,
            observed_ns: 1,
            body: b"a line",
            severity: 0,
            program: "",
            time_basis: TimeBasis::Line,
            attributes: &[],
        };
        builder.push(origin, &record).unwrap();
        let shipper = ShipperId::of(&self.host.name, &self.host.machine_id);
        let id = BatchId { shipper, epoch: 3, sequence };
        let batch = builder.finish(id, 1, Clock::default());
        let outgoing = Outgoing { id, content: Content::Open(Box::new(batch)) };
        self.outgoing.send(outgoing).await.unwrap();
    }

    /// Hands over a batch that speaks for its own host.
    pub async fn send(&self, sequence: u64) {
        self.send_for(sequence, &self.host.name.clone()).await;
    }

    /// The next report about a batch.
    pub async fn report(&mut self) -> Report {
        let next = async {
            loop {
                match self.reports.recv().await.expect("the uplink goes on") {
                    Report::Clock(_) | Report::Connection { .. } | Report::SealAfter(_) => {}
                    report => return report,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), next).await.expect("a report within a minute")
    }

    /// Waits until a batch is acknowledged.
    pub async fn acknowledged(&mut self, wanted: u64) {
        match self.report().await {
            Report::Acknowledged { sequence, .. } => assert_eq!(sequence, wanted),
            other => panic!("wanted an acknowledgement of {wanted}, found {other:?}"),
        }
    }
}

impl Drop for Shipper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// TLS as a shipper uses it.
pub fn over_tls(address: SocketAddr, ca: &Path, identity: Option<IdentityFiles>) -> Uplink {
    let options =
        TlsOptions { ca_file: ca.to_owned(), identity, server_name: Some("ingest.example.org".to_owned()) };
    Uplink::GrpcTls(format!("https://{address}"), options)
}

/// What is logged while it lives, by this thread.
pub struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

#[derive(Clone)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub fn take() -> Log {
        let text = Arc::new(Mutex::new(Vec::new()));
        let lines = Lines(Arc::clone(&text));
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || lines.clone()).finish();
        Log { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }
}

/// Runs a future to its end on this thread alone, so that the log is all here.
pub fn on_one_thread<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}
