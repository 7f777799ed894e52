//! Finds the rules' literals in a text, at a cost that does not grow with their number.
//!
//! Of each literal seven bytes are chosen that are rare in logs. Whatever its place in the text, one of the four grams of
//! four bytes in them begins at a multiple of four. So only every fourth place is looked at: whether its gram is one of
//! the literals' is a bit in a table that fits into the processor's first cache, and few places of ordinary logs pass.
//! Literals that are shorter than seven bytes are searched for beside that.

use aho_corasick::{AhoCorasick, MatchKind, packed};

/// Bytes of a gram, and the distance between the places that are looked at.
const GRAM_BYTES: usize = 4;
/// Bytes of a literal that are looked for: so many grams as there are places between two that are looked at.
const WINDOW_BYTES: usize = 2 * GRAM_BYTES - 1;
/// The table of grams has 2 to the power of this many bits: 16 KiB.
const SEEN_BITS: u32 = 17;
const SEEN_WORDS: usize = 1 << (SEEN_BITS - 6);
/// Grams are kept in 2 to the power of this many lists.
const LIST_BITS: u32 = 12;
const LISTS: usize = 1 << LIST_BITS;

/// A literal in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Occurrence {
    /// Where it begins and ends.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// A place within it; from one to the next these only grow.
    pub(crate) place: usize,
    /// Its number.
    pub(crate) literal: usize,
}

/// A gram of a literal.
struct Gram {
    bytes: u32,
    /// The literal's number, and where in it the gram begins.
    literal: usize,
    at: usize,
}

/// Searches for literals.
pub(crate) struct Search {
    literals: Vec<Vec<u8>>,
    /// A bit for each hash of a gram.
    seen: Box<[u64; SEEN_WORDS]>,
    /// Where each list of `grams` begins; one more for where the last one ends.
    lists: Vec<usize>,
    grams: Vec<Gram>,
    short: Option<Short>,
}

impl Search {
    /// For these literals, none of which is empty.
    pub(crate) fn new<'a>(literals: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let literals: Vec<Vec<u8>> =
            literals.into_iter().map(|literal| literal.as_bytes().to_vec()).collect();
        let mut grams = Vec::new();
        let mut seen = Box::new([0_u64; SEEN_WORDS]);
        let mut short = Vec::new();
        for (number, literal) in literals.iter().enumerate() {
            let Some(window) = rarest_window(literal) else {
                short.push((number, literal.as_slice()));
                continue;
            };
            for at in window..window + GRAM_BYTES {
                let Some(gram) = literal.get(at..).and_then(|rest| rest.first_chunk::<GRAM_BYTES>()) else {
                    continue;
                };
                let bytes = u32::from_le_bytes(*gram);
                if let Some(word) = seen.get_mut(word_of(bytes)) {
                    *word |= bit_of(bytes);
                }
                grams.push(Gram { bytes, literal: number, at });
            }
        }
        grams.sort_by_key(|gram| list_of(gram.bytes));
        let lists =
            (0..=LISTS).map(|list| grams.partition_point(|gram| list_of(gram.bytes) < list)).collect();
        Ok(Self { seen, lists, grams, short: Short::new(&short)?, literals })
    }

    /// Every place where a literal is, roughly in order: one that begins before another ends not later than it.
    pub(crate) fn occurrences<'a>(&'a self, text: &'a [u8]) -> Occurrences<'a> {
        let mut short = self.short.as_ref().map(|short| short.occurrences(text));
        let next_short = short.as_mut().and_then(Iterator::next);
        Occurrences {
            search: self,
            text,
            place: 0,
            list: 0..0,
            short,
            next_short,
            next_long: None,
            begun: false,
        }
    }

    /// The first place from one on that is looked at and has a gram of a literal.
    fn next_place(&self, text: &[u8], from: usize) -> Option<usize> {
        let (blocks, _) = text.get(from..)?.as_chunks::<GRAM_BYTES>();
        let block = blocks.iter().position(|block| {
            let gram = u32::from_le_bytes(*block);
            self.seen.get(word_of(gram)).is_some_and(|word| word & bit_of(gram) != 0)
        })?;
        Some(from + block * GRAM_BYTES)
    }

    /// The list in which the gram at a place is, if it is in any.
    fn list_at(&self, text: &[u8], place: usize) -> std::ops::Range<usize> {
        let Some(gram) = text.get(place..).and_then(|rest| rest.first_chunk::<GRAM_BYTES>()) else {
            return 0..0;
        };
        let list = list_of(u32::from_le_bytes(*gram));
        let bound = |list: usize| self.lists.get(list).copied().unwrap_or_default();
        bound(list)..bound(list + 1)
    }

    /// The literal of which a gram at a place is a part, where the whole of it stands there.
    fn whole(&self, text: &[u8], place: usize, gram: &Gram) -> Option<Occurrence> {
        let literal = self.literals.get(gram.literal)?;
        let start = place.checked_sub(gram.at)?;
        let end = start + literal.len();
        (text.get(start..end)? == literal).then_some(Occurrence { start, end, place, literal: gram.literal })
    }
}

/// The occurrences of literals in a text.
pub(crate) struct Occurrences<'a> {
    search: &'a Search,
    text: &'a [u8],
    /// The place that is looked at, and what is left of its list.
    place: usize,
    list: std::ops::Range<usize>,
    short: Option<ShortOccurrences<'a>>,
    next_short: Option<Occurrence>,
    next_long: Option<Occurrence>,
    begun: bool,
}

impl Occurrences<'_> {
    /// The next occurrence of a literal that is not short.
    fn long(&mut self) -> Option<Occurrence> {
        loop {
            while let Some(gram) = self.list.next().and_then(|at| self.search.grams.get(at)) {
                if let Some(found) = self.search.whole(self.text, self.place, gram) {
                    return Some(found);
                }
            }
            let from = if self.begun { self.place.checked_add(GRAM_BYTES)? } else { 0 };
            self.begun = true;
            self.place = self.search.next_place(self.text, from).unwrap_or(self.text.len());
            if self.place >= self.text.len() {
                return None;
            }
            self.list = self.search.list_at(self.text, self.place);
        }
    }
}

impl Iterator for Occurrences<'_> {
    type Item = Occurrence;

    fn next(&mut self) -> Option<Occurrence> {
        if self.next_long.is_none() {
            self.next_long = self.long();
        }
        let is_short_first = match (&self.next_short, &self.next_long) {
            (Some(short), Some(long)) => short.place <= long.place,
            (short, None) => short.is_some(),
            (None, _) => false,
        };
        if is_short_first {
            let next = self.short.as_mut().and_then(Iterator::next);
            return std::mem::replace(&mut self.next_short, next);
        }
        self.next_long.take()
    }
}

/// The search for short literals.
struct Short {
    /// The numbers of the literals, by their place among the short ones.
    numbers: Vec<usize>,
    /// Finds the first of them from a place on; none where this machine has no vectors for it.
    quick: Option<packed::Searcher>,
    /// Finds all of them.
    exact: AhoCorasick,
    /// Bytes of the longest one.
    bytes_max: usize,
}

impl Short {
    fn new(literals: &[(usize, &[u8])]) -> Result<Option<Self>, String> {
        if literals.is_empty() {
            return Ok(None);
        }
        let texts = || literals.iter().map(|(_, literal)| *literal);
        let exact = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(texts())
            .map_err(|error| error.to_string())?;
        Ok(Some(Self {
            numbers: literals.iter().map(|(number, _)| *number).collect(),
            quick: packed::Searcher::new(texts()),
            exact,
            bytes_max: texts().map(<[u8]>::len).max().unwrap_or_default(),
        }))
    }

    fn occurrences<'a>(&'a self, text: &'a [u8]) -> ShortOccurrences<'a> {
        ShortOccurrences { short: self, text, place: 0, found: Vec::new() }
    }
}

/// The occurrences of short literals in a text, by where they begin.
struct ShortOccurrences<'a> {
    short: &'a Short,
    text: &'a [u8],
    place: usize,
    /// Those that begin before `place` and were not told yet, the last one first.
    found: Vec<Occurrence>,
}

impl Iterator for ShortOccurrences<'_> {
    type Item = Occurrence;

    fn next(&mut self) -> Option<Occurrence> {
        if let Some(found) = self.found.pop() {
            return Some(found);
        }
        let span = self.place.min(self.text.len())..self.text.len();
        let first = match &self.short.quick {
            Some(quick) => quick.find_in(self.text, span.into()).map(|found| found.start()),
            None => self
                .short
                .exact
                .find(aho_corasick::Input::new(self.text).span(span))
                .map(|found| found.start()),
        }?;
        // Others may begin there, too, or within it.
        let around = first..(first + 2 * self.short.bytes_max).min(self.text.len());
        let input = aho_corasick::Input::new(self.text).span(around);
        for found in self.short.exact.find_overlapping_iter(input) {
            if found.start() < first + self.short.bytes_max
                && let Some(literal) = self.short.numbers.get(found.pattern().as_usize())
            {
                let (start, end) = (found.start(), found.end());
                self.found.push(Occurrence { start, end, place: start, literal: *literal });
            }
        }
        self.place = first + self.short.bytes_max;
        self.found.sort_by_key(|found| std::cmp::Reverse(found.start));
        self.found.pop()
    }
}

fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9e37_79b1)
}

fn word_of(gram: u32) -> usize {
    (hash(gram) >> (32 - SEEN_BITS + 6)) as usize
}

fn bit_of(gram: u32) -> u64 {
    1 << ((hash(gram) >> (32 - SEEN_BITS)) & 63)
}

fn list_of(gram: u32) -> usize {
    (hash(gram) >> (32 - LIST_BITS)) as usize
}

/// Where the seven bytes begin whose grams are rarest in ordinary logs; none where there are not so many.
fn rarest_window(literal: &[u8]) -> Option<usize> {
    let gram = |gram: &[u8]| gram.iter().map(|byte| rarity(*byte)).sum::<u32>();
    let rarity = |window: &[u8]| {
        let grams = || window.windows(GRAM_BYTES).map(gram);
        // The commonest of the four costs most.
        4 * grams().min().unwrap_or_default() + grams().sum::<u32>()
    };
    // Of equals the first.
    literal.windows(WINDOW_BYTES).enumerate().rev().max_by_key(|(_, window)| rarity(window)).map(|(at, _)| at)
}

/// How rare a byte is in logs, roughly.
fn rarity(byte: u8) -> u32 {
    match byte {
        b' ' => 0,
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 1,
        b'0'..=b'9' | b'.' | b':' | b'/' | b'-' => 2,
        b'd' | b'l' | b'c' | b'u' | b'm' | b'h' | b'p' | b'g' | b'f' | b'b' => 2,
        b'[' | b']' | b'(' | b')' | b'=' | b'"' | b'_' | b'w' | b'y' | b'v' | b'k' => 3,
        b'A'..=b'Z' | b'x' | b'j' | b'q' | b'z' | b',' => 4,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every occurrence, found by looking at each place.
    fn plainly(literals: &[String], text: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (number, literal) in literals.iter().enumerate() {
            let starts = (0..text.len()).filter(|start| text[*start..].starts_with(literal.as_bytes()));
            found.extend(starts.map(|start| (start, number)));
        }
        found.sort_unstable();
        found
    }

    fn searched(literals: &[String], text: &[u8]) -> Vec<(usize, usize)> {
        let search = Search::new(literals.iter().map(String::as_str)).unwrap();
        let mut found: Vec<_> = search.occurrences(text).map(|found| (found.start, found.literal)).collect();
        found.sort_unstable();
        found
    }

    proptest! {
        #[test]
        fn whatever_its_place_each_literal_is_found_once(
            literals in prop::collection::vec("[ab]{3,9}", 1..8),
            text in "[ab\n]{0,60}",
        ) {
            prop_assert_eq!(searched(&literals, text.as_bytes()), plainly(&literals, text.as_bytes()));
        }

        #[test]
        fn long_literals_are_found_in_any_bytes(
            literals in prop::collection::vec("[a-c ]{7,12}", 1..8),
            before in prop::collection::vec(any::<u8>(), 0..9),
            between in "[a-c ]{0,9}",
        ) {
            let mut text = before;
            for literal in &literals {
                text.extend_from_slice(literal.as_bytes());
                text.extend_from_slice(between.as_bytes());
            }
            prop_assert_eq!(searched(&literals, &text), plainly(&literals, &text));
        }
    }

    #[test]
    fn the_rarest_part_of_a_literal_is_looked_for() {
        for (literal, part) in [
            ("has been destroyed", "stroyed"),
            ("Failed to get \"write\" lock", "t \"writ"),
            ("to get it in there", "n there"),
        ] {
            let window = rarest_window(literal.as_bytes()).unwrap();
            assert_eq!(&literal[window..window + WINDOW_BYTES], part);
        }
        assert_eq!(rarest_window(b"BUG: "), None);
    }
}
