//! How long the first batch of a block waits for company although the store is idle. A block costs as much as a
//! hundred batches, whatever is in it: where blocks stay small and follow one another, they come less often. A lone
//! line is not held up, and neither is whoever sends the next batch once the last one is stored. Pure.

use std::time::{Duration, Instant};

use super::turns::BlockLimits;

/// A block of so many rows, or of so many bytes, is worth its insert.
const ROWS_WORTH: usize = 10_000;
const BYTES_WORTH: usize = 4 << 20;
/// Longer waits want company: where a single batch came all the same, waiting is of no use.
const LONELY: Duration = Duration::from_millis(200);

/// What is known of the blocks so far.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    settle: Duration,
    settle_max: Duration,
    wait: Duration,
    last: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(limits: &BlockLimits) -> Pace {
        Pace { settle: limits.settle, settle_max: limits.settle_max, wait: limits.settle, last: None }
    }

    /// How long the first batch of the next block waits, where that begins now.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let is_alone = self.last.is_none_or(|last| now.saturating_duration_since(last) >= self.settle_max);
        if is_alone { self.settle } else { self.wait }
    }

    /// How long it waits where that much is in the block already.
    pub(crate) fn wait_with(&self, wait: Duration, rows: usize, bytes: usize) -> Duration {
        if is_worth(rows, bytes) { wait.min(self.settle) } else { wait }
    }

    /// A block has left whose first batch was to wait so long.
    pub(crate) fn left(&mut self, now: Instant, waited: Duration, batches: usize, rows: usize, bytes: usize) {
        self.wait = if is_worth(rows, bytes) || (batches < 2 && waited >= LONELY) {
            self.settle
        } else {
            (waited * 2).min(self.settle_max).max(self.settle)
        };
        self.last = Some(now);
    }
}

fn is_worth(rows: usize, bytes: usize) -> bool {
    rows >= ROWS_WORTH || bytes >= BYTES_WORTH
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Sends batches at these moments, milliseconds, of which each has so many rows; how many blocks leave, and how long
    /// the last of them has waited.
    fn blocks(moments: impl Iterator<Item = u64>, rows: usize) -> (u32, Duration) {
        let mut pace = Pace::new(&BlockLimits::default());
        let begin = Instant::now();
        let (mut blocks, mut open): (u32, Option<(Instant, Duration, usize)>) = (0, None);
        let mut waited = Duration::ZERO;
        for moment in moments {
            let now = begin + MS * u32::try_from(moment).unwrap();
            if let Some((since, wait, batches)) = open
                && now >= since + pace.wait_with(wait, batches * rows, 0)
            {
                pace.left(since + wait, wait, batches, batches * rows, 0);
                (blocks, open, waited) = (blocks + 1, None, wait);
            }
            let (since, wait, batches) = open.unwrap_or((now, pace.wait(now), 0));
            open = Some((since, wait, batches + 1));
        }
        (blocks, waited)
    }

    #[test]
    fn a_lone_line_waits_for_a_moment_only() {
        let (lines, waited) = blocks((0..20).map(|second| second * 1_500), 1);
        assert_eq!((lines, waited), (19, 50 * MS));
    }

    #[test]
    fn small_blocks_that_follow_one_another_become_few() {
        // Ten hosts, a line a second each, for a minute.
        let (found, waited) = blocks((0..600).map(|number| number * 100), 1);
        assert!(found <= 66, "{found} blocks");
        assert_eq!(waited, 1_000 * MS);
        // A thousand batches a second.
        let (found, _) = blocks(0..60_000, 3);
        assert!(found <= 66, "{found} blocks");
    }

    #[test]
    fn what_is_worth_an_insert_does_not_wait() {
        let (found, _) = blocks((0..600).map(|number| number * 10), 5_000);
        // 6 s of 500,000 rows a second.
        assert!(found >= 70, "{found} blocks");
    }

    #[test]
    fn waiting_that_brings_no_company_ends() {
        // Whoever sends the next batch once the last one is stored: each of them is a block.
        let mut pace = Pace::new(&BlockLimits::default());
        let (mut now, begin) = (Instant::now(), Instant::now());
        for _ in 0..100 {
            let wait = pace.wait(now);
            assert!(wait <= 200 * MS, "{wait:?}");
            now += wait;
            pace.left(now, wait, 1, 10, 1_000);
            now += 20 * MS;
        }
        assert!(now - begin < Duration::from_secs(15), "{:?}", now - begin);
    }
}
