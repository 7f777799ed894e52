//! Which batches are stored: a set of numbers for each shipper and epoch, kept as ranges. A set and not a maximum,
//! since a rejected batch leaves a gap that must not hide its neighbours.

use std::collections::{BTreeMap, HashMap, HashSet};

use lastwords_record::{BatchId, ShipperId};
use lastwords_store::{StoredLedger, StoredRange};

/// The set of stored batches. A shipper whose numbers have no gaps takes one range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// First number of a range → its last, by shipper and epoch. Ranges neither touch nor overlap.
    known: HashMap<(ShipperId, u64), BTreeMap<u64, u64>>,
    shippers: HashSet<ShipperId>,
}

impl Ledger {
    /// Whether a batch is stored.
    pub fn contains(&self, id: &BatchId) -> bool {
        let ranges = self.known.get(&(id.shipper, id.epoch));
        let below = ranges.and_then(|ranges| ranges.range(..=id.sequence).next_back());
        below.is_some_and(|(_, last)| id.sequence <= *last)
    }

    /// The highest number of a shipper and epoch that is stored.
    pub fn highest(&self, shipper: ShipperId, epoch: u64) -> Option<u64> {
        self.known.get(&(shipper, epoch))?.last_key_value().map(|(_, last)| *last)
    }

    /// Whether anything of a shipper is stored.
    pub fn has(&self, shipper: &ShipperId) -> bool {
        self.shippers.contains(shipper)
    }

    /// Adds a batch.
    pub fn insert(&mut self, id: BatchId) {
        self.insert_range(id.shipper, id.epoch, id.sequence, id.sequence);
    }

    /// Adds the numbers from `first` to `last`.
    pub fn insert_range(&mut self, shipper: ShipperId, epoch: u64, first: u64, last: u64) {
        self.shippers.insert(shipper);
        let ranges = self.known.entry((shipper, epoch)).or_default();
        let (mut first, mut last) = (first, last);
        // Every range that overlaps the new one or touches it is swallowed; the one that begins last comes first.
        while let Some((&start, &end)) = ranges.range(..=last.saturating_add(1)).next_back() {
            if end.saturating_add(1) < first {
                break;
            }
            ranges.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        ranges.insert(first, last);
    }

    /// Takes in what the store holds of the shippers that are wanted.
    pub fn of(stored: &StoredLedger, wanted: impl Fn(&ShipperId) -> bool) -> Ledger {
        let mut ledger = Ledger::default();
        for StoredRange { shipper, epoch, first, last } in &stored.ranges {
            if wanted(shipper) {
                ledger.insert_range(*shipper, *epoch, *first, *last);
            }
        }
        ledger
    }
}

/// A shipper's identity from its 32 hexadecimal digits.
pub(super) fn shipper_from_hex(text: &str) -> Option<ShipperId> {
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(|number| ShipperId(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges(ledger: &Ledger) -> usize {
        ledger.known.values().map(BTreeMap::len).sum()
    }

    fn id(sequence: u64) -> BatchId {
        BatchId { shipper: ShipperId([7; 16]), epoch: 1, sequence }
    }

    proptest! {
        #[test]
        fn the_ranges_are_the_set(numbers in prop::collection::vec((1u64..60, 0u64..5), 0..80)) {
            let (mut ledger, mut set) = (Ledger::default(), HashSet::new());
            for (first, more) in numbers {
                ledger.insert_range(ShipperId([7; 16]), 1, first, first + more);
                set.extend(first..=first + more);
            }
            for number in 0..70 {
                prop_assert_eq!(ledger.contains(&id(number)), set.contains(&number), "{}", number);
            }
            let runs = (1..70).filter(|n| set.contains(n) && !set.contains(&(n - 1))).count();
            prop_assert_eq!(ranges(&ledger), runs);
        }
    }

    #[test]
    fn other_epochs_and_shippers_are_other_batches() {
        let mut ledger = Ledger::default();
        ledger.insert(id(5));
        assert!(!ledger.contains(&BatchId { epoch: 2, ..id(5) }));
        assert!(!ledger.contains(&BatchId { shipper: ShipperId([8; 16]), ..id(5) }));
        ledger.insert(id(9));
        let highest = |epoch| ledger.highest(ShipperId([7; 16]), epoch);
        assert_eq!((highest(1), highest(2)), (Some(9), None));
    }

    #[test]
    fn the_ends_of_the_numbers_do_not_overflow() {
        let mut ledger = Ledger::default();
        ledger.insert(id(u64::MAX));
        ledger.insert(id(u64::MAX - 1));
        assert_eq!((ledger.contains(&id(u64::MAX)), ranges(&ledger)), (true, 1));
    }

    #[test]
    fn hexadecimal_digits_are_read_back() {
        let shipper = ShipperId::of("hv01", "m");
        assert_eq!(shipper_from_hex(&shipper.to_string()), Some(shipper));
        assert_eq!(shipper_from_hex("zz"), None);
    }
}
