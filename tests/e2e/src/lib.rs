//! What the end-to-end tests share: the real binaries on temporary data folders with the real engine.
//!
//! - `engine`: the engine's process, and statements past every check
//! - `program`: runs `lastwords` and takes what it printed
//! - `up`: `lastwords up` as a child process, and its HTTP
//! - `fleet`: log files and counters with planted panics and saturations

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "only tests use this crate: what is not as it must be ends them"
)]

pub mod engine;
pub mod fleet;
pub mod program;
pub mod up;

use std::time::{Duration, Instant};

/// Asks again and again until there is an answer.
///
/// # Panics
/// Where there is none before the deadline.
pub fn eventually<T>(what: &str, deadline: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(since.elapsed() < deadline, "not within {deadline:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
