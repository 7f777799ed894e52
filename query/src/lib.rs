//! Questions that cross machines and time, and their answers.
//!
//! The way of a question:
//! 1. [`ask()`]: the whole way; what an asker calls.
//! 2. [`language`]: text becomes a question, or an error that points at the word.
//! 3. [`plan`]: the question becomes statements that fetch two sets of events in columns.
//! 4. [`fetch`]: runs them over the [`range`]; [`columns`] reads the store's blocks into numbers.
//!    [`machines`]: the host that ran a guest then.
//! 5. [`correlate`]: which events are near which; one sweep for each of the [`conditions`], or for each piece of its
//!    partners where they do not fit in memory (`partners`). What need not be known is not fetched (`narrow`).
//! 6. [`chance`]: how many chance alone would give.
//! 7. [`answer`]: figures, matches and ([`sentence`]) the one sentence; [`details`] fetches what is printed.
//! 8. [`render()`]: the answer on a [`terminal`].
//!
//! Beside it, [`sql()`]: plain read-only SQL.

pub mod answer;
pub mod ask;
pub mod chance;
mod changed;
pub mod columns;
pub mod conditions;
pub mod correlate;
pub mod details;
mod distinguishing;
mod explain;
pub mod fetch;
pub mod language;
pub mod listing;
pub mod machines;
mod matching;
mod messages;
mod narrow;
mod partners;
pub mod plan;
mod preceding;
pub mod range;
pub mod render;
pub mod sentence;
mod silent;
pub mod sql;
pub mod terminal;

pub use answer::Answer;
pub use ask::{AskError, AskOptions, Reply, ask};
pub use explain::explain;
pub use listing::Listing;
pub use render::{Look, render};
pub use sql::{Rows, is_sql, sql};

/// What classes are called in questions.
pub fn vocabulary() -> &'static language::Vocabulary {
    static VOCABULARY: std::sync::LazyLock<language::Vocabulary> =
        std::sync::LazyLock::new(|| language::Names::new(lastwords_detect::ClassNames.names()).into());
    &VOCABULARY
}
