//! The answer to `SET [[not] within D of SET]…`: its figures and its matches.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{header::Header, instant, maybe_instant};
use crate::chance::{Assessment, Basis, Verdict};

/// Events with their partners.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MatchesAnswer {
    /// What every answer says. Matched are the events that have a partner; all where the question names none.
    #[serde(flatten)]
    pub header: Header,
    /// Events asked for.
    pub anchors: u64,
    /// How many chance alone would give; null without statistics.
    pub expected_by_chance: Option<f64>,
    /// `matched` over expected, of what is decided; null where chance gives 0.
    pub lift: Option<f64>,
    /// How often chance alone gives as many; null without statistics.
    pub p_value: Option<f64>,
    /// What that rests on.
    pub chance: Chance,
    /// In order of time.
    pub matches: Vec<Match>,
    /// Matches by the lag of their nearest partner.
    pub lag_histogram: Vec<Bar>,
    /// Matches by the hour of the asker's day in which they start.
    pub hour_of_day: [u64; 24],
    /// Matches by the asker's day of week, Monday first.
    pub day_of_week: [u64; 7],
    /// Hosts with the most matches.
    pub top_hosts: Vec<Counted>,
    /// Guests with the most matches.
    pub top_guests: Vec<Counted>,
    /// Counts by what the question says `by`; null without.
    pub by: Option<Groups>,
}

/// What the figures rest on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Chance {
    /// What was compared with.
    pub basis: Basis,
    /// What may be said; null without statistics.
    pub verdict: Option<Verdict>,
    /// Against other days at the same time of day.
    pub p_day: Option<f64>,
    /// Against other hosts at the same moment.
    pub p_host: Option<f64>,
    /// Against each anchor's surroundings.
    pub p_local: Option<f64>,
    /// What the surroundings alone would give.
    pub expected_local: Option<f64>,
    /// Whole days compared.
    pub days: Option<u32>,
    /// Anchors too recent for a partner to be ruled out; neither the sentence nor chance counts them.
    pub undecided: u64,
    /// Those of them that have a partner already.
    pub undecided_matched: u64,
    /// First anchors of episodes, which alone are tested.
    pub episodes: Option<u64>,
}

/// An anchor with its partners.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Match {
    /// Its class; `record` for a record in which nothing was recognised.
    #[schema(value_type = String)]
    pub class: Arc<str>,
    /// Its start.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub start: i64,
    /// Its end; null while it lasts.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end: Option<i64>,
    /// Its host.
    #[schema(value_type = String)]
    pub host: Arc<str>,
    /// Its guest; null for the host itself.
    #[schema(value_type = Option<String>)]
    pub guest: Option<Arc<str>>,
    /// What happened, in a line.
    #[schema(value_type = String)]
    pub title: Arc<str>,
    /// How bad that is.
    #[schema(value_type = String)]
    pub severity: Arc<str>,
    /// Nearest first.
    pub partners: Vec<Partner>,
    /// What its source said just before; this and the next two for the first matches only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// The lines behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What its source said just after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

/// An event near an anchor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Partner {
    /// Its class.
    #[schema(value_type = String)]
    pub class: Arc<str>,
    /// Its start.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub start: i64,
    /// Its end; null while it lasts.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end: Option<i64>,
    /// Its host.
    #[schema(value_type = String)]
    pub host: Arc<str>,
    /// Its guest; null for the host itself.
    #[schema(value_type = Option<String>)]
    pub guest: Option<Arc<str>>,
    /// What happened, in a line.
    #[schema(value_type = String)]
    pub title: Arc<str>,
    /// Start of the anchor minus start of the partner.
    pub lag_seconds: f64,
}

/// Matches whose lag is at least `from_seconds` and below `to_seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Bar {
    pub from_seconds: i64,
    pub to_seconds: i64,
    pub count: u64,
}

/// Counts of one host, guest, class, hour or day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counted {
    /// Which.
    pub name: String,
    /// Events asked for.
    pub anchors: u64,
    /// Those that matched.
    pub matched: u64,
}

/// What the question says `by`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Groups {
    /// The words for it.
    pub of: String,
    /// In their natural order: hours and days by time, others most matches first.
    pub groups: Vec<Counted>,
}

impl Chance {
    /// From the statistics, if there were any.
    pub(crate) fn new(assessed: Option<&Assessment>, undecided: u64, undecided_matched: u64) -> Chance {
        Chance {
            basis: assessed.map_or(Basis::None, |a| a.basis),
            verdict: assessed.map(|a| a.verdict),
            p_day: assessed.and_then(|a| a.p_day),
            p_host: assessed.and_then(|a| a.p_host),
            p_local: assessed.and_then(|a| a.p_local),
            expected_local: assessed.filter(|a| a.p.is_some()).map(|a| a.expected_local),
            days: assessed.map(|a| a.days),
            undecided,
            undecided_matched,
            episodes: assessed.map(|a| a.heads),
        }
    }
}
