//! Statements that do not end: cancelled first, and where that does not help, the engine's process ends with them.
//!
//! The engine looks whether a statement is to end between its blocks. One regular expression over one block, or one
//! array of a thousand million numbers, has no such place for minutes. Where the engine has a process of its own, that
//! process is cheap to lose: it is started again, and inserts that it broke off are read back. Within another's process
//! nothing but cancelling is left.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::merge_threads::MergeThreads;
use super::running::Stuck;
use super::{Engine, Statement};

/// How often statements and memory are looked at. In that time the engine can take some hundred MiB.
const LOOK: Duration = Duration::from_millis(200);
/// What the process ends with when a statement cannot be ended otherwise.
pub(crate) const EXIT_STUCK: u8 = 70;
/// What it ends with when it has taken more memory than it may.
pub(crate) const EXIT_MEMORY: u8 = 71;

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
    if !running.begin_watch() {
        return;
    }
    let engine = Arc::downgrade(engine);
    let watch = move || {
        // A caged process sees no threads; its parent looks after them.
        let mut merges = matches!(ends, Ends::Nothing).then(|| MergeThreads::of_process(None));
        while let Some(engine) = engine.upgrade() {
            let (cancel, stuck) = running.judge(Instant::now());
            for mark in cancel {
                kill(Arc::clone(&engine), mark);
            }
            drop(engine);
            look(&ends, stuck);
            merges.iter_mut().for_each(|merges| merges.look(Instant::now()));
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
