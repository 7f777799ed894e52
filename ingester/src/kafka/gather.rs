//! Gathers a partition's next block.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use lastwords_record::{BatchId, ShipperId};
use lastwords_runtime::Backoff;
use lastwords_store::StoredContent;
use tokio::time::Instant;

use super::{
    machine::Outcome,
    message::partition_of,
    offset_plan::{METADATA_BYTES_MAX, Mark, OffsetPlan, encode, ranges},
    read::{Interrupted, Read},
    writer::{Block, Writer},
};
use crate::write::{
    Ledger, PAUSES, Prepared, Unit, count_stored, gap_loss, loss, planning_time_s, prepared_is,
};

/// A finished block waits so long for the next one before it is committed by itself.
const IDLE: Duration = Duration::from_millis(300);
/// The store remembers tokens by count: blocks of one partition do not come faster than this.
const BLOCK_MIN: Duration = Duration::from_millis(100);

impl Writer {
    /// Gathers a block: what is neither in the ledger nor earlier in the block.
    ///
    /// # Errors
    /// Where messages do not come.
    pub(super) async fn gather(&mut self, from: i64, pending: bool) -> Result<Outcome, Interrupted> {
        let done = std::mem::take(&mut self.block);
        self.account(&done);
        self.go_to(from);
        let limits = self.shared.block.clone();
        let fetched = self.fetched.and_then(|(at, mark)| mark.filter(|_| at == from));
        let before = done.mark(from).or(fetched);
        let mut block = Block { begin: from, end: from, before, last: before, ..Block::default() };
        let (mut skipped, mut renumbered, mut units) = (Vec::new(), Vec::new(), HashSet::new());
        let mut seen = HashMap::new();
        // When the first batch came, and how long it waits for company.
        let mut begun: Option<(Instant, Duration)> = None;
        let idle = Instant::now() + IDLE;
        loop {
            if block.rows >= limits.rows_max || block.bytes >= limits.bytes_max {
                break;
            }
            let until = match begun {
                Some((begun, wait)) => {
                    let settled = begun + self.pace.wait_with(wait, block.rows, block.bytes);
                    self.last.map_or(settled, |last| settled.max(last + BLOCK_MIN))
                }
                None if pending => idle,
                // Looked at now and then, since a lease may have to be given back.
                None => Instant::now() + IDLE,
            };
            let drain = self.lease.drain.clone();
            let read = tokio::select! {
                biased;
                () = drain.cancelled() => None,
                read = tokio::time::timeout_at(until, self.next()) => read.ok().transpose()?,
            };
            let Some(mut read) = read else { break };
            let known = self.is_known(&mut read, &seen).await;
            let (mut skips, mut own) = (skipped.clone(), renumbered.clone());
            match known {
                true => skips.push(read.offset),
                false if read.renumbered => own.push(read.offset),
                false => {}
            }
            let is_wide = !known && !has_room_for(&units, read.prepared.units(), limits.units_max);
            // What may be stored in part is a block of its own, in which every batch goes by itself.
            let is_partly = !known && self.partly.contains(&read.id());
            let is_apart = is_partly && !block.batches.is_empty();
            if is_wide || is_apart || !fits(from, &skips, &own) {
                self.put_back(read);
                break;
            }
            self.shared.states.read(self.lease.partition, read.time_ms);
            (skipped, renumbered) = (skips, own);
            block.end = read.offset + 1;
            block.last = Some(read.mark());
            block.read.add(&read.mark());
            if known {
                self.shared.counters.known_batches.inc();
            } else {
                if read.renumbered {
                    self.shared.counters.conflicting_batches.inc();
                    tracing::warn!(batch = %read.id(), "another batch is stored under this one's number: it is stored under an epoch of its own; the shipper's state was set back or copied, or two machines send under one name");
                }
                if !read.renumbered {
                    self.tell_gap(&read).await;
                }
                seen.insert(read.id(), Arc::clone(&read.prepared));
                units.extend(read.prepared.units().iter().copied());
                block.rows += read.prepared.rows();
                block.bytes += read.prepared.bytes();
                block.batches.push(read.prepared);
            }
            if is_partly {
                break;
            }
            let now = Instant::now();
            begun.get_or_insert((now, self.pace.wait(now.into_std())));
        }
        if block.end == from {
            // It knows what came before.
            self.block = block;
            return Ok(Outcome::Nothing);
        }
        let now = Instant::now();
        self.last = Some(now);
        let waited = begun.map_or(limits.settle, |(_, wait)| wait);
        self.pace.left(now.into_std(), waited, block.batches.len(), block.rows, block.bytes);
        if block.batches.is_empty() {
            let end = block.end;
            self.block = block;
            return Ok(Outcome::Known(end));
        }
        let planned_s = planning_time_s(&self.shared.store).await;
        let single = block.batches.iter().any(|batch| self.partly.contains(&batch.id()));
        let plan = OffsetPlan {
            end: block.end,
            // No token of a plan that is lost is used again.
            attempt: if single { planned_s } else { 0 },
            planned_s,
            single,
            hash: block.hash(),
            skipped: ranges(from, skipped.into_iter()),
            renumbered: ranges(from, renumbered.into_iter()),
            read: block.read.value(),
        };
        block.plan = Some(plan.clone());
        self.block = block;
        Ok(Outcome::Gathered(plan))
    }

    /// Whether a batch is stored already, or earlier in the block. Where another one is stored under its number, it is
    /// given an epoch of its own first: it was acknowledged, and its shipper cannot be told any more.
    async fn is_known(&mut self, read: &mut Read, seen: &HashMap<BatchId, Arc<Prepared>>) -> bool {
        for _ in 0..2 {
            let id = read.id();
            let is_same = if let Some(first) = seen.get(&id) {
                let content = StoredContent::Hash(first.content());
                prepared_is(&read.prepared, content)
            } else if self.ledger().await.contains(&id) {
                self.contents.is_same(&read.prepared).await
            } else {
                return false;
            };
            if is_same || read.renumbered {
                return true;
            }
            read.renumber();
        }
        true
    }

    /// What is stored of this partition's shippers: read once, after whatever a process before had planned.
    async fn ledger(&mut self) -> &mut Ledger {
        if self.ledger.is_none() {
            let (partition, partitions) = (self.lease.partition, self.shared.partitions);
            let mut backoff = Backoff::new(PAUSES);
            let stored = loop {
                match self.shared.store.stored_ledger().await {
                    Ok(stored) => break stored,
                    Err(error) => {
                        tracing::warn!(%error, "the store does not say which batches it holds; asking again")
                    }
                }
                backoff.wait().await;
            };
            let ours = |shipper: &ShipperId| partition_of(shipper, partitions) == partition;
            self.ledger = Some(Ledger::of(&stored, ours));
            self.expect_repairs().await;
        }
        self.ledger.get_or_insert_default()
    }

    /// What an audit took out of the ledger may be stored in part.
    async fn expect_repairs(&mut self) {
        let mut backoff = Backoff::new(PAUSES);
        loop {
            match self.shared.store.repaired_batches().await {
                Ok(batches) => return self.partly.extend(batches),
                Err(error) => {
                    tracing::warn!(%error, "the store does not say what is to be repaired; asking again")
                }
            }
            backoff.wait().await;
        }
    }

    /// Says which batches of a shipper are missing, the first time that it is met.
    async fn tell_gap(&mut self, read: &Read) {
        let id = read.id();
        let Some(ledger) = &self.ledger else { return };
        let Some(gap) = self.gaps.find(&id, ledger) else { return };
        let host = match &*read.prepared {
            Prepared::Opened(batch, ..) => batch.header.hosts.first().map(|host| host.name.as_str()),
            Prepared::Aside(_) => None,
        };
        let time_ns = read.time_ms.saturating_mul(1_000_000);
        self.shared.counters.losses.inc();
        loss::tell(&self.shared.store, &gap_loss(&id, gap, host.unwrap_or_default(), time_ns)).await;
    }

    /// A finished block is known from now on.
    fn account(&mut self, done: &Block) {
        count_stored(&self.shared.counters, &done.batches);
        // Where it has not been read yet, it will have them.
        if let Some(ledger) = &mut self.ledger {
            done.batches.iter().for_each(|batch| ledger.insert(batch.id()));
        }
    }
}

/// Whether a block with these units has room for a batch with others: each is an insert, and members of the group have to
/// be able to give a partition back within a block. Into an empty block every batch fits.
fn has_room_for(units: &HashSet<Unit>, more: &[Unit], units_max: usize) -> bool {
    let new = more.iter().filter(|unit| !units.contains(unit)).count();
    units.is_empty() || new == 0 || units.len() + new <= units_max
}

/// Whether a plan with these skipped offsets fits into an offset's metadata, whatever its numbers are.
fn fits(begin: i64, skipped: &[i64], renumbered: &[i64]) -> bool {
    let plan = OffsetPlan {
        end: i64::MAX,
        attempt: u32::MAX,
        planned_s: u32::MAX,
        single: false,
        hash: u64::MAX,
        skipped: ranges(begin, skipped.iter().copied()),
        renumbered: ranges(begin, renumbered.iter().copied()),
        read: u64::MAX,
    };
    let mark = Mark { last: u64::MAX, time_ms: i64::MAX };
    encode(Some(mark), Some(&plan)).len() <= METADATA_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::Table;

    #[test]
    fn a_block_takes_a_bounded_number_of_units_and_any_batch_by_itself() {
        let units = |days: std::ops::Range<i64>| -> Vec<Unit> {
            days.map(|day| Unit { table: Table::Logs, day }).collect()
        };
        let set = |days| units(days).into_iter().collect::<HashSet<_>>();
        for (has, more, wanted) in [
            (0..0, 0..100, true),
            (0..20, 20..24, true),
            (0..20, 19..25, false),
            (0..24, 3..20, true),
            (0..30, 3..4, true),
            (0..30, 30..31, false),
        ] {
            assert_eq!(has_room_for(&set(has.clone()), &units(more.clone()), 24), wanted, "{has:?} {more:?}");
        }
    }
}
