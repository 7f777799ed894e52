//! Questions and SQL against the real engine, with little planted data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

mod catalog;
mod forms;
mod memory;
mod narrow;
mod questions;
mod sql;
mod week;
