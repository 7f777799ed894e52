//! What outsiders can make the log say: how often, and how long.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Characters of a text from outside that are logged or answered.
const TEXT_CHARS_MAX: usize = 512;

/// A text from outside for the log: control characters escaped, cut where it is long.
#[must_use]
pub fn bounded(text: &str) -> String {
    let mut said = String::new();
    let mut chars = text.chars();
    for (count, letter) in chars.by_ref().enumerate() {
        // Directions of writing can disguise a line as another.
        let disguise =
            matches!(letter, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter.is_control() || disguise || matches!(letter, '\u{2028}' | '\u{2029}') {
            said.extend(letter.escape_unicode());
        } else {
            said.push(letter);
        }
        if count + 1 == TEXT_CHARS_MAX {
            break;
        }
    }
    if chars.next().is_some() {
        said.push('…');
    }
    said
}

/// Lets a kind of line through a few times, then once in a while. Time is given, so that it is pure.
#[derive(Debug)]
pub struct Quiet {
    every: Duration,
    burst: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the burst is whole again.
    full_at: Option<Instant>,
    suppressed: u64,
}

impl Quiet {
    /// `burst` lines at once, and one more after each `every`.
    #[must_use]
    pub fn new(burst: u32, every: Duration) -> Quiet {
        Quiet { every, burst, state: Mutex::default() }
    }

    /// Whether a line may be said now; then how many were not said since the last one.
    pub fn may_say(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = state.full_at.unwrap_or(now).max(now) + self.every;
        if full_at.duration_since(now) > self.every * self.burst {
            state.suppressed += 1;
            return None;
        }
        state.full_at = Some(full_at);
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_outside_are_cut_and_cannot_forge_lines() {
        assert_eq!(bounded("hv01"), "hv01");
        assert_eq!(
            bounded("ä\u{1b}[2J\nWARN all is well\u{202e}"),
            "ä\\u{1b}[2J\\u{a}WARN all is well\\u{202e}"
        );
        let long = bounded(&"x".repeat(1_000_000));
        assert_eq!(long.chars().count(), TEXT_CHARS_MAX + 1);
        assert!(long.ends_with('…'));
        assert!(bounded(&"\n".repeat(1_000_000)).len() < 10 * TEXT_CHARS_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_lines_becomes_a_few_that_say_how_many_there_were() {
        let quiet = Quiet::new(3, Duration::from_secs(5));
        let said = (0..1000).filter(|_| quiet.may_say(Instant::now()).is_some()).count();
        assert_eq!(said, 3);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(quiet.may_say(Instant::now()), Some(997));
        assert_eq!(quiet.may_say(Instant::now()), None);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!((0..10).filter(|_| quiet.may_say(Instant::now()).is_some()).count(), 3);
    }
}
