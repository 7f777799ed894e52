//! Benchmarks of the whole product, each beside something to compare with, measured in one run.

pub mod import;
pub mod kafka;
pub mod question;
pub mod ship;
pub mod writer;
