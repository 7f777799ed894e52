//! The language of questions: text in, a [`Question`] or an error that points at the word out. Pure.
//!
//! `docs/questions.md` has the grammar. [`lexer`] cuts words with their places and [`spelling`] mends them, [`request`]
//! and [`question_words`] know what people say around a set ([`elsewhere`] what is asked otherwise), [`forms`] the forms, [`sets`] (with [`families`]), [`places`] and [`clauses`] their
//! parts (all of them on [`parser`]), [`moment`] lengths of time and instants, [`calendar`] days, [`period`] stretches, [`clock`] times of day,
//! [`names`] what classes are called.
//! [`question`] is what comes of it.

mod asker;
mod calendar;
mod clauses;
mod clock;
mod complete;
mod display;
mod elsewhere;
mod error;
mod families;
mod forms;
mod lexer;
mod moment;
mod names;
mod parser;
mod period;
mod places;
mod question;
mod question_words;
mod request;
mod saved;
mod sets;
mod spelling;
mod vocabulary;

pub use asker::Asker;
pub use clock::Clock;
pub use complete::{Candidate, Completions, Kind, complete};
pub use error::SyntaxError;
pub use forms::{Understood, bounds, parse, understand};
pub use names::Names;
pub use question::{
    Bounds, CONDITIONS_MAX, Change, Distinguishes, Grouping, MachineKind, Matches, Members, Messages, Near,
    Pick, Place, PlaceKind, Precedes, QUESTION_BYTES_MAX, Question, Scope, Set, Silent, WITHIN_NS_MAX,
};
pub use vocabulary::{Vocabulary, built_in};
