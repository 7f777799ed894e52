//! Batches opened, scanned for events and gathered into blocks, on a thread of its own: while the store takes one
//! block, the next is built.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lastwords_detect::{Detector, Found};
use lastwords_record::{Batch, Source};
use tokio::{
    sync::mpsc,
    time::Instant,
};

use crate::{
    block::{Content, Taken, Unit, units},
    metrics::{Metrics, add},
    queue::{DirectOptions, Held, Incoming, SharedBooks, Submission, Written, lock},
};

/// A block that is ready to be written.
#[derive(Debug)]
pub(crate) struct Block {
    pub taken: Vec<Taken>,
    pub units: Vec<Unit>,
    pub planned_s: u32,
    /// The bytes that it holds of the queue's budget.
    pub held: Vec<Held>,
}

/// Makes blocks of submissions.
#[derive(Debug)]
pub(crate) struct Assembler {
    books: SharedBooks,
    detector: Arc<Detector>,
    options: DirectOptions,
    /// The store's clock minus ours, in seconds.
    planning_offset_s: i64,
    metrics: Arc<Metrics>,
    gathered: Gathered,
}

#[derive(Debug, Default)]
struct Gathered {
    taken: Vec<Taken>,
    held: Vec<Held>,
    rows: usize,
    bytes: usize,
    since: Option<Instant>,
}

impl Assembler {
    pub fn new(
        books: SharedBooks,
        detector: Arc<Detector>,
        options: DirectOptions,
        planning_offset_s: i64,
        metrics: Arc<Metrics>,
    ) -> Self {
        Assembler { books, detector, options, planning_offset_s, metrics, gathered: Gathered::default() }
    }

    /// Runs on a thread of its own until the submissions end.
    pub fn spawn(self, submitted: mpsc::UnboundedReceiver<Submission>, blocks: mpsc::Sender<Block>) {
        let started = std::thread::Builder::new().name("assemble".to_owned()).spawn(move || {
            match tokio::runtime::Builder::new_current_thread().enable_time().build() {
                Ok(runtime) => runtime.block_on(self.run(submitted, blocks)),
                Err(error) => tracing::error!(%error, "the assembler cannot start"),
            }
        });
        if let Err(error) = started {
            // Both channels are dropped: submissions are refused.
            tracing::error!(%error, "the assembler cannot start");
        }
    }

    async fn run(mut self, mut submitted: mpsc::UnboundedReceiver<Submission>, blocks: mpsc::Sender<Block>) {
        let mut open = true;
        while open || !self.gathered.taken.is_empty() {
            // What is there already is gathered first; what has been gathered goes as soon as the writer is free.
            tokio::select! {
                biased;
                submission = submitted.recv(), if open && !self.must_go() => match submission {
                    Some(submission) => self.take(submission),
                    None => open = false,
                },
                permit = blocks.reserve(), if !self.gathered.taken.is_empty() => match permit {
                    Ok(permit) => permit.send(self.block()),
                    // The writer is gone: whoever waits for these batches is told by their dropped tickets.
                    Err(_) => return,
                },
            }
        }
    }

    fn must_go(&self) -> bool {
        let gathered = &self.gathered;
        gathered.rows >= self.options.block_rows_max
            || gathered.bytes >= self.options.block_bytes_max
            || gathered.since.is_some_and(|since| since.elapsed() >= self.options.block_age_max)
    }

    fn take(&mut self, submission: Submission) {
        let Submission { id, incoming, bytes, reply, held } = submission;
        {
            let mut books = lock(&self.books);
            if books.ledger.contains(id) {
                add(&self.metrics.batches_known_total, 1);
                let known = Written { durability: DURABILITY, events: 0, quarantined: 0 };
                // Whoever no longer waits needs no answer.
                let _ = reply.send(known);
                return;
            }
            let waiting = books.under_way.entry(id).or_default();
            waiting.push(reply);
            if waiting.len() > 1 {
                return;
            }
        }
        let content = match incoming {
            Incoming::Opened(batch) => self.scan(batch),
            Incoming::Sealed(envelope) => match Batch::open(&envelope) {
                Ok(batch) => self.scan(batch),
                Err(error) => Content::Poison { envelope, reason: error.to_string() },
            },
        };
        let taken = Taken { id, bytes, content };
        let counts = taken.counts();
        self.gathered.rows += usize::try_from(counts.records).unwrap_or(usize::MAX).max(1);
        self.gathered.bytes += bytes;
        self.gathered.since.get_or_insert_with(Instant::now);
        self.gathered.taken.push(taken);
        self.gathered.held.push(held);
    }

    fn scan(&self, batch: Batch) -> Content {
        let mut found: Vec<Found> = Vec::new();
        let records = &batch.records;
        let source = |row: u32| {
            let origin = records.origin.get(row as usize).and_then(|origin| records.origins.get(*origin as usize));
            origin.map_or(Source::File, |origin| origin.source)
        };
        self.detector.scan(&records.text, &records.text_end, source, &mut found);
        Content::Opened { batch: Box::new(batch), found }
    }

    fn block(&mut self) -> Block {
        let gathered = std::mem::take(&mut self.gathered);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let planned_s = i64::try_from(now.as_secs()).unwrap_or(0).saturating_add(self.planning_offset_s);
        let planned_s = u32::try_from(planned_s).unwrap_or(0);
        let now_ns = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        let units = {
            let books = lock(&self.books);
            units(&gathered.taken, &books.parts, planned_s, now_ns)
        };
        Block { taken: gathered.taken, units, planned_s, held: gathered.held }
    }
}

/// What the direct path's acknowledgements mean.
pub(crate) const DURABILITY: lastwords_proto::v1::Durability = lastwords_proto::v1::Durability::StoreSynced;
