//! What a question is answered in: the asker's text and options, and what both sides of a comparison are numbered,
//! placed and compared by.

use std::{
    num::NonZero,
    sync::{Arc, LazyLock},
    thread::available_parallelism,
};

use jiff::tz::TimeZone;
use lastwords_store::{Store, select::EventSelection};
use tokio::sync::Semaphore;

use crate::{
    answer::{Header, Range},
    budget::Budget,
    chance::{Input, Windows},
    correlate::{comparison::Comparison, placement::Placement, scope::Numbered},
    error::AskError,
    event::{Events, Row},
    language::{Bounds, Near, Scope},
    names::Names,
    options::AskOptions,
    plan::{
        narrow::{Narrow, Needs},
        selection::{self, Partners},
    },
};

/// What is asked: what every form of question is answered from.
pub(crate) struct Asked<'a> {
    /// The store.
    pub store: &'a Store,
    /// The asker's words.
    pub text: &'a str,
    /// How it is asked.
    pub options: &'a AskOptions,
    /// Now, nanoseconds.
    pub now_ns: i64,
    /// What is known of hosts and guests.
    pub placement: Arc<Placement>,
}

impl Asked<'_> {
    /// The beginning of an answer that speaks of a time.
    pub fn header(&self, range: Range) -> Header {
        Header {
            question: self.text.to_owned(),
            range,
            time_zone: self.options.time_zone.iana_name().unwrap_or("UTC").to_owned(),
            matched: 0,
            truncated: false,
        }
    }
}

/// What both sides of a comparison are numbered, placed and compared by.
pub(crate) struct Context {
    pub names: Names,
    pub budget: Budget,
    pub placement: Arc<Placement>,
    /// Up to here everything has arrived.
    pub watermark_ns: i64,
    pub range: Range,
    /// The asker's.
    pub time_zone: TimeZone,
    /// Of what chance draws.
    pub seed: u64,
    /// See [`AskOptions`].
    pub whole_sets: bool,
}

impl Context {
    /// What numbers everything that was met up to now.
    pub fn numbered(&self) -> Numbered<'_> {
        let Names { hosts, guests, .. } = &self.names;
        Numbered { hosts, guests: guests.len(), placement: &self.placement }
    }

    /// Partners under a condition in the range of a question.
    pub fn select(&self, near: &Near, bounds: &Bounds, narrow: &Narrow) -> EventSelection {
        selection::partners(near, bounds, self.partners(near, narrow))
    }

    /// How partners are fetched.
    pub fn partners<'n>(&self, near: &Near, narrow: &'n Narrow) -> Partners<'n> {
        let moving = self.placement.moves();
        // The guests of partners matter where they move, or are compared on.
        Partners { guest: moving || near.scope == Scope::Guest, moving, narrow }
    }

    /// Which partners of these events asked for suffice.
    pub fn narrow(&self, comparison: &Comparison, near: &Near, with_windows: bool) -> Narrow {
        if self.whole_sets {
            return Narrow::default();
        }
        let anchors = comparison.anchors();
        let windows = Windows::default();
        let units = comparison.units(self.numbered());
        let chance = with_windows.then(|| self.chance(near, anchors, &windows, units, false));
        let range_ns = (self.range.from, self.range.to);
        Narrow::choose(&Needs { near, anchors, hosts: &self.names.hosts, chance, range_ns })
    }

    /// What chance is told of.
    pub fn chance<'a>(
        &'a self,
        near: &Near,
        anchors: &'a Events,
        windows: &'a Windows,
        units: u32,
        same_events: bool,
    ) -> Input<'a> {
        Input {
            anchors: anchors.intervals(),
            windows,
            relation: near.relation,
            within_ns: near.within_ns,
            from_ns: self.range.from,
            to_ns: self.range.to,
            watermark_ns: self.watermark_ns,
            time_zone: &self.time_zone,
            units,
            seed: self.seed,
            same_events,
        }
    }

    /// Puts events on the hosts that ran their guests.
    pub fn place(&self, rows: &mut [Row]) {
        self.placement.place(rows, &self.names);
    }
}

/// Computes beside what waits for the store, on threads of its own; as many at once as there are processors.
pub(crate) async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AskError> {
    static PLACES: LazyLock<Semaphore> =
        LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, NonZero::get)));
    let ended = |error: &dyn std::fmt::Display| AskError::Cancelled(error.to_string());
    let place = PLACES.acquire().await.map_err(|error| ended(&error))?;
    let working = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(place);
        done
    });
    working.await.map_err(|error| ended(&error))
}
