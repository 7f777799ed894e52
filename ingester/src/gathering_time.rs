//! How long shippers are told to gather before they close a batch: few send at once, of thousands each sends seldom, since
//! a batch costs what it costs, whatever is in it. Pure.

use std::time::Duration;

/// Up to so many shippers.
const FEW: usize = 50;
/// What few are told, and the most that anybody is.
const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(2);

/// What shippers are told while there are so many of them.
#[must_use]
pub fn gathering_time(shippers: usize) -> Duration {
    let times = u32::try_from(shippers.div_ceil(FEW)).unwrap_or(u32::MAX).max(1);
    SHORT.saturating_mul(times).min(LONG)
}

/// What a shipper that was told `before` is to be told now: only what differs much.
#[must_use]
pub fn changed(before: Duration, shippers: usize) -> Option<Duration> {
    let now = gathering_time(shippers);
    (now >= before * 2 || now * 2 <= before).then_some(now)
}

/// As it is sent.
#[must_use]
pub fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_send_at_once_and_of_thousands_each_seldom() {
        for (shippers, wanted_ms) in
            [(0, 100), (1, 100), (50, 100), (51, 200), (500, 1_000), (1_000, 2_000), (100_000, 2_000)]
        {
            assert_eq!(milliseconds(gathering_time(shippers)), wanted_ms, "{shippers}");
        }
    }

    #[test]
    fn a_small_change_is_not_told() {
        let told = gathering_time(500);
        assert_eq!(changed(told, 600), None);
        assert_eq!(changed(told, 1_000), Some(LONG));
        assert_eq!(changed(told, 10), Some(SHORT));
    }
}
