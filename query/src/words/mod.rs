//! Answers in words. Pure.

pub mod chance;
pub(crate) mod matches;
pub(crate) mod numbers;
pub(crate) mod set;
