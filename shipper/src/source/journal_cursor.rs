//! Where reading the journal goes on: the journal's own cursor, and the latest time that was right when it was read. Pure.
//!
//! The journal's cursor names an entry. Where that entry is gone (it was vacuumed, or the journal was begun anew) or was
//! written while the clock was far ahead, journalctl goes by its time, and what has an earlier one would never come. Then
//! reading goes on by the latest right time, and what had been read already is known by its number.

/// What is kept of the place up to which the journal was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The journal's own.
    pub text: String,
    /// The latest time of an entry that was not ahead of the clock when it was read: microseconds since 1970; 0: none.
    pub right_us: u64,
}

/// What stands between the journal's cursor and ours.
const RIGHT: &str = " right=";
/// An entry may be ahead of the clock by so much, and still be right.
const AHEAD_US: u64 = 60_000_000;

impl Cursor {
    /// Of the bytes of a plan; those of older programs are the journal's cursor alone.
    pub fn parse(bytes: &[u8], now_us: u64) -> Option<Cursor> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty())?;
        match text.split_once(RIGHT) {
            Some((text, right)) => {
                Some(Cursor { text: text.to_owned(), right_us: right.parse().unwrap_or_default() })
            }
            None => {
                let mut cursor = Cursor { text: text.to_owned(), right_us: 0 };
                cursor.right_us =
                    cursor.time_us().filter(|time| *time <= now_us + AHEAD_US).unwrap_or_default();
                Some(cursor)
            }
        }
    }

    /// As a plan keeps it.
    pub fn to_bytes(&self) -> Vec<u8> {
        format!("{}{RIGHT}{}", self.text, self.right_us).into_bytes()
    }

    /// Goes on behind an entry that is read at `now_us`.
    pub fn pass(&mut self, text: &str, time_us: Option<u64>, now_us: u64) {
        text.clone_into(&mut self.text);
        if let Some(time_us) = time_us.filter(|time| *time <= now_us + AHEAD_US) {
            self.right_us = self.right_us.max(time_us);
        }
    }

    /// Whether its entry was written by a clock that was ahead of what it is now.
    pub fn is_ahead(&self, now_us: u64) -> bool {
        self.time_us().is_some_and(|time| time > now_us + AHEAD_US)
    }

    /// The time of its entry, microseconds since 1970.
    fn time_us(&self) -> Option<u64> {
        u64::from_str_radix(part(&self.text, "t=")?, 16).ok()
    }

    /// How many entries of the same journal are missing between its entry and another one behind it; none: they are not of
    /// one journal.
    pub fn missing_before(&self, other: &str) -> Option<u64> {
        let (journal, number) = numbered(&self.text)?;
        let (other_journal, other_number) = numbered(other)?;
        (journal == other_journal).then(|| other_number.saturating_sub(number + 1))
    }

    /// Whether another entry of the same journal was read when this one was.
    pub fn has_passed(&self, other: &str) -> bool {
        match (numbered(&self.text), numbered(other)) {
            (Some((journal, number)), Some((other_journal, other_number))) => {
                journal == other_journal && other_number <= number
            }
            _ => self.text == other,
        }
    }
}

/// The journal's id, and the entry's number in it.
fn numbered(cursor: &str) -> Option<(&str, u64)> {
    Some((part(cursor, "s=")?, u64::from_str_radix(part(cursor, "i=")?, 16).ok()?))
}

fn part<'a>(cursor: &'a str, name: &str) -> Option<&'a str> {
    cursor.split(';').find_map(|part| part.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: u64 = 1_800_000_000_000_000;

    fn cursor(journal: &str, number: u64, time_us: u64) -> String {
        format!("s={journal};i={number:x};b=b0;m=1;t={time_us:x};x=0")
    }

    #[test]
    fn the_latest_right_time_outlives_entries_of_a_clock_that_was_ahead() {
        let mut place = Cursor::default();
        place.pass(&cursor("a", 1, NOW_US - 5), Some(NOW_US - 5), NOW_US);
        place.pass(&cursor("a", 2, 2 * NOW_US), Some(2 * NOW_US), NOW_US);
        let kept = Cursor::parse(&place.to_bytes(), NOW_US).unwrap();
        assert_eq!((&kept, kept.right_us, kept.is_ahead(NOW_US)), (&place, NOW_US - 5, true));
        let old = Cursor::parse(cursor("a", 2, NOW_US - 7).as_bytes(), NOW_US).unwrap();
        assert_eq!((old.right_us, old.is_ahead(NOW_US)), (NOW_US - 7, false));
        assert_eq!(Cursor::parse(cursor("a", 2, 2 * NOW_US).as_bytes(), NOW_US).unwrap().right_us, 0);
        assert_eq!(Cursor::parse(b"\xff", NOW_US), None);
    }

    #[test]
    fn entries_that_are_missing_are_counted_by_their_numbers() {
        let place = Cursor { text: cursor("a", 10, NOW_US), right_us: 0 };
        for (other, missing, passed) in [
            (cursor("a", 11, NOW_US), Some(0), false),
            (cursor("a", 15, NOW_US), Some(4), false),
            (cursor("a", 10, NOW_US), Some(0), true),
            (cursor("a", 3, NOW_US), Some(0), true),
            (cursor("b", 3, NOW_US), None, false),
            ("nonsense".to_owned(), None, false),
        ] {
            assert_eq!(
                (place.missing_before(&other), place.has_passed(&other)),
                (missing, passed),
                "{other}"
            );
        }
    }
}
