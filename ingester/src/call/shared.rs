//! What the calls of a server share: how they end, and what is said of them.

use std::time::Duration;

use lastwords_runtime::quiet::Quiet;
use tokio_util::sync::CancellationToken;

/// How a server ends: first nothing more is taken, then nothing more is waited for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drain {
    /// Nothing more is taken.
    pub begin: CancellationToken,
    /// The grace period is over.
    pub over: CancellationToken,
}

/// What is said of calls, however many there are.
#[derive(Debug)]
pub(crate) struct QuietCalls {
    pub welcome: Quiet,
    pub refused: Quiet,
}

impl Default for QuietCalls {
    fn default() -> Self {
        QuietCalls {
            welcome: Quiet::new(200, Duration::from_millis(500)),
            refused: Quiet::new(50, Duration::from_secs(2)),
        }
    }
}
