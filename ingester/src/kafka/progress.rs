//! How far each partition of this process is, for `/metrics`.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use lastwords_runtime::now_ns;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::time::sleep;

use super::group::Context;

/// How often the end of the log is asked for.
const LAG_EVERY: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(10);

/// How far each partition of this process is.
#[derive(Debug, Default)]
pub struct PartitionStates(Mutex<BTreeMap<i32, PartitionState>>);

#[derive(Debug, Clone, Copy, Default)]
struct PartitionState {
    committed: i64,
    end: i64,
    /// When the newest message came that has been read, milliseconds since 1970.
    read_ms: i64,
}

impl PartitionStates {
    fn change(&self, partition: i32, change: impl FnOnce(&mut PartitionState)) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition);
    }

    /// Partitions held.
    pub fn held(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// In the text format of Prometheus.
    pub fn render(&self) -> String {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut text = String::from(
            "# HELP lastwords_writer_lag_batches Batches on the partition that are not stored yet.\n\
             # TYPE lastwords_writer_lag_batches gauge\n",
        );
        let lag = |state: &PartitionState| (state.end - state.committed).max(0);
        for (partition, state) in &states {
            // Writing to a String cannot fail.
            let _ =
                writeln!(text, "lastwords_writer_lag_batches{{partition=\"{partition}\"}} {}", lag(state));
        }
        text.push_str(
            "# HELP lastwords_writer_lag_seconds Age of the newest batch read, where any wait.\n\
             # TYPE lastwords_writer_lag_seconds gauge\n",
        );
        for (partition, state) in &states {
            let age_ms = if lag(state) == 0 || state.read_ms == 0 {
                0
            } else {
                (now_ns() / 1_000_000).saturating_sub(state.read_ms).max(0)
            };
            let _ = writeln!(
                text,
                "lastwords_writer_lag_seconds{{partition=\"{partition}\"}} {}.{:03}",
                age_ms / 1000,
                age_ms % 1000
            );
        }
        text
    }
}

/// Asks for the end of the log now and then.
pub(super) async fn watch(
    states: Arc<PartitionStates>,
    consumer: Weak<BaseConsumer<Context>>,
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
