//! The statements that run, and which of them are to end: those beyond their time, and those that nobody waits for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The engine ends a statement at its time by itself; beyond that it is asked to.
const OVERTIME: Duration = Duration::from_secs(2);
/// A cancelled statement that runs on for so long does not end by itself. Ordinary statements end within milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for an insert of data that came with it: such a one waits for a disk, mostly, and a new process would wait
/// for the same disk.
const PATIENCE_INSERT: Duration = Duration::from_secs(60);

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

    /// Whether nobody looked at them so far; from now on somebody does.
    pub(super) fn begin_watch(&self) -> bool {
        !self.watched.swap(true, Ordering::AcqRel)
    }

    /// Looks at all of them once: those to cancel now, and one that cannot be ended, if any.
    pub(super) fn judge(&self, now: Instant) -> (Vec<String>, Option<Stuck>) {
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
pub(super) struct Stuck {
    pub(super) mark: String,
    pub(super) running: Duration,
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
}
