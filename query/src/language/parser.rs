//! Where reading a question stands: its words, what may be named, and what has been noted. The forms are in
//! [`super::forms`]; [`super::clauses`] has what several of them share, [`super::places`] and [`super::sets`] what
//! machines and events are called.

use std::ops::Range;

use super::{
    asker::Asker,
    error::SyntaxError,
    lexer::{Piece, Token},
    moment,
    names::nearest,
    question::WITHIN_NS_MAX,
    vocabulary::Vocabulary,
};

/// Words that end a set's name.
pub(super) const AFTER_SET: &[&str] = &[
    "within",
    "not",
    "on",
    "anywhere",
    "since",
    "until",
    "between",
    "in",
    "by",
    "before",
    "after",
    "and",
    "or",
    "per",
    "each",
    "every",
    "during",
    "while",
    "when",
    "amid",
    "without",
    "near",
    "close",
    "around",
    "about",
    "shortly",
    "right",
    "just",
    "soon",
    "following",
    "preceding",
    "from",
    "for",
    "of",
    "at",
    "over",
    "today",
    "yesterday",
    "overnight",
    "this",
    "last",
    "past",
    "previous",
    "week",
    "except",
    "excluding",
    "with",
    "containing",
    "to",
    "weekdays",
    "weekends",
    "inside",
    "throughout",
    "where",
    "that",
    "have",
    "grouped",
    "split",
    "counted",
    "broken",
    "have",
];
/// Words that may stand in front of a place.
pub(super) const BEFORE_PLACE: &[&str] = &["on", "in", "of", "for", "at", "from", "inside"];
pub(super) const EXAMPLE: &str = "panics within 5 minutes of network saturation";

pub(super) struct Parser<'a> {
    pub question: &'a str,
    pub tokens: &'a [Token],
    pub at: usize,
    pub vocabulary: &'a Vocabulary,
    pub asker: &'a Asker,
    /// What was taken for what.
    pub notes: Vec<String>,
}

impl<'a> Parser<'a> {
    /// Whether a comma stands before the next piece.
    pub(super) fn is_after_comma(&self) -> bool {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).is_some_and(|token| token.comma)
    }

    /// A length of time that a question may have.
    pub(super) fn length(&mut self) -> Result<i64, SyntaxError> {
        let Some((length_ns, taken)) = moment::length(&self.words()) else {
            return Err(self.wanted("a length of time such as 5 minutes, 30s or 1h30m"));
        };
        if length_ns > WITHIN_NS_MAX {
            let place = self.place_of(self.at..self.at + taken);
            return Err(SyntaxError::new(
                self.question,
                place,
                "That is too long: within takes at most 366 days.",
            ));
        }
        self.at += taken;
        Ok(length_ns)
    }

    /// The words from here to the next quoted text or predicate.
    pub(super) fn words(&self) -> Vec<&'a str> {
        let rest = self.tokens.get(self.at..).unwrap_or_default();
        rest.iter()
            .map_while(|token| match &token.piece {
                Piece::Word(word) => Some(word.as_str()),
                Piece::Quoted(_) | Piece::Predicate(_) => None,
            })
            .collect()
    }

    pub(super) fn place_of(&self, tokens: Range<usize>) -> Range<usize> {
        let pieces = self.tokens.get(tokens).unwrap_or_default();
        match (pieces.first(), pieces.last()) {
            (Some(first), Some(last)) => first.place.start..last.place.end,
            _ => self.question.trim_end().len()..self.question.trim_end().len(),
        }
    }

    pub(super) fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError::new(self.question, self.place_of(self.at..self.at + 1), message)
    }

    pub(super) fn wanted(&self, wanted: &str) -> SyntaxError {
        let place = self.place_of(self.at..self.at + 1);
        match self.question.get(place.clone()).filter(|found| !found.is_empty()) {
            Some(found) => self.error(format!("Wanted {wanted}; found {found}.")),
            None => self.error(format!("Wanted {wanted}; the question ends here.")),
        }
    }

    pub(super) fn spelling(&self, words: &[&str]) -> Option<String> {
        let found = self.words().first().copied()?;
        nearest(found, words.iter().copied())
            .filter(|word| *word != found)
            .map(|word| format!("Did you mean {word}?"))
    }
}
