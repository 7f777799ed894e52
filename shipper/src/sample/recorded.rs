//! Readings that were written down: JSON lines `{"time", "interface", "direction", "bytes_total", "drops_total",
//! "speed_bits_per_second"}`. They take the same way as those that the sampler reads itself. Pure.

use std::collections::BTreeMap;

use lastwords_record::{Guest, Host, Sample, ShipperEvent};

use super::{
    direction::{Direction, Subject, Way},
    saturation::{Reading, Thresholds},
};

/// Turns lines into samples and events. To go on in the middle of a file, it is fed from the file's beginning and
/// what belongs to lines before that place is dropped.
#[derive(Debug, Clone)]
pub struct RecordedSamples {
    host: Host,
    guest: Option<Guest>,
    thresholds: Thresholds,
    directions: BTreeMap<(String, Way), Direction>,
}

/// A line that is no reading.
#[derive(Debug, thiserror::Error)]
#[error(
    "no reading: {0}; wanted is an object with time (RFC 3339), interface, direction (receive or transmit), \
     bytes_total, drops_total and speed_bits_per_second (or null)"
)]
pub struct SampleLineError(#[from] serde_json::Error);

#[derive(serde::Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    time: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    interface: std::borrow::Cow<'a, str>,
    direction: Way,
    bytes_total: u64,
    #[serde(default)]
    drops_total: u64,
    #[serde(default)]
    speed_bits_per_second: Option<u64>,
}

impl RecordedSamples {
    /// Nothing read yet.
    pub fn new(host: Host, guest: Option<Guest>, thresholds: Thresholds) -> Self {
        RecordedSamples { host, guest, thresholds, directions: BTreeMap::new() }
    }

    /// Takes a line; what it completes is pushed.
    ///
    /// # Errors
    /// Where it is no reading; nothing has changed then.
    pub fn line(
        &mut self,
        line: &[u8],
        samples: &mut Vec<Sample>,
        events: &mut Vec<ShipperEvent>,
    ) -> Result<(), SampleLineError> {
        let line: Line<'_> = serde_json::from_slice(line)?;
        let time_ns = time_ns(&line.time).ok_or_else(|| {
            <serde_json::Error as serde::de::Error>::custom(format!("'{}' is no RFC 3339 time", line.time))
        })?;
        let key = (line.interface.into_owned(), line.direction);
        let direction = self.directions.entry(key).or_insert_with_key(|(interface, way)| {
            let subject = Subject {
                host: self.host.clone(),
                guest: self.guest.clone(),
                interface: interface.clone(),
                way: *way,
            };
            Direction::new(subject, self.thresholds)
        });
        let reading = Reading {
            time_ns,
            bytes_total: line.bytes_total,
            drops_total: line.drops_total,
            speed_bits_per_second: line.speed_bits_per_second,
        };
        direction.read(reading, samples, events);
        Ok(())
    }

    /// No more lines will come: what is open ends where it was last seen.
    pub fn finish(&mut self, samples: &mut Vec<Sample>, events: &mut Vec<ShipperEvent>) {
        for direction in self.directions.values_mut() {
            direction.finish(samples, events);
        }
    }
}

fn time_ns(text: &str) -> Option<i64> {
    i64::try_from(text.parse::<jiff::Timestamp>().ok()?.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: i64, bytes: u64) -> String {
        let time = jiff::Timestamp::from_second(1_795_000_000 + second).unwrap();
        format!(
            r#"{{"time":"{time}","interface":"eth0","direction":"receive","bytes_total":{bytes},"drops_total":0,"speed_bits_per_second":1000000000}}"#
        )
    }

    #[test]
    fn a_recorded_saturation_is_an_event() {
        let mut recorded = RecordedSamples::new(Host::default(), None, Thresholds::default());
        let (mut samples, mut events) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        for minute in 0..10 {
            recorded.line(line(minute * 60, bytes).as_bytes(), &mut samples, &mut events).unwrap();
            bytes += if (3..5).contains(&minute) { 7_200_000_000 } else { 100_000_000 };
        }
        recorded.finish(&mut samples, &mut events);
        assert_eq!(samples.len(), 9);
        assert_eq!(events.len(), 2);
        assert_eq!(events[1].end_ns.unwrap() - events[1].start_ns, 120_000_000_000);
    }

    #[test]
    fn a_line_that_is_no_reading_says_what_was_wanted() {
        let mut recorded = RecordedSamples::new(Host::default(), None, Thresholds::default());
        for bad in [
            "",
            "{}",
            "[1]",
            r#"{"time":"yesterday","interface":"e","direction":"receive","bytes_total":1}"#,
            r#"{"time":"2026-11-20T00:00:00Z","interface":"e","direction":"up","bytes_total":1}"#,
        ] {
            let error = recorded.line(bad.as_bytes(), &mut Vec::new(), &mut Vec::new()).unwrap_err();
            assert!(error.to_string().contains("wanted is an object"), "{error}");
        }
    }
}
