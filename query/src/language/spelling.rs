//! Misspelt words that can mean but one are mended before a question is read, and it is said.

use std::collections::BTreeSet;

use super::{
    calendar, families,
    lexer::{Piece, Token},
    moment::unit_names,
    names::edits,
    parser::{AFTER_SET, BEFORE_PLACE},
    request::WORDS,
    vocabulary::Vocabulary,
};

/// Shorter words are too near to too many others.
const LETTERS_MIN: usize = 5;
/// From so many letters on two edits are allowed.
const LETTERS_LONG: usize = 8;
/// Words behind which a name stands.
const BEFORE_NAME: &[&str] = &["host", "guest", "vm"];
/// And behind "on" and these.
const BEFORE_NAMES: &[&str] = &["hosts", "guests", "vms"];
/// Words of the language that are not told elsewhere.
const OTHERS: &[&str] = &[
    "precedes",
    "distinguishes",
    "silent",
    "messages",
    "same",
    "scope",
    "class",
    "title",
    "weekday",
    "weekdays",
    "weekends",
    "minute",
    "minutes",
    "night",
    "morning",
    "afternoon",
    "evening",
    "today",
    "yesterday",
    "overnight",
    "previous",
    "past",
    "shortly",
    "containing",
    "guests",
    "hosts",
    "host",
    "guest",
    "month",
    "week",
    "hour",
    "logs",
];

/// Mends words in place; gives a sentence for each.
pub(super) fn mend(tokens: &mut [Token], question: &str, vocabulary: &Vocabulary) -> Vec<String> {
    let mut notes = Vec::new();
    let mut before: Vec<String> = Vec::new();
    for token in tokens.iter_mut() {
        let Piece::Word(word) = &token.piece else {
            before.clear();
            continue;
        };
        let placed = before.len().checked_sub(2).and_then(|at| before.get(at));
        let placed = placed.is_some_and(|word| BEFORE_PLACE.contains(&word.as_str()) || word == "or");
        let names_follow = before.last().is_some_and(|last| {
            BEFORE_NAME.contains(&last.as_str())
                || (placed && BEFORE_NAMES.contains(&last.as_str()))
                || vocabulary.label(last).is_some()
        });
        let written = question.get(token.place.clone()).unwrap_or(word).to_owned();
        let mended = if names_follow { None } else { candidate(word, vocabulary) };
        if let Some(mended) = mended {
            // After "on" a name of a place may stand: what names one is never mended.
            let in_place = before.last().is_some_and(|last| BEFORE_PLACE.contains(&last.as_str()));
            if !(in_place && vocabulary.has_places() && is_name(word, vocabulary)) {
                notes.push(format!("{written} is taken as {mended}."));
                token.piece = Piece::Word(mended);
            }
        }
        if let Piece::Word(word) = &token.piece {
            before.push(word.clone());
        }
    }
    notes
}

fn is_name(word: &str, vocabulary: &Vocabulary) -> bool {
    vocabulary.guest(word).is_some() || !vocabulary.hosts_like(word, false).is_empty()
}

/// The one known word that is near enough to an unknown one.
fn candidate(word: &str, vocabulary: &Vocabulary) -> Option<String> {
    let letters = word.chars().count();
    let plain = word.chars().all(|letter| letter.is_ascii_lowercase());
    if letters < LETTERS_MIN || !plain || is_known(word, vocabulary) || is_name(word, vocabulary) {
        return None;
    }
    let allowed = if letters >= LETTERS_LONG { 2 } else { 1 };
    let near = |known: &str| {
        let worth = known.len().abs_diff(letters) <= allowed && known.len() >= LETTERS_MIN;
        // Whoever types slips in the middle of a word.
        let worth = worth && known.as_bytes().first() == word.as_bytes().first();
        worth.then(|| edits(word, known)).filter(|edits| *edits <= allowed)
    };
    let found: BTreeSet<(usize, String)> = known_words(vocabulary)
        .map(str::to_ascii_lowercase)
        .filter_map(|known| Some((near(&known)?, known)))
        .collect();
    let (least, best) = found.first()?;
    // Two that are as near are not told apart, but for the plural of one.
    let unique = found.iter().filter(|(edits, _)| edits == least).all(|(_, other)| is_same(best, other));
    unique.then(|| best.clone())
}

/// Whether two words are one, but for the plural.
fn is_same(a: &str, b: &str) -> bool {
    a.strip_suffix('s').unwrap_or(a) == b.strip_suffix('s').unwrap_or(b)
}

fn is_known(word: &str, vocabulary: &Vocabulary) -> bool {
    known_words(vocabulary).any(|known| {
        let (known, word) = (known.trim_end_matches(['s', 'S']), word.trim_end_matches('s'));
        known.eq_ignore_ascii_case(word)
    })
}

/// Every word that means something here.
fn known_words<'a>(vocabulary: &'a Vocabulary) -> impl Iterator<Item = &'a str> {
    let of_names = vocabulary.all().chain(families::names().map(|name| -> &'a str { name }));
    let of_names = of_names.flat_map(|name| name.split([' ', '.', '_', '/']));
    let words = AFTER_SET.iter().chain(WORDS).chain(OTHERS).chain(BEFORE_PLACE).copied();
    let ours = words.chain(unit_names()).chain(calendar::names()).map(|word| -> &'a str { word });
    of_names.chain(ours).chain(vocabulary.labels.iter().map(String::as_str))
}
