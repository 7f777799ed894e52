//! Lines into records by a grouper's verdicts, whatever a line is to the caller: a range of bytes, an entry of a feed.

use super::Verdict;

/// The lines of the open group, and those that came in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gatherer<T> {
    lines: Vec<(Kind, T)>,
    /// From here on lines wait or stand between.
    undecided: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Group,
    Between,
    Waits,
}

impl<T> Default for Gatherer<T> {
    fn default() -> Self {
        Gatherer { lines: Vec::new(), undecided: 0 }
    }
}

impl<T> Gatherer<T> {
    /// Whether a group is open.
    pub fn is_open(&self) -> bool {
        !self.lines.is_empty()
    }

    /// The number of lines, those in between included.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether no group is open.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The first and the last line.
    pub fn ends(&self) -> Option<(&T, &T)> {
        self.lines.first().zip(self.lines.last()).map(|((_, first), (_, last))| (first, last))
    }

    /// All lines, in their order.
    pub fn lines(&self) -> impl Iterator<Item = &T> {
        self.lines.iter().map(|(_, line)| line)
    }

    /// Adds a line that a verdict puts into the open group, or in between. The first one begins a group.
    pub fn add(&mut self, verdict: Verdict, line: T) {
        let kind = match verdict {
            Verdict::Between => Kind::Between,
            Verdict::Waits => Kind::Waits,
            Verdict::Alone | Verdict::Begins | Verdict::Continues | Verdict::Ends => Kind::Group,
        };
        self.lines.push((kind, line));
        if kind == Kind::Group {
            for (kind, _) in self.lines.iter_mut().skip(self.undecided) {
                if *kind == Kind::Waits {
                    *kind = Kind::Group;
                }
            }
            self.undecided = self.lines.len();
        }
    }

    /// Ends the group: its lines to `group`, all others, each a record of its own, to `others`.
    pub fn finish(&mut self, group: &mut Vec<T>, others: &mut Vec<T>) {
        self.undecided = 0;
        for (kind, line) in self.lines.drain(..) {
            if kind == Kind::Group { group.push(line) } else { others.push(line) }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.undecided = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_the_groups_only_if_that_goes_on() {
        let mut gatherer = Gatherer::default();
        for (verdict, line) in [
            (Verdict::Begins, 1),
            (Verdict::Waits, 2),
            (Verdict::Between, 3),
            (Verdict::Continues, 4),
            (Verdict::Between, 5),
            (Verdict::Waits, 6),
        ] {
            gatherer.add(verdict, line);
        }
        assert_eq!(gatherer.ends(), Some((&1, &6)));
        let (mut group, mut others) = (Vec::new(), Vec::new());
        gatherer.finish(&mut group, &mut others);
        assert_eq!((group, others), (vec![1, 2, 4], vec![3, 5, 6]));
        assert!(!gatherer.is_open());
    }
}
