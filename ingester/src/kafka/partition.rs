//! One partition's writer: carries out what the [`Machine`] says.

use std::{
    convert::Infallible,
    sync::{Arc, Weak},
    time::Duration,
};

use lastwords_record::BatchId;
use lastwords_runtime::{Backoff, Pauses};
use lastwords_store::NativeBlock;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::Consumer as _,
    message::{Header, OwnedHeaders},
    producer::FutureRecord,
};
use tokio::time::sleep;

use super::{
    consumer::PartitionConsumer,
    leases::Lease,
    losses::{Log, Looked, OVERLAP_MS},
    machine::{Machine, Outcome, Step},
    offset_plan::{self, Mark, OffsetPlan},
    progress,
    read::{Interrupted, Reader},
    writer::{Block, Shared, Writer},
};
use crate::write::{
    self, PAUSES, Prepared, Unit, attempt_over, form, loss, planning_time_s, remember_rows_without_ledger,
};

/// Before a partition is taken up anew.
const ANEW: Pauses = Pauses::between(Duration::from_millis(500), Duration::from_secs(5));
/// Before what broke in this process, or what the quarantine refuses, is tried again.
const FORM_PAUSE: Duration = Duration::from_secs(5);
/// Attempts before a plan's last one were planned so long before at most.
const PLANNED_BEFORE_S: u32 = 3600;
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes a partition until its lease ends.
///
/// # Errors
/// Where its reader is gone.
pub(super) async fn run(
    mut lease: Lease,
    consumer: Weak<PartitionConsumer>,
    reader: Reader,
    shared: Arc<Shared>,
) -> Result<(), Interrupted> {
    let (lost, drain, partition) = (lease.lost.clone(), lease.drain.clone(), lease.partition);
    tokio::select! {
        biased;
        () = lost.cancelled() => return Ok(()),
        // Nothing has begun that could be finished.
        () = drain.cancelled() => return Ok(()),
        known = lease.generation.wait_for(Option::is_some) => if known.is_err() { return Ok(()) },
    }
    let lag = tokio::spawn(progress::watch(
        Arc::clone(&shared.states),
        consumer.clone(),
        shared.topic.clone(),
        partition,
    ));
    let mut writer = Writer::new(lease, consumer, reader, Arc::clone(&shared));
    let ended = lost.run_until_cancelled(writer.run()).await;
    lag.abort();
    shared.states.forget(partition);
    ended.unwrap_or(Ok(()))
}

impl Writer {
    /// Runs until the lease is to be given back. Where the protocol says that somebody else may have the partition, and
    /// where the log cannot be sought, everything is taken up anew from what is committed.
    async fn run(&mut self) -> Result<(), Interrupted> {
        let mut backoff = Backoff::new(ANEW);
        loop {
            self.forget();
            match self.write_from_committed(&mut backoff).await {
                Err(interrupted @ Interrupted::ReaderGone) => return Err(interrupted),
                Err(interrupted @ (Interrupted::Seek { .. } | Interrupted::OtherLog(_))) => {
                    if let Interrupted::OtherLog(_) = &interrupted {
                        self.gaps.forget();
                    }
                    tracing::warn!(partition = self.lease.partition, %interrupted, "reading again from what is committed");
                }
                Ok(()) => {}
            }
            if self.lease.drain.is_cancelled() {
                return Ok(());
            }
            tracing::info!(partition = self.lease.partition, "the partition is taken up anew");
            backoff.wait().await;
        }
    }

    /// Until somebody else may have the partition, or it is to be given back.
    async fn write_from_committed(&mut self, backoff: &mut Backoff) -> Result<(), Interrupted> {
        let mut machine = Machine::new();
        loop {
            let step = machine.next();
            if step == Step::Gone {
                return Ok(());
            }
            if let Step::Gather { pending: false, .. } = step
                && self.lease.drain.is_cancelled()
            {
                return Ok(());
            }
            let outcome = self.carry_out(step).await?;
            if outcome == Outcome::Committed {
                backoff.reset();
            }
            machine.seen(outcome);
        }
    }

    async fn carry_out(&mut self, step: Step) -> Result<Outcome, Interrupted> {
        Ok(match step {
            Step::Fetch => self.fetch().await?,
            Step::Gather { from, pending } => self.gather(from, pending).await?,
            Step::Commit { offset, plan } => self.commit(offset, plan).await,
            Step::Form { begin, plan } => self.form(begin, plan).await?,
            Step::Store(step) => {
                let block = Planned { block: &self.block, topic: &self.shared.topic, lease: &self.lease };
                let Ok(outcome) = self.driver.carry_out(&block, step).await;
                Outcome::Store(outcome)
            }
            Step::Replan => Outcome::Clock(planning_time_s(&self.shared.store).await),
            Step::SetAside { unit } => self.set_aside(unit).await,
            Step::Gone => Outcome::Nothing,
        })
    }

    /// Asks until Kafka says what is committed. Where that is fetched first, the log is looked at: a log that is not the
    /// one that was read is read again, as far back as something may be new in it.
    async fn fetch(&mut self) -> Result<Outcome, Interrupted> {
        let (committed, low, high) = self.committed().await;
        let Committed { offset, mark, plan } = committed;
        if self.fetched.is_some() {
            return Ok(Outcome::Fetched(offset, plan));
        }
        let before = match mark {
            Some(_) if low < offset && offset <= high => self.message_before(offset).await?,
            _ => None,
        };
        let looked = Looked { committed: offset, low, high, mark, before };
        let partition = self.lease.partition;
        self.fetched = Some((offset, mark));
        let Some(loss) = looked.loss(&self.shared.topic, partition) else {
            return Ok(Outcome::Fetched(offset, plan));
        };
        loss::tell(&self.shared.store, &loss).await;
        self.shared.counters.losses.inc();
        self.gaps.forget();
        if let Some(plan) = &plan {
            self.find_partly_stored(plan).await;
        }
        let from = match (looked.judge(), mark) {
            (Log::Deleted { to }, _) => to,
            (_, Some(mark)) if mark.time_ms > OVERLAP_MS => {
                self.offset_at(mark.time_ms - OVERLAP_MS).await.unwrap_or(low).clamp(low, high)
            }
            _ => low,
        };
        tracing::warn!(partition, from, "what is known is skipped");
        self.fetched = Some((from, None));
        Ok(Outcome::Fetched(from, None))
    }

    async fn committed(&self) -> (Committed, i64, i64) {
        let mut backoff = Backoff::new(PAUSES);
        loop {
            let (consumer, topic, partition) =
                (self.consumer.clone(), self.shared.topic.clone(), self.lease.partition);
            let fetched = tokio::task::spawn_blocking(move || {
                let consumer = consumer.upgrade()?;
                committed(&consumer, &topic, partition)
            });
            match fetched.await {
                Ok(Some(Ok((offset, metadata, low, high)))) => match offset_plan::decode(&metadata) {
                    Ok((mark, plan)) => return (Committed { offset, mark, plan }, low, high),
                    Err(error) => {
                        tracing::error!(partition, %error, "nothing is written until that is mended")
                    }
                },
                Ok(Some(Err(error))) => {
                    tracing::info!(partition, %error, "the committed offset is not known yet; asking again")
                }
                Ok(None) | Err(_) => {}
            }
            backoff.wait().await;
        }
    }

    /// The message before an offset; none where none comes.
    async fn message_before(&mut self, offset: i64) -> Result<Option<Mark>, Interrupted> {
        self.go_to(offset - 1);
        let read = match tokio::time::timeout(FETCH_TIMEOUT, self.next()).await {
            Ok(read) => read?,
            Err(_) => return Ok(None),
        };
        Ok((read.offset == offset - 1).then(|| read.mark()))
    }

    /// The first offset of what came at this moment or later.
    async fn offset_at(&self, time_ms: i64) -> Option<i64> {
        let (consumer, topic, partition) =
            (self.consumer.clone(), self.shared.topic.clone(), self.lease.partition);
        let asked = tokio::task::spawn_blocking(move || {
            let consumer = consumer.upgrade()?;
            let mut wanted = TopicPartitionList::new();
            wanted.add_partition_offset(&topic, partition, Offset::Offset(time_ms)).ok()?;
            let found = consumer.offsets_for_times(wanted, FETCH_TIMEOUT).ok()?;
            match found.find_partition(&topic, partition)?.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            }
        });
        asked.await.ok().flatten()
    }

    /// Commits under the lease's generation. Where it is refused although the lease goes on, the generation is waited
    /// for: members come and go without taking this partition away.
    async fn commit(&mut self, offset: i64, plan: Option<OffsetPlan>) -> Outcome {
        let fetched = self.fetched.and_then(|(at, mark)| mark.filter(|_| at == offset));
        let metadata = offset_plan::encode(self.block.mark(offset).or(fetched), plan.as_ref());
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

    /// Forms the units of the plan; a plan of a process before is read again.
    async fn form(&mut self, begin: i64, plan: OffsetPlan) -> Result<Outcome, Interrupted> {
        let is_ours =
            self.block.begin == begin && self.block.end == plan.end && !self.block.batches.is_empty();
        if !is_ours && !self.read_again(begin, &plan).await? {
            tracing::error!(
                partition = self.lease.partition,
                begin,
                end = plan.end,
                "what was planned is not in the log any more (was it deleted by retention?); going on with what there is"
            );
            self.find_partly_stored(&plan).await;
            self.gaps.forget();
            return Ok(Outcome::Broken);
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
            sleep(FORM_PAUSE).await;
            return Ok(Outcome::Unknown);
        };
        self.block.units = units;
        self.block.plan = Some(plan);
        Ok(Outcome::Formed(self.block.units.len()))
    }

    async fn read_again(&mut self, begin: i64, plan: &OffsetPlan) -> Result<bool, Interrupted> {
        tracing::info!(partition = self.lease.partition, begin, end = plan.end, "a plan is taken up");
        self.go_to(begin);
        let before = self.fetched.and_then(|(at, mark)| mark.filter(|_| at == begin));
        let mut block = Block { begin, end: plan.end, before, ..Block::default() };
        let mut position = begin;
        while position < plan.end {
            let mut read = self.next().await?;
            if read.offset >= plan.end {
                self.put_back(read);
                break;
            }
            position = read.offset + 1;
            block.last = Some(read.mark());
            block.read.add(&read.mark());
            if plan.keeps(begin, read.offset) {
                if plan.renumbers(begin, read.offset) {
                    read.renumber();
                }
                block.batches.push(read.prepared);
            }
        }
        // Once these are stored, it says more.
        self.ledger = None;
        let is_whole = block.hash() == plan.hash && [0, block.read.value()].contains(&plan.read);
        self.block = block;
        Ok(is_whole)
    }

    /// What a plan had stored whose batches cannot be read again. They may come again: each is then stored by itself,
    /// as far as it is missing.
    async fn find_partly_stored(&mut self, plan: &OffsetPlan) {
        // Nothing of it may arrive any more.
        attempt_over(&self.shared.store, plan.planned_s).await;
        let since_s = plan.planned_s.saturating_sub(PLANNED_BEFORE_S);
        let mut backoff = Backoff::new(PAUSES);
        loop {
            match remember_rows_without_ledger(&self.shared.store, since_s).await {
                // Read with the ledger.
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "the store cannot be read back; trying again"),
            }
            backoff.wait().await;
        }
    }

    /// What is left of the unit's batch becomes its way into the quarantine.
    async fn set_aside(&mut self, unit: usize) -> Outcome {
        let Some((_, _, Some(alone))) = self.block.units.get(unit) else { return Outcome::Nothing };
        let alone = *alone;
        let planned_s = self.block.plan.as_ref().map_or(0, |plan| plan.planned_s);
        let reason = self.driver.refusal().to_owned();
        let Some(slot) = self.block.batches.get_mut(alone) else { return Outcome::Nothing };
        if matches!(**slot, Prepared::Aside(_)) {
            tracing::error!(batch = %slot.id(), reason, "even the quarantine is refused; trying again");
            sleep(FORM_PAUSE).await;
        }
        let aside = Arc::new(slot.set_aside(reason));
        *slot = Arc::clone(&aside);
        if let Prepared::Aside(aside) = &*aside {
            self.tell_quarantine(aside.id, &aside.envelope, &aside.reason).await;
        }
        let rest = self.block.units.split_off(unit);
        let replaced = form(std::iter::once(&*aside), |_, _| true, planned_s);
        self.block.units.extend(replaced.into_iter().map(|(unit, rows)| (unit, rows, Some(alone))));
        self.block.units.extend(rest.into_iter().filter(|(_, _, batch)| *batch != Some(alone)));
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
            headers.insert(Header { key, value: Some(value) })
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

/// The block as its plan is driven.
struct Planned<'a> {
    block: &'a Block,
    topic: &'a str,
    lease: &'a Lease,
}

impl write::Planned for Planned<'_> {
    type Abandoned = Infallible;

    fn unit(&self, place: usize) -> Option<(Unit, NativeBlock)> {
        self.block.units.get(place).map(|(unit, rows, _)| (*unit, rows.clone()))
    }

    fn token(&self, place: usize, attempt: u32) -> Option<String> {
        let (unit, _, alone) = self.block.units.get(place)?;
        let (begin, topic, partition) = (self.block.begin, self.topic, self.lease.partition);
        let plan = self.block.plan.as_ref()?;
        let (table, day) = (unit.table.name(), unit.day);
        let token = format!(
            "kafka-{topic}-{partition}-{begin}-{}-{attempt}-{:016x}-{table}-{day}",
            plan.end, plan.hash
        );
        Some(match alone {
            Some(batch) => format!("{token}-{batch}"),
            None => token,
        })
    }

    fn witnesses(&self, place: usize) -> Vec<BatchId> {
        let alone = self.block.units.get(place).and_then(|(_, _, alone)| *alone);
        match alone.and_then(|alone| self.block.batches.get(alone)) {
            Some(batch) => vec![batch.id()],
            None => self.block.batches.iter().map(|batch| batch.id()).collect(),
        }
    }

    fn planned_s(&self) -> u32 {
        self.block.plan.as_ref().map_or(0, |plan| plan.planned_s)
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

/// What is committed.
struct Committed {
    offset: i64,
    mark: Option<Mark>,
    plan: Option<OffsetPlan>,
}

/// The committed offset and its metadata, and the log's first offset and the one after its last; where nothing was
/// committed, the first one counts.
fn committed(
    consumer: &PartitionConsumer,
    topic: &str,
    partition: i32,
) -> Option<Result<(i64, String, i64, i64), rdkafka::error::KafkaError>> {
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
    let (low, high) = match consumer.fetch_watermarks(topic, partition, FETCH_TIMEOUT) {
        Ok(marks) => marks,
        Err(error) => return Some(Err(error)),
    };
    Some(Ok(match element.offset() {
        Offset::Offset(offset) => (offset, element.metadata().to_owned(), low, high),
        _ => (low, String::new(), low, high),
    }))
}
