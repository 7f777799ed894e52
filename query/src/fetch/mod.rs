//! Everything that a question reads of the store.
//!
//! [`catalog`]: hosts and guests. [`extent`] and [`range`]: the time that an answer speaks of. [`pieces`]: a set of
//! events, piece by piece. [`partners`]: a condition's partners, compared as they come. [`details`]: what is printed of
//! events. [`predicate`]: whether a condition's names are right.

pub(crate) mod catalog;
pub(crate) mod details;
pub(crate) mod extent;
pub(crate) mod partners;
pub(crate) mod pieces;
pub(crate) mod predicate;
pub(crate) mod range;
