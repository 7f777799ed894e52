//! When an engine that ended is started again.

use std::time::Duration;

/// An engine that has served for so long was well: its end is the first of a row.
const WELL_AFTER: Duration = Duration::from_secs(1);
/// The pause before the second start in a row; the first waits for nothing.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause. Questions wait for it, so it stays below what people take for a hang.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How often the engine has ended in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    in_a_row: u32,
}

impl Backoff {
    /// Notes an end. `served` is how long the engine took statements before it; none: it never came so far. `chance`
    /// is a number from 0 up to 1 that no other machine has at the moment.
    pub(super) fn ended(&mut self, served: Option<Duration>, chance: f64) -> Duration {
        if served.is_some_and(|served| served >= WELL_AFTER) {
            self.in_a_row = 0;
        }
        let pause = match self.in_a_row {
            0 => Duration::ZERO,
            repeated => PAUSE_MIN
                .saturating_mul(1_u32.checked_shl(repeated - 1).unwrap_or(u32::MAX))
                .min(PAUSE_MAX)
                .mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0),
        };
        self.in_a_row = self.in_a_row.saturating_add(1);
        pause
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
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..9).map(|_| backoff.ended(None, 1.0).as_millis()).collect();
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(backoff.in_a_row(), 9);
    }

    #[test]
    fn an_engine_that_was_well_is_started_again_at_once() {
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.ended(Some(Duration::from_millis(20)), 0.0);
        }
        assert_eq!(backoff.ended(Some(Duration::from_secs(1)), 1.0), Duration::ZERO);
        assert_eq!(backoff.in_a_row(), 1);
    }

    #[test]
    fn pauses_are_scattered_below_their_bound_and_never_overflow() {
        let mut backoff = Backoff { in_a_row: u32::MAX };
        assert_eq!(backoff.ended(None, 0.0), Duration::from_millis(2500));
        assert_eq!(backoff.ended(None, 7.0), Duration::from_secs(5));
    }
}
