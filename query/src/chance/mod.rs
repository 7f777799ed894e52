//! Expected by chance: is "K of n anchors within D of partners" more than chance and a shared clock?
//!
//! Moving anchors by whole days keeps their time of day, so it withstands a rhythm that both sides
//! share, but not bad days; moving them within a few multiples of D withstands bad days, but not a
//! schedule. A claim needs both. Everything here is pure: columns in, figures out.
//!
//! Stages, in order:
//! 1. [`windows`]: partners widen to the instants that count as near, merged per unit.
//! 2. [`episodes`]: anchors in order of unit and time; only the first of each episode is tested.
//! 3. [`days`]: the civil days of the range; matches of each day's anchors on every other day.
//! 4. [`cells`]: matches of each cell's anchors at 30 circular offsets within the cell.
//! 5. [`hosts`]: where days are too few, matches of each host's anchors on every other host.
//! 6. [`permute`] and [`tail`]: how often chance alone reaches what was seen.
//! 7. [`words`]: what may be said about it.
//!
//! [`looked_at()`] tells beforehand where windows matter. [`discover`] asks it of many candidates at once; [`change`] compares two sides of a moment,
//! [`attributes`] machines with events and the others.

pub mod attributes;
mod cells;
pub mod change;
mod days;
pub mod discover;
mod episodes;
mod exact;
mod hosts;
mod judge;
mod looked_at;
mod permute;
mod random;
mod tail;
mod windows;
pub mod words;

pub use judge::assess;
pub use looked_at::{LookedAt, looked_at};
pub use permute::days_needed;
pub use windows::{Intervals, OPEN, Windows};

use jiff::tz::TimeZone;
use serde::Serialize;

/// A result at or below this may be called more than chance.
pub const ALPHA: f64 = 0.05;

/// How the anchors stand to the partners in the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// `within D after`: the anchor starts during a partner or up to D after its end.
    After,
    /// `within D before`: a partner starts during the anchor or up to D after its end.
    Before,
    /// `within D of`: at most D lies between the two.
    Of,
}

impl Relation {
    /// Whether a partner of an anchor with this end may still come: what looks ahead is decided
    /// only when D after it has been seen.
    pub fn is_undecided(self, end_ns: i64, within_ns: i64, watermark_ns: i64) -> bool {
        self != Relation::After && end_ns > watermark_ns.saturating_sub(within_ns)
    }
}

/// One question, ready to be assessed.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The anchors whose start lies in the range.
    pub anchors: Intervals<'a>,
    /// [`Windows::around`] the partners, those that began before the range included.
    pub windows: &'a Windows,
    /// As given to [`Windows::around`].
    pub relation: Relation,
    /// D, nanoseconds; as given to [`Windows::around`].
    pub within_ns: i64,
    /// Start of the range; not before the first thing that was observed, since a day without
    /// observations would pass for a day without partners.
    pub from_ns: i64,
    /// End of the range, exclusive. One in the future is taken to be the watermark.
    pub to_ns: i64,
    /// Up to here everything has arrived.
    pub watermark_ns: i64,
    /// The zone whose days and times of day the asker means.
    pub time_zone: &'a TimeZone,
    /// How many units (hosts, or 1 for `anywhere`) were observed, those without anchors or
    /// partners included; units are numbered below it.
    pub units: u32,
    /// From [`seed`], so that the same question gives the same figures.
    pub seed: u64,
    /// Whether an event may stand on both sides ("panics within 5 minutes after panics"). Every
    /// anchor would then be near itself, so nothing is tested.
    pub same_events: bool,
}

/// The seed of a question over a range.
pub fn seed(question: &str, from_ns: i64, to_ns: i64) -> u64 {
    let mut bytes = question.as_bytes().to_vec();
    bytes.extend_from_slice(&from_ns.to_le_bytes());
    bytes.extend_from_slice(&to_ns.to_le_bytes());
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

/// What the anchors were compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Other days, and the surroundings of each anchor.
    Day,
    /// Other hosts at the same instant, and the surroundings of each anchor: too few days.
    Host,
    /// The surroundings of each anchor alone: too few days and hosts.
    Local,
    /// Nothing: there was nothing to compare.
    None,
}

/// What the figures allow to be said; [`words::verdict`] says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// There was no anchor.
    NoAnchors,
    /// The same events stand on both sides.
    SameEvents,
    /// No partner ever on the units that had anchors.
    NoneOnTheseHosts,
    /// Windows fill the surroundings of every anchor.
    CoversNearlyAll,
    /// More than other days at the same time and than the surroundings explain.
    Follows,
    /// Close together, but no more than on other days at the same time.
    SameTimesOfDay,
    /// More than on other days, but no closer than anywhere in the surroundings.
    SameBadPeriods,
    /// More than on other hosts at the same instant and than the surroundings explain.
    MoreThanOtherHosts,
    /// Close together, but other hosts had the partner at the same instant as well.
    FleetWide,
    /// More than the surroundings explain; nothing else could be compared.
    CloserThanSurroundings,
    /// No more than chance.
    NotMore,
    /// No result could have been more than chance.
    TooFew,
}

/// The figures of one question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assessment {
    /// What the anchors were compared with.
    pub basis: Basis,
    /// What may be said.
    pub verdict: Verdict,
    /// The probability that chance gives as many; none without anchors.
    pub p: Option<f64>,
    /// Against other days at the same time of day.
    pub p_day: Option<f64>,
    /// Against other hosts at the same instant.
    pub p_host: Option<f64>,
    /// Against the surroundings of each anchor.
    pub p_local: Option<f64>,
    /// The smallest value that `p` could have taken with this many permutations.
    pub p_floor: f64,
    /// E: how many of the n anchors chance alone would match.
    pub expected: f64,
    /// The same from the surroundings of each anchor alone.
    pub expected_local: f64,
    /// K / E; none when E is 0.
    pub lift: Option<f64>,
    /// With K > 0 and E = 0, what the lift is at least, by the rule of three.
    pub lift_at_least: Option<f64>,
    /// K: anchors near a partner, of `anchors`.
    pub matched: u64,
    /// n: anchors whose windows have closed.
    pub anchors: u64,
    /// K': first anchors of episodes near a partner.
    pub heads_matched: u64,
    /// n': first anchors of episodes. Only they are tested.
    pub heads: u64,
    /// Anchors left out because a partner may still come.
    pub undecided: u64,
    /// N: whole days compared.
    pub days: u32,
    /// The smallest p that permuting the days could give.
    pub floor_day: f64,
    /// The smallest p that permuting the hosts could give.
    pub floor_host: f64,
    /// M: how many more days like these would allow days to be compared.
    pub days_needed: Option<u32>,
    /// The length of the surroundings compared: 6·D.
    pub cell_ns: i64,
    /// As asked.
    pub relation: Relation,
    /// Days too few, and other hosts match at the same instants as often.
    pub fleet_wide: bool,
    /// Windows fill the surroundings of every anchor.
    pub covers_nearly_all: bool,
    /// No partner ever on the units that had anchors.
    pub none_on_these_hosts: bool,
    /// Even the most extreme outcome would have had p above [`ALPHA`].
    pub too_few: bool,
}
