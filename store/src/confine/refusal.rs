//! Why a statement is not sent: what was wanted, what was found, and where it stands.

use std::ops::Range;

use thiserror::Error;

/// Bytes of a statement. Trees are compared by what they mean, so all places are equal.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    start: usize,
    end: usize,
}

impl PartialEq for Place {
    fn eq(&self, _other: &Place) -> bool {
        true
    }
}

impl Place {
    pub(super) fn new(start: usize, end: usize) -> Place {
        Place { start, end }
    }

    /// From the beginning of this to the end of the other.
    pub(super) fn to(self, other: Place) -> Place {
        Place { start: self.start, end: other.end.max(self.end) }
    }

    pub(super) fn start(self) -> usize {
        self.start
    }

    pub(super) fn end(self) -> usize {
        self.end
    }

    /// What stands there.
    pub(super) fn text(self, statement: &str) -> &str {
        statement.get(self.start..self.end).unwrap_or_default()
    }
}

/// Why a text is not sent to the store.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Refusal {
    /// A sentence or two: wanted, found, way out.
    pub message: String,
    /// The bytes of the text that it is about.
    pub place: Range<usize>,
}

impl Refusal {
    pub(super) fn new(message: impl Into<String>, place: Place) -> Refusal {
        Refusal { message: message.into(), place: place.start..place.end }
    }

    /// The refusal with the line of the text that it is about, and a mark under the word.
    pub fn pointing_into(&self, text: &str) -> String {
        let start = floor(text, self.place.start);
        let end = floor(text, self.place.end).max(start);
        let line_start = text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let line = text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let line_end = line_start + line.len();
        let indent = text.get(line_start..start).unwrap_or_default().chars().count();
        let marks = text.get(start..end.min(line_end)).unwrap_or_default().chars().count().max(1);
        // A long line is cut around the place.
        let skipped = indent.saturating_sub(LINE_LETTERS_MAX / 2);
        let shown: String = line.chars().skip(skipped).take(LINE_LETTERS_MAX).map(visible).collect();
        let marks = "^".repeat(marks.min(LINE_LETTERS_MAX - (indent - skipped).min(LINE_LETTERS_MAX - 1)));
        format!("{}\n  {shown}\n  {}{marks}", self.message, " ".repeat(indent - skipped))
    }
}

/// Letters of a line that are shown.
const LINE_LETTERS_MAX: usize = 160;

fn visible(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The name among those allowed that is nearest to a wrong one, where one is near.
pub(super) fn nearest<'a>(wrong: &str, allowed: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_ascii_lowercase();
    if wrong.len() > 64 {
        return None;
    }
    let bound = (wrong.len() / 3).clamp(1, 3);
    allowed
        .filter(|name| name.len().abs_diff(wrong.len()) <= bound)
        .map(|name| (distance(&wrong, &name.to_ascii_lowercase()), name))
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, name)| name)
}

/// Letters to change, add, take away or exchange with their neighbour.
fn distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut rows = [Vec::new(), Vec::new(), (0..=right.len()).collect::<Vec<usize>>()];
    for (at, letter) in left.iter().enumerate() {
        rows.rotate_left(1);
        let [before, above, row] = &mut rows;
        row.clear();
        row.push(at + 1);
        for (column, other) in right.iter().enumerate() {
            let cell = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let changed = cell(above, column) + usize::from(letter != other);
            let mut best = changed.min(cell(above, column + 1) + 1).min(cell(row, column) + 1);
            let exchanged = at > 0
                && column > 0
                && left.get(at - 1) == Some(other)
                && right.get(column - 1) == Some(letter);
            if exchanged {
                best = best.min(cell(before, column - 1) + 1);
            }
            row.push(best);
        }
    }
    let [.., last] = rows;
    last.last().copied().unwrap_or_default()
}
