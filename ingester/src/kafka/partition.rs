//! One partition's writer: carries out what the [`Machine`] says.

use std::{
    collections::HashSet,
    fmt::Write as _,
    sync::{Arc, Weak},
    time::Duration,
};

use lastwords_record::{BatchId, ShipperId};
use lastwords_store::{NativeBlock, Store};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, ConsumerGroupMetadata},
    message::{Header as MessageHeader, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    commit::Committer,
    gather::hash,
    group::Context,
    machine::{Machine, Outcome, Step},
    offset_plan::OffsetPlan,
    produce,
    progress::{self, PartitionStates},
    read::{Read, Reader},
};
use crate::{
    metrics::Counters,
    write::{
        BlockLimits, Ledger, Prepared, Unit, attempt_over, form, insert_unit, plan, planning_time_s,
        set_aside, stored_units,
    },
};

pub(super) const PAUSE_MIN: Duration = Duration::from_millis(50);
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(5);
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// What the partitions of one process share.
pub(super) struct Shared {
    pub store: Store,
    pub counters: Arc<Counters>,
    pub states: Arc<PartitionStates>,
    pub block: BlockLimits,
    pub topic: String,
    pub quarantine_topic: String,
    pub quarantine: FutureProducer<produce::Context>,
    pub committer: Committer,
}

/// The right to write a partition.
pub(super) struct Lease {
    pub partition: i32,
    /// Finish the block, then end.
    pub drain: CancellationToken,
    /// End at once.
    pub lost: CancellationToken,
    /// What commits are made under; none until the assignment has been carried out.
    pub generation: watch::Receiver<Option<Arc<ConsumerGroupMetadata>>>,
    pub consumer: Weak<BaseConsumer<Context>>,
}

/// Writes a partition until its lease ends.
pub(super) async fn run(mut lease: Lease, reader: Reader, shared: Arc<Shared>) {
    let known = lease.lost.run_until_cancelled(lease.generation.wait_for(Option::is_some)).await.is_some();
    if !known {
        return;
    }
    let lag = tokio::spawn(progress::watch(
        Arc::clone(&shared.states),
        lease.consumer.clone(),
        shared.topic.clone(),
        lease.partition,
    ));
    let lost = lease.lost.clone();
    let partition = lease.partition;
    let mut writer = Writer {
        lease,
        reader,
        shared: Arc::clone(&shared),
        ledger: Ledger::default(),
        shippers: HashSet::new(),
        block: Block::default(),
        position: None,
        last: None,
    };
    let _ = lost.run_until_cancelled(writer.run()).await;
    lag.abort();
    shared.states.forget(partition);
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
    pub refusal: String,
    pub rows: usize,
    pub bytes: usize,
}

pub(super) struct Writer {
    pub lease: Lease,
    pub reader: Reader,
    pub shared: Arc<Shared>,
    /// What is stored of the shippers that were met.
    pub ledger: Ledger,
    pub shippers: HashSet<ShipperId>,
    pub block: Block,
    /// The offset that the reader gives next.
    position: Option<i64>,
    /// When the last block was gathered.
    pub last: Option<Instant>,
}

impl Writer {
    /// Runs until the lease is to be given back. Where the protocol says that somebody else may have the partition,
    /// everything is taken up anew from what is committed.
    async fn run(&mut self) {
        loop {
            let mut machine = Machine::new();
            self.ledger = Ledger::default();
            self.shippers.clear();
            self.block = Block::default();
            loop {
                let step = machine.next();
                if step == Step::Gone {
                    break;
                }
                if let Step::Gather { pending: false, .. } = step
                    && self.lease.drain.is_cancelled()
                {
                    return;
                }
                let outcome = self.carry_out(step).await;
                machine.seen(outcome);
            }
            if self.lease.drain.is_cancelled() {
                return;
            }
            tracing::info!(partition = self.lease.partition, "the partition is taken up anew");
            sleep(Duration::from_millis(500)).await;
        }
    }

    async fn carry_out(&mut self, step: Step) -> Outcome {
        match step {
            Step::Fetch => self.fetch().await,
            Step::Gather { from, pending } => self.gather(from, pending).await,
            Step::Commit { offset, plan } => self.commit(offset, plan).await,
            Step::Form { begin, plan } => self.form(begin, plan).await,
            Step::Store(step) => Outcome::Store(self.store_step(step).await),
            Step::Replan => Outcome::Clock(planning_time_s(&self.shared.store).await),
            Step::SetAside { unit } => self.set_aside(unit).await,
            Step::Gone => Outcome::Nothing,
        }
    }

    /// Asks until Kafka says what is committed.
    async fn fetch(&self) -> Outcome {
        let mut pause = PAUSE_MIN;
        loop {
            let (consumer, topic, partition) =
                (self.lease.consumer.clone(), self.shared.topic.clone(), self.lease.partition);
            let fetched = tokio::task::spawn_blocking(move || {
                let consumer = consumer.upgrade()?;
                committed(&consumer, &topic, partition)
            });
            match fetched.await {
                Ok(Some(Ok((offset, metadata)))) => match OffsetPlan::decode(&metadata) {
                    Ok(plan) => return Outcome::Fetched(offset, plan),
                    Err(error) => {
                        tracing::error!(partition, %error, "nothing is written until that is mended")
                    }
                },
                Ok(Some(Err(error))) => {
                    tracing::info!(partition, %error, "the committed offset is not known yet; asking again")
                }
                Ok(None) | Err(_) => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Commits under the lease's generation. Where it is refused although the lease goes on, the generation is waited
    /// for: members come and go without taking this partition away.
    async fn commit(&mut self, offset: i64, plan: Option<OffsetPlan>) -> Outcome {
        let metadata = plan.as_ref().map(OffsetPlan::encode).unwrap_or_default();
        for _ in 0..3 {
            let Some(generation) = self.lease.generation.borrow_and_update().clone() else { break };
            let (shared, partition, metadata) =
                (Arc::clone(&self.shared), self.lease.partition, metadata.clone());
            let committed = tokio::task::spawn_blocking(move || {
                shared.committer.commit(partition, offset, &metadata, &generation)
            });
            match committed.await {
                Ok(Outcome::Fenced) => {
                    let changed = tokio::time::timeout(FETCH_TIMEOUT, self.lease.generation.changed());
                    if !matches!(changed.await, Ok(Ok(()))) {
                        return Outcome::Fenced;
                    }
                }
                Ok(outcome) => {
                    if outcome == Outcome::Committed {
                        self.shared.states.committed(self.lease.partition, offset);
                    }
                    return outcome;
                }
                Err(_) => return Outcome::Unknown,
            }
        }
        Outcome::Fenced
    }

    pub(super) fn go_to(&mut self, offset: i64) {
        if self.position != Some(offset) {
            self.reader.seek(offset);
            self.position = Some(offset);
        }
    }

    pub(super) fn put_back(&mut self, read: Read) {
        self.position = Some(read.offset);
        self.reader.put_back(read);
    }

    pub(super) async fn next(&mut self) -> Option<Read> {
        let Some(read) = self.reader.next().await else {
            tracing::error!(partition = self.lease.partition, "the reader of a partition broke");
            sleep(PAUSE_MAX).await;
            return None;
        };
        self.position = Some(read.offset + 1);
        Some(read)
    }

    /// Forms the units of the plan; a plan of a process before is read again.
    async fn form(&mut self, begin: i64, plan: OffsetPlan) -> Outcome {
        let is_ours =
            self.block.begin == begin && self.block.end == plan.end && !self.block.batches.is_empty();
        if !is_ours && !self.read_again(begin, &plan).await {
            tracing::error!(
                partition = self.lease.partition,
                begin,
                end = plan.end,
                "what was planned is not in the log any more (was it deleted by retention?); going on with what there is"
            );
            return Outcome::Broken;
        }
        for batch in &self.block.batches {
            if let Prepared::Aside(aside) = &**batch {
                self.tell_quarantine(aside.id, &aside.envelope, &aside.reason).await;
            }
        }
        let (batches, single, planned_s) = (self.block.batches.clone(), plan.single, plan.planned_s);
        let formed = tokio::task::spawn_blocking(move || units(&batches, single, planned_s)).await;
        let Ok(units) = formed else {
            tracing::error!("forming a block broke; trying again");
            sleep(PAUSE_MAX).await;
            return Outcome::Unknown;
        };
        self.block.units = units;
        self.block.plan = Some(plan);
        Outcome::Formed(self.block.units.len())
    }

    async fn read_again(&mut self, begin: i64, plan: &OffsetPlan) -> bool {
        tracing::info!(partition = self.lease.partition, begin, end = plan.end, "a plan is taken up");
        self.go_to(begin);
        let mut block = Block { begin, end: plan.end, ..Block::default() };
        let mut position = begin;
        while position < plan.end {
            let Some(read) = self.next().await else { return false };
            if read.offset >= plan.end {
                self.put_back(read);
                break;
            }
            position = read.offset + 1;
            if plan.keeps(begin, read.offset) {
                self.shippers.remove(&read.id().shipper);
                block.batches.push(read.prepared);
            }
        }
        let is_whole = hash(&block.batches) == plan.hash;
        self.block = block;
        is_whole
    }

    async fn store_step(&mut self, step: plan::Step) -> plan::Outcome {
        let planned_s = self.block.plan.as_ref().map_or(0, |plan| plan.planned_s);
        match step {
            plan::Step::Insert { unit, .. } => {
                let Some((unit, rows, alone)) = self.block.units.get(unit) else {
                    return plan::Outcome::Failed;
                };
                let token = self.token(*unit, *alone);
                let (store, counters) = (&self.shared.store, &self.shared.counters);
                let mut refusal = std::mem::take(&mut self.block.refusal);
                let outcome = insert_unit(store, *unit, rows.clone(), token, &mut refusal, counters).await;
                self.block.refusal = refusal;
                if outcome == plan::Outcome::Failed {
                    sleep(Duration::from_millis(500)).await;
                }
                outcome
            }
            plan::Step::ReadBack { unit } => self.read_back(unit).await,
            plan::Step::Wait => {
                attempt_over(&self.shared.store, planned_s).await;
                plan::Outcome::Over
            }
            // The machine keeps these to itself.
            plan::Step::Replan { .. } | plan::Step::Done | plan::Step::Refused { .. } => {
                plan::Outcome::Failed
            }
        }
    }

    fn token(&self, unit: Unit, alone: Option<usize>) -> String {
        let (begin, topic, partition) = (self.block.begin, &self.shared.topic, self.lease.partition);
        let (end, attempt, hash) =
            self.block.plan.as_ref().map_or((0, 0, 0), |plan| (plan.end, plan.attempt, plan.hash));
        let mut token = format!(
            "kafka-{topic}-{partition}-{begin}-{end}-{attempt}-{hash:016x}-{}-{}",
            unit.table.name(),
            unit.day
        );
        if let Some(batch) = alone {
            // Writing to a String cannot fail.
            let _ = write!(token, "-{batch}");
        }
        token
    }

    async fn read_back(&self, unit: usize) -> plan::Outcome {
        let Some((unit, _, alone)) = self.block.units.get(unit) else { return plan::Outcome::Absent };
        let ids: Vec<BatchId> = match alone.and_then(|alone| self.block.batches.get(alone)) {
            Some(batch) => vec![batch.id()],
            None => self.block.batches.iter().map(|batch| batch.id()).collect(),
        };
        let mut pause = PAUSE_MIN;
        loop {
            match stored_units(&self.shared.store, unit.table, &ids).await {
                Ok(found) if found.iter().any(|(_, stored)| stored == unit) => return plan::Outcome::Present,
                Ok(_) => return plan::Outcome::Absent,
                Err(error) => tracing::warn!(%error, "the store cannot be read back; trying again"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// What is left of the unit's batch becomes its way into the quarantine.
    async fn set_aside(&mut self, unit: usize) -> Outcome {
        let Some((_, _, Some(alone))) = self.block.units.get(unit) else { return Outcome::Nothing };
        let alone = *alone;
        let planned_s = self.block.plan.as_ref().map_or(0, |plan| plan.planned_s);
        let reason = self.block.refusal.clone();
        let Some(slot) = self.block.batches.get_mut(alone) else { return Outcome::Nothing };
        if matches!(**slot, Prepared::Aside(_)) {
            tracing::error!(batch = %slot.id(), reason, "even the quarantine is refused; trying again");
            sleep(PAUSE_MAX).await;
        }
        let aside = Arc::new(set_aside(slot, reason));
        *slot = Arc::clone(&aside);
        if let Prepared::Aside(aside) = &*aside {
            self.tell_quarantine(aside.id, &aside.envelope, &aside.reason).await;
        }
        let rest = self.block.units.split_off(unit);
        let replaced = form(std::iter::once(&*aside), |_, _| true, planned_s);
        self.block.units.extend(replaced.into_iter().map(|(unit, rows)| (unit, rows, Some(alone))));
        self.block.units.extend(rest.into_iter().filter(|(_, _, of)| *of != Some(alone)));
        Outcome::Replaced(self.block.units.len())
    }

    /// Copies poison to the topic, for those who look there. The table is what counts: the topic may have it twice.
    async fn tell_quarantine(&self, id: BatchId, envelope: &[u8], reason: &str) {
        let text = [
            ("reason", reason.to_owned()),
            ("topic", self.shared.topic.clone()),
            ("partition", self.lease.partition.to_string()),
            ("shipper", id.shipper.to_string()),
            ("epoch", id.epoch.to_string()),
            ("sequence", id.sequence.to_string()),
        ];
        let headers = text.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(MessageHeader { key, value: Some(value) })
        });
        let record = FutureRecord::to(&self.shared.quarantine_topic)
            .key(&id.shipper.0[..])
            .payload(envelope)
            .headers(headers);
        if let Err((error, _)) = self.shared.quarantine.send(record, FETCH_TIMEOUT).await {
            tracing::warn!(batch = %id, %error, "the quarantine topic did not take a batch; the table will have it");
        }
    }
}

fn units(batches: &[Arc<Prepared>], single: bool, planned_s: u32) -> Vec<(Unit, NativeBlock, Option<usize>)> {
    if !single {
        let formed = form(batches.iter().map(Arc::as_ref), |_, _| true, planned_s);
        return formed.into_iter().map(|(unit, rows)| (unit, rows, None)).collect();
    }
    let alone = |(number, batch): (usize, &Arc<Prepared>)| {
        let formed = form(std::iter::once(&**batch), |_, _| true, planned_s);
        formed.into_iter().map(move |(unit, rows)| (unit, rows, Some(number)))
    };
    batches.iter().enumerate().flat_map(alone).collect()
}

/// The committed offset and its metadata; where nothing was committed, the log's first offset.
fn committed(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partition: i32,
) -> Option<Result<(i64, String), rdkafka::error::KafkaError>> {
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition(topic, partition);
    let found = match consumer.committed_offsets(wanted, FETCH_TIMEOUT) {
        Ok(found) => found,
        Err(error) => return Some(Err(error)),
    };
    let element = found.find_partition(topic, partition)?;
    if let Err(error) = element.error() {
        return Some(Err(error));
    }
    match element.offset() {
        Offset::Offset(offset) => Some(Ok((offset, element.metadata().to_owned()))),
        _ => Some(
            consumer.fetch_watermarks(topic, partition, FETCH_TIMEOUT).map(|(low, _)| (low, String::new())),
        ),
    }
}
