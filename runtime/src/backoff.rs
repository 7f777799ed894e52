//! How long to wait before the next try.

use std::time::Duration;

use rand::Rng as _;

/// The bounds of pauses between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    first: Duration,
    longest: Duration,
}

impl Pauses {
    /// What most need: from a tenth of a second to 15 seconds.
    pub const DEFAULT: Pauses = Pauses::between(Duration::from_millis(100), Duration::from_secs(15));

    /// The first pause, and the longest. In a `const` wrong bounds do not compile.
    ///
    /// # Panics
    /// Where the first is nothing, which would spin, or above the longest.
    #[must_use]
    pub const fn between(first: Duration, longest: Duration) -> Pauses {
        assert!(!first.is_zero(), "the first pause has to be more than nothing");
        assert!(first.as_nanos() <= longest.as_nanos(), "the first pause is above the longest");
        Pauses { first, longest }
    }
}

/// Exponential backoff with jitter, so that a thousand that failed together do not come back in the same moment.
#[derive(Debug, Clone)]
pub struct Backoff {
    pauses: Pauses,
    failures: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff::new(Pauses::DEFAULT)
    }
}

impl Backoff {
    /// Before the first failure.
    #[must_use]
    pub const fn new(pauses: Pauses) -> Backoff {
        Backoff { pauses, failures: 0 }
    }

    /// Notes a failure and gives the pause before the next try: between a half and the whole of a bound that doubles
    /// with every failure.
    pub fn pause(&mut self) -> Duration {
        self.pause_by(rand::rng().random_range(0.0..=1.0))
    }

    /// The same with a number from 0 to 1 that no other machine has at the moment. Pure.
    pub fn pause_by(&mut self, chance: f64) -> Duration {
        let doubled = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let bound = self.pauses.first.saturating_mul(doubled).min(self.pauses.longest);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }

    /// Notes a failure and waits.
    pub async fn wait(&mut self) {
        let pause = self.pause();
        tokio::time::sleep(pause).await;
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// It worked: begin anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSES: Pauses = Pauses::between(Duration::from_millis(100), Duration::from_secs(5));

    #[test]
    fn bounds_double_up_to_the_longest_and_begin_anew_after_success() {
        let mut backoff = Backoff::new(PAUSES);
        let pauses: Vec<u128> = (0..8).map(|_| backoff.pause_by(1.0).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(backoff.failures(), 8);
        backoff.reset();
        assert_eq!((backoff.failures(), backoff.pause_by(1.0)), (0, Duration::from_millis(100)));
    }

    #[test]
    fn pauses_are_scattered_over_the_upper_half_of_their_bound() {
        let mut backoff = Backoff { failures: 40, ..Backoff::new(PAUSES) };
        for (chance, wanted_ms) in [(0.0, 2500), (0.5, 3750), (1.0, 5000), (7.0, 5000), (-1.0, 2500)] {
            assert_eq!(backoff.pause_by(chance), Duration::from_millis(wanted_ms), "{chance}");
        }
        let mut drawn: Vec<Duration> = (0..20).map(|_| backoff.pause()).collect();
        assert!(drawn.iter().all(|pause| (2500..=5000).contains(&pause.as_millis())), "{drawn:?}");
        drawn.dedup();
        assert!(drawn.len() > 1, "all alike: {drawn:?}");
    }

    #[test]
    fn any_number_of_failures_stays_within_the_bounds() {
        let mut backoff = Backoff { failures: u32::MAX, ..Backoff::new(PAUSES) };
        assert_eq!(backoff.pause_by(1.0), Duration::from_secs(5));
        assert_eq!(backoff.failures(), u32::MAX);
    }

    #[test]
    #[should_panic(expected = "above the longest")]
    fn bounds_the_wrong_way_round_are_refused() {
        let _ = Pauses::between(Duration::from_secs(2), Duration::from_secs(1));
    }

    #[test]
    #[should_panic(expected = "more than nothing")]
    fn a_pause_of_nothing_is_refused() {
        let _ = Pauses::between(Duration::ZERO, Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_takes_the_pause() {
        let (mut backoff, since) = (Backoff::new(PAUSES), tokio::time::Instant::now());
        backoff.wait().await;
        let waited = since.elapsed();
        assert!(
            waited >= PAUSES.first / 2 && waited <= PAUSES.first + Duration::from_millis(1),
            "{waited:?}"
        );
    }
}
