//! When an engine that ended is started again.

use std::time::Duration;

use lastwords_runtime::{Backoff, Pauses};

/// An engine that has served for so long was well: its end is the first of a row.
const WELL_AFTER: Duration = Duration::from_secs(1);
/// The pauses from the second start in a row on; the first waits for nothing. Questions wait for it, so the longest
/// stays below what people take for a hang.
const PAUSES: Pauses = Pauses::between(Duration::from_millis(100), Duration::from_secs(5));

/// How often the engine has ended in a row.
#[derive(Debug)]
pub(super) struct Restarts {
    in_a_row: u32,
    backoff: Backoff,
}

impl Default for Restarts {
    fn default() -> Self {
        Restarts { in_a_row: 0, backoff: Backoff::new(PAUSES) }
    }
}

impl Restarts {
    /// Notes an end, and gives the pause before the next start. `served` is how long the engine took statements before
    /// it; none: it never came so far.
    pub(super) fn ended(&mut self, served: Option<Duration>) -> Duration {
        if served.is_some_and(|served| served >= WELL_AFTER) {
            *self = Restarts::default();
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row == 1 { Duration::ZERO } else { self.backoff.pause() }
    }

    /// Ends since the engine was well.
    pub(super) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_waits_for_nothing_and_those_in_a_row_for_longer_and_longer() {
        let mut restarts = Restarts::default();
        assert_eq!(restarts.ended(None), Duration::ZERO);
        for bound_ms in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let pause = restarts.ended(None).as_millis();
            assert!((bound_ms / 2..=bound_ms).contains(&pause), "{pause} of {bound_ms}");
        }
        assert_eq!(restarts.in_a_row(), 9);
    }

    #[test]
    fn an_engine_that_was_well_is_started_again_at_once() {
        let mut restarts = Restarts::default();
        for _ in 0..5 {
            restarts.ended(Some(Duration::from_millis(20)));
        }
        assert_eq!(restarts.ended(Some(WELL_AFTER)), Duration::ZERO);
        assert_eq!(restarts.in_a_row(), 1);
        assert!(restarts.ended(None) <= Duration::from_millis(100));
    }
}
