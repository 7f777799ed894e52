//! What the engine's process writes to its standard error becomes lines of our log.
//!
//! Our own lines begin with a level and keep it. What the library writes by itself (warnings of threads that end late,
//! stacks of a crash) is no news for whoever sits at the terminal and goes to level `debug`. The last lines are kept:
//! they are the reason where the process ends.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::Level;

/// Where our own lines of that process stand in the log.
const ENGINE: &str = "lastwords_store::engine";
/// A line beyond that is cut.
const LINE_BYTES_MAX: u64 = 4 << 10;
/// Lines that are kept as the reason of an end.
const KEPT_MAX: usize = 12;
/// Lines that are logged in one window; the others are counted.
const LINES_MAX: u32 = 200;
const WINDOW: Duration = Duration::from_secs(10);

/// The last lines of a process.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    fn push(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_MAX {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }

    /// Forgets them: what was said at the start explains no later end.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The lines as one text.
    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
    }
}

/// Logs what comes until the process ends.
pub(super) fn relay(stderr: impl Read, tail: &Tail) {
    let mut reader = BufReader::new(stderr);
    let mut window = Window::new(Instant::now());
    while let Some(line) = next_line(&mut reader) {
        let Some(line) = Line::parse(&line) else { continue };
        // Our own lines are logged as they come.
        if line.level.is_none() && !line.text.starts_with("lastwords:") {
            tail.push(&line.text);
        }
        let (logged, left_out) = window.admit(Instant::now());
        if left_out > 0 {
            tracing::warn!(target: ENGINE, lines = left_out, "the engine says more than is logged");
        }
        if !logged {
            continue;
        }
        match line.level {
            Some(Level::ERROR) => tracing::error!(target: ENGINE, "{}", line.text),
            Some(Level::WARN) => tracing::warn!(target: ENGINE, "{}", line.text),
            Some(Level::INFO) => tracing::info!(target: ENGINE, "{}", line.text),
            Some(_) => tracing::debug!(target: ENGINE, "{}", line.text),
            None => tracing::debug!(target: "libchdb", "{}", line.text),
        }
    }
}

/// The next line, cut where it is long; none at the end.
fn next_line(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).ok()?;
    (read > 0).then_some(line)
}

/// A line as it is logged.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    /// Of our own lines; none: the library's.
    level: Option<Level>,
    text: String,
}

impl Line {
    /// None where there is nothing in it.
    fn parse(bytes: &[u8]) -> Option<Line> {
        // What the library writes may quote data: nothing of it may steer a terminal.
        let text: String = String::from_utf8_lossy(bytes)
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let level = text.split_once(' ').and_then(|(word, _)| match word {
            "ERROR" => Some(Level::ERROR),
            "WARN" => Some(Level::WARN),
            "INFO" => Some(Level::INFO),
            "DEBUG" => Some(Level::DEBUG),
            "TRACE" => Some(Level::TRACE),
            _ => None,
        });
        Some(match level {
            Some(level) => {
                let rest = text.split_once(' ').map_or("", |(_, rest)| rest);
                Line { level: Some(level), text: rest.trim_start().to_owned() }
            }
            None => Line { level: None, text: text.to_owned() },
        })
    }
}

/// So many lines in so long.
#[derive(Debug)]
struct Window {
    since: Instant,
    lines: u32,
}

impl Window {
    fn new(now: Instant) -> Window {
        Window { since: now, lines: 0 }
    }

    /// Whether a line is logged, and how many were left out of the window that ends with it.
    fn admit(&mut self, now: Instant) -> (bool, u32) {
        let mut left_out = 0;
        if now.duration_since(self.since) >= WINDOW {
            left_out = self.lines.saturating_sub(LINES_MAX);
            *self = Window::new(now);
        }
        self.lines = self.lines.saturating_add(1);
        (self.lines <= LINES_MAX, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_lines_keep_their_level_and_the_librarys_have_none() {
        for (line, level, text) in [
            (
                " WARN statement runs on statement=\"7\"\n",
                Some(Level::WARN),
                "statement runs on statement=\"7\"",
            ),
            ("INFO engine open", Some(Level::INFO), "engine open"),
            ("<Fatal> ThreadStatus: Logical error", None, "<Fatal> ThreadStatus: Logical error"),
            ("WARNING: something", None, "WARNING: something"),
            ("\x1b[31mred\x1b[0m\u{9b}2J", None, "[31mred [0m 2J"),
        ] {
            assert_eq!(Line::parse(line.as_bytes()), Some(Line { level, text: text.into() }), "{line:?}");
        }
        assert_eq!(Line::parse(b" \n"), None);
    }

    #[test]
    fn a_long_line_comes_in_pieces_and_the_last_lines_are_kept() {
        let text = format!("{}\nend", "x".repeat(5000));
        let mut reader = text.as_bytes();
        let lengths: Vec<usize> =
            std::iter::from_fn(|| next_line(&mut reader)).map(|line| line.len()).collect();
        assert_eq!(lengths, [4096, 905, 3]);
        let tail = Tail::default();
        (0..20).for_each(|number| tail.push(&number.to_string()));
        assert_eq!(tail.text(), "8; 9; 10; 11; 12; 13; 14; 15; 16; 17; 18; 19");
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let start = Instant::now();
        let mut window = Window::new(start);
        let logged = (0..1000).filter(|_| window.admit(start).0).count();
        assert_eq!(logged, 200);
        assert_eq!(window.admit(start + WINDOW), (true, 800));
        assert_eq!(window.admit(start + WINDOW), (true, 0));
    }
}
