//! What precedes, in words.

use super::{
    numbers::{duration, group_digits},
    set::name_set,
};
use crate::{
    answer::{Candidate, PrecedingAnswer, Wording},
    language::Precedes,
};

/// Words an answer with all of its rows.
pub(crate) fn word(question: &Precedes, answer: &PrecedingAnswer) -> Wording {
    let (what, within) = (name_set(&question.anchors), duration(question.within_ns));
    let candidates = group_digits(answer.figures.candidates);
    let anchors = group_digits(answer.figures.anchors);
    let claimed: Vec<&Candidate> = answer.rows.iter().filter(|one| one.claimed).collect();
    let mut notes = Vec::new();
    let sentence = if answer.figures.anchors == 0 {
        format!("There are no {what} in this range, so nothing can be said about what precedes them.")
    } else if !answer.is_by_days() {
        notes.push(
            "Too few days to compare the same time on other days: this is an order, and no claim. Ask about one of them \
             to see what can be said."
                .to_owned(),
        );
        match answer.rows.first() {
            Some(one) => format!(
                "Of {candidates} classes and messages, {} stands out most before {anchors} {what}, within {within}.",
                word_candidate(one)
            ),
            None => format!("Nothing was seen within {within} before {anchors} {what}."),
        }
    } else {
        match claimed.as_slice() {
            [] => format!(
                "Of {candidates} classes and messages none precedes {anchors} {what}, within {within}, more often than \
                 chance would have it."
            ),
            [one] => format!(
                "Of {candidates} classes and messages one precedes {anchors} {what}, within {within}, more often than \
                 chance: {}.",
                word_candidate(one)
            ),
            [one, ..] => format!(
                "Of {candidates} classes and messages {} precede {anchors} {what}, within {within}, more often than \
                 chance, first of all {}.",
                group_digits(claimed.len() as u64),
                word_candidate(one)
            ),
        }
    };
    if !claimed.is_empty() {
        notes.push(
            "Of claims like these at most 1 in 20 is expected to be false. What precedes is no cause by that.".to_owned(),
        );
    }
    Wording { sentence, notes }
}

fn word_candidate(one: &Candidate) -> String {
    let lift = one.lift.map_or(String::new(), |lift| format!(", lift {lift:.1}"));
    format!("{} ({} of {}; chance would give {:.1}{lift})", one.what, one.matched, one.anchors, one.expected)
}
