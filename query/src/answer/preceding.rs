//! The answer to `what precedes SET within D`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::header::Header;
use crate::chance::{Basis, Verdict};

/// Classes and messages that come before a set's events, those that may be claimed first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PrecedingAnswer {
    /// What every answer says. Matched are the candidates that may be claimed; where days are too few for claims, all.
    #[serde(flatten)]
    pub header: Header,
    /// Figures of the whole.
    pub figures: PrecedingFigures,
    /// Keys of the rows that a table shows, in this order.
    pub columns: Vec<String>,
    /// Candidates, the most telling first.
    pub rows: Vec<Candidate>,
}

/// Figures of the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PrecedingFigures {
    /// Events asked about.
    pub anchors: u64,
    /// Classes and messages that could have preceded them.
    pub candidates: u64,
    /// The share of false ones that is expected among claims.
    pub false_discovery_rate: f64,
}

/// What may precede, tested as if it had been asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PrecedingCandidate)]
pub struct Candidate {
    /// A class, or a message with its changing parts left out.
    pub what: String,
    /// Which of the two.
    pub kind: CandidateKind,
    /// Events asked about that it precedes.
    pub matched: u64,
    /// Events asked about.
    pub anchors: u64,
    /// How many chance alone would give.
    pub expected: f64,
    /// Matched over expected; null where chance gives 0.
    pub lift: Option<f64>,
    /// How often chance alone gives as many.
    pub p: Option<f64>,
    /// The share of false ones among claims as strong as this; null where days are too few.
    pub q: Option<f64>,
    /// What was compared with.
    pub basis: Basis,
    /// What may be said.
    pub verdict: Verdict,
    /// Whether it may be claimed that it precedes them more often than chance.
    pub claimed: bool,
    /// Weaker candidates that precede nearly the same events.
    pub same_anchors: Vec<String>,
    /// The question that gives its matches.
    pub ask: String,
}

/// What a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PrecedingCandidateKind)]
pub enum CandidateKind {
    /// Events of a class.
    Class,
    /// Records of one message template.
    Template,
}

impl PrecedingAnswer {
    /// Whether days were compared, without which nothing is claimed.
    pub fn is_by_days(&self) -> bool {
        self.rows.iter().any(|one| one.basis == Basis::Day)
    }
}
