//! What a partition's writer works with: its lease, its reader, what it knows to be stored, and the block under its
//! hands. What it does stands in `partition` and `gather`.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
};

use lastwords_record::BatchId;
use lastwords_store::{NativeBlock, Store};
use rdkafka::producer::FutureProducer;
use tokio::time::Instant;

use super::{
    commit::Committer,
    consumer::PartitionConsumer,
    leases::Lease,
    offset_plan::{Mark, OffsetPlan, ReadHash, identities_hash},
    produce,
    progress::PartitionStates,
    read::{Interrupted, Read, Reader},
};
use crate::{
    metrics::Counters,
    write::{BlockLimits, Driver, Gaps, KnownContents, Ledger, Pace, Prepared, Unit},
};

/// What the partitions of one process share.
pub(super) struct Shared {
    pub store: Store,
    pub counters: Arc<Counters>,
    pub states: Arc<PartitionStates>,
    pub block: BlockLimits,
    pub topic: String,
    pub partitions: i32,
    pub quarantine_topic: String,
    pub quarantine: FutureProducer<produce::Context>,
    pub committer: Committer,
}

/// The block that is written.
#[derive(Default)]
pub(super) struct Block {
    pub begin: i64,
    pub end: i64,
    /// The kept batches.
    pub batches: Vec<Arc<Prepared>>,
    pub plan: Option<OffsetPlan>,
    /// Each unit's table and day, its rows, and the batch that it belongs to where each goes by itself.
    pub units: Vec<(Unit, NativeBlock, Option<usize>)>,
    pub rows: usize,
    pub bytes: usize,
    /// The message before its begin, and its own last one.
    pub before: Option<Mark>,
    pub last: Option<Mark>,
    /// All messages of its range.
    pub read: ReadHash,
}

impl Block {
    /// The message before an offset at which the block begins or ends.
    pub fn mark(&self, offset: i64) -> Option<Mark> {
        match offset {
            offset if offset == self.begin => self.before,
            offset if offset == self.end => self.last,
            _ => None,
        }
    }

    /// Of the identities of its batches, in order.
    pub fn hash(&self) -> u64 {
        let ids: Vec<BatchId> = self.batches.iter().map(|batch| batch.id()).collect();
        identities_hash(ids.iter())
    }
}

/// A partition's writer.
pub(super) struct Writer {
    pub lease: Lease,
    pub consumer: Weak<PartitionConsumer>,
    pub reader: Reader,
    pub shared: Arc<Shared>,
    pub driver: Driver,
    /// What is stored of this partition's shippers; none until it has been read.
    pub ledger: Option<Ledger>,
    /// What is stored under numbers that come again.
    pub contents: KnownContents,
    /// The message before the committed offset, as it was fetched.
    pub fetched: Option<(i64, Option<Mark>)>,
    /// Which shippers have been met since the partition was given, or something was lost of it.
    pub gaps: Gaps,
    /// Batches of which rows may be stored by a plan that is lost.
    pub partly: HashSet<BatchId>,
    pub block: Block,
    /// The offset that the reader gives next.
    position: Option<i64>,
    /// When the last block was gathered.
    pub last: Option<Instant>,
    /// How long blocks wait for company.
    pub pace: Pace,
}

impl Writer {
    pub fn new(
        lease: Lease,
        consumer: Weak<PartitionConsumer>,
        reader: Reader,
        shared: Arc<Shared>,
    ) -> Writer {
        let driver = Driver::new(shared.store.clone(), Arc::clone(&shared.counters));
        let pace = Pace::new(&shared.block);
        let contents = KnownContents::new(shared.store.clone());
        Writer {
            lease,
            consumer,
            reader,
            shared,
            driver,
            ledger: None,
            contents,
            fetched: None,
            gaps: Gaps::default(),
            partly: HashSet::new(),
            block: Block::default(),
            position: None,
            last: None,
            pace,
        }
    }

    /// Forgets all that it knows; the log is sought again.
    pub fn forget(&mut self) {
        self.ledger = None;
        self.contents = KnownContents::new(self.shared.store.clone());
        self.fetched = None;
        self.block = Block::default();
        self.position = None;
    }

    /// Has the reader go to an offset, unless it is there.
    pub fn go_to(&mut self, offset: i64) {
        if self.position != Some(offset) {
            self.reader.seek(offset);
            self.position = Some(offset);
        }
    }

    /// Gives a message back, to be the next one.
    pub fn put_back(&mut self, read: Read) {
        self.position = Some(read.offset);
        self.reader.put_back(read);
    }

    /// The next message. Cancel-safe.
    pub async fn next(&mut self) -> Result<Read, Interrupted> {
        let read = self.reader.next().await?;
        self.position = Some(read.offset + 1);
        Ok(read)
    }
}
