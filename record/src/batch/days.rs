//! The days that a batch's rows fall on. Each is an insert of its own in the store.

const DAY_NS: i64 = 86_400_000_000_000;

/// Different days, UTC; a few. Times come in runs of one day: those cost two comparisons.
#[derive(Debug, Clone, Default)]
pub struct Days {
    days: Vec<i64>,
    /// The day of the time before: its first nanosecond, and the last one.
    run: Option<(i64, i64)>,
}

impl Days {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.days.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// Whether a time is of none of them.
    #[inline]
    pub fn lacks(&self, time_ns: i64) -> bool {
        match self.run {
            Some((first, last)) if first <= time_ns && time_ns <= last => false,
            _ => !self.days.contains(&time_ns.div_euclid(DAY_NS)),
        }
    }

    /// Takes a time's day in.
    #[inline]
    pub fn add(&mut self, time_ns: i64) {
        match self.run {
            Some((first, last)) if first <= time_ns && time_ns <= last => {}
            _ => self.begin(time_ns),
        }
    }

    fn begin(&mut self, time_ns: i64) {
        let day = time_ns.div_euclid(DAY_NS);
        if !self.days.contains(&day) {
            self.days.push(day);
        }
        // The first and the last day are cut off where the numbers end.
        let last = (day + 1).checked_mul(DAY_NS).map_or(i64::MAX, |next| next - 1);
        self.run = Some((day.saturating_mul(DAY_NS), last));
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.days.clear();
        self.run = None;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn days_are_counted_once_each(
            times in prop::collection::vec(
                prop_oneof![any::<i64>(), -3..3_i64, (-4..4_i64).prop_map(|day| day * DAY_NS - 1)],
                0..40,
            ),
        ) {
            let (mut days, mut set) = (Days::default(), HashSet::new());
            for time_ns in times {
                let day = time_ns.div_euclid(DAY_NS);
                prop_assert_eq!(days.lacks(time_ns), !set.contains(&day));
                days.add(time_ns);
                set.insert(day);
                prop_assert_eq!(days.len(), set.len());
            }
        }
    }

    #[test]
    fn the_first_and_the_last_nanosecond_have_days() {
        let mut days = Days::default();
        for time_ns in [i64::MIN, i64::MAX, i64::MIN, i64::MIN + 1, i64::MAX - 1] {
            days.add(time_ns);
        }
        assert_eq!(days.len(), 2);
    }
}
