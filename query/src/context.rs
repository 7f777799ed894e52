//! What a question is answered in: the asker's text and options, and what both sides of a comparison are numbered,
//! placed and compared by.

use std::sync::Arc;

use jiff::tz::TimeZone;
use lastwords_store::Store;

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
        statement::{self, Fetch},
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
    pub fn fetch(&self, near: &Near, bounds: &Bounds, narrow: &Narrow) -> Fetch {
        statement::partners(near, bounds, self.by_guest(near), &self.sql(narrow))
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
        Narrow::of(&Needs { near, anchors, hosts: &self.names.hosts, chance, range_ns })
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

    /// A further condition of a statement.
    pub fn sql(&self, narrow: &Narrow) -> String {
        statement::narrowed(narrow, self.placement.moves())
    }

    /// Whether the guests of partners matter: where they move, or are compared on.
    pub fn by_guest(&self, near: &Near) -> bool {
        self.placement.moves() || near.scope == Scope::Guest
    }

    /// Puts events on the hosts that ran their guests.
    pub fn place(&self, rows: &mut [Row]) {
        self.placement.place(rows, &self.names);
    }
}

/// Computes beside what waits for the store.
pub(crate) async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AskError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| AskError::Cancelled(error.to_string()))
}
