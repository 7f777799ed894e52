//! A question, understood.

use std::ops::Range as Bytes;

use lastwords_store::confine::Predicate;

use super::clock::Clock;
use crate::chance::Relation;

/// Longest D that a question may have: 366 days.
pub const WITHIN_NS_MAX: i64 = 366 * 86_400_000_000_000;
/// Most conditions of a question: each is a set of events that is fetched and kept.
pub const CONDITIONS_MAX: usize = 16;
/// Longest text of a question.
pub const QUESTION_BYTES_MAX: usize = 10_000;

/// A question, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// `SET [[not] within D of|before|after SET [SCOPE]]… [on PLACE] [RANGE] [by …]`
    Matches(Matches),
    /// `what precedes SET within D [SCOPE] [on PLACE] [RANGE]`
    Precedes(Precedes),
    /// `what distinguishes guests|hosts with SET [on PLACE] [RANGE]`
    Distinguishes(Distinguishes),
    /// `SET before and after T [on PLACE] [RANGE]`
    Change(Change),
    /// `hosts|guests silent for D [on PLACE] [RANGE]`
    Silent(Silent),
    /// `[new] messages [on PLACE] [RANGE]`
    Messages(Messages),
}

/// What every question may say of where and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Start of the range, inclusive; none: from the first observation.
    pub from_ns: Option<i64>,
    /// End of the range, exclusive; none: up to the last observation.
    pub to_ns: Option<i64>,
    /// The places asked about; all have to hold. None: everywhere.
    pub places: Vec<Place>,
    /// Times of day and days of the week; none: all of them.
    pub clock: Option<Clock>,
}

/// Events of a set for which every condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matches {
    /// The events asked for.
    pub anchors: Set,
    /// What has to be near each of them, or must not.
    pub conditions: Vec<Near>,
    /// Where and when.
    pub bounds: Bounds,
    /// How matches are counted beside the total.
    pub by: Option<Grouping>,
    /// Which of the matches are listed, or of the groups; none: all.
    pub pick: Option<Pick>,
}

/// Which of the matches are listed, or of the groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// So many matches, the earliest first.
    First(u64),
    /// So many matches, the latest first.
    Last(u64),
    /// So many groups, those with the most matches first.
    Top(u64),
}

impl Matches {
    /// The place of the condition that chance is told of: the first that is not negated, else the first. The others
    /// say which events it is told of.
    pub fn main(&self) -> Option<usize> {
        let plain = self.conditions.iter().position(|near| !near.negated);
        plain.or((!self.conditions.is_empty()).then_some(0))
    }

    /// The condition that chance is told of.
    pub fn near(&self) -> Option<&Near> {
        self.conditions.get(self.main()?)
    }
}

impl Question {
    /// Every set that it names.
    pub fn sets(&self) -> Vec<&Set> {
        match self {
            Question::Matches(question) => {
                let partners = question.conditions.iter().map(|near| &near.partners);
                std::iter::once(&question.anchors).chain(partners).collect()
            }
            Question::Precedes(Precedes { anchors, .. })
            | Question::Distinguishes(Distinguishes { anchors, .. })
            | Question::Change(Change { anchors, .. }) => vec![anchors],
            Question::Silent(_) | Question::Messages(_) => Vec::new(),
        }
    }
}

/// What happens before a set's events more often than chance would have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Precedes {
    /// The events asked about.
    pub anchors: Set,
    /// D, nanoseconds.
    pub within_ns: i64,
    /// Where what precedes may be.
    pub scope: Scope,
    /// Where and when.
    pub bounds: Bounds,
}

/// What guests or hosts that had a set's events have in common, and the others have not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distinguishes {
    /// Whose attributes.
    pub machines: MachineKind,
    /// The events asked about.
    pub anchors: Set,
    /// Where and when.
    pub bounds: Bounds,
}

/// Whether a set's events became rarer or more frequent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The events asked about.
    pub anchors: Set,
    /// T, nanoseconds since the epoch.
    pub at_ns: i64,
    /// Where and when. The machines elsewhere are the control.
    pub bounds: Bounds,
}

/// Machines that said nothing for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silent {
    /// Which machines.
    pub machines: MachineKind,
    /// How long, nanoseconds.
    pub for_ns: i64,
    /// Where and when.
    pub bounds: Bounds,
}

/// Which messages there are: records that differ only in numbers, names and the like are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messages {
    /// Only those that were not seen before the range.
    pub new: bool,
    /// Where and when.
    pub bounds: Bounds,
}

/// Hosts or guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineKind {
    /// Hypervisor hosts.
    Hosts,
    /// Virtual machines.
    Guests,
}

/// `[not] within D of|before|after SET [SCOPE]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// Whether it must not hold.
    pub negated: bool,
    /// How the anchor stands to its partner.
    pub relation: Relation,
    /// D, nanoseconds.
    pub within_ns: i64,
    /// The partners.
    pub partners: Set,
    /// Where the partner may be.
    pub scope: Scope,
}

/// `on host hv01`, `on rack b7 or b8`, `not on guest web07`: the events asked for are on a machine with one of these
/// values, or on none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What the values are of.
    pub of: PlaceKind,
    /// One of these.
    pub values: Vec<String>,
    /// None of them instead.
    pub except: bool,
}

/// What a [`Place`] names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaceKind {
    /// A host's name.
    Host,
    /// A guest's name or UUID.
    Guest,
    /// A label of hosts, such as `rack`.
    Label(String),
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
    /// Events of any of these classes and of every class below them.
    Classes(Vec<String>),
    /// Records whose body has this text, letter by letter.
    Text(String),
    /// Records for which this SQL expression is true.
    Predicate(Predicate),
}

/// Where the partner of an anchor may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// On the anchor's host, whichever guest.
    #[default]
    Host,
    /// On the anchor's guest.
    Guest,
    /// On a host with the same value of this label.
    Label(String),
    /// Anywhere.
    Anywhere,
}

impl Scope {
    /// As the sentence ends with it.
    pub fn words(&self) -> String {
        match self {
            Scope::Host => "on the same host".to_owned(),
            Scope::Guest => "on the same guest".to_owned(),
            Scope::Label(label) => format!("on the same {label}"),
            Scope::Anywhere => "anywhere".to_owned(),
        }
    }
}

/// `by …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grouping {
    /// Hour of the asker's day.
    HourOfDay,
    /// Day of the asker's week.
    DayOfWeek,
    /// The asker's calendar day.
    Day,
    /// The asker's week, from Monday on, as ISO 8601 numbers it.
    Week,
    /// The asker's calendar month.
    Month,
    /// What happened, in a line.
    Title,
    /// The anchor's host.
    Host,
    /// The anchor's guest.
    Guest,
    /// The anchor's class.
    Class,
    /// A label of the anchor's host.
    Label(String),
}

impl Grouping {
    /// The asker's words for it.
    pub fn words(&self) -> &str {
        match self {
            Grouping::HourOfDay => "hour of day",
            Grouping::DayOfWeek => "day of week",
            Grouping::Day => "day",
            Grouping::Week => "week",
            Grouping::Month => "month",
            Grouping::Title => "title",
            Grouping::Host => "host",
            Grouping::Guest => "guest",
            Grouping::Class => "class",
            Grouping::Label(label) => label,
        }
    }
}
