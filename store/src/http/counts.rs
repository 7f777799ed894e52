//! What a port has done, for Prometheus.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
        let mut text = String::new();
        for (name, kind, help, value) in [
            ("statements_total", "counter", "Statements that came.", &self.statements),
            ("statements_failed_total", "counter", "Statements answered with an error.", &self.failed),
            ("statements_turned_away_total", "counter", "Statements told to come again.", &self.turned_away),
            ("statements_running", "gauge", "Statements that run.", &self.running),
            ("statements_waiting", "gauge", "Statements that wait for their turn.", &self.waiting),
            ("rows_inserted_total", "counter", "Rows that INSERTs have stored.", &self.rows_inserted),
            (
                "connections_refused_total",
                "counter",
                "Connections closed since there were too many.",
                &self.connections_refused,
            ),
        ] {
            let value = value.load(Ordering::Relaxed);
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "# HELP lastwords_store_{name} {help}\n# TYPE lastwords_store_{name} {kind}\nlastwords_store_{name} {value}\n"
            );
        }
        text
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
