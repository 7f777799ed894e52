//! How far each partition of this process is, for `/metrics`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use lastwords_runtime::{Poison, metrics::look, now_ns};
use rdkafka::consumer::Consumer as _;
use tokio::time::sleep;

use super::consumer::PartitionConsumer;

/// How often the end of the log is asked for.
const LAG_EVERY: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(10);

/// How far each partition of this process is, and whether their writers can go on.
#[derive(Debug, Default)]
pub struct PartitionStates {
    partitions: Mutex<BTreeMap<i32, PartitionState>>,
    poison: Poison,
}

#[derive(Debug, Clone, Copy, Default)]
struct PartitionState {
    committed: i64,
    end: i64,
    /// When the newest message came that has been read, milliseconds since 1970.
    read_ms: i64,
}

impl PartitionStates {
    fn change(&self, partition: i32, change: impl FnOnce(&mut PartitionState)) {
        let mut states = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        change(states.entry(partition).or_default());
    }

    pub(super) fn committed(&self, partition: i32, offset: i64) {
        self.change(partition, |state| state.committed = offset);
    }

    pub(super) fn read(&self, partition: i32, time_ms: i64) {
        self.change(partition, |state| state.read_ms = time_ms);
    }

    fn end(&self, partition: i32, end: i64) {
        self.change(partition, |state| state.end = end);
    }

    pub(super) fn forget(&self, partition: i32) {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition);
    }

    /// Partitions held.
    pub fn count(&self) -> usize {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// What the writers share to say that they cannot go on.
    pub(super) fn poison(&self) -> &Poison {
        &self.poison
    }

    /// Whether batches are written.
    ///
    /// # Errors
    /// Why not, for `/readyz`.
    pub fn readiness(&self) -> Result<(), String> {
        if let Some(reason) = self.poison.reason() {
            return Err(reason.to_string());
        }
        if self.count() == 0 {
            let reason =
                "no partition is held: Kafka or the store does not answer, or other writers hold all";
            return Err(reason.to_owned());
        }
        Ok(())
    }

    /// In the text format of Prometheus.
    pub fn render(&self) -> String {
        let states = self.partitions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now_ms = now_ns() / 1_000_000;
        let states: Vec<(String, PartitionState)> =
            states.into_iter().map(|(partition, state)| (partition.to_string(), state)).collect();
        look(move |looked| {
            let labels: Vec<_> =
                states.iter().map(|(partition, _)| [("partition", partition.as_str())]).collect();
            let each = || labels.iter().map(|labels| &labels[..]).zip(states.iter().map(|(_, state)| state));
            looked.gauges(
                "lastwords_writer_lag_batches",
                "Batches on the partition that are not stored yet.",
                each().map(|(labels, state)| (labels, state.lag())),
            );
            looked.gauges(
                "lastwords_writer_lag_seconds",
                "Age of the newest batch read, where any wait.",
                each().map(|(labels, state)| (labels, state.age_s(now_ms))),
            );
        })
    }
}

impl PartitionState {
    fn lag(&self) -> i64 {
        (self.end - self.committed).max(0)
    }

    #[expect(clippy::cast_precision_loss, reason = "2^52 milliseconds are longer than anybody waits")]
    fn age_s(&self, now_ms: i64) -> f64 {
        if self.lag() == 0 || self.read_ms == 0 {
            return 0.0;
        }
        now_ms.saturating_sub(self.read_ms).max(0) as f64 / 1000.0
    }
}

/// Asks for the end of the log now and then.
pub(super) async fn watch(
    states: Arc<PartitionStates>,
    consumer: Weak<PartitionConsumer>,
    topic: String,
    partition: i32,
) {
    loop {
        let (consumer, topic) = (consumer.clone(), topic.clone());
        let end = tokio::task::spawn_blocking(move || {
            consumer.upgrade()?.fetch_watermarks(&topic, partition, TIMEOUT).ok()
        });
        if let Ok(Some((_, end))) = end.await {
            states.end(partition, end);
        }
        sleep(LAG_EVERY).await;
    }
}
