//! What is read, and how it feeds the pipeline. There are two kinds.
//!
//! **Files** ([`followed`], consoles included) can be read again. A batch made from them is planned as *extents*: which
//! file, from which byte to which, and everything else that decides a row. Only the plan entry is written to disk;
//! after a restart the same extents give the same rows. Nothing else in the shipper reads log files.
//!
//! **Feeds** cannot be read again, or not surely: the kernel's ring is overwritten, a journal is vacuumed, a sample
//! exists once. A feed hands over finished rows together with the *cursor* at which reading goes on after them:
//!
//! ```text
//! FeedSource::run(cursor, FeedSender, Stop)      one thread of its own, blocking reads
//!     └─ send(Feed { rows, cursor })  ──bounded──▶  batch (sealed) + cursor in ONE plan entry, fsynced ──▶ uplink
//! ```
//!
//! Rows and cursor become durable in one step, so a source that is started again with the cursor that it is given
//! loses nothing and doubles nothing, whatever happens to the batch: its sealed bytes are in the plan until they
//! are acknowledged. A feed that was sent but not yet planned when the process ended is read again from the older
//! cursor. Rules for whoever writes a source:
//!
//! - The cursor is opaque bytes of the source's own; it must name the place after the *last* row of the feed
//!   (`kmsg`: boot id and sequence; `journald`: the journal's cursor). A feed with an empty cursor leaves the
//!   stored one as it is (samples have none).
//! - Rows that belong together (a kernel crash) are grouped by the source, before the feed is sent.
//! - A feed holds at most [`FEED_BYTES_MAX`] of rows; send early rather than large, at least every 100 ms while
//!   there is something. `send` blocks while the pipeline is behind: that is the backpressure.
//! - `run` returns soon (200 ms) after [`Stop::is_set`] says so, and never because of a single bad entry.
//! - What a source knows to be lost (overwritten entries) it reports as an event of class `lastwords.loss`, see
//!   [`loss_event`].

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use lastwords_record::{
    Host, Origin, Placement, RecordRef, Sample, Severity, ShipperEvent, Source, TimeBasis,
};
use tokio::sync::{Notify, mpsc};

pub mod boots;
pub mod content;
pub mod export;
pub mod fingerprint;
pub mod followed;
pub mod grouped;
pub mod identity;
pub mod journal_cursor;
pub mod journal_entry;
pub mod journald;
pub mod kernel_entry;
pub mod kin;
pub mod kmsg;
pub mod packed;
pub mod trace;

/// Bytes of rows in one feed, at most.
pub const FEED_BYTES_MAX: usize = 256 * 1024;
/// Feeds that wait for the pipeline, at most.
pub const FEEDS_WAITING_MAX: usize = 16;

/// OpenTelemetry's number of an error.
const SEVERE: u8 = 17;

/// A record that a feed hands over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FedRecord {
    /// Its own time, UTC nanoseconds.
    pub time_ns: i64,
    /// When it was read, UTC nanoseconds.
    pub observed_ns: i64,
    /// Exact bytes, lines of a group joined by `\n`.
    pub body: Vec<u8>,
    /// OpenTelemetry severity number; 0: unknown.
    pub severity: u8,
    /// Syslog identifier, unit or the like.
    pub program: String,
    /// How the time was found.
    pub time_basis: TimeBasis,
    /// Further attributes.
    pub attributes: Vec<(String, String)>,
}

impl FedRecord {
    /// Calls `with` with the record as a batch takes it.
    pub fn with_ref<T>(&self, with: impl FnOnce(&RecordRef<'_>) -> T) -> T {
        let attributes: Vec<(&str, &str)> =
            self.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        with(&RecordRef {
            time_ns: self.time_ns,
            observed_ns: self.observed_ns,
            body: &self.body,
            severity: self.severity,
            program: &self.program,
            time_basis: self.time_basis,
            attributes: &attributes,
        })
    }
}

/// Rows, and where reading goes on after them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Feed {
    /// Name of the stream that the cursor belongs to, e.g. `journald`.
    pub stream: String,
    /// Where to go on; empty: leave the stored cursor as it is.
    pub cursor: Vec<u8>,
    /// Records, each run of them with its origin.
    pub records: Vec<(Origin, Vec<FedRecord>)>,
    /// Samples.
    pub samples: Vec<Sample>,
    /// Events.
    pub events: Vec<ShipperEvent>,
    /// Placements.
    pub placements: Vec<Placement>,
}

/// A source whose rows cannot be read again.
pub trait FeedSource: Send {
    /// Name of its stream: the key of its cursor, and what messages call it.
    fn name(&self) -> &str;

    /// Reads until told to stop. `cursor` is that of its last planned feed; none at the first start.
    ///
    /// # Errors
    /// Where it cannot go on at all; it is started again after a pause.
    fn run(&mut self, cursor: Option<&[u8]>, feed: &FeedSender, stop: &Stop) -> Result<(), SourceError>;
}

/// Why a source cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file, device or process failed.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, on what.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
    /// What it reads makes no sense.
    #[error("{0}")]
    Unreadable(String),
    /// The pipeline is gone.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// The pipeline takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shipper is shutting down")]
pub struct Closed;

/// A source's end of the way into the pipeline.
#[derive(Debug, Clone)]
pub struct FeedSender {
    feeds: mpsc::Sender<Feed>,
    /// The cursor of the last feed that was handed over, by stream.
    cursors: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// Told when a feed comes that does not wait for company.
    urgent: Arc<Notify>,
}

impl Feed {
    /// Whether it is sent at once, however long batches are gathered: events, and reports of more than one line, as
    /// kernels write them when they break.
    fn is_urgent(&self) -> bool {
        let is_report = |record: &FedRecord| record.severity >= SEVERE || record.body.contains(&b'\n');
        let is_urgent = |(origin, records): &(Origin, Vec<FedRecord>)| match origin.source {
            Source::Kmsg | Source::Console | Source::Netconsole | Source::Pstore => {
                records.iter().any(is_report)
            }
            Source::Journald => records.iter().any(|record| record.program == "kernel" && is_report(record)),
            _ => false,
        };
        !self.events.is_empty() || self.records.iter().any(is_urgent)
    }
}

impl FeedSender {
    /// Told when a feed comes that does not wait for company.
    pub(crate) fn urgent(&self) -> Arc<Notify> {
        Arc::clone(&self.urgent)
    }

    /// A bounded way into the pipeline.
    pub fn channel() -> (FeedSender, mpsc::Receiver<Feed>) {
        let (sender, receiver) = mpsc::channel(FEEDS_WAITING_MAX);
        (FeedSender { feeds: sender, cursors: Arc::default(), urgent: Arc::default() }, receiver)
    }

    /// Hands a feed over; blocks while the pipeline is behind. Not for async code.
    ///
    /// # Errors
    /// Where the pipeline is gone.
    pub fn send(&self, feed: Feed) -> Result<(), Closed> {
        let cursor = (!feed.cursor.is_empty()).then(|| (feed.stream.clone(), feed.cursor.clone()));
        let is_urgent = feed.is_urgent();
        self.feeds.blocking_send(feed).map_err(|_| Closed)?;
        if is_urgent {
            self.urgent.notify_one();
        }
        if let Some((stream, cursor)) = cursor {
            self.cursors.lock().unwrap_or_else(PoisonError::into_inner).insert(stream, cursor);
        }
        Ok(())
    }

    /// The cursor of the last feed of a stream that was handed over since the process started. What was handed over
    /// is planned in its order, or the process ends and the plan's cursor counts: so a source that failed goes on here.
    pub fn last_cursor(&self, stream: &str) -> Option<Vec<u8>> {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner).get(stream).cloned()
    }
}

/// Says when to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Whether it is time.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Says that it is time.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The event that tells what had to be given up.
pub fn loss_event(
    host: &Host,
    time_ns: i64,
    key: String,
    title: String,
    lost: &[(&str, u64)],
) -> ShipperEvent {
    ShipperEvent {
        class: "lastwords.loss".to_owned(),
        start_ns: time_ns,
        end_ns: Some(time_ns),
        host: host.clone(),
        guest: None,
        title,
        severity: Severity::Error,
        key,
        attributes: lost.iter().map(|(name, amount)| ((*name).to_owned(), amount.to_string())).collect(),
    }
}
