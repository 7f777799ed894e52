//! The whole way from a question to its answer.

use std::{collections::HashMap, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};
use lastwords_store::{QueryError, Store};
use serde::Serialize;
use thiserror::Error;

use crate::{
    answer::Answer,
    changed,
    columns::BlockError,
    distinguishing, fetch,
    language::{self, Asker, Members, Question, Set, SyntaxError, Vocabulary},
    listing::Listing,
    machines::{self, Attributes, Machines},
    matching, messages, preceding,
    render::{Look, render},
    silent, sql,
};

/// Memory of a question unless told otherwise: 4 GiB.
const MEMORY_BYTES_MAX: u64 = 4 << 30;

/// How a question is asked.
#[derive(Debug, Clone)]
pub struct AskOptions {
    /// The zone of the asker's days and hours.
    pub time_zone: TimeZone,
    /// Now.
    pub now: Timestamp,
    /// At most so many matches are listed; none: all of them.
    pub limit: Option<u64>,
    /// Whether chance is assessed.
    pub statistics: bool,
    /// Of so many matches, from the first, the lines behind them are fetched.
    pub evidence: usize,
    /// Memory that the question may take, beside the store's.
    pub memory_bytes_max: u64,
    /// Whether sets are fetched whole where a part would do: to compare with.
    pub whole_sets: bool,
    /// What may be named beside the language's own words.
    pub vocabulary: Arc<Vocabulary>,
    /// Labels of hosts from configuration, by host.
    pub labels: Arc<HashMap<String, Attributes>>,
}

impl AskOptions {
    /// Everything, asked now.
    pub fn new(time_zone: TimeZone) -> AskOptions {
        AskOptions {
            time_zone,
            now: Timestamp::now(),
            limit: None,
            statistics: true,
            evidence: 3,
            memory_bytes_max: MEMORY_BYTES_MAX,
            whole_sets: false,
            vocabulary: Arc::new(crate::vocabulary().clone()),
            labels: Arc::default(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// The question is not understood.
    #[error("{0}")]
    Syntax(#[from] SyntaxError),
    /// The SQL is not allowed, or the store does not understand it.
    #[error("{0}")]
    Statement(String),
    /// The store failed.
    #[error("the store could not answer: {0}")]
    Store(#[source] QueryError),
    /// The store's answer cannot be read.
    #[error("{0}")]
    Columns(#[from] BlockError),
    /// Our own work was ended.
    #[error("the answer was not finished: {0}")]
    Ended(String),
}

impl AskError {
    /// Whether the asker has to ask otherwise.
    pub fn is_usage(&self) -> bool {
        matches!(self, AskError::Syntax(_) | AskError::Statement(_))
    }
}

impl From<QueryError> for AskError {
    fn from(error: QueryError) -> AskError {
        AskError::Store(error)
    }
}

/// What came of a question.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// Events with their partners.
    Events(Box<Answer>),
    /// A sentence and a table.
    Listing(Listing),
}

impl Reply {
    /// How many matched.
    pub fn matched(&self) -> u64 {
        match self {
            Reply::Events(answer) => answer.matched,
            Reply::Listing(listing) => listing.matched,
        }
    }

    /// Words it for a terminal.
    pub fn render(&self, look: &Look) -> String {
        match self {
            Reply::Events(answer) => render(answer, look),
            Reply::Listing(listing) => listing.render(look),
        }
    }

    /// The answer to a question about events.
    pub fn events(self) -> Option<Answer> {
        match self {
            Reply::Events(answer) => Some(*answer),
            Reply::Listing(_) => None,
        }
    }
}

/// What a form of question is answered from.
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
    pub machines: Machines,
}

impl Asked<'_> {
    /// Names for the sets of a question, which bound what it keeps.
    pub fn names(&self) -> fetch::Names {
        let bytes_max = usize::try_from(self.options.memory_bytes_max).unwrap_or(usize::MAX);
        fetch::Names::with_room(bytes_max)
    }
}

/// Answers a question.
///
/// # Errors
/// Where it is not understood, or the store fails.
pub async fn ask(store: &Store, text: &str, options: &AskOptions) -> Result<Reply, AskError> {
    let (question, asked) = understood(store, text, options).await?;
    match question {
        Question::Matches(question) => Ok(Reply::Events(Box::new(matching::answer(&asked, question).await?))),
        Question::Precedes(question) => Ok(Reply::Listing(preceding::answer(&asked, question).await?)),
        Question::Change(question) => Ok(Reply::Listing(changed::answer(&asked, question).await?)),
        Question::Distinguishes(question) => {
            Ok(Reply::Listing(distinguishing::answer(&asked, question).await?))
        }
        Question::Messages(question) => Ok(Reply::Listing(messages::answer(&asked, question).await?)),
        Question::Silent(question) => Ok(Reply::Listing(silent::answer(&asked, question).await?)),
    }
}

/// Understands a question.
pub(crate) async fn understood<'a>(
    store: &'a Store,
    text: &'a str,
    options: &'a AskOptions,
) -> Result<(Question, Asked<'a>), AskError> {
    let now_ns = i64::try_from(options.now.as_nanosecond()).unwrap_or(i64::MAX);
    let asker = Asker { now_ns, time_zone: options.time_zone.clone() };
    let with_attributes = false;
    let machines = machines::of(store, &options.labels, with_attributes).await?;
    let vocabulary = with_labels(options, &machines);
    let question = language::parse(text, &vocabulary, &asker)?;
    for set in question.sets() {
        check(store, text, set).await?;
    }
    Ok((question, Asked { store, text, options, now_ns, machines }))
}

/// Everything that a question may name here.
///
/// # Errors
/// Where the store fails.
pub async fn vocabulary(store: &Store, options: &AskOptions) -> Result<Vocabulary, AskError> {
    Ok(with_labels(options, &machines::of(store, &options.labels, false).await?))
}

fn with_labels(options: &AskOptions, machines: &Machines) -> Vocabulary {
    let mut vocabulary = Vocabulary::clone(&options.vocabulary);
    vocabulary.labels.extend(machines.label_names().map(str::to_owned));
    vocabulary
}

async fn check(store: &Store, text: &str, set: &Set) -> Result<(), AskError> {
    match &set.members {
        Members::Predicate(predicate) => sql::check_predicate(store, text, set, predicate).await,
        Members::Class(_) | Members::Text(_) => Ok(()),
    }
}
