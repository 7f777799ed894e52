//! Whose batch is next, and which block takes it: a shipper whose batches cost much waits for those whose cost little,
//! and never the other way round. Pure.
//!
//! - Shippers take turns. A turn is worth [`TURN_COST`]; what a batch costs is known when it has been opened, and is paid
//!   afterwards: whoever has overdrawn waits until the others have had as many turns (deficit round robin).
//! - A unit (a table's day) is an insert of its own, however small. Rows of yesterday, today and tomorrow share a few
//!   units and go into *live* blocks. Batches with any other day go into blocks of *history*, of a bounded number of
//!   units. Each kind has an inserter that takes it first ([`Lane`]).
//! - One shipper fills a block up to its limits; others may add a quarter, so that whoever comes late need not wait
//!   for the block after it.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use lastwords_record::{ShipperId, limits::BATCH_DAYS_MAX};

use super::unit::Unit;

/// What a turn is worth: bytes that rows become.
const TURN_COST: i64 = 1 << 20;
/// What a unit costs that a block has because of one batch alone: as many bytes as are inserted meanwhile.
const UNIT_COST: i64 = 4 << 20;

/// When gathered batches become a block: at the first limit, and after `settle` whenever the store is idle.
#[derive(Debug, Clone)]
pub struct BlockLimits {
    /// Rows of a block.
    pub rows_max: usize,
    /// Bytes that the rows of a block become, as they are counted for a batch.
    pub bytes_max: usize,
    /// Units of a block of other days than these, without the ledger.
    pub units_max: usize,
    /// How long a lone batch waits for company although the store is idle.
    pub settle: Duration,
    /// How long it waits at most while small blocks follow one another.
    pub settle_max: Duration,
}

impl Default for BlockLimits {
    fn default() -> Self {
        // Also bounds the rate of inserts: the store remembers 10,000 tokens a table, which has to outlast an attempt.
        BlockLimits {
            rows_max: 300_000,
            // So many rows of 187 bytes of text with a path.
            bytes_max: 128 << 20,
            // The most that one batch may have: its days, and those of the events in its records.
            units_max: 2 * BATCH_DAYS_MAX,
            settle: Duration::from_millis(50),
            settle_max: Duration::from_secs(1),
        }
    }
}

/// Which inserter a block is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Rows of these days: the first inserter takes them before anything else.
    Live,
    /// Rows of other days: the second inserter takes them before anything else, the first one where they are few units.
    History,
}

impl Lane {
    /// The lane of a batch with these units, `today` being a day since 1970.
    pub fn choose(units: &[Unit], today: i64) -> Lane {
        let is_live = |unit: &Unit| unit.table.time_column().is_none() || (unit.day - today).abs() <= 1;
        if units.iter().all(is_live) { Lane::Live } else { Lane::History }
    }
}

/// What a batch takes of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    /// Where it goes.
    pub lane: Lane,
    /// Its rows.
    pub rows: usize,
    /// Bytes that they become.
    pub bytes: usize,
    /// Its units, without the ledger's.
    pub units: Vec<Unit>,
}

/// A block that is gathered: what has been taken so far.
#[derive(Debug, Default)]
pub struct Filling {
    rows: usize,
    bytes: usize,
    units: BTreeSet<Unit>,
    /// Rows and bytes of each shipper.
    shares: HashMap<ShipperId, (usize, usize)>,
}

impl Filling {
    /// Whether nothing was taken yet.
    pub fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// Units, without the ledger's.
    pub fn units(&self) -> usize {
        self.units.len()
    }

    /// Rows and bytes that were taken.
    pub fn amount(&self) -> (usize, usize) {
        (self.rows, self.bytes)
    }

    /// Whether the block is worth its insert now.
    pub fn is_full(&self, limits: &BlockLimits) -> bool {
        self.rows >= limits.rows_max || self.bytes >= limits.bytes_max || self.units.len() >= limits.units_max
    }

    /// Whether there is room for anything of a shipper.
    pub fn has_room_for(&self, shipper: &ShipperId, limits: &BlockLimits) -> bool {
        let (rows, bytes) = self.shares.get(shipper).copied().unwrap_or_default();
        let more = |max: usize| max.saturating_add(max / 4);
        rows < limits.rows_max
            && bytes < limits.bytes_max
            && self.rows < more(limits.rows_max)
            && self.bytes < more(limits.bytes_max)
    }

    /// Whether a batch fits. Into an empty block every one does.
    pub fn fits(&self, shipper: &ShipperId, weight: &Weight, limits: &BlockLimits) -> bool {
        let is_small = match weight.lane {
            // Live blocks have three days of each table at most.
            Lane::Live => true,
            Lane::History => self.units.len() + self.new_units(weight) <= limits.units_max,
        };
        self.is_empty() || (self.has_room_for(shipper, limits) && is_small)
    }

    fn new_units(&self, weight: &Weight) -> usize {
        weight.units.iter().filter(|unit| !self.units.contains(unit)).count()
    }

    /// Takes a batch; what it costs.
    pub fn add(&mut self, shipper: ShipperId, weight: &Weight) -> i64 {
        let units = i64::try_from(self.new_units(weight)).unwrap_or(i64::MAX);
        self.rows += weight.rows;
        self.bytes += weight.bytes;
        self.units.extend(weight.units.iter().copied());
        let share = self.shares.entry(shipper).or_default();
        *share = (share.0 + weight.rows, share.1 + weight.bytes);
        let units = if weight.lane == Lane::History { units } else { 0 };
        i64::try_from(weight.bytes).unwrap_or(i64::MAX).saturating_add(units.saturating_mul(UNIT_COST))
    }
}

/// What waits, by shipper.
#[derive(Debug)]
pub struct Turns<T> {
    waiting: HashMap<ShipperId, Queue<T>>,
    /// Shippers with something waiting; the first is the one whose turn it is.
    order: VecDeque<ShipperId>,
}

#[derive(Debug)]
struct Queue<T> {
    items: VecDeque<T>,
    credit: i64,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Turns { waiting: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Turns<T> {
    /// Puts something behind whatever the shipper has waiting.
    pub fn push(&mut self, shipper: ShipperId, item: T) {
        self.queue(shipper).items.push_back(item);
    }

    /// Gives something back that does not fit now: it stays the shipper's first.
    pub fn put_back(&mut self, shipper: ShipperId, item: T) {
        self.queue(shipper).items.push_front(item);
    }

    fn queue(&mut self, shipper: ShipperId) -> &mut Queue<T> {
        let order = &mut self.order;
        self.waiting.entry(shipper).or_insert_with(|| {
            order.push_back(shipper);
            Queue { items: VecDeque::new(), credit: TURN_COST }
        })
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The next one of those that may be taken now, by their first item.
    pub fn next(&mut self, mut may: impl FnMut(&ShipperId, &T) -> bool) -> Option<(ShipperId, T)> {
        loop {
            let mut could = false;
            for _ in 0..self.order.len() {
                let shipper = *self.order.front()?;
                let queue = self.waiting.get_mut(&shipper)?;
                if queue.items.front().is_some_and(|item| may(&shipper, item)) {
                    could = true;
                    if queue.credit > 0 {
                        return queue.items.pop_front().map(|item| (shipper, item));
                    }
                }
                self.order.rotate_left(1);
            }
            if !could {
                return None;
            }
            self.begin_round(&mut may);
        }
    }

    /// Everybody who waits gets turns, as many as the first of those who may needs to have one.
    fn begin_round(&mut self, may: &mut impl FnMut(&ShipperId, &T) -> bool) {
        let able = self
            .waiting
            .iter()
            .filter(|(shipper, queue)| queue.items.front().is_some_and(|item| may(shipper, item)));
        let least = able.map(|(_, queue)| queue.credit.saturating_neg() / TURN_COST + 1).min().unwrap_or(1);
        for queue in self.waiting.values_mut() {
            let more = TURN_COST.saturating_mul(least);
            queue.credit = queue.credit.saturating_add(more).min(TURN_COST);
        }
    }

    /// A shipper pays for what it was given. Who has nothing waiting any more is forgotten.
    pub fn pay(&mut self, shipper: &ShipperId, cost: i64) {
        let Some(queue) = self.waiting.get_mut(shipper) else { return };
        queue.credit = queue.credit.saturating_sub(cost);
        let is_done = queue.items.is_empty();
        if is_done {
            self.waiting.remove(shipper);
            self.order.retain(|one| one != shipper);
        } else if queue.credit <= 0 && self.order.front() == Some(shipper) {
            self.order.rotate_left(1);
        }
    }
}

#[cfg(test)]
mod tests;
