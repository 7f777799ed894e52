//! `[collect.limits]`: how long is waited, and how much is kept.

use std::time::Duration;

use lastwords_config::{Invalid, Size};
use serde::{Deserialize, Serialize};

/// No wait is longer: what waits longer is taken for lost.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const WINDOW_BYTES_MIN: u64 = 1 << 20;
const WINDOW_BYTES_MAX: u64 = 1 << 30;

/// `[collect.limits]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitSettings {
    /// How long records wait for company in a batch.
    pub flush_interval_ms: u64,
    /// After how long without a next line an open group is complete.
    pub group_timeout_ms: u64,
    /// After how long without the rest a partial line is a line.
    pub partial_timeout_ms: u64,
    /// How often all globs are looked at, whatever inotify says.
    pub rescan_interval_seconds: u64,
    /// How long a rotated file is read after its last byte.
    pub rotated_wait_seconds: u64,
    /// Bytes of deleted files that are kept for reading, at most.
    pub held_bytes_max: Size,
    /// Bytes of batches that are not acknowledged, at most.
    pub window_bytes: Size,
}

impl Default for LimitSettings {
    fn default() -> Self {
        LimitSettings {
            flush_interval_ms: 100,
            group_timeout_ms: 1_000,
            partial_timeout_ms: 2_000,
            rescan_interval_seconds: 10,
            rotated_wait_seconds: 30,
            held_bytes_max: Size(1 << 30),
            window_bytes: Size(4 << 20),
        }
    }
}

impl LimitSettings {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let (ms, seconds) = (Duration::from_millis, Duration::from_secs);
        for (name, value, unit, at_least) in [
            ("flush_interval_ms", self.flush_interval_ms, ms as fn(u64) -> Duration, 1),
            ("group_timeout_ms", self.group_timeout_ms, ms, 0),
            ("partial_timeout_ms", self.partial_timeout_ms, ms, 0),
            ("rescan_interval_seconds", self.rescan_interval_seconds, seconds, 1),
            ("rotated_wait_seconds", self.rotated_wait_seconds, seconds, 0),
        ] {
            if value < at_least || unit(value) > WAIT_MAX {
                let message = format!("wanted {at_least} or more and at most a day, found {value}");
                return Err(Invalid::new(format!("collect.limits.{name}"), message));
            }
        }
        let Size(window) = self.window_bytes;
        if !(WINDOW_BYTES_MIN..=WINDOW_BYTES_MAX).contains(&window) {
            let message = format!("wanted 1MiB to 1GiB, found {window} bytes");
            return Err(Invalid::new("collect.limits.window_bytes", message));
        }
        Ok(())
    }
}
