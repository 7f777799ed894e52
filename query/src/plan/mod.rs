//! What is fetched for a question, and no more. Pure: what `explain` prints is this plan.
//!
//! [`statement`]: each set of events as a statement. [`narrow`]: which partners of a condition suffice.

pub(crate) mod narrow;
pub(crate) mod statement;
