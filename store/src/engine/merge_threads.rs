//! Merges take what inserts and questions leave over: their threads get the lowest priority.
//!
//! The engine would do so itself (`os_threads_nice_value_merge_mutate`), but only where it may also go back to a higher
//! priority: with `CAP_SYS_NICE`, which neither the caged process nor a user's has. To lower a thread of one's own user
//! needs no right. Without this, an import of 6 million lines took a third longer, since merges came in between.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;

/// What the engine calls them.
const NAME: &str = "MergeMutate";
/// Niceness: 19 is the lowest priority, 0 that of everything else.
pub(super) const NICE: i32 = 15;
/// The engine starts them when the first table is opened. After a first look, each comes after twice the time.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The merging threads of a process.
#[derive(Debug)]
pub(crate) struct MergeThreads {
    tasks: PathBuf,
    lowered: BTreeSet<i32>,
    pause: Duration,
    next: Option<Instant>,
}

impl MergeThreads {
    /// Those of a process; of this one where none is given.
    pub(crate) fn of_process(id: Option<u32>) -> MergeThreads {
        let process = id.map_or_else(|| "self".to_owned(), |id| id.to_string());
        MergeThreads {
            tasks: Path::new("/proc").join(process).join("task"),
            lowered: BTreeSet::new(),
            pause: PAUSE_MIN,
            next: None,
        }
    }

    /// Looks for new ones where it is time to, and lowers them.
    pub(crate) fn look(&mut self, now: Instant) {
        if self.next.is_some_and(|next| now < next) {
            return;
        }
        self.next = now.checked_add(self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        // A process that has just ended, or a system without /proc, has none.
        for thread in std::fs::read_dir(&self.tasks).into_iter().flatten().flatten() {
            let Some(id) = thread.file_name().to_str().and_then(|id| id.parse::<i32>().ok()) else {
                continue;
            };
            if self.lowered.contains(&id) {
                continue;
            }
            let is_merging =
                std::fs::read_to_string(thread.path().join("comm")).is_ok_and(|name| name.trim_end() == NAME);
            if is_merging && lower(id) {
                self.lowered.insert(id);
            }
        }
    }
}

fn lower(thread: i32) -> bool {
    match rustix::process::setpriority_process(Pid::from_raw(thread), NICE) {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(%error, thread, "a merging thread keeps its priority");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_merge_get_the_lowest_priority_and_no_others() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let start = |name: &str| {
            let sender = sender.clone();
            let (keep, wait) = std::sync::mpsc::channel::<()>();
            let body = move || {
                sender.send(rustix::thread::gettid()).unwrap();
                let _ = wait.recv();
            };
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body).unwrap();
            (receiver.recv().unwrap(), keep, thread)
        };
        let threads = ["MergeMutate", "QueryPipelineEx"].map(start);
        let mut merging = MergeThreads::of_process(None);
        merging.look(Instant::now());
        let [merge, query] =
            [0, 1].map(|at| rustix::process::getpriority_process(Some(threads[at].0)).unwrap());
        assert_eq!((merge, query), (NICE, 0));
        for (_, keep, thread) in threads {
            drop(keep);
            thread.join().unwrap();
        }
    }
}
