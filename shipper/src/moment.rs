//! Now, by two clocks.

use lastwords_runtime::now_ns;
use rustix::time::{ClockId, clock_gettime};

/// A moment: what the wall's clock says, and a clock that nobody sets. What is written down for people has the first;
/// whatever waits for a time to pass goes by the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// UTC nanoseconds.
    pub wall_ns: i64,
    /// Nanoseconds since the machine started.
    pub steady_ns: i64,
}

impl Moment {
    /// This moment.
    pub fn now() -> Moment {
        let steady = clock_gettime(ClockId::Monotonic);
        Moment {
            wall_ns: now_ns(),
            steady_ns: steady.tv_sec.saturating_mul(1_000_000_000).saturating_add(steady.tv_nsec),
        }
    }
}

/// A duration in nanoseconds, at most what an `i64` has room for.
pub fn nanoseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
