//! Questions that cross machines and time, and their answers.
//!
//! The way of a question, each room importing only what stands below it in this list of files:
//! 1. [`sql()`]: plain read-only SQL, in which `correlate(…)` is a question. [`explain()`]: how a question is understood.
//! 2. [`ask()`]: the whole way; what an asker calls.
//! 3. [`render()`]: an answer on a terminal.
//! 4. `forms`: a file for each form of question.
//! 5. `words`: answers in sentences.
//! 6. `fetch`: everything that is read of the store.
//! 7. `context`: what a question is answered in.
//! 8. [`answer`]: the figures, matches and rows of an answer.
//! 9. `plan`: what is fetched, and no more.
//! 10. [`correlate`]: which events are near which, and which meet all conditions.
//! 11. `budget`, `catalog`, `error`, `options`, [`event`], [`names`]: what all of them speak of.
//! 12. [`language`]: text becomes a question, or an error that points at the word.
//! 13. [`chance`]: how many chance alone would give.

pub mod answer;
pub mod ask;
mod budget;
mod catalog;
pub mod chance;
mod context;
pub mod correlate;
mod error;
pub mod event;
mod explain;
mod fetch;
mod forms;
pub mod language;
pub mod names;
mod options;
mod plan;
pub mod render;
pub mod sql;
pub mod words;

pub use answer::{Answer, Reply, Wording};
pub use ask::ask;
pub use catalog::Catalog;
pub use correlate::placement::Attributes;
pub use error::{AskError, ErrorClass};
pub use explain::explain;
pub use options::AskOptions;
pub use render::{Look, render, terminal};
pub use sql::{Rows, is_sql, sql};

/// What classes are called in questions.
pub fn vocabulary() -> &'static language::Vocabulary {
    language::built_in()
}
