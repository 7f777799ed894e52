//! Statements that do not end: cancelled first, and where that does not help, the engine's process ends with them.
//!
//! The engine looks whether a statement is to end between its blocks. One regular expression over one block, or one
//! array of a thousand million numbers, has no such place for minutes. Where the engine has a process of its own, that
//! process is cheap to lose: it is started again, and inserts that it broke off are read back. Within another's process
//! nothing but cancelling is left.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::{Engine, Statement};

/// How often statements and memory are looked at. In that time the engine can take some hundred MiB.
const LOOK: Duration = Duration::from_millis(200);
/// The engine ends a statement at its time by itself; beyond that it is asked to.
const OVERTIME: Duration = Duration::from_secs(2);
/// A cancelled statement that runs on for so long does not end by itself. Ordinary statements end within milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for an insert of data that came with it: such a one waits for a disk, mostly, and a new process would wait
/// for the same disk.
const PATIENCE_INSERT: Duration = Duration::from_secs(60);
/// What the process ends with when a statement cannot be ended otherwise.
pub(crate) const EXIT_STUCK: u8 = 70;
/// What it ends with when it has taken more memory than it may.
pub(crate) const EXIT_MEMORY: u8 = 71;

/// The running statements.
#[derive(Debug, Default)]
pub(crate) struct Running {
    entries: Mutex<HashMap<u64, Entry>>,
    /// Whether somebody looks at them.
    watched: AtomicBool,
}

#[derive(Debug)]
struct Entry {
    /// The engine's thread is told by that.
    mark: String,
    begun: Instant,
    limit: Option<Duration>,
    patience: Duration,
    client: Weak<()>,
    cancelled: Option<Instant>,
}

/// What a statement is, to the watchdog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An insert whose data comes with it.
    Insert,
    /// Anything else.
    Other,
}

/// A statement that is being watched, from its beginning until the engine has let go of it.
#[derive(Debug)]
pub(crate) struct Watched {
    running: Arc<Running>,
    number: u64,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.running.lock().remove(&self.number);
    }
}

/// Somebody waits for the answer. Where all of these are gone before the statement has ended, nobody does.
#[derive(Debug)]
pub(crate) struct ClientHere(#[expect(dead_code, reason = "it is there, and that says it all")] Arc<()>);

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches a statement. `mark` is the `log_comment` by which the engine knows it.
    pub(crate) fn watch(
        self: &Arc<Self>,
        number: u64,
        mark: &str,
        kind: Kind,
        limit: Option<Duration>,
    ) -> (Watched, ClientHere) {
        let here = Arc::new(());
        let patience = match kind {
            Kind::Insert => PATIENCE_INSERT,
            Kind::Other => PATIENCE,
        };
        self.lock().insert(
            number,
            Entry {
                mark: mark.to_owned(),
                begun: Instant::now(),
                limit,
                patience,
                client: Arc::downgrade(&here),
                cancelled: None,
            },
        );
        (Watched { running: Arc::clone(self), number }, ClientHere(here))
    }

    /// Looks at all of them once: those to cancel now, and one that cannot be ended, if any.
    fn judge(&self, now: Instant) -> (Vec<String>, Option<Stuck>) {
        let (mut cancel, mut stuck) = (Vec::new(), None);
        for entry in self.lock().values_mut() {
            match entry.judge(now) {
                Verdict::Runs => {}
                Verdict::Cancel => {
                    entry.cancelled = Some(now);
                    cancel.push(entry.mark.clone());
                }
                Verdict::Stuck => {
                    let running = now.saturating_duration_since(entry.begun);
                    stuck = Some(Stuck { mark: entry.mark.clone(), running });
                    // Where the process goes on, it is said again after as long.
                    entry.cancelled = Some(now);
                }
            }
        }
        (cancel, stuck)
    }
}

/// A statement that runs on although it was cancelled.
#[derive(Debug, PartialEq, Eq)]
struct Stuck {
    mark: String,
    running: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Runs,
    Cancel,
    Stuck,
}

impl Entry {
    fn judge(&self, now: Instant) -> Verdict {
        match self.cancelled {
            Some(cancelled) if now.saturating_duration_since(cancelled) >= self.patience => Verdict::Stuck,
            Some(_) => Verdict::Runs,
            None => {
                let running = now.saturating_duration_since(self.begun);
                let late = self.limit.is_some_and(|limit| running >= limit.saturating_add(OVERTIME));
                if late || self.client.strong_count() == 0 { Verdict::Cancel } else { Verdict::Runs }
            }
        }
    }
}

/// What is done about a statement that cannot be cancelled, and about memory.
#[derive(Debug)]
pub(crate) enum Ends {
    /// The process is the engine's own and ends.
    Process(Resident),
    /// The process is another's: it is only said.
    Nothing,
}

/// The memory that this process has taken, against what it may.
#[derive(Debug)]
pub(crate) struct Resident {
    /// `/proc/self/statm`, opened while it could be.
    statm: Option<File>,
    bytes_max: u64,
}

impl Resident {
    pub(crate) fn new(statm: Option<File>, bytes_max: u64) -> Resident {
        Resident { statm, bytes_max }
    }

    /// Bytes beyond what may be, with all that is resident.
    fn excess(&self) -> Option<u64> {
        let mut text = [0; 128];
        let read = self.statm.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..read)?).ok()?;
        let resident = anonymous_bytes(text, rustix::param::page_size() as u64)?;
        (resident > self.bytes_max).then_some(resident)
    }
}

/// What `/proc/self/statm` says of memory that is not a file's: files that are mapped (the library) can be dropped.
fn anonymous_bytes(statm: &str, page_bytes: u64) -> Option<u64> {
    let mut pages = statm.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (pages.next()?.ok()?, pages.next()?.ok()?);
    Some(resident.saturating_sub(shared).saturating_mul(page_bytes))
}

/// Watches an engine's statements as long as the engine is there. A second watchdog of one engine is none.
pub(crate) fn start(engine: &Arc<Engine>, ends: Ends) {
    let running = Arc::clone(engine.running());
    if running.watched.swap(true, Ordering::AcqRel) {
        return;
    }
    let engine = Arc::downgrade(engine);
    let watch = move || {
        while let Some(engine) = engine.upgrade() {
            let (cancel, stuck) = running.judge(Instant::now());
            for mark in cancel {
                kill(Arc::clone(&engine), mark);
            }
            drop(engine);
            look(&ends, stuck);
            std::thread::sleep(LOOK);
        }
    };
    if let Err(error) = std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch) {
        tracing::error!(%error, "no thread for the watchdog: statements that do not end are not cancelled");
    }
}

/// Ends the process where that is to be.
fn look(ends: &Ends, stuck: Option<Stuck>) {
    match (ends, &stuck) {
        (Ends::Process(resident), _) => {
            if let Some(stuck) = stuck {
                tracing::error!(
                    statement = stuck.mark,
                    seconds = stuck.running.as_secs(),
                    "a statement does not end although it was cancelled: the engine's process ends with it"
                );
                super::end_process(EXIT_STUCK);
            }
            if let Some(bytes) = resident.excess() {
                tracing::error!(
                    mib = bytes >> 20,
                    mib_max = resident.bytes_max >> 20,
                    "the engine has taken more memory than it may: its process ends"
                );
                super::end_process(EXIT_MEMORY);
            }
        }
        (Ends::Nothing, Some(stuck)) => tracing::warn!(
            statement = stuck.mark,
            seconds = stuck.running.as_secs(),
            "a statement does not end although it was cancelled"
        ),
        (Ends::Nothing, None) => {}
    }
}

/// Asks the engine to end a statement, in a thread of its own: the asking may hang where the statement does.
fn kill(engine: Arc<Engine>, mark: String) {
    let ask = move || {
        let text = format!("KILL QUERY WHERE Settings['log_comment'] = '{mark}' ASYNC");
        let statement = Statement { text: text.as_bytes(), format: "TabSeparated", parameters: &[] };
        match engine.run_blocking(&statement) {
            Ok(_) => tracing::debug!(statement = mark, "cancelled"),
            Err(error) => tracing::debug!(statement = mark, %error, "could not be cancelled"),
        }
    };
    if let Err(error) = std::thread::Builder::new().name("cancel".to_owned()).spawn(ask) {
        tracing::warn!(%error, "no thread to cancel a statement in");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// What becomes of a statement at some seconds of its life.
    fn check(kind: Kind, limit_s: Option<u64>, gone: bool, looks: &[(u64, &str)]) {
        let running = Arc::new(Running::default());
        let (watched, client) = running.watch(1, "m", kind, limit_s.map(second));
        let begun = running.lock()[&1].begun;
        let client = Some(client).filter(|_| !gone);
        for (at_s, expected) in looks {
            let (cancel, stuck) = running.judge(begun + second(*at_s));
            let found = match (cancel.len(), stuck.is_some()) {
                (0, false) => "runs",
                (1, false) => "cancel",
                (0, true) => "stuck",
                other => panic!("{other:?}"),
            };
            assert_eq!(found, *expected, "at {at_s} s: {kind:?} {limit_s:?} gone: {gone}");
        }
        drop((watched, client));
        assert_eq!(running.judge(begun + second(1_000_000)), (vec![], None));
    }

    #[test]
    fn a_statement_beyond_its_time_is_cancelled_and_then_costs_the_process() {
        check(
            Kind::Other,
            Some(10),
            false,
            &[(0, "runs"), (11, "runs"), (12, "cancel"), (13, "runs"), (16, "runs"), (17, "stuck")],
        );
    }

    #[test]
    fn a_statement_whose_client_is_gone_is_cancelled_whatever_its_time() {
        check(Kind::Other, None, true, &[(0, "cancel"), (4, "runs"), (5, "stuck")]);
        check(Kind::Other, Some(600), true, &[(1, "cancel"), (6, "stuck")]);
    }

    #[test]
    fn an_insert_that_waits_for_its_disk_is_given_longer() {
        check(Kind::Insert, None, true, &[(0, "cancel"), (30, "runs"), (59, "runs"), (60, "stuck")]);
    }

    #[test]
    fn a_statement_without_limit_runs_as_long_as_somebody_waits() {
        check(Kind::Other, None, false, &[(0, "runs"), (100_000, "runs")]);
    }

    #[test]
    fn memory_that_is_a_files_does_not_count() {
        assert_eq!(anonymous_bytes("1000 300 100 5 0 400 0\n", 4096), Some(200 * 4096));
        assert_eq!(anonymous_bytes("1000 x", 4096), None);
        assert_eq!(anonymous_bytes("", 4096), None);
    }

    #[test]
    fn this_process_is_measured_and_found_above_a_byte() {
        let statm = File::open("/proc/self/statm").unwrap();
        assert!(Resident::new(Some(statm), 1).excess().is_some());
        let statm = File::open("/proc/self/statm").unwrap();
        assert_eq!(Resident::new(Some(statm), 1 << 50).excess(), None);
        assert_eq!(Resident::new(None, 1).excess(), None);
    }
}
