//! A line's time, as far as rules ask: how far apart two lines are.

use crate::{provenance::Provenance, speaker};

/// A line's time, as far as it tells the distance to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Second {
    /// Since 1970.
    Epoch(i64),
    /// Of the kernel's clock.
    Kernel(i64),
    /// Of a day.
    Day(i64),
}

impl Second {
    /// The second of a line.
    pub(crate) fn of(line: &[u8], provenance: &Provenance<'_>) -> Option<Self> {
        if let Some(time_ns) = provenance.time_ns {
            return Some(Self::Epoch(time_ns.div_euclid(1_000_000_000)));
        }
        let head = String::from_utf8_lossy(line.get(..line.len().min(HEAD_BYTES)).unwrap_or(line));
        kernel_second(&head)
            .map(Self::Kernel)
            .or_else(|| speaker::second_of_day(&head).map(|second| Self::Day(second.into())))
    }

    /// Whether another one is at most so much later; none where that cannot be told.
    pub(crate) fn is_within(self, later: Self, seconds: i64) -> Option<bool> {
        match (self, later) {
            (Self::Epoch(one), Self::Epoch(other)) | (Self::Kernel(one), Self::Kernel(other)) => {
                Some((0..=seconds).contains(&(other - one)))
            }
            (Self::Day(one), Self::Day(other)) => Some((other - one).rem_euclid(DAY_S) <= seconds),
            _ => None,
        }
    }
}

/// Bytes of a line in which its time is looked for.
const HEAD_BYTES: usize = 128;
const DAY_S: i64 = 86_400;

/// `[12345.678901]`
fn kernel_second(head: &str) -> Option<i64> {
    head.split('[').skip(1).find_map(|inner| {
        let (seconds, fraction) = inner.split_once(']')?.0.trim().split_once('.')?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number(seconds) && is_number(fraction)).then(|| seconds.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use lastwords_record::Source;

    use super::*;

    #[test]
    fn seconds_of_lines_tell_how_far_they_are_apart() {
        let second = |line: &str| Second::of(line.as_bytes(), &Provenance::of(Source::File)).unwrap();
        let check = |one: &str, other: &str, within: Option<bool>| {
            assert_eq!(second(one).is_within(second(other), 60), within, "{one} {other}");
        };
        check("[   12.345678] x", "[   72.345678] x", Some(true));
        check("[   12.345678] x", "[   73.345678] x", Some(false));
        check("Nov 20 hv 23:59:59 x", "Nov 21 00:00:05 x", Some(true));
        check("Nov 20 15:02:11 x", "Nov 20 15:02:10 x", Some(false));
        check("Nov 20 15:02:11 x", "[   12.345678] x", None);
    }
}
