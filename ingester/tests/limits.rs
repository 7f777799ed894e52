//! Callers who mean no good: each test breaks one limit, over HTTP/2 as it is and on paused time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "in a test file helpers assert, too"
)]

mod fleet;

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use fleet::{Ingester, Kept, Log, Shipper, host, on_one_thread, until};
use h2::{Reason, RecvStream, SendStream, client::SendRequest};
use hyper::http::Request;
use lastwords_ingester::{
    AdmitOptions, Limits, MemoryPlan, Refusals,
    budget::{Budget, BudgetLimits},
    limits::MEMORY_BYTES_MIN,
    refusals::{CallReason as Call, ConnectionReason as Connection, Refused},
    serve_grpc,
};
use lastwords_proto::v1::{Heartbeat, Hello, ShipRequest, ShipResponse, ship_request, ship_response};
use lastwords_record::{
    BatchBuilder, BatchId, Clock, Compression, Origin, RecordRef, ShipperId, Source, TimeBasis,
    batch::FORMAT_VERSION,
};
use lastwords_runtime::{
    descriptors,
    places::{PlaceLimits, Places},
};
use lastwords_shipper::Uplink;
use prost::Message as _;
use tokio::{
    io::DuplexStream,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;

const MIB: usize = 1 << 20;

/// An ingester that is reached through memory, so that time can be paused.
struct Server {
    connections: mpsc::Sender<io::Result<DuplexStream>>,
    queue: Kept,
    limits: Limits,
    refusals: Arc<Refusals>,
}

fn small() -> Limits {
    Limits::new(MemoryPlan::new(MEMORY_BYTES_MIN, &descriptors::plan(1024)))
}

impl Server {
    fn start(queue: Kept, limits: Limits) -> Server {
        let options = AdmitOptions { limits: limits.clone(), ..AdmitOptions::default() };
        let refusals = Arc::clone(&options.refusals);
        let (connections, incoming) = mpsc::channel(64);
        tokio::spawn(serve_grpc(
            ReceiverStream::new(incoming),
            queue.clone(),
            options,
            std::future::pending(),
        ));
        Server { connections, queue, limits, refusals }
    }

    async fn connect(&self, settings: &h2::client::Builder) -> Client {
        let (outside, inside) = tokio::io::duplex(64 * 1024);
        self.connections.send(Ok(inside)).await.unwrap();
        let (send, connection) = settings.handshake(outside).await.unwrap();
        Client { send, connection: tokio::spawn(connection) }
    }

    async fn client(&self) -> Client {
        self.connect(&h2::client::Builder::new()).await
    }

    fn refused(&self, refused: Refused) -> u64 {
        self.refusals.total(refused)
    }
}

struct Client {
    send: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// A call as it is on the wire.
struct Stream {
    send: SendStream<Bytes>,
    answer: h2::client::ResponseFuture,
}

fn request() -> hyper::http::request::Builder {
    Request::post("http://ingester/lastwords.v1.Shipping/Ship").header("content-type", "application/grpc")
}

impl Client {
    async fn open(&self) -> Result<Stream, h2::Error> {
        let mut send = self.send.clone().ready().await?;
        let (answer, send) = send.send_request(request().body(()).unwrap(), false)?;
        Ok(Stream { send, answer })
    }

    /// A call that is welcome, of a host of this name.
    async fn call(&self, name: &str) -> (SendStream<Bytes>, RecvStream) {
        let mut stream = self.open().await.unwrap();
        stream.send.send_data(framed(ship_request::Message::Hello(hello(name))), false).unwrap();
        let mut answers = stream.answer.await.unwrap().into_body();
        let welcome = answers.data().await.unwrap().unwrap();
        answers.flow_control().release_capacity(welcome.len()).unwrap();
        (stream.send, answers)
    }
}

fn hello(name: &str) -> Hello {
    let host = host(name);
    Hello {
        shipper: ShipperId::of(&host.name, &host.machine_id).0.to_vec(),
        host: Some(lastwords_proto::v1::Host { name: host.name, machine_id: host.machine_id }),
        epoch: 3,
        next_sequence: 1,
        format_version: FORMAT_VERSION,
        agent: "a test".into(),
    }
}

fn prefixed(length: usize, message: &[u8]) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
    bytes.extend(message);
    bytes.into()
}

fn framed(message: ship_request::Message) -> Bytes {
    let message = ShipRequest { message: Some(message) }.encode_to_vec();
    prefixed(message.len(), &message)
}

fn heartbeat() -> Bytes {
    framed(ship_request::Message::Heartbeat(Heartbeat { shipper_sent_ns: 1, clock_offset_ns: None }))
}

fn batch(name: &str, sequence: u64) -> Bytes {
    let mut builder = BatchBuilder::new();
    let origin =
        builder.origin(&Origin { host: host(name), guest: None, source: Source::File, attributes: vec![] });
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
    let host = host(name);
    let id = BatchId { shipper: ShipperId::of(&host.name, &host.machine_id), epoch: 3, sequence };
    let envelope = builder.finish(id, 1, Clock::default()).seal(Compression::DEFAULT).unwrap();
    framed(ship_request::Message::Batch(envelope))
}

/// The next answers of a call, until it ends; then its status.
async fn answers(answers: &mut RecvStream) -> (Vec<ship_response::Message>, Option<String>) {
    let mut bytes = Vec::new();
    while let Some(data) = answers.data().await {
        let Ok(data) = data else { break };
        answers.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend(data);
    }
    let mut messages = Vec::new();
    while bytes.len() >= 5 {
        let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
        let message = ShipResponse::decode(&bytes[5..5 + length]).unwrap();
        messages.extend(message.message);
        bytes.drain(..5 + length);
    }
    let trailers = answers.trailers().await.ok().flatten();
    (messages, trailers.and_then(|map| map.get("grpc-status").map(|code| code.to_str().unwrap().to_owned())))
}

const OUT_OF_RANGE: &str = "11";
const DEADLINE_EXCEEDED: &str = "4";
const RESOURCE_EXHAUSTED: &str = "8";

#[tokio::test(start_paused = true)]
async fn a_message_before_the_hello_is_refused_by_its_length_alone() {
    let server = Server::start(Kept::default(), small());
    for round in 1..=100 {
        let client = server.client().await;
        let mut stream = client.open().await.unwrap();
        stream.send.send_data(prefixed(4 * MIB, &[0; 1000]), false).unwrap();
        let answer = stream.answer.await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], OUT_OF_RANGE);
        assert_eq!(server.refused(Refused::Call(Call::TooLarge)), round);
    }
    assert_eq!(server.limits.budget.used_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_never_says_hello_ends_in_time_whatever_it_does() {
    let server = Server::start(Kept::default(), small());
    let since = Instant::now();
    // Nothing at all, not even HTTP/2's first words.
    let (_silent, inside) = tokio::io::duplex(1024);
    server.connections.send(Ok(inside)).await.unwrap();
    // Calls without a message; half a Hello.
    let client = server.client().await;
    let _empty = client.open().await.unwrap();
    let mut half = client.open().await.unwrap();
    half.send.send_data(prefixed(1000, &[0; 10]), false).unwrap();
    let _ = client.connection.await.unwrap();
    assert!(since.elapsed() <= Duration::from_secs(11), "{:?}", since.elapsed());
    until("both are counted", || server.refused(Refused::Connection(Connection::NoCall)) == 2).await;
}

#[tokio::test(start_paused = true)]
async fn before_the_hello_a_connection_may_send_little() {
    let server = Server::start(Kept::default(), small());
    let client = server.client().await;
    let mut sent = 0;
    while sent < 2000 && !client.connection.is_finished() {
        // Streams that are opened and given up: a rapid reset.
        if let Ok(mut stream) = client.open().await {
            stream.send.send_reset(Reason::CANCEL);
        }
        sent += 1;
        tokio::task::yield_now().await;
    }
    assert!(client.connection.is_finished(), "it may go on after {sent} resets");
}

#[tokio::test(start_paused = true)]
async fn headers_without_measure_are_refused() {
    let server = Server::start(Kept::default(), small());
    let client = server.client().await;
    let mut send = client.send.clone().ready().await.unwrap();
    let giant = "x".repeat(60_000);
    let (answer, _send) =
        send.send_request(request().header("x-giant", &giant).body(()).unwrap(), false).unwrap();
    match answer.await {
        Ok(answer) => assert!(answer.status().is_client_error(), "{answer:?}"),
        Err(error) => {
            assert!(error.is_remote() || error.is_reset() || error.is_go_away() || error.is_io(), "{error}")
        }
    }
    assert!(server.queue.taken().is_empty());
}

#[tokio::test(start_paused = true)]
async fn half_a_batch_is_given_up_in_time_and_its_room_is_given_back() {
    let server = Server::start(Kept::default(), small());
    let client = server.client().await;
    let (mut send, mut received) = client.call("hv01").await;
    send.send_data(prefixed(MIB, &[0; 100]), false).unwrap();
    let since = Instant::now();
    let (_, status) = answers(&mut received).await;
    assert_eq!(status.as_deref(), Some(DEADLINE_EXCEEDED));
    assert_eq!(since.elapsed().as_secs(), 30);
    assert_eq!(server.refused(Refused::Call(Call::Slow)), 1);
    assert_eq!(server.limits.budget.used_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_says_nothing_more_ends_and_a_heartbeat_keeps_it() {
    let server = Server::start(Kept::default(), small());
    let client = server.client().await;
    let (mut send, mut received) = client.call("hv01").await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(50)).await;
        send.send_data(heartbeat(), false).unwrap();
    }
    let since = Instant::now();
    let (said, status) = answers(&mut received).await;
    assert_eq!((said.len(), status.as_deref()), (5, Some(DEADLINE_EXCEEDED)));
    assert_eq!(since.elapsed().as_secs(), 60);
    assert_eq!(server.refused(Refused::Call(Call::Idle)), 1);
}

#[tokio::test(start_paused = true)]
async fn messages_above_the_bound_end_the_call_before_they_are_read() {
    let server = Server::start(Kept::default(), small());
    let client = server.client().await;
    let (mut send, mut received) = client.call("hv01").await;
    send.send_data(prefixed(5 * MIB, &[0; 100]), false).unwrap();
    let (_, status) = answers(&mut received).await;
    assert_eq!(status.as_deref(), Some(OUT_OF_RANGE));
    assert_eq!(server.refused(Refused::Call(Call::TooLarge)), 1);
}

/// Room for 8 MiB, of which one shipper may have 3.
fn tight() -> Limits {
    let mut limits = small();
    limits.budget = Budget::new(BudgetLimits { total_bytes: 8 * MIB, share_bytes: 3 * MIB });
    limits
}

#[tokio::test(start_paused = true)]
async fn a_shipper_and_a_connection_have_no_more_than_their_share() {
    let server = Server::start(Kept::default(), tight());
    let client = server.client().await;
    let mut calls = Vec::new();
    for name in ["hv01", "hv02", "hv03", "hv04"] {
        let (mut send, received) = client.call(name).await;
        send.send_data(prefixed(MIB, &[0; 100]), false).unwrap();
        calls.push((send, received));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let used = server.limits.budget.used_bytes();
    assert!((2 * MIB..=3 * MIB).contains(&used), "four halves on one connection hold {used} bytes");
    let mut others = Vec::new();
    for _ in 0..3 {
        let client = server.client().await;
        let (mut send, received) = client.call("hv01").await;
        send.send_data(prefixed(MIB, &[0; 100]), false).unwrap();
        others.push((client, send, received));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let used = server.limits.budget.used_bytes();
    assert!(used <= 5 * MIB, "a shipper on four connections holds {used} bytes");
}

#[tokio::test(start_paused = true)]
async fn halves_of_batches_that_hold_all_room_give_way_to_an_honest_batch() {
    let server = Server::start(Kept::default(), tight());
    let mut attackers = Vec::new();
    for number in 0..20 {
        let client = server.client().await;
        let (mut send, received) = client.call(&format!("bad{number}")).await;
        send.send_data(prefixed(MIB, &[0; 100]), false).unwrap();
        attackers.push((client, send, received));
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    let used = server.limits.budget.used_bytes();
    assert!(used <= 8 * MIB && used > 6 * MIB, "{used}");
    let honest = server.client().await;
    let (mut send, mut received) = honest.call("hv01").await;
    let since = Instant::now();
    send.send_data(batch("hv01", 1), true).unwrap();
    let (said, _) = answers(&mut received).await;
    assert!(matches!(said.last(), Some(ship_response::Message::Acknowledgement(_))), "{said:?}");
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    let (_, status) = answers(&mut attackers[0].2).await;
    assert_eq!(status.as_deref(), Some(RESOURCE_EXHAUSTED));
    assert!(server.refused(Refused::Call(Call::GaveWay)) > 0);
}

#[tokio::test(start_paused = true)]
async fn calls_that_have_proved_themselves_do_not_wait_behind_any_number_that_have_not() {
    let server = Server::start(Kept::holding(), small());
    let honest = server.client().await;
    let (mut send, _received) = honest.call("hv01").await;
    send.send_data(batch("hv01", 1), false).unwrap();
    let moment = || tokio::time::sleep(Duration::from_millis(10));
    moment().await;
    server.queue.release();
    moment().await;
    let mut others = Vec::new();
    for number in 0..80 {
        let (name, client) = (format!("new{number}"), server.client().await);
        let (mut send, received) = client.call(&name).await;
        send.send_data(batch(&name, 100), false).unwrap();
        others.push((client, send, received));
    }
    moment().await;
    let new = |taken: &[u64]| taken.iter().filter(|sequence| **sequence == 100).count();
    assert_eq!(new(&server.queue.taken()), 64, "only so many at once");
    send.send_data(batch("hv01", 2), false).unwrap();
    moment().await;
    assert_eq!(server.queue.taken().last(), Some(&2), "the call that has proved itself need not wait");
    // The others come, one for each that is stored.
    server.queue.release();
    moment().await;
    assert_eq!(new(&server.queue.taken()), 65);
}

#[tokio::test(start_paused = true)]
async fn who_takes_no_answers_is_cut_off() {
    let server = Server::start(Kept::default(), small());
    let mut settings = h2::client::Builder::new();
    settings.initial_window_size(0);
    let client = server.connect(&settings).await;
    let mut stream = client.open().await.unwrap();
    stream.send.send_data(framed(ship_request::Message::Hello(hello("hv01"))), false).unwrap();
    let since = Instant::now();
    for _ in 0..100 {
        stream.send.send_data(heartbeat(), false).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let _ = client.connection.await.unwrap();
    assert!((30..=31).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    assert_eq!(server.refused(Refused::Connection(Connection::SlowReader)), 1);
    assert_eq!(server.limits.budget.used_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cut_connection_leaves_nothing_behind() {
    let server = Server::start(Kept::default(), small());
    for number in 0..50 {
        let client = server.client().await;
        let (mut send, _received) = client.call(&format!("hv{number}")).await;
        send.send_data(prefixed(MIB, &[0; 60_000]), false).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        client.connection.abort();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(server.limits.budget.used_bytes(), 0);
}

#[test]
fn connections_without_a_hello_make_way_for_shippers_and_the_surplus_is_refused() {
    on_one_thread(async {
        let log = Log::take();
        let mut options = AdmitOptions { limits: small(), ..AdmitOptions::default() };
        options.limits.places = Places::new(PlaceLimits { total: 8, per_address: 8 });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ingester = Ingester::within(listener, None, Kept::default(), options);
        let mut idle = Vec::new();
        for _ in 0..40 {
            idle.push(TcpStream::connect(ingester.address).await.unwrap());
        }
        // Shippers come in all the same, as many as there are places.
        let mut shippers = Vec::new();
        for number in 1..=8 {
            let name = format!("hv{number}");
            let mut shipper = Shipper::start(Uplink::Grpc(ingester.address.to_string()), &name);
            shipper.send(number).await;
            shipper.acknowledged(number).await;
            shippers.push(shipper);
        }
        assert!(ingester.refusals.total(Refused::Connection(Connection::GaveWay)) > 0);
        // Now nobody is left to make way.
        for _ in 0..20 {
            idle.push(TcpStream::connect(ingester.address).await.unwrap());
        }
        until("the surplus is refused", || {
            ingester.refusals.total(Refused::Connection(Connection::TooMany)) >= 20
        })
        .await;
        assert!(ingester.limits.places.taken() <= 8 + 2, "{}", ingester.limits.places.taken());
        for (number, shipper) in (9..).zip(&mut shippers) {
            shipper.send(number).await;
            shipper.acknowledged(number).await;
        }
        let text = log.text();
        assert_eq!(text.matches("connections are open, which is the bound").count(), 1, "said once: {text}");
    });
}

#[test]
fn names_from_outside_are_cut_and_escaped_in_the_log() {
    on_one_thread(async {
        let log = Log::take();
        let server = Server::start(Kept::default(), small());
        let client = server.client().await;
        let long = "hv01\n2026-11-28 ERROR forged \u{1b}[31m".to_owned() + &"x".repeat(1500);
        let agent = "agent\u{1b}[2J\n".to_owned() + &"y".repeat(1500);
        for name in ["hv01", &long] {
            let hello = Hello { agent: agent.clone(), ..hello(name) };
            let mut stream = client.open().await.unwrap();
            stream.send.send_data(framed(ship_request::Message::Hello(hello)), true).unwrap();
            let mut received = stream.answer.await.unwrap().into_body();
            let _ = answers(&mut received).await;
        }
        let text = log.text();
        assert!(text.contains("a shipper calls") && text.contains("a call is refused"), "{text}");
        for line in text.lines() {
            assert!(line.len() < 2500, "{} bytes: {line}", line.len());
            assert!(!line.starts_with("2026-11-28 ERROR forged"), "{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
    });
}
