//! The uplink over gRPC against a real server on loopback: resend, throttle, rejection, acknowledgement.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{
    fs,
    io::Write as _,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use lastwords_proto::v1::{
    self, Acknowledgement, Heartbeat, HeartbeatReply, Rejection, ShipRequest, ShipResponse, Throttle,
    Welcome, rejection, ship_request, ship_response,
    shipping_server::{Shipping, ShippingServer},
};
use lastwords_record::{Batch, Host, Source, batch::FORMAT_VERSION};
use lastwords_shipper::{ShipperConfig, Uplink, config::FileRule, run};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

/// What the server does with the n-th batch of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Acknowledge,
    /// Says nothing, and breaks the call.
    Break,
    Reject,
    Throttle,
}

#[derive(Default)]
struct Seen {
    batches: Vec<Batch>,
    hellos: Vec<v1::Hello>,
    heartbeats: Vec<Heartbeat>,
}

#[derive(Clone)]
struct Ingester {
    acts: Arc<Vec<Act>>,
    seen: Arc<Mutex<Seen>>,
}

#[tonic::async_trait]
impl Shipping for Ingester {
    type ShipStream = ReceiverStream<Result<ShipResponse, Status>>;

    async fn ship(
        &self,
        request: Request<Streaming<ShipRequest>>,
    ) -> Result<Response<Self::ShipStream>, Status> {
        let mut requests = request.into_inner();
        let (answers, stream) = mpsc::channel(16);
        let this = self.clone();
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                if !this.answer(request.message.unwrap(), &answers).await {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl Ingester {
    async fn answer(
        &self,
        message: ship_request::Message,
        answers: &mpsc::Sender<Result<ShipResponse, Status>>,
    ) -> bool {
        let answer = match message {
            ship_request::Message::Hello(hello) => {
                self.seen.lock().unwrap().hellos.push(hello);
                vec![ship_response::Message::Welcome(Welcome {
                    format_version: FORMAT_VERSION,
                    agent: "test".to_owned(),
                    in_flight_bytes_max: 1 << 20,
                    batch_bytes_max: 1 << 20,
                    highest_sequence: None,
                    seal_after_ms: 0,
                })]
            }
            ship_request::Message::Heartbeat(beat) => {
                self.seen.lock().unwrap().heartbeats.push(beat);
                vec![ship_response::Message::Heartbeat(HeartbeatReply {
                    shipper_sent_ns: beat.shipper_sent_ns,
                    ingester_received_ns: beat.shipper_sent_ns,
                    ingester_sent_ns: beat.shipper_sent_ns,
                })]
            }
            ship_request::Message::Batch(envelope) => {
                let batch = Batch::open(&envelope).unwrap();
                let (epoch, sequence) = (batch.header.id.epoch, batch.header.id.sequence);
                let count = {
                    let mut seen = self.seen.lock().unwrap();
                    seen.batches.push(batch);
                    seen.batches.len() - 1
                };
                let acknowledgement = ship_response::Message::Acknowledgement(Acknowledgement {
                    epoch,
                    sequence,
                    durability: v1::Durability::StoreSynced.into(),
                    ..Acknowledgement::default()
                });
                match self.acts.get(count).copied().unwrap_or(Act::Acknowledge) {
                    Act::Acknowledge => vec![acknowledgement],
                    Act::Break => return false,
                    Act::Reject => vec![ship_response::Message::Rejection(Rejection {
                        epoch,
                        sequence,
                        reason: rejection::Reason::NotAllowed.into(),
                        detail: "not your host".to_owned(),
                    })],
                    Act::Throttle => {
                        vec![
                            ship_response::Message::Throttle(Throttle {
                                pause_ms: 50,
                                reason: "full".to_owned(),
                                seal_after_ms: 0,
                            }),
                            acknowledgement,
                        ]
                    }
                }
            }
        };
        for message in answer {
            let _ = answers.send(Ok(ShipResponse { message: Some(message) })).await;
        }
        true
    }
}

async fn serve(acts: Vec<Act>) -> (String, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Seen::default()));
    let ingester = Ingester { acts: Arc::new(acts), seen: Arc::clone(&seen) };
    let server = tonic::transport::Server::builder().add_service(ShippingServer::new(ingester));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (address, seen)
}

fn config(folder: &Path) -> ShipperConfig {
    let mut config = ShipperConfig::new(
        Host { name: "hv01".to_owned(), machine_id: "1".to_owned() },
        folder.join("state"),
    );
    let glob = format!("{}/*.log", folder.display());
    config.files = vec![FileRule::new(Source::File, &[glob], &[], "UTC").unwrap()];
    config.flush_interval = Duration::from_millis(5);
    config
}

fn lines(batches: &[Batch]) -> Vec<String> {
    let mut by_number = std::collections::BTreeMap::new();
    for batch in batches {
        if let Some(before) = by_number.insert(batch.header.id.sequence, batch.clone()) {
            assert_eq!(&before, batch, "a number came again with another content");
        }
    }
    let bodies = |batch: &Batch| {
        (0..batch.records.origin.len())
            .map(|row| String::from_utf8_lossy(batch.records.body(row)).into_owned())
            .collect::<Vec<_>>()
    };
    by_number.values().flat_map(bodies).collect()
}

/// Polls until it holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Ships growing files to a server that acts so; gives what it has seen.
async fn ship(acts: Vec<Act>, expected: usize) -> Arc<Mutex<Seen>> {
    let folder = tempfile::tempdir().unwrap();
    let (address, seen) = serve(acts).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shipper = tokio::spawn(run(config(folder.path()), Uplink::Grpc(address), async {
        let _ = stopped.await;
    }));
    let mut file = fs::File::create(folder.path().join("a.log")).unwrap();
    for number in 0..6 {
        let known = seen.lock().unwrap().batches.len();
        writeln!(file, "line {number}").unwrap();
        until("a batch", || seen.lock().unwrap().batches.len() > known).await;
    }
    until("all lines", || lines(&seen.lock().unwrap().batches).len() >= expected).await;
    stop.send(()).unwrap();
    shipper.await.unwrap().unwrap();
    seen
}

fn all_lines() -> Vec<String> {
    (0..6).map(|number| format!("line {number}")).collect()
}

#[tokio::test]
async fn batches_arrive_in_order_and_the_clock_is_probed() {
    let seen = ship(Vec::new(), 6).await;
    let seen = seen.lock().unwrap();
    assert_eq!(lines(&seen.batches), all_lines());
    assert_eq!(seen.hellos.len(), 1);
    assert_eq!(seen.hellos[0].next_sequence, 1);
    assert!(!seen.heartbeats.is_empty());
}

#[tokio::test]
async fn a_broken_call_is_taken_up_at_the_first_batch_that_is_not_acknowledged() {
    let seen = ship(vec![Act::Acknowledge, Act::Break, Act::Break], 6).await;
    let seen = seen.lock().unwrap();
    assert_eq!(lines(&seen.batches), all_lines());
    let starts: Vec<u64> = seen.hellos.iter().map(|hello| hello.next_sequence).collect();
    assert_eq!(starts, [1, 2, 2]);
}

#[tokio::test]
async fn a_throttled_shipper_goes_on_after_the_pause() {
    let seen = ship(vec![Act::Throttle, Act::Throttle], 6).await;
    assert_eq!(lines(&seen.lock().unwrap().batches), all_lines());
}

#[tokio::test]
async fn a_rejected_batch_is_told_as_a_loss() {
    let seen = ship(vec![Act::Reject], 6).await;
    let seen = seen.lock().unwrap();
    let losses: Vec<_> = seen.batches.iter().flat_map(|batch| &batch.events).collect();
    assert!(
        losses.iter().any(|event| event.class == "lastwords.loss" && event.title.contains("not your host")),
        "{losses:?}"
    );
}
