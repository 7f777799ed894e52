//! The way over gRPC: one call of `lastwords.v1.Shipping/Ship` after another, as shipping.proto describes it.

use std::{collections::VecDeque, path::PathBuf, time::Duration};

use bytes::Bytes;
use lastwords_proto::v1::{
    self, ShipRequest, ShipResponse, ship_request, ship_response, shipping_client::ShippingClient,
};
use lastwords_record::{BatchId, batch::FORMAT_VERSION};
use lastwords_runtime::{Backoff, now_ns};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Streaming,
    transport::{self, Channel},
};

use super::{
    ClockFilter, Delivered, Identity, Outgoing, Report,
    tls::{ClientTls, TlsError},
};

/// Where the ingester is.
pub(super) enum Endpoint {
    Tcp(String),
    Tls(String, Box<ClientTls>),
    Unix(PathBuf),
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);
/// Without any message for so long the call counts as broken: heartbeats are answered.
/// Whatever the ingester says, batches are not gathered for longer.
const SEAL_AFTER_MAX: Duration = Duration::from_secs(5);
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Messages between us and tonic; the bound that counts is that of the bytes in flight.
const MESSAGES_WAITING_MAX: usize = 4;

/// A batch that is not acknowledged yet.
struct Kept {
    id: BatchId,
    envelope: Bytes,
}

struct Link {
    identity: Identity,
    outgoing: mpsc::Receiver<Outgoing>,
    /// No more will be handed over.
    closed: bool,
    reports: mpsc::Sender<Report>,
    kept: VecDeque<Kept>,
    /// How many of `kept` were sent on the current call, and their bytes.
    sent: usize,
    sent_bytes: u64,
    clock: ClockFilter,
    clock_offset_ns: Option<i64>,
}

/// Why a call ended.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("cannot connect{}", causes(.0))]
    Connect(#[from] transport::Error),
    #[error("cannot connect: {0}")]
    Tls(#[from] TlsError),
    #[error("the ingester ended the call: {} ({}){}", .0.message(), .0.code(), causes(.0))]
    Status(#[from] tonic::Status),
    #[error("the ingester closed the call")]
    Closed,
    #[error("the ingester did not answer within {0:?}")]
    Silent(Duration),
    #[error("the ingester answered {0} where a welcome was due")]
    NoWelcome(&'static str),
    #[error(
        "the ingester opens batches up to format {found:#x}; this shipper seals {sealed:#x}: upgrade the ingester"
    )]
    Version { found: u32, sealed: u32 },
}

/// What an error of the transport was caused by: it alone says little.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

pub(super) async fn drive(
    mut endpoint: Endpoint,
    identity: Identity,
    outgoing: mpsc::Receiver<Outgoing>,
    reports: mpsc::Sender<Report>,
) {
    let mut link = Link {
        identity,
        outgoing,
        closed: false,
        reports,
        kept: VecDeque::new(),
        sent: 0,
        sent_bytes: 0,
        clock: ClockFilter::default(),
        clock_offset_ns: None,
    };
    let mut backoff = Backoff::default();
    while !(link.reports.is_closed() || link.closed && link.kept.is_empty()) {
        match link.call(&mut endpoint, &mut backoff).await {
            Ok(()) => return,
            Err(error) => {
                let pause = backoff.pause();
                let _ = link.reports.send(Report::Connection { is_up: false }).await;
                tracing::warn!(%error, unacknowledged = link.kept.len(), ?pause, "not connected to the ingester; trying again");
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = link.reports.closed() => return,
                }
            }
        }
    }
}

async fn connect(endpoint: &mut Endpoint) -> Result<Channel, CallError> {
    let (address, tls) = match endpoint {
        Endpoint::Tcp(address) if address.contains("://") => (address.clone(), None),
        Endpoint::Tcp(address) => (format!("http://{address}"), None),
        Endpoint::Tls(address, tls) => (address.clone(), Some(tls.next()?)),
        Endpoint::Unix(path) => (format!("unix://{}", path.display()), None),
    };
    let mut endpoint = transport::Endpoint::from_shared(address)?;
    if let Some(tls) = tls {
        endpoint = endpoint.tls_config(tls)?;
    }
    let channel = endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(1 << 20)
        .http2_keep_alive_interval(SILENCE_MAX / 2)
        .connect()
        .await?;
    Ok(channel)
}

impl Link {
    /// One call, from Hello until it breaks or all is done.
    async fn call(&mut self, endpoint: &mut Endpoint, backoff: &mut Backoff) -> Result<(), CallError> {
        let channel = connect(endpoint).await?;
        let (requests, waiting) = mpsc::channel(MESSAGES_WAITING_MAX);
        // The first message must be there before the ingester answers with headers.
        let _ = requests.send(request(ship_request::Message::Hello(self.hello()))).await;
        let mut client = ShippingClient::new(channel);
        let answer = client.ship(ReceiverStream::new(waiting));
        let mut responses = tokio::time::timeout(WELCOME_TIMEOUT, answer)
            .await
            .map_err(|_| CallError::Silent(WELCOME_TIMEOUT))??
            .into_inner();
        let welcome = welcome(&mut responses).await?;
        tracing::info!(ingester = %welcome.agent, resent = self.kept.len(), "connected to the ingester");
        backoff.reset();
        let _ = self.reports.send(Report::Connection { is_up: true }).await;
        if let Some(sequence) = welcome.highest_sequence.filter(|known| *known > self.identity.given) {
            let _ = self.reports.send(Report::Ahead { sequence }).await;
        }
        let _ = self.reports.send(seal_after(welcome.seal_after_ms)).await;
        self.sent = 0;
        self.sent_bytes = 0;
        self.exchange(&requests, &mut responses, welcome.in_flight_bytes_max.max(1)).await
    }

    fn hello(&self) -> v1::Hello {
        let next = self.kept.front().map_or(self.identity.next, |kept| kept.id);
        v1::Hello {
            shipper: next.shipper.0.to_vec(),
            host: Some(v1::Host {
                name: self.identity.host.name.clone(),
                machine_id: self.identity.host.machine_id.clone(),
            }),
            epoch: next.epoch,
            next_sequence: next.sequence,
            format_version: FORMAT_VERSION,
            agent: concat!("lastwords-shipper ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    async fn exchange(
        &mut self,
        requests: &mpsc::Sender<ShipRequest>,
        responses: &mut Streaming<ShipResponse>,
        in_flight_bytes_max: u64,
    ) -> Result<(), CallError> {
        let mut heartbeat = tokio::time::interval(HEARTBEAT_EVERY);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut paused_until = Instant::now();
        let mut heard = Instant::now();
        loop {
            if self.closed && self.kept.is_empty() {
                return Ok(());
            }
            let may_send = Instant::now() >= paused_until && self.fits(in_flight_bytes_max);
            tokio::select! {
                biased;
                response = responses.message() => {
                    heard = Instant::now();
                    let message = response?.and_then(|response| response.message).ok_or(CallError::Closed)?;
                    if let ship_response::Message::Throttle(throttle) = &message {
                        if throttle.pause_ms > 0 {
                            tracing::info!(pause_ms = throttle.pause_ms, reason = %throttle.reason, "the ingester asks for a pause");
                        }
                        paused_until = Instant::now() + Duration::from_millis(throttle.pause_ms.into());
                        if throttle.seal_after_ms > 0 {
                            let _ = self.reports.send(seal_after(throttle.seal_after_ms)).await;
                        }
                    }
                    self.take_in(message).await;
                }
                () = self.reports.closed() => return Ok(()),
                _ = heartbeat.tick() => {
                    if heard.elapsed() > SILENCE_MAX {
                        return Err(CallError::Silent(SILENCE_MAX));
                    }
                    let beat = v1::Heartbeat { shipper_sent_ns: now_ns(), clock_offset_ns: self.clock_offset_ns };
                    // Where the way out is full, traffic keeps the call alive.
                    let _ = requests.try_send(request(ship_request::Message::Heartbeat(beat)));
                }
                permit = requests.reserve(), if may_send && self.sent < self.kept.len() => {
                    let permit = permit.map_err(|_| CallError::Closed)?;
                    if let Some(kept) = self.kept.get(self.sent) {
                        permit.send(request(ship_request::Message::Batch(kept.envelope.clone())));
                        self.sent_bytes += kept.envelope.len() as u64;
                        self.sent += 1;
                    }
                }
                taken = self.outgoing.recv(), if !self.closed && self.sent == self.kept.len() => match taken {
                    Some(outgoing) => self.keep(outgoing).await,
                    None => self.closed = true,
                },
                () = tokio::time::sleep_until(paused_until), if Instant::now() < paused_until => {}
            }
        }
    }

    /// Whether the next batch may be sent. One always may: a batch above the window must not wait for ever.
    fn fits(&self, in_flight_bytes_max: u64) -> bool {
        let next = self.kept.get(self.sent).map_or(0, |kept| kept.envelope.len() as u64);
        self.sent == 0 || self.sent_bytes + next <= in_flight_bytes_max
    }

    async fn keep(&mut self, outgoing: Outgoing) {
        let id = outgoing.id;
        self.identity.given = self.identity.given.max(id.sequence);
        match outgoing.content.seal(lastwords_record::Compression::DEFAULT) {
            Ok(envelope) => self.kept.push_back(Kept { id, envelope }),
            Err(error) => {
                let reason = format!("it cannot be sealed: {error}");
                let _ = self.reports.send(Report::Rejected { sequence: id.sequence, reason }).await;
            }
        }
    }

    async fn take_in(&mut self, message: ship_response::Message) {
        match message {
            ship_response::Message::Acknowledgement(acknowledgement) => {
                let newest = self.kept.get(self.sent.wrapping_sub(1)).map(|kept| kept.id);
                let known = newest.is_some_and(|newest| {
                    acknowledgement.epoch == newest.epoch && acknowledgement.sequence <= newest.sequence
                });
                if !known {
                    return;
                }
                while self.sent > 0
                    && let Some(kept) =
                        self.kept.pop_front_if(|kept| kept.id.sequence <= acknowledgement.sequence)
                {
                    self.sent -= 1;
                    self.sent_bytes -= kept.envelope.len() as u64;
                }
                let delivered =
                    Delivered { events: acknowledgement.events, quarantined: acknowledgement.quarantined };
                let report = Report::Acknowledged { sequence: acknowledgement.sequence, delivered };
                let _ = self.reports.send(report).await;
            }
            ship_response::Message::Rejection(rejection) => {
                let place = self.kept.iter().position(|kept| {
                    kept.id.epoch == rejection.epoch && kept.id.sequence == rejection.sequence
                });
                if let Some(kept) = place.and_then(|place| self.kept.remove(place)) {
                    self.sent = self.sent.saturating_sub(1);
                    self.sent_bytes = self.sent_bytes.saturating_sub(kept.envelope.len() as u64);
                    let sequence = rejection.sequence;
                    let report = if rejection.reason() == v1::rejection::Reason::Conflict {
                        Report::Refused { sequence, reason: rejection.detail }
                    } else {
                        let reason = format!("{}: {}", rejection.reason().as_str_name(), rejection.detail);
                        Report::Rejected { sequence, reason }
                    };
                    let _ = self.reports.send(report).await;
                }
            }
            ship_response::Message::Heartbeat(reply) => {
                let received = now_ns();
                let probe = self.clock.probe(
                    reply.shipper_sent_ns,
                    reply.ingester_received_ns,
                    reply.ingester_sent_ns,
                    received,
                );
                if let Some(clock) = probe {
                    self.clock_offset_ns = clock.offset_ns;
                    let _ = self.reports.send(Report::Clock(clock)).await;
                }
            }
            ship_response::Message::Throttle(_) | ship_response::Message::Welcome(_) => {}
        }
    }
}

/// How long batches are gathered, within reason.
fn seal_after(milliseconds: u32) -> Report {
    Report::SealAfter(Duration::from_millis(milliseconds.into()).min(SEAL_AFTER_MAX))
}

async fn welcome(responses: &mut Streaming<ShipResponse>) -> Result<v1::Welcome, CallError> {
    let message = tokio::time::timeout(WELCOME_TIMEOUT, responses.message())
        .await
        .map_err(|_| CallError::Silent(WELCOME_TIMEOUT))??
        .and_then(|response| response.message)
        .ok_or(CallError::Closed)?;
    let welcome = match message {
        ship_response::Message::Welcome(welcome) => welcome,
        ship_response::Message::Acknowledgement(_) => return Err(CallError::NoWelcome("an acknowledgement")),
        ship_response::Message::Rejection(_) => return Err(CallError::NoWelcome("a rejection")),
        ship_response::Message::Throttle(_) => return Err(CallError::NoWelcome("a throttle")),
        ship_response::Message::Heartbeat(_) => return Err(CallError::NoWelcome("a heartbeat")),
    };
    let sealed = FORMAT_VERSION;
    if welcome.format_version >> 16 < sealed >> 16 {
        return Err(CallError::Version { found: welcome.format_version, sealed });
    }
    Ok(welcome)
}

fn request(message: ship_request::Message) -> ShipRequest {
    ShipRequest { message: Some(message) }
}
