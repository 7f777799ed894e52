//! What is fetched for a question, and no more. Pure: what `explain` prints is this plan.
//!
//! [`selection`]: each set of events as the store selects it. [`narrow`]: which partners of a condition suffice.

pub(crate) mod narrow;
pub(crate) mod selection;
