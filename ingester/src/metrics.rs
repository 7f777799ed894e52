//! What the ingester counts, for whoever exposes it.

use std::time::Duration;

use lastwords_runtime::metrics::{
    Counter, Durations, Gauge, Histogram, Registry, bytes, counts, look, render, seconds,
};

/// What is counted of batches on their way into the store or onto Kafka.
#[derive(Debug)]
pub struct Counters {
    /// Batches stored, those in quarantine included.
    pub(crate) batches: Counter,
    /// Batches that came again and were known.
    pub(crate) known_batches: Counter,
    /// Batches whose number was another's already, stored under an epoch of their own or refused.
    pub(crate) conflicting_batches: Counter,
    /// Losses that were noticed on this side of Kafka, or of the store.
    pub(crate) losses: Counter,
    /// Records stored.
    pub(crate) records: Counter,
    /// Bytes of their bodies.
    pub(crate) bytes: Counter,
    /// Events stored, recognised and shipped.
    pub(crate) events: Counter,
    /// Batches set aside in quarantine.
    pub(crate) quarantined: Counter,
    /// Blocks stored.
    pub(crate) blocks: Counter,
    /// Inserts that failed or were not answered; each was settled by reading back.
    pub(crate) failed_inserts: Counter,
    /// Milliseconds from the sealing of the batch that was stored last to its storage.
    pub(crate) lag_ms: Gauge,
    /// Batches of which the last audit found records missing.
    missing_batches: Gauge,
    /// Parts that the store has set aside as broken, as of the last audit.
    broken_parts: Gauge,
    /// Records of each batch.
    pub(crate) batch_records: Histogram,
    /// Bytes of each batch's records.
    pub(crate) batch_bytes: Histogram,
    /// How long each insert took, whatever came of it.
    insert_seconds: Histogram,
    registry: Registry,
}

impl Default for Counters {
    fn default() -> Self {
        let mut counters = Counters {
            batches: Counter::default(),
            known_batches: Counter::default(),
            conflicting_batches: Counter::default(),
            losses: Counter::default(),
            records: Counter::default(),
            bytes: Counter::default(),
            events: Counter::default(),
            quarantined: Counter::default(),
            blocks: Counter::default(),
            failed_inserts: Counter::default(),
            lag_ms: Gauge::default(),
            missing_batches: Gauge::default(),
            broken_parts: Gauge::default(),
            batch_records: counts(),
            batch_bytes: bytes(),
            insert_seconds: seconds(),
            registry: Registry::with_prefix("lastwords_ingester"),
        };
        let registry = &mut counters.registry;
        for (name, help, counter) in [
            ("batches", "Batches stored", &counters.batches),
            ("known_batches", "Batches that came again", &counters.known_batches),
            (
                "conflicting_batches",
                "Batches whose number was another's: refused, or stored under an epoch of their own",
                &counters.conflicting_batches,
            ),
            ("losses", "Losses noticed behind shippers", &counters.losses),
            ("records", "Records stored", &counters.records),
            ("record_bytes", "Bytes of the stored records' bodies", &counters.bytes),
            ("events", "Events stored", &counters.events),
            ("quarantined_batches", "Batches set aside", &counters.quarantined),
            ("blocks", "Blocks stored", &counters.blocks),
            ("failed_inserts", "Inserts that were in doubt", &counters.failed_inserts),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register("lag_ms", "From sealing to storage of the last batch", counters.lag_ms.clone());
        for (name, help, gauge) in [
            (
                "missing_batches",
                "Batches of which the last audit found records missing",
                &counters.missing_batches,
            ),
            ("broken_parts", "Parts that the store has set aside as broken", &counters.broken_parts),
        ] {
            registry.register(name, help, gauge.clone());
        }
        for (name, help, histogram) in [
            ("batch_records", "Records of a stored batch", &counters.batch_records),
            ("batch_bytes", "Bytes of the records' bodies of a stored batch", &counters.batch_bytes),
            (
                "insert_seconds",
                "How long an insert into the store took, whatever came of it",
                &counters.insert_seconds,
            ),
        ] {
            registry.register(name, help, histogram.clone());
        }
        counters
    }
}

impl Counters {
    /// An insert that took so long; where it was not answered with OK, it is in doubt.
    pub(crate) fn inserted(&self, took: Duration, is_ok: bool) {
        self.insert_seconds.observe(took.as_secs_f64());
        self.failed_inserts.inc_by(u64::from(!is_ok));
    }

    /// What an audit found.
    pub(crate) fn audited(&self, missing_batches: u64, broken_parts: u64) {
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.missing_batches.set(gauge(missing_batches));
        self.broken_parts.set(gauge(broken_parts));
    }

    /// A batch that has become durable.
    #[expect(clippy::cast_precision_loss, reason = "no batch has 2^52 bytes")]
    pub(crate) fn durable(&self, records: u64, bytes: u64) {
        self.batches.inc();
        self.records.inc_by(records);
        self.bytes.inc_by(bytes);
        self.batch_records.observe(records as f64);
        self.batch_bytes.observe(bytes as f64);
    }

    /// In the text format of Prometheus.
    #[must_use]
    pub fn render(&self, queued_bytes: usize) -> String {
        let queued = look(move |looked| {
            looked.gauge(
                "lastwords_ingester_queued_bytes",
                "Bytes admitted and not stored yet.",
                queued_bytes as u64,
            );
        });
        render(&self.registry) + &queued
    }
}

/// What is counted of shippers' calls.
#[derive(Debug)]
pub struct CallMetrics {
    /// From the last byte of a batch to its acknowledgement.
    pub(crate) acknowledgements: Durations,
}

impl Default for CallMetrics {
    fn default() -> Self {
        let help = "From the last byte of a batch to its acknowledgement";
        CallMetrics { acknowledgements: Durations::new("lastwords_ingester_acknowledgement_seconds", help) }
    }
}

impl CallMetrics {
    /// In the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.acknowledgements.metrics()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_told_once_and_as_it_has_always_been() {
        let counters = Counters::default();
        counters.durable(40, 2_000);
        counters.inserted(Duration::from_millis(3), true);
        counters.inserted(Duration::from_secs(90), false);
        counters.lag_ms.set(17);
        let calls = CallMetrics::default();
        calls.acknowledgements.observe(Duration::from_millis(250));
        let text = counters.render(5) + &calls.metrics();
        for line in [
            "# TYPE lastwords_ingester_batches_total counter",
            "lastwords_ingester_batches_total 1",
            "lastwords_ingester_known_batches_total 0",
            "lastwords_ingester_records_total 40",
            "lastwords_ingester_record_bytes_total 2000",
            "lastwords_ingester_events_total 0",
            "lastwords_ingester_quarantined_batches_total 0",
            "lastwords_ingester_blocks_total 0",
            "lastwords_ingester_failed_inserts_total 1",
            "lastwords_ingester_queued_bytes 5",
            "# TYPE lastwords_ingester_lag_ms gauge",
            "lastwords_ingester_lag_ms 17",
            "lastwords_ingester_batch_records_sum 40.0",
            "lastwords_ingester_batch_bytes_bucket{le=\"1024\"} 0",
            "lastwords_ingester_batch_bytes_bucket{le=\"4096\"} 1",
            "lastwords_ingester_insert_seconds_count 2",
            "lastwords_ingester_insert_seconds_bucket{le=\"0.004\"} 1",
            "lastwords_ingester_insert_seconds_bucket{le=\"90\"} 2",
            "lastwords_ingester_acknowledgement_seconds_count 1",
        ] {
            assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{line} in {text}");
        }
    }
}
