//! What is stored against what was written.

use std::collections::HashMap;

use crate::{
    faults::files::{Written, parse},
    figures::Figures,
};

/// How many oddities are printed of each kind.
const PRINTED_MAX: usize = 20;

/// What came out.
#[derive(Debug, Default)]
pub struct Comparison {
    rows: u64,
    lost: u64,
    doubled: u64,
    out_of_order: u64,
    strange: u64,
}

/// Compares bodies, in the order of shipper, epoch, sequence and row, with what was written. Says on standard error
/// what is amiss.
///
/// # Errors
/// Where a body cannot be had.
pub fn compare(
    written: &Written,
    bodies: impl Iterator<Item = anyhow::Result<String>>,
) -> anyhow::Result<Comparison> {
    let mut stored: HashMap<&str, Vec<u8>> = HashMap::new();
    for (name, count) in &written.0 {
        stored.insert(name, vec![0; usize::try_from(*count)?]);
    }
    let mut next: HashMap<&str, u64> = HashMap::new();
    let mut found = Comparison::default();
    for body in bodies {
        let body = body?;
        found.rows += 1;
        let line = parse(&body).and_then(|(name, number)| {
            let (name, _) = written.0.get_key_value(name)?;
            let times = stored.get_mut(name.as_str())?.get_mut(usize::try_from(number).ok()?)?;
            Some((name.as_str(), number, times))
        });
        let Some((name, number, times)) = line else {
            found.strange += 1;
            if found.strange <= PRINTED_MAX as u64 {
                eprintln!("faults: a line that nobody wrote: {body}");
            }
            continue;
        };
        *times = times.saturating_add(1);
        let expected = next.entry(name).or_default();
        if number < *expected {
            found.out_of_order += 1;
        }
        *expected = number + 1;
    }
    for (name, times) in &stored {
        found.lost += say("lost", name, times, |times| times == 0);
        found.doubled += say("doubled", name, times, |times| times > 1);
    }
    Ok(found)
}

/// Counts the lines that are amiss and prints them as ranges.
fn say(what: &str, name: &str, times: &[u8], amiss: impl Fn(u8) -> bool) -> u64 {
    let (mut count, mut ranges, mut at) = (0, 0, 0);
    for run in times.chunk_by(|left, right| amiss(*left) == amiss(*right)) {
        if run.first().is_some_and(|times| amiss(*times)) {
            count += run.len() as u64;
            ranges += 1;
            if ranges <= PRINTED_MAX {
                eprintln!("faults: {what}: {name} {at}..{}", at + run.len());
            }
        }
        at += run.len();
    }
    count
}

impl Comparison {
    /// Whether nothing is amiss.
    pub fn clean(&self) -> bool {
        self.lost + self.doubled + self.out_of_order + self.strange == 0
    }

    /// Adds what was found; nothing may be amiss.
    pub fn push_to(&self, figures: &mut Figures) {
        figures.push("lines stored", self.rows, "");
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        let mut none = |name, count: u64| figures.at_most(name, count as f64, "lines", 0.0);
        none("that nobody wrote", self.strange);
        none("out of order", self.out_of_order);
        none("doubled", self.doubled);
        none("lost", self.lost);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test helpers assert, too")]
mod tests {
    use super::*;
    use crate::faults::files::line;

    fn found(numbers: &[u64]) -> Comparison {
        let written = Written(HashMap::from([("a".to_owned(), 4)]));
        compare(&written, numbers.iter().map(|number| Ok(line("a", *number)))).unwrap()
    }

    #[test]
    fn whatever_is_amiss_is_counted() {
        // Numbers stored, then: lost, doubled, out of order, strange.
        let cases: [(&[u64], [u64; 4]); 6] = [
            (&[0, 1, 2, 3], [0, 0, 0, 0]),
            (&[0, 1, 3], [1, 0, 0, 0]),
            (&[0, 1, 1, 2, 3], [0, 1, 1, 0]),
            (&[0, 2, 1, 3], [0, 0, 1, 0]),
            (&[0, 1, 2, 3, 4], [0, 0, 0, 1]),
            (&[], [4, 0, 0, 0]),
        ];
        for (numbers, expected) in cases {
            let found = found(numbers);
            let counts = [found.lost, found.doubled, found.out_of_order, found.strange];
            assert_eq!(counts, expected, "{numbers:?}");
        }
    }

    #[test]
    fn a_line_that_was_cut_is_strange() {
        let written = Written(HashMap::from([("a".to_owned(), 1)]));
        let mut cut = line("a", 0);
        cut.pop();
        let found = compare(&written, std::iter::once(Ok(cut))).unwrap();
        assert_eq!((found.strange, found.lost), (1, 1));
    }
}
