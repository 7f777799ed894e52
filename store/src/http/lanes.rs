//! Places of running statements, by whom they are for: so that nobody who reads keeps an insert waiting.

use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::Failure;

/// The header by which our own process says for whom a statement is. The port's front makes its requests anew, so it
/// never comes from a client.
pub(crate) const LANE_HEADER: &str = "x-lastwords-lane";
/// A question's statement waits so long for a place: one question may send several.
const QUESTION_WAIT_MAX: Duration = Duration::from_secs(60);

/// For whom a statement runs. Each has places of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lane {
    /// For this program itself: inserts, the ledger, reading back, migrations.
    #[default]
    Own,
    /// For a question: statements that this program made of it.
    Question,
    /// SQL of somebody at the command line or the HTTP API.
    Asker,
    /// SQL of the ClickHouse port's reader.
    Port,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Lane; 4] = [Lane::Own, Lane::Question, Lane::Asker, Lane::Port];

    /// As it is called in the header and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Lane::Own => "own",
            Lane::Question => "question",
            Lane::Asker => "asker",
            Lane::Port => "port",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Lane> {
        Lane::ALL.into_iter().find(|lane| lane.name() == name)
    }

    /// Of a request of our own process. What is not named is taken for somebody's SQL, which has the fewest rights.
    pub(super) fn stated(headers: &HeaderMap) -> Lane {
        match headers.get(LANE_HEADER) {
            None => Lane::Own,
            Some(value) => value.to_str().ok().and_then(Lane::named).unwrap_or(Lane::Port),
        }
    }

    /// Whether the statement's text is a user's.
    pub(super) fn is_users(self) -> bool {
        matches!(self, Lane::Asker | Lane::Port)
    }
}

/// The places.
#[derive(Debug)]
pub(super) struct Lanes {
    own: Arc<Semaphore>,
    question: Arc<Semaphore>,
    asker: Arc<Semaphore>,
    port: Arc<Semaphore>,
    /// How long a user's statement waits.
    wait_max: Duration,
}

impl Lanes {
    /// `statements_max` places of our own, and for each kind of reader a quarter as many.
    pub(super) fn new(statements_max: usize, wait_max: Duration) -> Lanes {
        let places = |count: usize| Arc::new(Semaphore::new(count.max(1)));
        let quarter = statements_max / 4;
        Lanes {
            own: places(statements_max),
            question: places(quarter),
            asker: places(quarter),
            port: places(quarter),
            wait_max,
        }
    }

    /// Waits for a place, for as long as that lane allows.
    ///
    /// # Errors
    /// `Busy` where none became free, `Closing` where the engine ends.
    pub(super) async fn place(&self, lane: Lane) -> Result<OwnedSemaphorePermit, Failure> {
        let (places, wait_max) = match lane {
            Lane::Own => (&self.own, None),
            Lane::Question => (&self.question, Some(QUESTION_WAIT_MAX.max(self.wait_max))),
            Lane::Asker => (&self.asker, Some(self.wait_max)),
            Lane::Port => (&self.port, Some(self.wait_max)),
        };
        let place = Arc::clone(places).acquire_owned();
        let place = match wait_max {
            None => place.await,
            Some(limit) => tokio::time::timeout(limit, place).await.map_err(|_| Failure::Busy)?,
        };
        place.map_err(|_| Failure::Closing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(value: Option<&str>) -> Lane {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(LANE_HEADER, value.parse().unwrap());
        }
        Lane::stated(&headers)
    }

    #[test]
    fn a_statement_without_a_header_is_our_own_and_one_with_an_unknown_header_is_somebodys() {
        assert_eq!(lane(None), Lane::Own);
        assert_eq!(lane(Some("question")), Lane::Question);
        for unknown in ["", "OWN", "root"] {
            assert_eq!(lane(Some(unknown)), Lane::Port, "{unknown:?}");
        }
        for known in Lane::ALL {
            assert_eq!(lane(Some(known.name())), known);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn readers_who_take_all_their_places_leave_the_others_theirs() {
        let lanes = Lanes::new(16, Duration::from_secs(10));
        let mut taken = Vec::new();
        for lane in [Lane::Port, Lane::Asker, Lane::Question] {
            for _ in 0..4 {
                taken.push(lanes.place(lane).await.unwrap());
            }
            assert!(matches!(lanes.place(lane).await, Err(Failure::Busy)), "{lane:?}");
        }
        for _ in 0..16 {
            taken.push(lanes.place(Lane::Own).await.unwrap());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_gets_the_place_that_becomes_free_in_time() {
        let lanes = Lanes::new(4, Duration::from_secs(10));
        let first = lanes.place(Lane::Port).await.unwrap();
        let (second, ()) = tokio::join!(lanes.place(Lane::Port), async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            drop(first);
        });
        assert!(second.is_ok());
    }
}
