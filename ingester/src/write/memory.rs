//! What the writer remembers between blocks: the ledger, and the batches of which some units are stored and others
//! are not. Pure; the store and the intent files fill it at the start.

use std::collections::{BTreeSet, HashMap};

use lastwords_record::{BatchId, ShipperId};

use super::{
    ledger::Ledger,
    unit::{Table, Unit},
};

/// The writer's memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    ledger: Ledger,
    partly: HashMap<BatchId, BTreeSet<Unit>>,
}

impl Memory {
    /// Begins with what the ledger says.
    pub fn new(ledger: Ledger) -> Memory {
        Memory { ledger, partly: HashMap::new() }
    }

    /// Whether all of a batch is stored: it is acknowledged without being inserted.
    pub fn knows(&self, id: &BatchId) -> bool {
        self.ledger.contains(id)
    }

    /// The highest number of a shipper and epoch that is stored.
    pub fn highest(&self, shipper: ShipperId, epoch: u64) -> Option<u64> {
        self.ledger.highest(shipper, epoch)
    }

    /// What is stored.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Notes that a unit of a batch is stored, found by reading back or left behind by a block that was given up.
    /// The ledger's own unit makes the batch known.
    pub fn stored(&mut self, id: BatchId, unit: Unit) {
        if unit.table == Table::Batches {
            self.done(id);
        } else if !self.knows(&id) {
            self.partly.entry(id).or_default().insert(unit);
        }
    }

    /// Notes that all of a batch is stored.
    pub fn done(&mut self, id: BatchId) {
        self.partly.remove(&id);
        self.ledger.insert(id);
    }

    /// Whether only some of a batch is stored.
    pub fn is_partly_stored(&self, id: &BatchId) -> bool {
        self.partly.contains_key(id)
    }

    /// What is stored of those of these batches that are partly stored.
    pub fn partly_stored_among(
        &self,
        ids: impl Iterator<Item = BatchId>,
    ) -> HashMap<BatchId, BTreeSet<Unit>> {
        if self.partly.is_empty() {
            return HashMap::new();
        }
        ids.filter_map(|id| self.partly.get(&id).map(|units| (id, units.clone()))).collect()
    }

    /// Batches that are partly stored.
    pub fn partly_stored(&self) -> usize {
        self.partly.len()
    }
}
