//! Answers in words: the one sentence, and the notes that a reader must not miss. Pure, a file for each form.

pub mod chance;
pub(crate) mod changed;
pub(crate) mod distinguishing;
pub(crate) mod matches;
pub(crate) mod messages;
pub(crate) mod numbers;
pub(crate) mod preceding;
pub(crate) mod set;
pub(crate) mod silence;
