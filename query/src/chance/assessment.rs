//! What comes of comparing with chance.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::relation::Relation;

/// A result at or below this may be called more than chance.
pub const ALPHA: f64 = 0.05;

/// What the anchors were compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
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

/// What the figures allow to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
