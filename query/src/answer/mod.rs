//! Answers, a file for each form. They serialise to the JSON that other programs depend on, and open from it again.
//!
//! Figures, matches and rows alone: `words` makes sentences of them, `render` pictures.

mod changed;
pub(crate) mod counts;
mod distinguishing;
mod grounds;
mod header;
mod instant;
mod matches;
mod maybe_instant;
mod messages;
mod preceding;
mod silence;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use changed::{ChangeAnswer, ChangeFigures, ChangeRow, Moment, Where};
pub use distinguishing::{DistinguishingAnswer, DistinguishingFigures, DistinguishingRow};
pub use grounds::{Grounds, Remarks};
pub use header::{Header, Range};
pub use instant::rfc3339;
pub use matches::{Bar, Chance, Counted, Groups, Match, MatchesAnswer, Partner};
pub use messages::{MessageRow, MessagesAnswer, MessagesFigures};
pub use preceding::{Candidate, CandidateKind, PrecedingAnswer, PrecedingFigures};
pub use silence::{SilenceAnswer, SilenceFigures, SilenceRow};

/// What came of a question. The key `form` says which form it had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "form", rename_all = "snake_case")]
#[schema(as = AnswerForm)]
pub enum Answer {
    /// Events with their partners: `SET [within D of SET] …`.
    Matches(Box<MatchesAnswer>),
    /// What precedes a set's events: `what precedes SET within D`.
    Preceding(PrecedingAnswer),
    /// What machines with a set's events have in common: `what distinguishes guests with SET`.
    Distinguishing(DistinguishingAnswer),
    /// Whether events became rarer: `SET before and after T`.
    Changed(ChangeAnswer),
    /// Which messages there are: `[new] messages`.
    Messages(MessagesAnswer),
    /// Machines that said nothing: `hosts silent for D`.
    Silence(SilenceAnswer),
}

impl Answer {
    /// What every form has.
    pub fn header(&self) -> &Header {
        match self {
            Answer::Matches(answer) => &answer.header,
            Answer::Preceding(answer) => &answer.header,
            Answer::Distinguishing(answer) => &answer.header,
            Answer::Changed(answer) => &answer.header,
            Answer::Messages(answer) => &answer.header,
            Answer::Silence(answer) => &answer.header,
        }
    }

    /// The answer to a question about events.
    pub fn into_matches(self) -> Option<MatchesAnswer> {
        match self {
            Answer::Matches(answer) => Some(*answer),
            _ => None,
        }
    }
}

/// An answer with its words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Answer)]
pub struct Reply {
    /// The answer.
    #[serde(flatten)]
    pub answer: Answer,
    /// The words.
    #[serde(flatten)]
    pub wording: Wording,
}

impl Reply {
    /// How many matches there are, or rows that say that something was found.
    pub fn matched(&self) -> u64 {
        self.answer.header().matched
    }
}

/// An answer in sentences.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Wording {
    /// The one sentence.
    pub sentence: String,
    /// What else a reader must know, each a sentence.
    pub notes: Vec<String>,
}
