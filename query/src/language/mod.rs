//! The language of questions: text in, a [`Question`] or an error that points at the word out. Pure.
//!
//! `docs/questions.md` has the grammar. [`lexer`] cuts words with their places, [`parser`] knows the forms, [`sets`]
//! and [`clauses`] their parts, [`moment`] lengths of time and instants, [`names`] what classes are called.
//! [`question`] is what comes of it.

mod clauses;
mod complete;
mod display;
mod error;
mod lexer;
mod moment;
mod names;
mod parser;
mod question;
mod saved;
mod sets;
mod vocabulary;

pub use complete::{Candidate, Completions, Kind, complete};
pub use error::SyntaxError;
pub use names::Names;
pub use parser::{bounds, parse};
pub use question::{
    Asker, Bounds, CONDITIONS_MAX, Change, Distinguishes, Grouping, MachineKind, Matches, Members, Messages,
    Near, Place, PlaceKind, Precedes, QUESTION_BYTES_MAX, Question, Scope, Set, Silent, WITHIN_NS_MAX,
};
pub use vocabulary::{Vocabulary, built_in};
