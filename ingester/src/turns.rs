//! Turns in the queue for calls that have not proved themselves: of which no batch has been stored yet, or whose last
//! one was set aside. What has to be set aside costs the writer more than what is stored, so calls that have proved
//! themselves must not wait behind any number of it. As long as nothing is set aside, there are many turns: after a
//! restart the whole fleet is new.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Batches in the queue at once, of all such calls.
const TURNS: usize = 64;
/// The same, for a while after something was set aside.
const CAREFUL_TURNS: usize = 4;
const CAREFUL: Duration = Duration::from_secs(10);

/// The turns of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    careful: Arc<Semaphore>,
    set_aside: Arc<Mutex<Option<Instant>>>,
}

/// A turn; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "held, not read")] [Option<OwnedSemaphorePermit>; 2]);

impl Default for Turns {
    fn default() -> Self {
        let (all, careful) = (Semaphore::new(TURNS), Semaphore::new(CAREFUL_TURNS));
        Turns { all: Arc::new(all), careful: Arc::new(careful), set_aside: Arc::default() }
    }
}

impl Turns {
    /// Waits for a turn.
    pub(crate) async fn take(&self) -> Turn {
        // Neither is ever closed.
        let careful =
            if self.is_careful() { Arc::clone(&self.careful).acquire_owned().await.ok() } else { None };
        Turn([careful, Arc::clone(&self.all).acquire_owned().await.ok()])
    }

    /// A batch was set aside: fewer turns for a while.
    pub(crate) fn set_aside(&self) {
        *self.set_aside.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_careful(&self) -> bool {
        let set_aside = *self.set_aside.lock().unwrap_or_else(PoisonError::into_inner);
        set_aside.is_some_and(|moment| moment.elapsed() < CAREFUL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn at_once(turns: &Turns) -> usize {
        let mut taken = Vec::new();
        while let Ok(turn) = tokio::time::timeout(Duration::from_millis(1), turns.take()).await {
            taken.push(turn);
        }
        taken.len()
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_few_turns_while_batches_are_set_aside_and_many_otherwise() {
        let turns = Turns::default();
        assert_eq!(at_once(&turns).await, TURNS);
        turns.set_aside();
        assert_eq!(at_once(&turns).await, CAREFUL_TURNS);
        tokio::time::advance(CAREFUL).await;
        assert_eq!(at_once(&turns).await, TURNS);
    }
}
