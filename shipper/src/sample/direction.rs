//! One direction of one interface: readings in, ten-second samples and `network.saturation` events out. Pure.

use std::fmt;

use lastwords_record::{Guest, Host, Sample, Severity, ShipperEvent};

use super::saturation::{Interval, Reading, Saturation, Thresholds, Watch};

/// Which way traffic goes, seen from the machine that counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Into the interface.
    Receive,
    /// Out of it.
    Transmit,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Way::Receive => "receive",
            Way::Transmit => "transmit",
        })
    }
}

/// What is measured, and on whom.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The host.
    pub host: Host,
    /// The guest, where the counters are a guest's own.
    pub guest: Option<Guest>,
    /// The interface's name.
    pub interface: String,
    /// The direction.
    pub way: Way,
}

/// Watches one direction of one interface.
#[derive(Debug, Clone)]
pub struct Direction {
    subject: Subject,
    watch: Watch,
    aggregate: Option<Aggregate>,
}

/// Samples are stored as aggregates of this length.
const AGGREGATE_NS: i64 = 10_000_000_000;

/// Metric of the samples: bytes per second.
pub const METRIC: &str = "network.bytes_per_second";

#[derive(Debug, Clone, Copy)]
struct Aggregate {
    start_ns: i64,
    end_ns: i64,
    minimum: f64,
    maximum: f64,
    bytes: f64,
}

impl Direction {
    /// Nothing read yet.
    pub fn new(subject: Subject, thresholds: Thresholds) -> Self {
        Direction { subject, watch: Watch::new(thresholds), aggregate: None }
    }

    /// Takes the next reading; what it completes is pushed.
    pub fn read(&mut self, reading: Reading, samples: &mut Vec<Sample>, events: &mut Vec<ShipperEvent>) {
        let (interval, told) = self.watch.read(reading);
        match interval {
            Some(interval) => self.aggregate(&interval, samples),
            None => samples.extend(self.take_aggregate()),
        }
        events.extend(told.map(|saturation| self.event(&saturation)));
    }

    /// No more readings will come.
    pub fn finish(&mut self, samples: &mut Vec<Sample>, events: &mut Vec<ShipperEvent>) {
        samples.extend(self.take_aggregate());
        events.extend(self.watch.finish().map(|saturation| self.event(&saturation)));
    }

    /// What has begun and not ended, as if it ended where it was last seen.
    pub fn open(&self) -> Option<Saturation> {
        self.watch.open()
    }

    fn aggregate(&mut self, interval: &Interval, samples: &mut Vec<Sample>) {
        #[expect(clippy::cast_precision_loss, reason = "an interval is minutes, far below 2^53 ns")]
        let bytes = interval.bytes_per_second * (interval.end_ns - interval.start_ns) as f64 / 1e9;
        let rate = interval.bytes_per_second;
        let aggregate = self.aggregate.get_or_insert(Aggregate {
            start_ns: interval.start_ns,
            end_ns: interval.end_ns,
            minimum: rate,
            maximum: rate,
            bytes: 0.0,
        });
        aggregate.end_ns = interval.end_ns;
        aggregate.minimum = aggregate.minimum.min(rate);
        aggregate.maximum = aggregate.maximum.max(rate);
        aggregate.bytes += bytes;
        if aggregate.end_ns - aggregate.start_ns >= AGGREGATE_NS {
            samples.extend(self.take_aggregate());
        }
    }

    fn take_aggregate(&mut self) -> Option<Sample> {
        let aggregate = self.aggregate.take()?;
        let duration_ns = aggregate.end_ns - aggregate.start_ns;
        #[expect(clippy::cast_precision_loss, reason = "an aggregate is minutes, far below 2^53 ns")]
        let mean = aggregate.bytes / (duration_ns as f64 / 1e9);
        Some(Sample {
            time_ns: aggregate.end_ns,
            interval_ms: u32::try_from(duration_ns / 1_000_000).unwrap_or(u32::MAX),
            host: self.subject.host.clone(),
            guest: self.subject.guest.clone(),
            metric: METRIC.to_owned(),
            device: self.subject.interface.clone(),
            direction: self.subject.way.to_string(),
            minimum: aggregate.minimum,
            mean,
            maximum: aggregate.maximum,
        })
    }

    /// The event that tells of a saturation.
    pub fn event(&self, saturation: &Saturation) -> ShipperEvent {
        let Subject { host, guest, interface, way } = &self.subject;
        let peak = saturation.peak_utilisation.map(|share| format!("{:.1}", share * 100.0));
        let speed = saturation.speed_bits_per_second;
        let mut title = format!("{interface} {way} saturated");
        if let (Some(peak), Some(speed)) = (&peak, speed) {
            title.push_str(&format!(", peak {peak} % of {}", bits(speed)));
        }
        if saturation.drops > 0 {
            title.push_str(&format!(", {} packets dropped", saturation.drops));
        }
        let mut attributes = vec![
            ("direction".to_owned(), way.to_string()),
            ("drops".to_owned(), saturation.drops.to_string()),
            ("interface".to_owned(), interface.clone()),
        ];
        attributes.extend(peak.map(|peak| ("peak_utilisation_percent".to_owned(), peak)));
        attributes.extend(speed.map(|speed| ("speed_bits_per_second".to_owned(), speed.to_string())));
        ShipperEvent {
            class: if super::interfaces::belongs_to_guest(interface) {
                "network.saturation.vif".to_owned()
            } else {
                "network.saturation.nic".to_owned()
            },
            start_ns: saturation.start_ns,
            end_ns: saturation.end_ns,
            host: host.clone(),
            guest: guest.clone(),
            title,
            severity: Severity::Warning,
            key: format!("{interface} {way}"),
            attributes,
        }
    }
}

fn bits(per_second: u64) -> String {
    let units = [(1_000_000_000, "Gbit/s"), (1_000_000, "Mbit/s"), (1_000, "kbit/s")];
    match units.into_iter().find(|(unit, _)| per_second >= *unit && per_second.is_multiple_of(unit / 10)) {
        Some((unit, name)) if per_second.is_multiple_of(unit) => format!("{} {name}", per_second / unit),
        Some((unit, name)) => format!("{}.{} {name}", per_second / unit, per_second % unit / (unit / 10)),
        None => format!("{per_second} bit/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_become_ten_second_samples_and_an_event_with_begin_and_end() {
        let host = Host { name: "hv01".into(), machine_id: String::new() };
        let subject = Subject { host, guest: None, interface: "bond0".into(), way: Way::Transmit };
        let mut direction = Direction::new(subject, Thresholds::default());
        let (mut samples, mut events) = (Vec::new(), Vec::new());
        let mut bytes_total = 0;
        for second in 0..=40 {
            let reading = Reading {
                time_ns: second * 1_000_000_000,
                bytes_total,
                drops_total: if second > 15 { 7 } else { 0 },
                speed_bits_per_second: Some(2_500_000_000),
            };
            direction.read(reading, &mut samples, &mut events);
            bytes_total += if (10..20).contains(&second) { 300_000_000 } else { 30_000_000 };
        }
        assert_eq!(samples.iter().map(|sample| sample.interval_ms).collect::<Vec<_>>(), [10_000; 4]);
        assert_eq!((samples[1].minimum, samples[1].mean), (300_000_000.0, 300_000_000.0));
        let [begin, end] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((begin.start_ns, begin.end_ns), (10_000_000_000, None));
        assert_eq!((end.start_ns, end.end_ns), (10_000_000_000, Some(20_000_000_000)));
        assert_eq!(end.class, "network.saturation.nic");
        assert_eq!(end.title, "bond0 transmit saturated, peak 96.0 % of 2.5 Gbit/s, 7 packets dropped");
        assert_eq!((&begin.key, &begin.host), (&end.key, &end.host));
    }

    #[test]
    fn speeds_read_as_people_say_them() {
        for (speed, text) in [
            (10_000_000_000, "10 Gbit/s"),
            (2_500_000_000, "2.5 Gbit/s"),
            (10_000_000, "10 Mbit/s"),
            (999, "999 bit/s"),
        ] {
            assert_eq!(bits(speed), text);
        }
    }
}
