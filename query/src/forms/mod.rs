//! Answers to the forms of question, a file each: fetched, compared, worded. [`opening`] is what those about a set of
//! events begin with, [`listing`] what is printed of matches.

pub(crate) mod changed;
pub(crate) mod distinguishing;
mod listing;
pub(crate) mod matches;
pub(crate) mod messages;
pub(crate) mod opening;
pub(crate) mod preceding;
pub(crate) mod silence;
