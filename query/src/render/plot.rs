//! Bars, sparks and lags in characters.

use crate::words::numbers::duration;

const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const SPARKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar of at most `room` columns, in eighths of a column; something is always seen.
pub(super) fn bar(count: u64, most: u64, room: usize) -> String {
    let eighths = usize::try_from(u128::from(count) * (room as u128) * 8 / u128::from(most)).unwrap_or(0);
    let eighths = if count > 0 { eighths.max(1) } else { 0 };
    "█".repeat(eighths / 8) + EIGHTHS.get(eighths % 8).copied().unwrap_or("")
}

pub(super) fn spark(count: u64, most: u64) -> char {
    if count == 0 {
        return '·';
    }
    let at = usize::try_from(u128::from(count) * 8 / u128::from(most)).unwrap_or(0);
    SPARKS.get(at.saturating_sub(1).min(7)).copied().unwrap_or('·')
}

pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

pub(super) fn signed(seconds: f64) -> String {
    #[allow(clippy::cast_possible_truncation, reason = "lags are i64 nanoseconds")]
    let lag_ns = (seconds * 1e9).round() as i64;
    let whole =
        if lag_ns.unsigned_abs() >= 10_000_000_000 { lag_ns / 1_000_000_000 * 1_000_000_000 } else { lag_ns };
    let sign = if lag_ns < 0 { "−" } else { "+" };
    format!("{sign}{}", duration(whole.saturating_abs()))
}

pub(super) fn lag(seconds: i64) -> String {
    let sign = if seconds < 0 { "−" } else { "" };
    format!("{sign}{}", duration(seconds.saturating_abs().saturating_mul(1_000_000_000)))
}
