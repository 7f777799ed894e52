//! When a network interface is saturated, from its counters: thresholds with hysteresis. Pure.
//!
//! An interval between two readings is *hot* when its utilisation is at least `begin_utilisation` or at least
//! `drops_per_second` packets were dropped, and *calm* when it is below `end_utilisation` and drops fewer. What
//! lies between keeps the state that it found. Hot intervals that last `begin_after` begin an event, at the first
//! of them; calm ones that last `end_after` end it, where the last interval that was not calm ended. One reading
//! a minute is judged by the same rules as one a second: what counts is how long, not how many.

/// The limits of one interface's direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Share of the speed from which an interval is hot.
    pub begin_utilisation: f64,
    /// Share of the speed below which it is calm again.
    pub end_utilisation: f64,
    /// Dropped packets a second from which an interval is hot whatever its utilisation.
    pub drops_per_second: f64,
    /// How long it must be hot before the event begins, in nanoseconds.
    pub begin_after_ns: i64,
    /// How long it must be calm before the event ends, in nanoseconds.
    pub end_after_ns: i64,
    /// Readings further apart than this are no interval: the event ends at the earlier one. In nanoseconds.
    pub gap_ns_max: i64,
}

impl Default for Thresholds {
    fn default() -> Self {
        const SECOND: i64 = 1_000_000_000;
        Thresholds {
            begin_utilisation: 0.80,
            end_utilisation: 0.70,
            drops_per_second: 10.0,
            begin_after_ns: 3 * SECOND,
            end_after_ns: 5 * SECOND,
            gap_ns_max: 300 * SECOND,
        }
    }
}

/// One look at an interface's counters in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// UTC nanoseconds.
    pub time_ns: i64,
    /// Bytes since the interface came up.
    pub bytes_total: u64,
    /// Packets dropped since the interface came up.
    pub drops_total: u64,
    /// What the direction can carry, in bits per second; none where nobody knows: then only drops count.
    pub speed_bits_per_second: Option<u64>,
}

/// What happened between two readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The earlier reading, UTC nanoseconds.
    pub start_ns: i64,
    /// The later reading, UTC nanoseconds.
    pub end_ns: i64,
    /// Bytes per second.
    pub bytes_per_second: f64,
    /// Share of the speed, where that is known.
    pub utilisation: Option<f64>,
    /// Packets dropped.
    pub drops: u64,
}

/// A saturation, open or ended.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Saturation {
    /// Start of the first hot interval, UTC nanoseconds.
    pub start_ns: i64,
    /// End of the last interval that was not calm; none while it lasts.
    pub end_ns: Option<i64>,
    /// Highest utilisation of an interval; none where the speed is unknown.
    pub peak_utilisation: Option<f64>,
    /// Packets dropped so far.
    pub drops: u64,
    /// The speed at the latest reading, bits per second.
    pub speed_bits_per_second: Option<u64>,
}

/// Watches one direction of one interface.
#[derive(Debug, Clone)]
pub struct Watch {
    thresholds: Thresholds,
    last: Option<Reading>,
    /// A saturation that may not have lasted long enough yet to be told.
    current: Option<Saturation>,
    told: bool,
    /// End of the last interval that was not calm.
    busy_until_ns: i64,
}

impl Watch {
    /// A watch that has seen nothing.
    pub fn new(thresholds: Thresholds) -> Self {
        Watch { thresholds, last: None, current: None, told: false, busy_until_ns: 0 }
    }

    /// Takes the next reading. Gives the interval since the one before (none for the first, after a gap, when
    /// a counter was reset or time stood still) and what is to be told: at the begin and at the end of a
    /// saturation, the same `start_ns` both times.
    pub fn read(&mut self, reading: Reading) -> (Option<Interval>, Option<Saturation>) {
        let Some(last) = self.last.replace(reading) else { return (None, None) };
        let Some(interval) = interval(&last, &reading, self.thresholds.gap_ns_max) else {
            return (None, self.finish());
        };
        (Some(interval), self.judge(&interval, reading.speed_bits_per_second))
    }

    /// What has begun and not ended, as if it ended where it was last seen.
    pub fn open(&self) -> Option<Saturation> {
        let open = self.current.filter(|_| self.told)?;
        Some(Saturation { end_ns: Some(self.busy_until_ns), ..open })
    }

    /// Ends what is open where it was last seen: no more readings will come.
    pub fn finish(&mut self) -> Option<Saturation> {
        let ended = self.open();
        self.current = None;
        self.told = false;
        ended
    }

    fn judge(&mut self, interval: &Interval, speed_bits_per_second: Option<u64>) -> Option<Saturation> {
        let limits = self.thresholds;
        let seconds = seconds(interval.end_ns - interval.start_ns);
        #[expect(clippy::cast_precision_loss, reason = "a rate: drops beyond 2^53 differ in nothing")]
        let drops_per_second = interval.drops as f64 / seconds;
        let dropping = drops_per_second >= limits.drops_per_second;
        let hot = dropping || interval.utilisation.is_some_and(|share| share >= limits.begin_utilisation);
        let calm = !dropping && interval.utilisation.is_none_or(|share| share < limits.end_utilisation);

        let Some(current) = &mut self.current else {
            if hot {
                self.busy_until_ns = interval.end_ns;
                self.current = Some(Saturation {
                    start_ns: interval.start_ns,
                    end_ns: None,
                    peak_utilisation: interval.utilisation,
                    drops: interval.drops,
                    speed_bits_per_second,
                });
                return self.tell_begin();
            }
            return None;
        };
        current.drops += interval.drops;
        current.speed_bits_per_second = speed_bits_per_second;
        if calm {
            if !self.told {
                // It was over before it had lasted long enough to be an event.
                self.current = None;
                return None;
            }
            if interval.end_ns - self.busy_until_ns >= limits.end_after_ns {
                return self.finish();
            }
            return None;
        }
        current.peak_utilisation = match (current.peak_utilisation, interval.utilisation) {
            (Some(peak), Some(now)) => Some(peak.max(now)),
            (peak, now) => peak.or(now),
        };
        self.busy_until_ns = interval.end_ns;
        self.tell_begin()
    }

    fn tell_begin(&mut self) -> Option<Saturation> {
        let current = self.current.filter(|current| {
            !self.told && self.busy_until_ns - current.start_ns >= self.thresholds.begin_after_ns
        })?;
        self.told = true;
        Some(current)
    }
}

fn interval(earlier: &Reading, later: &Reading, gap_ns_max: i64) -> Option<Interval> {
    let duration_ns = later.time_ns.checked_sub(earlier.time_ns)?;
    if duration_ns <= 0 || duration_ns > gap_ns_max {
        return None;
    }
    let bytes = later.bytes_total.checked_sub(earlier.bytes_total)?;
    let drops = later.drops_total.checked_sub(earlier.drops_total)?;
    #[expect(clippy::cast_precision_loss, reason = "rates: what lies beyond 2^53 differs in nothing")]
    let (bytes_per_second, speed) =
        (bytes as f64 / seconds(duration_ns), later.speed_bits_per_second.map(|speed| speed as f64));
    Some(Interval {
        start_ns: earlier.time_ns,
        end_ns: later.time_ns,
        bytes_per_second,
        utilisation: speed.filter(|speed| *speed > 0.0).map(|speed| bytes_per_second * 8.0 / speed),
        drops,
    })
}

#[expect(clippy::cast_precision_loss, reason = "intervals are minutes, far below 2^53 ns")]
fn seconds(duration_ns: i64) -> f64 {
    duration_ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const SPEED: u64 = 8_000; // 1,000 bytes a second

    /// Seconds since the reading before, bytes, drops.
    type Step = (i64, u64, u64);
    /// Start and end of a saturation, in seconds.
    type Told = (i64, Option<i64>);

    fn told(steps: &[Step]) -> Vec<Told> {
        let mut watch = Watch::new(Thresholds::default());
        let mut reading =
            Reading { time_ns: 0, bytes_total: 0, drops_total: 0, speed_bits_per_second: Some(SPEED) };
        let mut all: Vec<_> = watch.read(reading).1.into_iter().collect();
        for (duration, bytes, drops) in steps {
            reading.time_ns += duration * SECOND;
            reading.bytes_total += bytes;
            reading.drops_total += drops;
            all.extend(watch.read(reading).1);
        }
        all.extend(watch.finish());
        all.iter().map(|one| (one.start_ns / SECOND, one.end_ns.map(|end| end / SECOND))).collect()
    }

    #[test]
    fn an_event_begins_at_its_first_hot_interval_and_ends_at_its_last() {
        let (idle, hot, between) = ((1, 100, 0), (1, 950, 0), (1, 750, 0));
        let cases: [(&str, Vec<Step>, Vec<Told>); 7] = [
            ("idle", vec![idle; 20], vec![]),
            ("too short", [vec![idle; 3], vec![hot; 2], vec![idle; 9]].concat(), vec![]),
            (
                "long enough",
                [vec![idle; 3], vec![hot; 4], vec![idle; 9]].concat(),
                vec![(3, None), (3, Some(7))],
            ),
            (
                "a short calm does not end it",
                [vec![hot; 4], vec![idle; 3], vec![hot; 2], vec![idle; 9]].concat(),
                vec![(0, None), (0, Some(9))],
            ),
            (
                "between the limits it lasts",
                [vec![hot; 4], vec![between; 20], vec![idle; 9]].concat(),
                vec![(0, None), (0, Some(24))],
            ),
            ("between the limits it does not begin", vec![between; 20], vec![]),
            (
                "readings a minute apart",
                vec![(60, 100, 0), (60, 59_000, 0), (60, 100, 0)],
                vec![(60, None), (60, Some(120))],
            ),
        ];
        for (name, steps, expected) in cases {
            assert_eq!(told(&steps), expected, "{name}");
        }
    }

    #[test]
    fn drops_are_saturation_whatever_the_utilisation() {
        assert_eq!(told(&[vec![(1, 10, 50); 5], vec![(1, 10, 0); 6]].concat()), [(0, None), (0, Some(5))]);
    }

    #[test]
    fn a_gap_ends_the_event_where_it_was_last_seen() {
        assert_eq!(told(&[vec![(1, 950, 0); 5], vec![(3_600, 0, 0)]].concat()), [(0, None), (0, Some(5))]);
    }

    #[test]
    fn a_reset_counter_is_no_traffic() {
        let mut watch = Watch::new(Thresholds::default());
        let reading = |second: i64, bytes_total| Reading {
            time_ns: second * SECOND,
            bytes_total,
            drops_total: 0,
            speed_bits_per_second: Some(SPEED),
        };
        watch.read(reading(0, 1 << 60));
        assert_eq!(watch.read(reading(1, 5)), (None, None));
        assert_eq!(watch.read(reading(2, 105)).0.map(|interval| interval.bytes_per_second), Some(100.0));
    }
}
