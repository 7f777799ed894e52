//! What the ingester counts, for whoever exposes it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Counters of one direct queue. They only grow, except where said.
#[derive(Debug, Default)]
pub struct Counters {
    /// Batches stored, those in quarantine included.
    pub batches: AtomicU64,
    /// Batches that came again and were known.
    pub known_batches: AtomicU64,
    /// Records stored.
    pub records: AtomicU64,
    /// Bytes of their bodies.
    pub bytes: AtomicU64,
    /// Events stored, recognised and shipped.
    pub events: AtomicU64,
    /// Batches set aside in quarantine.
    pub quarantined: AtomicU64,
    /// Blocks stored.
    pub blocks: AtomicU64,
    /// Inserts that failed or were not answered; each was settled by reading back.
    pub failed_inserts: AtomicU64,
    /// Nanoseconds from the sealing of the batch that was stored last to its storage; goes up and down.
    pub lag_ns: AtomicI64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    /// In the text format of Prometheus.
    pub fn render(&self, queued_bytes: usize) -> String {
        let mut text = String::new();
        let mut put = |name: &str, kind: &str, help: &str, value: String| {
            text.push_str(&format!(
                "# HELP lastwords_ingester_{name} {help}\n# TYPE lastwords_ingester_{name} {kind}\nlastwords_ingester_{name} {value}\n"
            ));
        };
        let counters = [
            ("batches_total", "Batches stored.", &self.batches),
            ("known_batches_total", "Batches that came again.", &self.known_batches),
            ("records_total", "Records stored.", &self.records),
            ("record_bytes_total", "Bytes of the stored records' bodies.", &self.bytes),
            ("events_total", "Events stored.", &self.events),
            ("quarantined_batches_total", "Batches set aside.", &self.quarantined),
            ("blocks_total", "Blocks stored.", &self.blocks),
            ("failed_inserts_total", "Inserts that were in doubt.", &self.failed_inserts),
        ];
        for (name, help, counter) in counters {
            put(name, "counter", help, counter.load(Ordering::Relaxed).to_string());
        }
        put("queued_bytes", "gauge", "Bytes admitted and not stored yet.", queued_bytes.to_string());
        let lag_ms = self.lag_ns.load(Ordering::Relaxed) / 1_000_000;
        put("lag_ms", "gauge", "From sealing to storage of the last batch.", lag_ms.to_string());
        text
    }
}
