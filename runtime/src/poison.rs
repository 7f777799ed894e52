//! A worker that breaks poisons its owner: nothing more is taken, readiness says so, and the process ends where it
//! cannot go on. What would otherwise go unnoticed are workers that panic, are dropped with their runtime, or end
//! although nobody asked them to.

use std::sync::Arc;

use tokio::sync::watch;

/// Whether an owner can still do its work. Cheap to clone: the owner and its workers share one.
#[derive(Debug, Clone)]
pub struct Poison(Arc<watch::Sender<Option<Arc<str>>>>);

impl Default for Poison {
    fn default() -> Self {
        Poison(Arc::new(watch::Sender::new(None)))
    }
}

impl Poison {
    /// The owner cannot go on. The first reason counts.
    pub fn spread(&self, reason: &str) {
        let first = self.0.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                *known = Some(reason.into());
            }
            first
        });
        if first {
            tracing::error!(reason, "a part broke that the others cannot do without");
        }
    }

    /// Why the owner cannot go on; none: it can.
    #[must_use]
    pub fn reason(&self) -> Option<Arc<str>> {
        self.0.borrow().clone()
    }

    /// Resolves when the owner cannot go on, with the reason.
    pub async fn poisoned(&self) -> Arc<str> {
        let mut watched = self.0.subscribe();
        loop {
            if let Some(reason) = watched.borrow_and_update().clone() {
                return reason;
            }
            if watched.changed().await.is_err() {
                // Its sender is this one's own.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Watches over a worker until [`Guard::ended_well`].
    #[must_use]
    pub fn guard(&self, worker: &'static str) -> Guard {
        Guard { poison: self.clone(), worker, well: false }
    }
}

/// A worker at work. Where it goes without a word (a panic, an abort, the end of its runtime), its owner is poisoned.
#[derive(Debug)]
pub struct Guard {
    poison: Poison,
    worker: &'static str,
    well: bool,
}

impl Guard {
    /// The worker has done all that it had to do.
    pub fn ended_well(mut self) {
        self.well = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.well {
            return;
        }
        let how = if std::thread::panicking() { "panicked" } else { "is gone" };
        self.poison.spread(&format!("{} {how}", self.worker));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_worker_that_panics_or_is_dropped_poisons_its_owner_and_one_that_ends_well_does_not() {
        let poison = Poison::default();
        let guard = poison.guard("the first");
        tokio::spawn(async move { guard.ended_well() }).await.unwrap();
        assert_eq!(poison.reason(), None);

        let guard = poison.guard("the second");
        let broke = tokio::spawn(async move {
            let _guard = guard;
            panic!("as it does in this test");
        });
        assert!(broke.await.is_err());
        assert_eq!(&*poison.poisoned().await, "the second panicked");

        let other = Poison::default();
        let guard = other.guard("the third");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.spawn(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        runtime.shutdown_background();
        assert_eq!(&*other.poisoned().await, "the third is gone");
    }

    #[tokio::test]
    async fn the_first_reason_counts_and_everybody_hears_it() {
        let poison = Poison::default();
        let listening = poison.clone();
        let heard = tokio::spawn(async move { listening.poisoned().await });
        poison.spread("one");
        poison.spread("another");
        assert_eq!((&*heard.await.unwrap(), poison.reason().as_deref()), ("one", Some("one")));
    }
}
