//! What a shipper does, checked.

use std::{path::PathBuf, time::Duration};

use lastwords_record::Host;

use super::{FileRule, JournalOptions, LimitSettings};
use crate::sample::network::NetworkOptions;

/// What a shipper does, checked.
#[derive(Debug, Clone)]
pub struct ShipperConfig {
    /// The host that it runs on.
    pub host: Host,
    /// Where its plan is.
    pub state_dir: PathBuf,
    /// Files that it follows; the first rule that means a file counts.
    pub files: Vec<FileRule>,
    /// systemd's journal.
    pub journald: bool,
    /// What is read of it.
    pub journal: JournalOptions,
    /// The kernel's ring.
    pub kmsg: bool,
    /// Network counters; none: not sampled.
    pub samples: Option<NetworkOptions>,
    /// How long records wait for company in a batch.
    pub flush_interval: Duration,
    /// After how long without a next line an open group is complete.
    pub group_timeout: Duration,
    /// After how long without the rest a partial line is a line.
    pub partial_timeout: Duration,
    /// How often all globs are looked at, whatever inotify says.
    pub rescan_interval: Duration,
    /// How long a rotated file is read after its last byte.
    pub rotated_wait: Duration,
    /// Bytes of deleted files that are kept for reading, at most.
    pub held_bytes_max: u64,
    /// Bytes of batches that are not acknowledged, at most.
    pub window_bytes: u64,
}

impl ShipperConfig {
    /// A shipper that follows nothing yet, with what the documentation calls the defaults.
    pub fn new(host: Host, state_dir: PathBuf) -> ShipperConfig {
        let mut shipper = ShipperConfig {
            host,
            state_dir,
            files: Vec::new(),
            journald: false,
            journal: JournalOptions::default(),
            kmsg: false,
            samples: None,
            flush_interval: Duration::ZERO,
            group_timeout: Duration::ZERO,
            partial_timeout: Duration::ZERO,
            rescan_interval: Duration::ZERO,
            rotated_wait: Duration::ZERO,
            held_bytes_max: 0,
            window_bytes: 0,
        };
        shipper.limit(&LimitSettings::default());
        shipper
    }

    pub(super) fn limit(&mut self, limits: &LimitSettings) {
        self.flush_interval = Duration::from_millis(limits.flush_interval_ms);
        self.group_timeout = Duration::from_millis(limits.group_timeout_ms);
        self.partial_timeout = Duration::from_millis(limits.partial_timeout_ms);
        self.rescan_interval = Duration::from_secs(limits.rescan_interval_seconds);
        self.rotated_wait = Duration::from_secs(limits.rotated_wait_seconds);
        self.held_bytes_max = limits.held_bytes_max.0;
        self.window_bytes = limits.window_bytes.0;
    }
}
