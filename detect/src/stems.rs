//! What the first search looks for: for each literal a few bytes of it, as rare as possible in ordinary logs, and as few
//! different ones as possible.

use aho_corasick::packed;

use crate::rules::Rule;

/// Bytes of a stem: enough to be rare.
const STEM_BYTES: usize = 9;
/// Bytes at a stem's beginning by which a vector search finds it: the rarer they are, the less it looks at in vain.
const HEAD_BYTES: usize = 4;
/// Patterns that one vector search holds. It could take 64, and then looks closer in vain so often that one search more
/// costs less.
const VECTOR_PATTERNS: usize = 48;
/// Literals that begin alike with so many bytes are looked for by those alone, where there are so many of them.
const COMMON_BYTES: usize = 5;
const COMMON_LITERALS: usize = 3;
/// How rare such a beginning must be: `kernel` is in every line of the kernel's, `BUG: ` in few.
const COMMON_RARITY: u32 = 12;

/// Searchers that between them find every line in which one of the rules' literals is, and few others; none where this
/// machine has no vectors for them.
pub(crate) fn searchers(rules: &[Rule]) -> Vec<packed::Searcher> {
    let stems = stems(rules);
    let count = stems.len().div_ceil(VECTOR_PATTERNS).max(1);
    let searchers: Option<Vec<_>> =
        stems.chunks(stems.len().div_ceil(count).max(1)).map(packed::Searcher::new).collect();
    searchers.unwrap_or_default()
}

/// Each line that a rule can find holds at least one of them.
fn stems(rules: &[Rule]) -> Vec<&[u8]> {
    let mut stems = common_beginnings(rules);
    for rule in rules {
        // The line holds what the pattern begins with, whichever literal it has.
        if rule.begins_with.as_ref().is_some_and(|begin| holds_any(begin.as_bytes(), &stems)) {
            continue;
        }
        if !rule.beginnings.is_empty()
            && rule.beginnings.iter().all(|begin| holds_any(begin.as_bytes(), &stems))
        {
            continue;
        }
        for literal in rule.literals.iter().map(String::as_bytes) {
            if !holds_any(literal, &stems) {
                stems.push(rarest(literal));
            }
        }
    }
    stems.sort_unstable();
    stems.dedup();
    stems
}

fn holds_any(text: &[u8], stems: &[&[u8]]) -> bool {
    stems.iter().any(|stem| memchr::memmem::find(text, stem).is_some())
}

/// Beginnings that many literals have in common, and whole literals that are in several others.
fn common_beginnings(rules: &[Rule]) -> Vec<&[u8]> {
    let literals = || rules.iter().flat_map(|rule| &rule.literals).map(|literal| literal.as_bytes());
    let mut common: Vec<&[u8]> = literals()
        .filter_map(|literal| literal.get(..COMMON_BYTES))
        .filter(|begin| begin.iter().map(|byte| rarity(*byte)).sum::<u32>() >= COMMON_RARITY)
        .filter(|begin| literals().filter(|literal| literal.starts_with(begin)).count() >= COMMON_LITERALS)
        .chain(literals().filter(|short| short.len() <= STEM_BYTES))
        .collect();
    common.sort_unstable();
    common.dedup();
    let all = common.clone();
    common.retain(|begin| {
        !all.iter().any(|other| other.len() < begin.len() && memchr::memmem::find(begin, other).is_some())
    });
    common
}

/// The part of a literal that is rarest in ordinary logs, its beginning counting most.
fn rarest(literal: &[u8]) -> &[u8] {
    let width = literal.len().min(STEM_BYTES);
    let score = |window: &&[u8]| -> u32 {
        window
            .iter()
            .enumerate()
            .map(|(place, byte)| rarity(*byte) * if place < HEAD_BYTES { 3 } else { 1 })
            .sum()
    };
    // Of equals the first.
    literal.windows(width.max(1)).rev().max_by_key(score).unwrap_or(literal)
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
    #![allow(clippy::unwrap_used, reason = "tests end by panicking")]

    use super::*;
    use crate::rules;

    #[test]
    fn every_line_of_a_rule_holds_a_stem() {
        let rules = rules::built_in().unwrap();
        let stems = stems(&rules);
        for rule in &rules {
            for example in &rule.examples {
                assert!(holds_any(example.as_bytes(), &stems), "rule {}: {example}", rule.id);
            }
            let begins = rule.begins_with.as_ref().is_some_and(|begin| holds_any(begin.as_bytes(), &stems));
            for literal in &rule.literals {
                let one_begins = !rule.beginnings.is_empty()
                    && rule.beginnings.iter().all(|begin| holds_any(begin.as_bytes(), &stems));
                assert!(
                    begins || one_begins || holds_any(literal.as_bytes(), &stems),
                    "rule {}: {literal}",
                    rule.id
                );
            }
        }
        for ordinary in ["kernel: ", "possible", "Started", "Accepted", "error", "failed", "the "] {
            assert!(!holds_any(ordinary.as_bytes(), &stems), "{ordinary}");
        }
        // Each further vector search costs every byte of every log.
        assert!(stems.len() <= 4 * VECTOR_PATTERNS, "{} stems", stems.len());
    }

    #[test]
    fn the_rarest_part_of_a_literal_is_looked_for() {
        for (literal, stem) in [
            ("abc", "abc"),
            ("has been destroyed", "destroyed"),
            ("Failed to get \"write\" lock", "\"write\" l"),
            ("controller is down; will reset", "own; will"),
        ] {
            assert_eq!(rarest(literal.as_bytes()), stem.as_bytes(), "{literal}");
        }
    }
}
