//! Shippers that mean well, with the uplink of the real one: a small batch every so often, and how long each takes to be
//! acknowledged, whatever happens to the connection meanwhile.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use lastwords_record::{
    Batch, BatchBuilder, BatchId, Clock, Host, Origin, RecordRef, ShipperId, Source, TimeBasis,
};
use lastwords_shipper::{
    Uplink,
    uplink::{self, Content, Identity, Outgoing, Report},
};
use tokio::sync::mpsc;

use lastwords_runtime::clock::now_ns;

const EVERY: Duration = Duration::from_millis(250);
const LINES: usize = 50;
/// How long what was sent last may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a shipper lived through.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// How long each acknowledgement took.
    pub acknowledged: Vec<Duration>,
    /// Batches that were rejected or never acknowledged.
    pub lost: u64,
}

/// Ships until a moment, and waits for what is left.
pub async fn ship(address: SocketAddr, name: String, until: Instant) -> Account {
    let host = Host { name, machine_id: "0123456789abcdef0123456789abcdef".to_owned() };
    let shipper = ShipperId::of(&host.name, &host.machine_id);
    let epoch = now_ns().unsigned_abs();
    let id = |sequence| BatchId { shipper, epoch, sequence };
    let (outgoing, taken) = mpsc::channel(1024);
    let (said, mut reports) = mpsc::channel(1024);
    let identity = Identity { next: id(1), given: u64::MAX, host: host.clone() };
    let driver = tokio::spawn(uplink::drive(Uplink::Grpc(address.to_string()), identity, taken, said));
    let (mut account, mut sent) = (Account::default(), BTreeMap::new());
    let mut tick = tokio::time::interval(EVERY);
    let mut sequence = 0;
    let patience = until + PATIENCE;
    while Instant::now() < until || !sent.is_empty() && Instant::now() < patience {
        tokio::select! {
            _ = tick.tick() => if Instant::now() < until {
                sequence += 1;
                let one = Outgoing { id: id(sequence), content: Content::Open(Box::new(batch(&host, id(sequence)))) };
                sent.insert(sequence, Instant::now());
                if outgoing.send(one).await.is_err() {
                    break;
                }
            },
            report = reports.recv() => match report {
                Some(Report::Acknowledged { sequence, .. }) => {
                    let rest = sent.split_off(&(sequence + 1));
                    account.acknowledged.extend(sent.values().map(Instant::elapsed));
                    sent = rest;
                }
                Some(Report::Rejected { sequence, .. } | Report::Refused { sequence, .. }) => {
                    sent.remove(&sequence);
                    account.lost += 1;
                }
                Some(Report::Clock(_) | Report::Ahead { .. } | Report::SealAfter(_) | Report::Connection { .. }) => {}
                None => break,
            },
        }
    }
    account.lost += sent.len() as u64;
    driver.abort();
    account
}

fn batch(host: &Host, id: BatchId) -> Batch {
    let now_ns = now_ns();
    let mut builder = BatchBuilder::new();
    let origin = builder.origin(&Origin {
        host: host.clone(),
        guest: None,
        source: Source::File,
        attributes: vec![("log.file.path".to_owned(), "/var/log/honest.log".to_owned())],
    });
    for line in 0..LINES {
        let body = format!("batch {} line {line}: everything is as it should be", id.sequence);
        let record = RecordRef {
            time_ns: now_ns,
            observed_ns: now_ns,
            body: body.as_bytes(),
            severity: 0,
            program: "",
            time_basis: TimeBasis::Line,
            attributes: &[],
        };
        // So few lines always fit.
        let _ = builder.push(origin, &record);
    }
    builder.finish(id, now_ns, Clock::default())
}
