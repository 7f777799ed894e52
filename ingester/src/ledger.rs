//! Which batches are stored: a set of numbers per shipper and epoch, kept as ranges. A set and not a maximum: a
//! rejected batch leaves a gap, and batches may come out of order.

use std::collections::{BTreeMap, HashMap};

use lastwords_record::{BatchId, ShipperId};

/// Numbers as disjoint ranges that don't touch: first → last, both inclusive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers(BTreeMap<u64, u64>);

impl Numbers {
    /// Whether a number is in the set.
    pub fn contains(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, last)| number <= *last)
    }

    /// Adds every number from `first` to `last`.
    pub fn insert(&mut self, first: u64, last: u64) {
        let (mut first, mut last) = (first, last.max(first));
        // Everything that overlaps or touches becomes one range.
        while let Some((start, end)) = self.0.range(..=last.saturating_add(1)).next_back().map(|(s, e)| (*s, *e)) {
            if end.saturating_add(1) < first {
                break;
            }
            self.0.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.0.insert(first, last);
    }

    /// Number of ranges.
    pub fn ranges(&self) -> usize {
        self.0.len()
    }
}

/// The sets of all shippers.
#[derive(Debug, Clone, Default)]
pub struct Ledger(HashMap<(ShipperId, u64), Numbers>);

impl Ledger {
    /// Whether a batch is stored.
    pub fn contains(&self, id: BatchId) -> bool {
        self.0.get(&(id.shipper, id.epoch)).is_some_and(|numbers| numbers.contains(id.sequence))
    }

    /// Notes that a batch is stored.
    pub fn insert(&mut self, id: BatchId) {
        self.insert_range(id.shipper, id.epoch, id.sequence, id.sequence);
    }

    /// Notes that a run of batches is stored.
    pub fn insert_range(&mut self, shipper: ShipperId, epoch: u64, first: u64, last: u64) {
        self.0.entry((shipper, epoch)).or_default().insert(first, last);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_hold_what_a_set_holds(inserts in prop::collection::vec((0..60_u64, 0..6_u64), 0..40)) {
            let mut numbers = Numbers::default();
            let mut set = BTreeSet::new();
            for (first, more) in inserts {
                numbers.insert(first, first + more);
                set.extend(first..=first + more);
            }
            for number in 0..70 {
                prop_assert_eq!(numbers.contains(number), set.contains(&number), "{}", number);
            }
            let runs = set.iter().filter(|number| **number == 0 || !set.contains(&(**number - 1))).count();
            prop_assert_eq!(numbers.ranges(), runs);
        }
    }

    #[test]
    fn the_ends_of_the_numbers_are_no_danger() {
        let mut numbers = Numbers::default();
        numbers.insert(u64::MAX, u64::MAX);
        numbers.insert(0, 0);
        numbers.insert(1, u64::MAX - 1);
        assert_eq!(numbers.ranges(), 1);
    }
}
