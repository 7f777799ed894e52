//! The leases of one member: which partitions it may write, and whose work each of them is. A lease ends when its
//! partition goes, or its writer breaks; then the member gives back all that it has, since whoever broke it may break
//! the others.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, mpsc as blocking},
    time::{Duration, Instant},
};

use lastwords_runtime::Poison;
use tokio::{runtime::Handle, sync::watch};
use tokio_util::sync::CancellationToken;

use super::consumer::Generation;

/// How long a writer that was told to end at once may take.
const END_MAX: Duration = Duration::from_secs(2);

/// The right to write a partition.
pub(super) struct Lease {
    pub partition: i32,
    /// Finish the block, then end.
    pub drain: CancellationToken,
    /// End at once.
    pub lost: CancellationToken,
    /// What commits are made under; none until the assignment has been carried out.
    pub generation: watch::Receiver<Option<Generation>>,
}

/// A partition that this member holds.
struct Running {
    drain: CancellationToken,
    lost: CancellationToken,
    generation: watch::Sender<Option<Generation>>,
    ended: blocking::Receiver<()>,
}

/// The leases of one member.
pub(super) struct Leases {
    /// Where writers run.
    handle: Handle,
    /// How long a partition that is taken away may finish its block.
    grace: Duration,
    poison: Poison,
    running: Mutex<HashMap<i32, Running>>,
}

impl Leases {
    pub fn new(handle: Handle, grace: Duration, poison: Poison) -> Leases {
        Leases { handle, grace, poison, running: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the writer of a partition. Where it panics, fails, or ends although its lease goes on, the member is
    /// poisoned.
    pub fn begin<W, E>(&self, partition: i32, write: impl FnOnce(Lease) -> W)
    where
        W: Future<Output = Result<(), E>> + Send + 'static,
        E: std::fmt::Display,
    {
        let (generation, watched) = watch::channel(None);
        let (drain, lost) = (CancellationToken::new(), CancellationToken::new());
        let (end, ended) = blocking::sync_channel(1);
        let writing =
            write(Lease { partition, drain: drain.clone(), lost: lost.clone(), generation: watched });
        let (guard, poison) = (self.poison.guard("the writer of a partition"), self.poison.clone());
        let asked = (drain.clone(), lost.clone());
        self.handle.spawn(async move {
            match writing.await {
                Err(broken) => poison.spread(&format!("partition {partition} cannot be written: {broken}")),
                Ok(()) if asked.0.is_cancelled() || asked.1.is_cancelled() => {}
                Ok(()) => poison.spread(&format!("the writer of partition {partition} ended by itself")),
            }
            guard.ended_well();
            // Nobody waits where the lease has been forgotten.
            let _ = end.send(());
        });
        self.lock().insert(partition, Running { drain, lost, generation, ended });
    }

    /// Commits are made under this generation from now on; none: they would be refused.
    pub fn renew(&self, generation: Option<Generation>) {
        for partition in self.lock().values() {
            match &generation {
                Some(generation) => {
                    partition.generation.send_replace(Some(Generation::clone(generation)));
                }
                None => partition.lost.cancel(),
            }
        }
    }

    /// Ends the writers of these partitions. With `finish` blocks under way are stored and committed, as far as the
    /// grace goes: the successor has nothing in doubt then. Blocks the thread.
    pub fn end(&self, partitions: &[i32], finish: bool) {
        let ending: Vec<Running> = {
            let mut running = self.lock();
            partitions.iter().filter_map(|partition| running.remove(partition)).collect()
        };
        for partition in &ending {
            partition.drain.cancel();
            if !finish {
                partition.lost.cancel();
            }
        }
        let deadline = Instant::now() + self.grace;
        for partition in &ending {
            let left = deadline.saturating_duration_since(Instant::now());
            if matches!(partition.ended.recv_timeout(left), Err(blocking::RecvTimeoutError::Timeout)) {
                partition.lost.cancel();
                // It ends at its next step; what it commits later is refused.
                let _ = partition.ended.recv_timeout(END_MAX);
            }
        }
    }

    /// The same for all.
    pub fn end_all(&self, finish: bool) {
        let all: Vec<i32> = self.lock().keys().copied().collect();
        self.end(&all, finish);
    }

    /// How many there are.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn leases() -> Leases {
        Leases::new(Handle::current(), HOUR, Poison::default())
    }

    /// Writes until it is told to finish.
    async fn well(lease: Lease) -> Result<(), String> {
        lease.drain.cancelled().await;
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lease_ends_with_its_partition_and_nobody_is_poisoned() {
        let leases = leases();
        leases.begin(1, well);
        leases.begin(2, well);
        tokio::task::block_in_place(|| leases.end(&[1], true));
        assert_eq!((leases.count(), leases.poison.reason()), (1, None));
        tokio::task::block_in_place(|| leases.end_all(true));
        assert_eq!((leases.count(), leases.poison.reason()), (0, None));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_writer_that_panics_fails_or_ends_by_itself_poisons_its_member() {
        type Broken = fn(&Leases);
        let cases: [(&str, Broken); 3] = [
            ("the writer of a partition panicked", |leases| {
                leases.begin(7, panics);
            }),
            ("partition 7 cannot be written: its reader is gone", |leases| {
                leases.begin(7, |_lease| async { Err("its reader is gone".to_owned()) });
            }),
            ("the writer of partition 7 ended by itself", |leases| {
                leases.begin(7, |_lease| async { done() });
            }),
        ];
        for (wanted, begin) in cases {
            let leases = leases();
            leases.begin(1, well);
            begin(&leases);
            assert_eq!(&*leases.poison.poisoned().await, wanted);
            // What the member does then; the writer that broke is not waited for.
            tokio::task::block_in_place(|| leases.end_all(true));
            assert_eq!(leases.count(), 0);
        }
    }

    async fn panics(_lease: Lease) -> Result<(), String> {
        panic!("as it does in this test")
    }

    fn done() -> Result<(), String> {
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_member_that_is_expelled_loses_all_leases_at_once() {
        let leases = leases();
        let (tell, heard) = tokio::sync::oneshot::channel();
        leases.begin(1, |lease| async move {
            lease.lost.cancelled().await;
            let _ = tell.send(());
            done()
        });
        leases.renew(None);
        heard.await.unwrap();
        tokio::task::block_in_place(|| leases.end_all(false));
        assert_eq!(leases.poison.reason(), None);
    }
}
