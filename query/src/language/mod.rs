//! The language of questions: text in, a [`Question`] or an error that points at the word out. Pure.
//!
//! `docs/questions.md` has the grammar. [`lexer`] cuts words with their places, [`parser`] reads sets, relations,
//! scope and grouping, [`moment`] lengths of time and instants, [`names`] knows what classes are called.

mod error;
mod lexer;
mod moment;
mod names;
mod parser;

pub use error::SyntaxError;
pub use names::Names;
pub use parser::parse;

use std::ops::Range as Bytes;

use jiff::tz::TimeZone;

use crate::chance::Relation;

/// Longest D that a question may have: 366 days.
pub const WITHIN_NS_MAX: i64 = 366 * 86_400_000_000_000;
/// Longest text of a question.
pub const QUESTION_BYTES_MAX: usize = 10_000;

/// What words like `today` and `5 days ago` are relative to.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Now, nanoseconds since the epoch.
    pub now_ns: i64,
    /// The asker's time zone.
    pub time_zone: TimeZone,
}

/// A question, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The events asked for.
    pub anchors: Set,
    /// What has to be near them, if anything.
    pub near: Option<Near>,
    /// Where the partner may be.
    pub scope: Scope,
    /// Start of the range, inclusive; none: from the first observation.
    pub from_ns: Option<i64>,
    /// End of the range, exclusive; none: up to the last observation.
    pub to_ns: Option<i64>,
    /// How matches are counted beside the total.
    pub by: Option<Grouping>,
}

/// `within D of|before|after SET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// How the anchor stands to its partner.
    pub relation: Relation,
    /// D, nanoseconds.
    pub within_ns: i64,
    /// The partners.
    pub partners: Set,
}

/// Events or records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Which ones.
    pub members: Members,
    /// The asker's words for them.
    pub words: String,
    /// Where the words stand in the question.
    pub place: Bytes<usize>,
}

/// What is in a [`Set`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// Events of a class and of every class below it.
    Class(String),
    /// Records whose body has this text, letter by letter.
    Text(String),
    /// Records for which this SQL expression is true.
    Predicate(String),
}

/// Where the partner of an anchor may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On the anchor's host, whichever guest.
    Host,
    /// On the anchor's guest.
    Guest,
    /// Anywhere.
    Anywhere,
}

impl Scope {
    /// As the sentence ends with it.
    pub fn words(self) -> &'static str {
        match self {
            Scope::Host => "on the same host",
            Scope::Guest => "on the same guest",
            Scope::Anywhere => "anywhere",
        }
    }
}

/// `by …`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// Hour of the asker's day.
    HourOfDay,
    /// Day of the asker's week.
    DayOfWeek,
    /// The anchor's host.
    Host,
    /// The anchor's guest.
    Guest,
    /// The anchor's class.
    Class,
}

impl Grouping {
    /// The asker's words for it.
    pub fn words(self) -> &'static str {
        match self {
            Grouping::HourOfDay => "hour of day",
            Grouping::DayOfWeek => "day of week",
            Grouping::Host => "host",
            Grouping::Guest => "guest",
            Grouping::Class => "class",
        }
    }
}
