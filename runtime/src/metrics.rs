//! What a process counts, in the text format of Prometheus (0.0.4): the families of a [`Registry`], and what is known
//! only when it is asked for.
//!
//! A counter's name is registered without `_total`, which the format adds.

use std::{fmt, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric as _, prometheus_text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

pub use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// The content type of the text.
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// A registry's text.
#[must_use]
pub fn render(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = prometheus_text::encode(&mut text, registry);
    text
}

/// Seconds of what takes milliseconds to minutes: 14 bounds from 1 ms to 8 s, each twice the one before, and 30, 90.
#[must_use]
pub fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 14).chain([30.0, 90.0]))
}

/// Bytes of what takes kilobytes to hundreds of megabytes: 10 bounds from 1 KiB to 256 MiB, each four times the one
/// before.
#[must_use]
pub fn bytes() -> Histogram {
    Histogram::new(exponential_buckets(1024.0, 4.0, 10))
}

/// Counts of what comes in ones to hundreds of thousands: 10 bounds from 1 to 262,144, each four times the one before.
#[must_use]
pub fn counts() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 4.0, 10))
}

/// How long something takes, as a histogram of its own.
#[derive(Debug)]
pub struct Durations {
    seconds: Histogram,
    registry: Registry,
}

impl Durations {
    /// Under this name, which ends in `_seconds`.
    #[must_use]
    pub fn new(name: &str, help: &str) -> Durations {
        let (seconds, mut registry) = (seconds(), Registry::default());
        registry.register(name, help, seconds.clone());
        Durations { seconds, registry }
    }

    /// One more that took so long.
    pub fn observe(&self, took: Duration) {
        self.seconds.observe(took.as_secs_f64());
    }

    /// In the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        render(&self.registry)
    }
}

/// Values that are looked at when they are asked for.
#[derive(Debug)]
pub struct Looked<'a>(DescriptorEncoder<'a>);

/// Labels of a value: names and what they are.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

// Writing to a String cannot fail, and nothing else writes.
impl Looked<'_> {
    /// One counter; its name without `_total`.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        let counter = ConstCounter::new(value);
        let _ =
            self.0.encode_descriptor(name, help, None, MetricType::Counter).and_then(|it| counter.encode(it));
    }

    /// One gauge.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) {
        let gauge = ConstGauge::new(value);
        let _ = self.0.encode_descriptor(name, help, None, MetricType::Gauge).and_then(|it| gauge.encode(it));
    }

    /// A gauge with labels, as often as there are values.
    pub fn gauges<'l, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'l>, V)>,
    ) {
        let Ok(mut family) = self.0.encode_descriptor(name, help, None, MetricType::Gauge) else { return };
        for (labels, value) in values {
            let gauge = ConstGauge::new(value);
            let _ = family.encode_family(&labels).and_then(|it| gauge.encode(it));
        }
    }
}

/// The text of values that are looked at now.
#[must_use]
pub fn look(values: impl Fn(&mut Looked<'_>) + Send + Sync + 'static) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Look(values)));
    render(&registry)
}

struct Look<F>(F);

impl<F> fmt::Debug for Look<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Look")
    }
}

impl<F: Fn(&mut Looked<'_>) + Send + Sync + 'static> Collector for Look<F> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        (self.0)(&mut Looked(encoder));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_their_suffix_once_and_histograms_their_three_series() {
        let mut registry = Registry::default();
        let (counter, histogram) = (Counter::<u64>::default(), seconds());
        registry.register("lastwords_test_batches", "Batches", counter.clone());
        registry.register("lastwords_test_wait_seconds", "Waits", histogram.clone());
        counter.inc_by(3);
        histogram.observe(0.5);
        let text = render(&registry);
        for line in [
            "# HELP lastwords_test_batches_total Batches.",
            "# TYPE lastwords_test_batches_total counter",
            "lastwords_test_batches_total 3",
            "# TYPE lastwords_test_wait_seconds histogram",
            "lastwords_test_wait_seconds_sum 0.5",
            "lastwords_test_wait_seconds_count 1",
            "lastwords_test_wait_seconds_bucket{le=\"0.256\"} 0",
            "lastwords_test_wait_seconds_bucket{le=\"0.512\"} 1",
            "lastwords_test_wait_seconds_bucket{le=\"+Inf\"} 1",
        ] {
            assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{line} in {text}");
        }
    }

    #[test]
    fn what_is_looked_at_has_its_value_of_now() {
        let text = look(|looked| {
            looked.counter("restarts", "Restarts.", 2);
            looked.gauge("up", "Whether it is up.", 1_i64);
            looked.gauges("lag", "Lag.", [(&[("partition", "7")][..], 1.5), (&[("partition", "a\"b")], 0.0)]);
            looked.gauges("none", "Nothing.", [] as [(Labels<'_>, i64); 0]);
        });
        let wanted = "# HELP restarts_total Restarts.\n# TYPE restarts_total counter\nrestarts_total 2\n\
                      # HELP up Whether it is up.\n# TYPE up gauge\nup 1\n\
                      # HELP lag Lag.\n# TYPE lag gauge\nlag{partition=\"7\"} 1.5\nlag{partition=\"a\\\"b\"} 0.0\n\
                      # HELP none Nothing.\n# TYPE none gauge\n";
        assert_eq!(text, wanted);
    }
}
