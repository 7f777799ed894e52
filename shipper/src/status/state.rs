//! What is known of how collecting goes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lastwords_record::Source;

use super::notices::{Notice, Notices, read_notices};

/// How long a source may be failing before the shipper counts as not ready: nanoseconds.
const FAILING_NS_MAX: i64 = 60 * 1_000_000_000;

/// How collecting goes; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) sources: BTreeMap<Source, SourceState>,
    pub(crate) files: FilesState,
    pub(crate) notices: Notices,
    pub(crate) folder: Option<PathBuf>,
    /// Whether the ingester is reached.
    pub(crate) is_connected: bool,
    pub(crate) in_flight: InFlight,
    pub(crate) acknowledged: u64,
    pub(crate) losses: u64,
}

/// What was read of one kind of source.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// Records (of samples, readings).
    pub records: u64,
    /// Bytes of their texts.
    pub bytes: u64,
    /// When the last one was read, UTC nanoseconds.
    pub last_read_ns: i64,
    /// How often it failed.
    pub errors: u64,
    /// Since when it fails, UTC nanoseconds, and why.
    pub failing: Option<(i64, String)>,
}

/// How the files are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct FilesState {
    /// Generations that are followed.
    pub followed: u64,
    /// Of these, those with an open descriptor.
    pub open: u64,
    /// Files that may be open at once.
    pub open_max: u64,
    /// Files and folders that are meant and cannot be read.
    pub refused: u64,
    /// Bytes that are there and were not read.
    pub unread_bytes: u64,
    /// NULs that were left out.
    pub blank_bytes: u64,
    /// Records that rules left out, and those in which something was made unreadable.
    pub dropped: u64,
    /// Records in which something was made unreadable.
    pub redacted: u64,
    /// How often a file had to wait for its share of bytes.
    pub throttled: u64,
}

/// What is planned and not acknowledged.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// Batches.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest was sealed, UTC nanoseconds.
    pub oldest_ns: Option<i64>,
}

impl Status {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notices are kept in this folder, too, for `doctor`.
    pub fn keep_in(&self, folder: &Path) {
        let mut state = self.lock();
        state.folder = Some(folder.to_owned());
        state.notices.begin_with(read_notices(folder).unwrap_or_default());
    }

    /// Records of a source were read.
    pub fn read(&self, source: Source, records: u64, bytes: u64, now_ns: i64) {
        let mut state = self.lock();
        let source = state.sources.entry(source).or_default();
        source.records += records;
        source.bytes += bytes;
        source.last_read_ns = now_ns;
        source.failing = None;
    }

    /// A source is there, whether or not anything was read of it yet.
    pub fn begin(&self, source: Source) {
        self.lock().sources.entry(source).or_default();
    }

    /// A source failed.
    pub fn failed(&self, source: Source, why: &str, now_ns: i64) {
        let mut state = self.lock();
        let found = state.sources.entry(source).or_default();
        found.errors += 1;
        let since_ns = found.failing.as_ref().map_or(now_ns, |(since_ns, _)| *since_ns);
        found.failing = Some((since_ns, why.to_owned()));
    }

    /// A source that failed works again.
    pub fn works(&self, source: Source) {
        self.lock().sources.entry(source).or_default().failing = None;
    }

    /// What stands in the way by one kind of reason; what was said before and is not among it has gone. What is new is
    /// logged once.
    pub fn notice(&self, kind: &'static str, notices: Vec<Notice>, now_ns: i64) {
        self.lock().notices.replace(kind, notices, now_ns);
    }

    /// Something has happened that is worth knowing for a week.
    pub fn happened(&self, notice: Notice, now_ns: i64) {
        self.lock().notices.add(notice, now_ns);
    }

    /// Writes notices down where they have changed.
    pub fn save(&self) {
        let mut state = self.lock();
        let Some(folder) = state.folder.clone() else { return };
        if let Err(error) = state.notices.save(&folder) {
            tracing::debug!(%error, "what stands in the way of collecting cannot be written down for doctor");
        }
    }

    /// Why the shipper does not do its work, where it does not.
    ///
    /// # Errors
    /// The reason.
    pub fn ready(&self, now_ns: i64) -> Result<(), String> {
        let state = self.lock();
        let failing = state.sources.iter().filter_map(|(source, found)| {
            let (since_ns, why) = found.failing.as_ref()?;
            (now_ns - since_ns > FAILING_NS_MAX).then(|| format!("{source} cannot be read: {why}"))
        });
        let mut reasons: Vec<String> = failing.collect();
        if !state.is_connected {
            reasons.push("the ingester is not reached".to_owned());
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons.join("; ")) }
    }
}
