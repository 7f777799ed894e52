//! The attacks. Each is a round that is repeated until the time is over; whatever it opens is closed at its end, so
//! that load is bounded at any time.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use lastwords_proto::v1::{Heartbeat, ship_request, ship_response};
use lastwords_runtime::clock::now_ns;
use rand::{Rng as _, rngs::StdRng};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    batches::{Author, Flaw},
    wire::{Call, Heard, Link, framed, hello, prefix},
};

/// Where to, and how much.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The ingester.
    pub address: SocketAddr,
    /// Connections that an attack may have open at once.
    pub connections_max: usize,
    /// How long a round may hold what it opened.
    pub hold: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Connections, calls or batches that were sent, whatever the attack is made of.
    pub sent: u64,
    /// How many of them were refused, or ended by the other side.
    pub refused: u64,
    /// How many batches were acknowledged.
    pub acknowledged: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.sent += other.sent;
        self.refused += other.refused;
        self.acknowledged += other.acknowledged;
    }
}

/// An attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Connections that say nothing.
    SilentConnections,
    /// Streams with a message of 4 MiB where a Hello is due.
    StreamsBeforeHello,
    /// Calls that are welcome, of as many names, and then idle but for heartbeats.
    ManyCalls,
    /// Batches of which a half comes.
    HalfMessages,
    /// Batches that come a few bytes a second.
    TrickledMessages,
    /// Heartbeats whose answers nobody reads.
    SlowReaders,
    /// Streams that are opened and given up.
    RapidResets,
    /// Headers of 1 MB.
    GiantHeaders,
    /// Hellos with names of 3,000 and of 100,000 letters.
    HugeNames,
    /// Bytes that are no HTTP/2.
    Garbage,
    /// Batches on a few calls, one after another.
    Batches(Flaw),
    /// The same number again and again.
    ReplayedNumbers,
}

/// All of them, with what they are called.
pub const KINDS: &[(&str, Kind)] = &[
    ("silent connections", Kind::SilentConnections),
    ("streams before Hello", Kind::StreamsBeforeHello),
    ("many calls", Kind::ManyCalls),
    ("half messages", Kind::HalfMessages),
    ("trickled messages", Kind::TrickledMessages),
    ("slow readers", Kind::SlowReaders),
    ("rapid resets", Kind::RapidResets),
    ("giant headers", Kind::GiantHeaders),
    ("huge names", Kind::HugeNames),
    ("garbage", Kind::Garbage),
    ("huge batches", Kind::Batches(Flaw::Huge)),
    ("attribute bombs", Kind::Batches(Flaw::AttributeBomb)),
    ("batches of 300 days", Kind::Batches(Flaw::Days(300))),
    ("batches of 20,000 days", Kind::Batches(Flaw::Days(20_000))),
    ("times after 2149", Kind::Batches(Flaw::FarFuture)),
    ("wrong hosts", Kind::Batches(Flaw::WrongHost)),
    ("zstd bombs", Kind::Batches(Flaw::ZstdBomb)),
    ("rows that are only claimed", Kind::Batches(Flaw::RowsClaimed)),
    ("noise for a body", Kind::Batches(Flaw::Noise)),
    ("cut envelopes", Kind::Batches(Flaw::Cut)),
    ("replayed numbers", Kind::ReplayedNumbers),
];

const STREAMS: u64 = 20;
const BATCHES_A_ROUND: u64 = 20;
const WINDOW: u32 = 1 << 20;

impl Kind {
    /// One round.
    pub async fn round(self, target: Target, rng: &mut StdRng) -> Tally {
        match self {
            Kind::SilentConnections => silent(target).await,
            Kind::StreamsBeforeHello => before_hello(target).await,
            Kind::ManyCalls => many_calls(target).await,
            Kind::HalfMessages => halves(target, rng, false).await,
            Kind::TrickledMessages => halves(target, rng, true).await,
            Kind::SlowReaders => slow_readers(target).await,
            Kind::RapidResets => resets(target).await,
            Kind::GiantHeaders => giant_headers(target).await,
            Kind::HugeNames => huge_names(target).await,
            Kind::Garbage => garbage(target, rng).await,
            Kind::Batches(flaw) => batches(target, rng, flaw, false).await,
            Kind::ReplayedNumbers => batches(target, rng, Flaw::None(100), true).await,
        }
    }
}

/// A name that nobody had before.
fn author() -> Author {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    Author::new(format!("bad{}", NUMBERS.fetch_add(1, Ordering::Relaxed)), now_ns().unsigned_abs())
}

/// As many connections as may be; those that are not opened are refused.
async fn links(target: Target, count: usize, window: u32, tally: &mut Tally) -> Vec<Link> {
    let mut links = Vec::new();
    for _ in 0..count.min(target.connections_max) {
        tally.sent += 1;
        match Link::open(target.address, window).await {
            Ok(link) => links.push(link),
            Err(_) => tally.refused += 1,
        }
    }
    links
}

async fn silent(target: Target) -> Tally {
    let mut tally = Tally::default();
    let mut open = Vec::new();
    for _ in 0..target.connections_max {
        tally.sent += 1;
        match TcpStream::connect(target.address).await {
            Ok(stream) => open.push(stream),
            Err(_) => tally.refused += 1,
        }
    }
    sleep(target.hold).await;
    let closed = |stream: &TcpStream| !matches!(stream.try_read(&mut [0; 1]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    tally.refused += open.iter().filter(|stream| closed(stream)).count() as u64;
    tally
}

async fn before_hello(target: Target) -> Tally {
    let mut streams = JoinSet::new();
    for _ in 0..10.min(target.connections_max) {
        streams.spawn(async move {
            let mut tally = Tally { sent: STREAMS, ..Tally::default() };
            let Ok(link) = Link::open(target.address, WINDOW).await else {
                return Tally { refused: STREAMS, ..tally };
            };
            let mut open = Vec::new();
            for _ in 0..STREAMS {
                let Ok(mut call) = link.call(&[]).await else { break };
                // As far as it is taken.
                let _ = call.send(&prefix(4 << 20)).await;
                let _ = timeout(Duration::from_millis(200), call.send(&vec![0; 64 * 1024])).await;
                open.push(call);
            }
            tally.refused = STREAMS - open.len() as u64;
            tally.refused += ended(&mut open, target.hold).await;
            tally
        });
    }
    sum(streams).await
}

/// How many calls end within a time.
async fn ended(calls: &mut [Call], within: Duration) -> u64 {
    let (deadline, mut count) = (Instant::now() + within, 0);
    for call in calls {
        loop {
            match call.heard(deadline.saturating_duration_since(Instant::now())).await {
                Heard::Ended => {
                    count += 1;
                    break;
                }
                Heard::Nothing => break,
                Heard::Answer(_) => {}
            }
        }
    }
    count
}

fn heartbeat() -> Vec<u8> {
    framed(ship_request::Message::Heartbeat(Heartbeat { shipper_sent_ns: 1, clock_offset_ns: None }))
}

async fn many_calls(target: Target) -> Tally {
    let mut calls = JoinSet::new();
    for _ in 0..30.min(target.connections_max) {
        calls.spawn(async move {
            let mut tally = Tally { sent: 4, ..Tally::default() };
            let Ok(link) = Link::open(target.address, WINDOW).await else {
                return Tally { refused: 4, ..tally };
            };
            let mut open = Vec::new();
            for _ in 0..4 {
                match link.welcome(&author()).await {
                    Ok(call) => open.push(call),
                    Err(_) => tally.refused += 1,
                }
            }
            let until = Instant::now() + target.hold;
            while Instant::now() < until {
                for call in &mut open {
                    let _ = call.send(&heartbeat()).await;
                }
                sleep(Duration::from_secs(1)).await;
            }
            tally.refused += ended(&mut open, Duration::from_millis(1)).await;
            tally
        });
    }
    sum(calls).await
}

async fn halves(target: Target, rng: &mut StdRng, trickled: bool) -> Tally {
    let mut calls = JoinSet::new();
    for _ in 0..40.min(target.connections_max) {
        let sizes: [usize; 4] = std::array::from_fn(|_| rng.random_range(500_000..1_000_000));
        calls.spawn(async move {
            let mut tally = Tally { sent: 4, ..Tally::default() };
            let Ok(link) = Link::open(target.address, WINDOW).await else {
                return Tally { refused: 4, ..tally };
            };
            let mut open = Vec::new();
            for size in sizes {
                let Ok(mut call) = link.welcome(&author()).await else { continue };
                let part = vec![0; if trickled { 10 } else { size / 2 }];
                // As far as it is taken.
                let _ = call.send(&prefix(size)).await;
                let _ = timeout(Duration::from_millis(200), call.send(&part)).await;
                open.push(call);
            }
            let until = Instant::now() + target.hold;
            while trickled && Instant::now() < until {
                for call in &mut open {
                    let _ = timeout(Duration::from_millis(100), call.send(&[0; 3])).await;
                }
                sleep(Duration::from_secs(1)).await;
            }
            tally.refused = 4 - open.len() as u64;
            tally.refused += ended(&mut open, until.saturating_duration_since(Instant::now())).await;
            tally
        });
    }
    sum(calls).await
}

/// What all of them came to.
async fn sum(mut tasks: JoinSet<Tally>) -> Tally {
    let mut sum = Tally::default();
    while let Some(tally) = tasks.join_next().await {
        sum += tally.unwrap_or_default();
    }
    sum
}

async fn slow_readers(target: Target) -> Tally {
    let mut tally = Tally::default();
    let mut calls = Vec::new();
    // Room for the welcome, and then for nothing.
    let links = links(target, 20, 200, &mut tally).await;
    for link in &links {
        let Ok(mut call) = link.call(&[]).await else { continue };
        let _ = call.send(&framed(ship_request::Message::Hello(hello(&author())))).await;
        calls.push(call);
    }
    let until = Instant::now() + target.hold;
    while Instant::now() < until && links.iter().any(|link| !link.is_closed()) {
        for call in &mut calls {
            let _ = timeout(Duration::from_millis(10), call.send(&heartbeat().repeat(100))).await;
        }
        sleep(Duration::from_millis(100)).await;
    }
    tally.refused += links.iter().filter(|link| link.is_closed()).count() as u64;
    tally
}

async fn resets(target: Target) -> Tally {
    let mut tally = Tally::default();
    let links = links(target, 3, WINDOW, &mut tally).await;
    tally = Tally::default();
    for link in &links {
        tally.sent += 1;
        for _ in 0..2_000 {
            match link.call(&[]).await {
                Ok(mut call) => {
                    // Until it is on the wire.
                    sleep(Duration::from_millis(1)).await;
                    call.reset();
                }
                Err(_) => break,
            }
        }
        tally.refused += u64::from(link.is_closed());
    }
    tally
}

async fn giant_headers(target: Target) -> Tally {
    let mut tally = Tally::default();
    let links = links(target, 5, WINDOW, &mut tally).await;
    tally = Tally::default();
    let mut calls = Vec::new();
    for link in &links {
        tally.sent += 1;
        match link.call(&[("x-giant", "x".repeat(1_000_000))]).await {
            Ok(call) => calls.push(call),
            Err(_) => tally.refused += 1,
        }
    }
    tally.refused += ended(&mut calls, target.hold).await;
    tally
}

async fn huge_names(target: Target) -> Tally {
    let mut tally = Tally::default();
    let links = links(target, 2, WINDOW, &mut tally).await;
    tally = Tally::default();
    for link in &links {
        for letters in [3_000, 100_000] {
            tally.sent += 1;
            let author = Author::new("\u{1b}[2J\n".to_owned() + &"x".repeat(letters), 1);
            match link.welcome(&author).await {
                Ok(_) => {}
                Err(_) => tally.refused += 1,
            }
        }
    }
    tally
}

async fn garbage(target: Target, rng: &mut StdRng) -> Tally {
    let mut tally = Tally::default();
    for _ in 0..10 {
        tally.sent += 1;
        let Ok(mut stream) = TcpStream::connect(target.address).await else {
            tally.refused += 1;
            continue;
        };
        let noise: Vec<u8> = (0..100_000).map(|_| rng.random()).collect();
        let _ = stream.write_all(&noise).await;
        sleep(Duration::from_millis(100)).await;
        let open = matches!(stream.try_read(&mut [0; 1]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
        tally.refused += u64::from(!open);
    }
    tally
}

async fn batches(target: Target, rng: &mut StdRng, flaw: Flaw, replay: bool) -> Tally {
    let mut tally = Tally::default();
    let (author, mut numbers) = (author(), 0);
    let Ok(link) = Link::open(target.address, WINDOW).await else {
        return Tally { sent: 1, refused: 1, ..tally };
    };
    let Ok(mut call) = link.welcome(&author).await else { return Tally { sent: 1, refused: 1, ..tally } };
    for sequence in 1..=BATCHES_A_ROUND {
        let sequence = if replay { 1 } else { sequence };
        let Ok(envelope) = author.envelope(sequence, now_ns(), flaw, rng) else { break };
        tally.sent += 1;
        numbers += 1;
        if call.send(&framed(ship_request::Message::Batch(envelope))).await.is_err() {
            tally.refused += 1;
            break;
        }
    }
    let until = Instant::now() + target.hold;
    while tally.refused + tally.acknowledged < numbers {
        match call.heard(until.saturating_duration_since(Instant::now())).await {
            Heard::Answer(ship_response::Message::Acknowledgement(_)) => tally.acknowledged += 1,
            Heard::Answer(ship_response::Message::Rejection(_)) => tally.refused += 1,
            Heard::Answer(_) => {}
            Heard::Ended => {
                tally.refused = numbers - tally.acknowledged;
            }
            Heard::Nothing => break,
        }
    }
    tally
}
