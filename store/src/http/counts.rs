//! What a port has done, for Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lastwords_runtime::metrics::look;

/// Counted since the port was opened.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Statements that came.
    pub(super) statements: AtomicU64,
    /// Those that were answered with an error.
    pub(super) failed: AtomicU64,
    /// Those of them that had to come again, since too many were running.
    pub(super) turned_away: AtomicU64,
    /// Running now.
    pub(super) running: AtomicU64,
    /// Waiting for their turn now.
    pub(super) waiting: AtomicU64,
    /// Rows that `INSERT`s have stored.
    pub(super) rows_inserted: AtomicU64,
    /// Connections that were closed at once.
    pub(super) connections_refused: AtomicU64,
}

impl Counts {
    /// In the text format of Prometheus.
    pub(super) fn render(&self) -> String {
        let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let counters = [
            ("statements", "Statements that came.", load(&self.statements)),
            ("statements_failed", "Statements answered with an error.", load(&self.failed)),
            ("statements_turned_away", "Statements told to come again.", load(&self.turned_away)),
            ("rows_inserted", "Rows that INSERTs have stored.", load(&self.rows_inserted)),
            (
                "connections_refused",
                "Connections closed since there were too many.",
                load(&self.connections_refused),
            ),
        ];
        let gauges = [
            ("statements_running", "Statements that run.", load(&self.running)),
            ("statements_waiting", "Statements that wait for their turn.", load(&self.waiting)),
        ];
        look(move |looked| {
            for (name, help, value) in counters {
                looked.counter(&format!("lastwords_store_{name}"), help, value);
            }
            for (name, help, value) in gauges {
                looked.gauge(&format!("lastwords_store_{name}"), help, value);
            }
        })
    }
}

/// Counts up, and down again when it goes.
pub(super) struct During {
    counts: Arc<Counts>,
    gauge: fn(&Counts) -> &AtomicU64,
}

impl During {
    pub(super) fn new(counts: &Arc<Counts>, gauge: fn(&Counts) -> &AtomicU64) -> Self {
        gauge(counts).fetch_add(1, Ordering::Relaxed);
        During { counts: Arc::clone(counts), gauge }
    }
}

impl Drop for During {
    fn drop(&mut self) {
        (self.gauge)(&self.counts).fetch_sub(1, Ordering::Relaxed);
    }
}
