//! One pass over the pieces of a question. The forms are here; [`super::clauses`] has what several of them share,
//! [`super::sets`] what events are called.

use std::ops::Range;

use super::{
    error::SyntaxError,
    lexer::{Piece, Token, tokens},
    moment,
    names::nearest,
    question::{
        Asker, Bounds, CONDITIONS_MAX, Change, Distinguishes, Grouping, MachineKind, Matches, Messages,
        Precedes, QUESTION_BYTES_MAX, Question, Scope, Silent, WITHIN_NS_MAX,
    },
    vocabulary::Vocabulary,
};

/// Words that end a set's name.
pub(super) const AFTER_SET: &[&str] =
    &["within", "not", "on", "anywhere", "since", "until", "between", "in", "by", "before", "after", "and"];
pub(super) const EXAMPLE: &str = "panics within 5 minutes of network saturation";
/// D of `what precedes` where none is said: 15 minutes.
const PRECEDES_NS: i64 = 900_000_000_000;

/// Reads a question.
///
/// # Errors
/// Where it cannot be understood; the error knows the word.
pub fn parse(question: &str, vocabulary: &Vocabulary, asker: &Asker) -> Result<Question, SyntaxError> {
    if question.len() > QUESTION_BYTES_MAX {
        let message =
            format!("A question has at most {QUESTION_BYTES_MAX} bytes; this one has {}.", question.len());
        return Err(SyntaxError::new("", 0..0, message));
    }
    let tokens = tokens(question)?;
    Parser { question, tokens: &tokens, at: 0, vocabulary, asker }.question()
}

/// Reads where and when alone, as every question ends with it: `on host hv01 since 7 days ago`.
///
/// # Errors
/// As [`parse`].
pub fn bounds(text: &str, vocabulary: &Vocabulary, asker: &Asker) -> Result<Bounds, SyntaxError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { question: text, tokens: &tokens, at: 0, vocabulary, asker };
    Ok(parser.clauses(Form::Other)?.bounds)
}

pub(super) struct Parser<'a> {
    pub question: &'a str,
    pub tokens: &'a [Token],
    pub at: usize,
    pub vocabulary: &'a Vocabulary,
    pub asker: &'a Asker,
}

/// Which clauses a form has beside where and when.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Matches,
    Precedes,
    Other,
}

/// Clauses as they were found.
#[derive(Default)]
struct Clauses {
    bounds: Bounds,
    conditions: Vec<super::Near>,
    /// Of each condition, whether its scope was said.
    scoped: Vec<bool>,
    /// A scope that was said before the first condition.
    scope: Option<Scope>,
    within_ns: Option<i64>,
    by: Option<Grouping>,
    change_at_ns: Option<i64>,
    said: Vec<&'static str>,
}

impl<'a> Parser<'a> {
    fn question(mut self) -> Result<Question, SyntaxError> {
        match self.words().as_slice() {
            ["what", "precedes", ..] => {
                self.at = 2;
                let anchors = self.set("what to look before, as in what precedes panics")?;
                let found = self.clauses(Form::Precedes)?;
                let within_ns = found.within_ns.unwrap_or(PRECEDES_NS);
                let scope = found.scope.unwrap_or_default();
                Ok(Question::Precedes(Precedes { anchors, within_ns, scope, bounds: found.bounds }))
            }
            ["what", "distinguishes", ..] => {
                self.at = 2;
                let machines =
                    self.machines("guests or hosts, as in what distinguishes guests with panics")?;
                self.word("with", "with, as in what distinguishes guests with panics")?;
                let anchors = self.set("what they have had, such as panics")?;
                let bounds = self.clauses(Form::Other)?.bounds;
                Ok(Question::Distinguishes(Distinguishes { machines, anchors, bounds }))
            }
            ["hosts" | "guests", ..] => {
                let machines = self.machines("hosts or guests")?;
                self.word("silent", "silent, as in hosts silent for 5 minutes")?;
                self.word("for", "for how long, as in hosts silent for 5 minutes")?;
                let for_ns = self.length()?;
                let bounds = self.clauses(Form::Other)?.bounds;
                Ok(Question::Silent(Silent { machines, for_ns, bounds }))
            }
            ["messages", ..] | ["new", "messages", ..] => {
                let new = self.words().first() == Some(&"new");
                self.at = 1 + usize::from(new);
                let bounds = self.clauses(Form::Other)?.bounds;
                Ok(Question::Messages(Messages { new, bounds }))
            }
            ["what", ..] => {
                self.at = 1;
                let suggestion = self.spelling(&["precedes", "distinguishes"]);
                Err(self.wanted("precedes or distinguishes").suggest(suggestion))
            }
            _ => self.about_a_set(),
        }
    }

    fn about_a_set(mut self) -> Result<Question, SyntaxError> {
        let anchors = self.set("a class such as panics, \"text\" or {condition}")?;
        let found = self.clauses(Form::Matches)?;
        if let Some(at_ns) = found.change_at_ns {
            return Ok(Question::Change(Change { anchors, at_ns, bounds: found.bounds }));
        }
        if found.conditions.is_empty() && found.scope.is_some() {
            let place = self.tokens.iter().find(|token| is(token, "on") || is(token, "anywhere"));
            let place = place.map_or(0..0, |token| token.place.clone());
            let message = "A scope says where the partner may be, and this question has none: wanted within D of something.";
            return Err(SyntaxError::new(self.question, place, message));
        }
        let Clauses { bounds, conditions, by, .. } = found;
        Ok(Question::Matches(Matches { anchors, conditions, bounds, by }))
    }

    /// Everything after the set, in any order.
    fn clauses(&mut self, form: Form) -> Result<Clauses, SyntaxError> {
        let mut found = Clauses::default();
        while self.at < self.tokens.len() {
            let words = self.words();
            match words.as_slice() {
                ["and", "within" | "not", ..] if form == Form::Matches && !found.conditions.is_empty() => {
                    self.at += 1;
                }
                ["not" | "within", ..] if form == Form::Matches => {
                    if found.change_at_ns.is_some() {
                        return Err(self.error("A question of before and after has no conditions."));
                    }
                    if found.conditions.len() == CONDITIONS_MAX {
                        return Err(
                            self.error(format!("A question has at most {CONDITIONS_MAX} conditions."))
                        );
                    }
                    let mut near = self.near()?;
                    let early = found.scope.take();
                    found.scoped.push(early.is_some());
                    near.scope = early.unwrap_or_default();
                    found.conditions.push(near);
                }
                ["within", ..] if form == Form::Precedes => {
                    found.once("within", self)?;
                    self.at += 1;
                    found.within_ns = Some(self.length()?);
                }
                ["on", "the", "same", ..] | ["on", "same", ..] | ["anywhere", ..] if form != Form::Other => {
                    let already = found.scope.is_some() || found.scoped.last().copied().unwrap_or(false);
                    if already {
                        return Err(self.error("The question has a scope already."));
                    }
                    let scope = self.scope()?;
                    match (found.conditions.last_mut(), found.scoped.last_mut()) {
                        (Some(near), Some(scoped)) => {
                            near.scope = scope;
                            *scoped = true;
                        }
                        _ => found.scope = Some(scope),
                    }
                }
                ["on", ..] => {
                    let place = self.place()?;
                    found.bounds.places.push(place);
                }
                ["since", ..] => {
                    found.once("a range", self)?;
                    self.at += 1;
                    found.bounds.from_ns = Some(self.instant()?);
                    self.is_a_range(&found.bounds)?;
                }
                ["until", ..] => {
                    found.once("an end", self)?;
                    self.at += 1;
                    found.bounds.to_ns = Some(self.instant()?);
                    self.is_a_range(&found.bounds)?;
                }
                ["between", ..] => {
                    found.once("a range", self)?;
                    found.once("an end", self)?;
                    (found.bounds.from_ns, found.bounds.to_ns) = self.between()?;
                }
                ["in", ..] => {
                    found.once("a range", self)?;
                    found.bounds.from_ns = Some(self.in_the_last()?);
                }
                ["by", ..] if form == Form::Matches => {
                    found.once("by", self)?;
                    found.by = Some(self.grouping()?);
                }
                ["before", "and", "after", ..] if form == Form::Matches && found.conditions.is_empty() => {
                    found.once("before and after", self)?;
                    self.at += 3;
                    found.change_at_ns = Some(self.instant()?);
                }
                [word @ ("before" | "after"), ..] => {
                    let message =
                        format!("Wanted how near, as in within 5 minutes {word}; found {word} alone.");
                    return Err(self.error(message));
                }
                _ => return Err(self.unexpected(form)),
            }
        }
        if found.change_at_ns.is_some() && found.by.is_some() {
            return Err(self.error("A question of before and after is not counted by anything."));
        }
        Ok(found)
    }

    fn is_a_range(&self, bounds: &Bounds) -> Result<(), SyntaxError> {
        match (bounds.from_ns, bounds.to_ns) {
            (Some(from_ns), Some(to_ns)) if to_ns <= from_ns => {
                let place = self.place_of(self.at.saturating_sub(1)..self.at);
                let message =
                    "The range ends before it begins: its end, which does not belong to it, has to be later.";
                Err(SyntaxError::new(self.question, place, message))
            }
            _ => Ok(()),
        }
    }

    fn machines(&mut self, wanted: &str) -> Result<MachineKind, SyntaxError> {
        let machines = match self.words().first().copied() {
            Some("guests") => MachineKind::Guests,
            Some("hosts") => MachineKind::Hosts,
            _ => return Err(self.wanted(wanted).suggest(self.spelling(&["guests", "hosts"]))),
        };
        self.at += 1;
        Ok(machines)
    }

    fn word(&mut self, word: &str, wanted: &str) -> Result<(), SyntaxError> {
        if self.words().first().copied() != Some(word) {
            return Err(self.wanted(wanted).suggest(self.spelling(&[word])));
        }
        self.at += 1;
        Ok(())
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

    fn unexpected(&self, form: Form) -> SyntaxError {
        let place = self.place_of(self.at..self.at + 1);
        let found = self.question.get(place.clone()).unwrap_or_default();
        let wanted = match form {
            Form::Matches => "within, not, on, anywhere, since, until, between, in, by",
            Form::Precedes => "within, on, anywhere, since, until, between, in",
            Form::Other => "on, since, until, between, in",
        };
        let words: Vec<&str> = wanted.split(", ").collect();
        self.error(format!("{found:?} is not understood here: wanted {wanted}, or the question's end."))
            .suggest(self.spelling(&words))
    }

    pub(super) fn spelling(&self, words: &[&str]) -> Option<String> {
        let found = self.words().first().copied()?;
        nearest(found, words.iter().copied())
            .filter(|word| *word != found)
            .map(|word| format!("Did you mean {word}?"))
    }
}

impl Clauses {
    /// Refuses what may be said but once.
    fn once(&mut self, part: &'static str, parser: &Parser<'_>) -> Result<(), SyntaxError> {
        if self.said.contains(&part) {
            return Err(parser.error(format!("The question has {part} already.")));
        }
        self.said.push(part);
        Ok(())
    }
}

fn is(token: &Token, wanted: &str) -> bool {
    token.piece == Piece::Word(wanted.to_owned())
}
