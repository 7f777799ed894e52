//! The offset between this machine's clock and the ingester's: four timestamps, as NTP takes them, filtered for the
//! smallest round trip, because that one had the least room for asymmetry.

use std::collections::VecDeque;

use lastwords_record::Clock;

/// Probes that are compared.
const PROBES: usize = 16;

/// The latest probes of one stream.
#[derive(Debug, Default)]
pub struct ClockFilter {
    probes: VecDeque<Probe>,
}

#[derive(Debug, Clone, Copy)]
struct Probe {
    offset_ns: i64,
    round_trip_ns: u64,
}

impl ClockFilter {
    /// Takes a probe: sent here, received there, answered there, received here, all UTC nanoseconds. Gives what is
    /// known now. A probe that would have been answered before it was asked is left out.
    pub fn probe(&mut self, sent: i64, received_there: i64, sent_there: i64, received: i64) -> Option<Clock> {
        let round_trip = received.checked_sub(sent)?.checked_sub(sent_there.checked_sub(received_there)?)?;
        let round_trip_ns = u64::try_from(round_trip).ok()?;
        let sum =
            i128::from(received_there) - i128::from(sent) + i128::from(sent_there) - i128::from(received);
        let offset_ns = i64::try_from(sum / 2).ok()?;
        if self.probes.len() == PROBES {
            self.probes.pop_front();
        }
        self.probes.push_back(Probe { offset_ns, round_trip_ns });
        let best = self.probes.iter().min_by_key(|probe| probe.round_trip_ns)?;
        Some(Clock { offset_ns: Some(best.offset_ns), uncertainty_ns: best.round_trip_ns.div_ceil(2) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_with_the_smallest_round_trip_counts() {
        let mut filter = ClockFilter::default();
        // The other clock is 1,000 ahead; the way back of the first probe was slow.
        let slow = filter.probe(0, 1_010, 1_020, 500);
        assert_eq!(slow, Some(Clock { offset_ns: Some(765), uncertainty_ns: 245 }));
        let fast = filter.probe(1_000, 2_010, 2_020, 1_030);
        assert_eq!(fast, Some(Clock { offset_ns: Some(1_000), uncertainty_ns: 10 }));
        assert_eq!(filter.probe(2_000, 3_100, 3_100, 2_900), fast);
        assert_eq!(filter.probe(5_000, 9_000, 9_999, 4_000), None, "answered before it was asked");
    }

    #[test]
    fn an_old_probe_is_forgotten() {
        let mut filter = ClockFilter::default();
        filter.probe(0, 0, 0, 2);
        let mut last = None;
        for _ in 0..PROBES {
            last = filter.probe(0, 150, 150, 100);
        }
        assert_eq!(last, Some(Clock { offset_ns: Some(100), uncertainty_ns: 50 }));
    }
}
