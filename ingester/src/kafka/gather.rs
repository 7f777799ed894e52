//! Gathers a partition's next block.

use std::{collections::HashSet, time::Duration};

use lastwords_record::ShipperId;
use lastwords_runtime::Backoff;
use tokio::time::Instant;

use super::{
    machine::Outcome,
    offset_plan::{METADATA_BYTES_MAX, OffsetPlan, ranges},
    read::Interrupted,
    writer::{Block, Writer},
};
use crate::write::{PAUSES, Unit, count_stored, planning_time_s};

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
        let mut block = Block { begin: from, end: from, ..Block::default() };
        let (mut seen, mut skipped, mut units) = (HashSet::new(), Vec::new(), HashSet::new());
        let mut settled: Option<Instant> = None;
        let idle = Instant::now() + IDLE;
        loop {
            if block.rows >= limits.rows_max || block.bytes >= limits.bytes_max {
                break;
            }
            let until = match settled {
                Some(settled) => settled,
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
            let Some(read) = read else { break };
            let id = read.id();
            self.meet(id.shipper).await;
            let known = self.ledger.contains(&id) || !seen.insert(id);
            let mut skips = skipped.clone();
            if known {
                skips.push(read.offset);
            }
            let is_wide = !known && !has_room_for(&units, read.prepared.units(), limits.units_max);
            if is_wide || !fits(from, &skips) {
                self.put_back(read);
                break;
            }
            self.shared.states.read(self.lease.partition, read.time_ms);
            skipped = skips;
            block.end = read.offset + 1;
            if known {
                self.shared.counters.known_batches.inc();
            } else {
                units.extend(read.prepared.units().iter().copied());
                block.rows += read.prepared.rows();
                block.bytes += read.prepared.bytes();
                block.batches.push(read.prepared);
            }
            settled.get_or_insert_with(|| {
                let earliest = self.last.map_or_else(Instant::now, |last| last + BLOCK_MIN);
                (Instant::now() + limits.settle).max(earliest)
            });
        }
        if block.end == from {
            return Ok(Outcome::Nothing);
        }
        self.last = Some(Instant::now());
        if block.batches.is_empty() {
            return Ok(Outcome::Known(block.end));
        }
        let plan = OffsetPlan {
            end: block.end,
            attempt: 0,
            planned_s: planning_time_s(&self.shared.store).await,
            single: false,
            hash: block.hash(),
            skipped: ranges(from, skipped.into_iter()),
        };
        block.plan = Some(plan.clone());
        self.block = block;
        Ok(Outcome::Gathered(plan))
    }

    /// Reads what is stored of a shipper, the first time that it is met.
    async fn meet(&mut self, shipper: ShipperId) {
        if !self.shippers.insert(shipper) {
            return;
        }
        let mut backoff = Backoff::new(PAUSES);
        loop {
            match self.ledger.load_shipper(&self.shared.store, &shipper).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, "the store does not say which batches it holds; asking again")
                }
            }
            backoff.wait().await;
        }
    }

    /// A finished block is known from now on.
    fn account(&mut self, done: &Block) {
        count_stored(&self.shared.counters, &done.batches);
        for batch in &done.batches {
            self.ledger.insert(batch.id());
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
fn fits(begin: i64, skipped: &[i64]) -> bool {
    let plan = OffsetPlan {
        end: i64::MAX,
        attempt: u32::MAX,
        planned_s: u32::MAX,
        single: false,
        hash: u64::MAX,
        skipped: ranges(begin, skipped.iter().copied()),
    };
    plan.encode().len() <= METADATA_BYTES_MAX
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
