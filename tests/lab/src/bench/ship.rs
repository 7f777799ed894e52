//! The shipper on a finished file: zstd, every batch acknowledged by a sink that discards.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use jiff::Timestamp;
use lastwords_proto::v1::{
    Acknowledgement, Durability, HeartbeatReply, ShipRequest, ShipResponse, Welcome, ship_request,
    ship_response::Message,
    shipping_server::{Shipping, ShippingServer},
};
use lastwords_record::{Header, batch::FORMAT_VERSION};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

use crate::{figures::Figures, lines, process};

/// What is shipped.
#[derive(clap::Args)]
pub struct Options {
    /// Size of the file in MB (10^6 bytes).
    #[arg(long, default_value_t = 1_000)]
    megabytes: u64,
    /// Seed of the lines.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The shipper's binary; default: the one beside this program.
    #[arg(long)]
    shipper: Option<PathBuf>,
}

/// What the sink waits for.
#[derive(clap::Args)]
pub struct SinkOptions {
    /// It ends after so many records.
    #[arg(long)]
    records: u64,
}

const LINE_BYTES: u64 = 191;
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs the benchmark.
///
/// # Errors
/// Where a step fails.
pub fn run(options: &Options) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("access.log");
    let count = options.megabytes * 1_000_000 / LINE_BYTES;
    let bytes = lines::write_access_log(&log, count, options.seed, Timestamp::now())?;

    let sink = Command::new(std::env::current_exe()?)
        .args(["sink", "--records", &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let mut sink = SinkProcess(sink);
    let mut said = std::io::BufReader::new(sink.0.stdout.take().context("the sink says nothing")?);
    let address = line(&mut said)?;

    let config = folder.path().join("shipper.toml");
    let state = folder.path().join("state");
    fs::write(
        &config,
        format!(
            "state_dir = \"{}\"\n[uplink]\ningester = \"http://{}\"\n[sources]\njournald = false\nkmsg = false\nsamples = false\n[[file]]\npaths = [\"{}\"]\n",
            state.display(),
            address.trim(),
            log.display()
        ),
    )?;
    let binary = match &options.shipper {
        Some(binary) => binary.clone(),
        None => process::binary("lastwords-shipper")?,
    };
    let since = Instant::now();
    let shipper = Command::new(binary).arg("--config").arg(&config).stderr(Stdio::null()).spawn()?;
    let stop = StopShipper(Some(shipper));
    // The sink says when the last record has been acknowledged.
    let outcome: serde_json::Value = serde_json::from_str(&line(&mut said)?)?;
    let wall = since.elapsed();
    let usage = stop.finish(since)?;
    ensure!(outcome["records"] == count, "{outcome} of {count} records arrived");
    let wire = outcome["bytes"].as_f64().context("no bytes")?;

    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let bytes = bytes as f64;
    let mut figures = Figures::default();
    figures.push("records", count, "");
    figures.push("wall", bytes / 1e6 / wall.as_secs_f64(), "MB/s");
    figures.push("peak memory", usage.resident_bytes_max >> 20, "MiB");
    figures.push("wire bytes per raw byte", wire / bytes, "");
    figures.at_most("CPU", usage.cpu.as_secs_f64() / (bytes / 1e9), "s per GB", 8.8);
    Ok(figures)
}

fn line(from: &mut impl std::io::BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    ensure!(from.read_line(&mut line)? > 0, "the sink ended");
    Ok(line)
}

struct SinkProcess(std::process::Child);

impl Drop for SinkProcess {
    fn drop(&mut self) {
        // It has ended by itself where all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The shipper is ended whatever happens.
struct StopShipper(Option<std::process::Child>);

impl StopShipper {
    fn finish(mut self, since: Instant) -> anyhow::Result<process::Usage> {
        let child = self.0.take().context("the shipper is gone")?;
        process::signal(&child, libc::SIGTERM)?;
        Ok(process::wait(child, since)?)
    }
}

impl Drop for StopShipper {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Acknowledges whatever comes, and ends when `records` have.
///
/// # Errors
/// Where it cannot listen, or too little comes.
pub fn sink(options: &SinkOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        println!("{}", listener.local_addr()?);
        let (arrived, mut counted) = mpsc::channel(64);
        let server = tonic::transport::Server::builder()
            .add_service(ShippingServer::new(Sink { arrived }).max_decoding_message_size(4 << 20))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        let (mut records, mut bytes) = (0, 0);
        while records < options.records {
            let (more, size) =
                tokio::time::timeout(PATIENCE, counted.recv()).await?.context("the server ended")?;
            records += more;
            bytes += size;
        }
        println!("{}", serde_json::json!({"records": records, "bytes": bytes}));
        // The last acknowledgement is on its way: whoever started us ends us.
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
        anyhow::Ok(())
    })
}

struct Sink {
    arrived: mpsc::Sender<(u64, u64)>,
}

#[tonic::async_trait]
impl Shipping for Sink {
    type ShipStream = ReceiverStream<Result<ShipResponse, Status>>;

    async fn ship(
        &self,
        request: Request<Streaming<ShipRequest>>,
    ) -> Result<Response<Self::ShipStream>, Status> {
        let mut requests = request.into_inner();
        let (responses, stream) = mpsc::channel(64);
        let arrived = self.arrived.clone();
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                let Some(message) = answer(request.message, &arrived).await else { continue };
                if responses.send(Ok(ShipResponse { message: Some(message) })).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

async fn answer(
    message: Option<ship_request::Message>,
    arrived: &mpsc::Sender<(u64, u64)>,
) -> Option<Message> {
    Some(match message? {
        ship_request::Message::Hello(_) => Message::Welcome(Welcome {
            format_version: FORMAT_VERSION,
            agent: "lab sink".to_owned(),
            in_flight_bytes_max: 16 << 20,
            batch_bytes_max: 1 << 20,
            highest_sequence: None,
            seal_after_ms: 0,
        }),
        ship_request::Message::Batch(envelope) => {
            let header = header(&envelope)?;
            // Whoever counts may have seen enough.
            let _ = arrived.send((u64::from(header.records), envelope.len() as u64)).await;
            Message::Acknowledgement(Acknowledgement {
                epoch: header.id.epoch,
                sequence: header.id.sequence,
                durability: Durability::StoreSynced.into(),
                events: 0,
                quarantined: 0,
            })
        }
        ship_request::Message::Heartbeat(heartbeat) => {
            let now = i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(0);
            Message::Heartbeat(HeartbeatReply {
                shipper_sent_ns: heartbeat.shipper_sent_ns,
                ingester_received_ns: now,
                ingester_sent_ns: now,
            })
        }
    })
}

fn header(envelope: &Bytes) -> Option<Header> {
    Header::verify(envelope).ok()
}
