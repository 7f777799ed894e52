//! One pass over the pieces of a question; never more than one piece is looked ahead.

use std::ops::Range;

use super::{
    Asker, Bounds, Grouping, Matches, Members, Near, QUESTION_BYTES_MAX, Question, Scope, Set, SyntaxError,
    Vocabulary, WITHIN_NS_MAX,
    lexer::{Piece, Token, tokens},
    moment,
    names::nearest,
};
use crate::chance::Relation;

/// Words that end a set's name.
const AFTER_SET: &[&str] =
    &["within", "not", "on", "anywhere", "since", "between", "in", "by", "before", "after"];
const EXAMPLE: &str = "panics within 5 minutes of network saturation";

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

struct Parser<'a> {
    question: &'a str,
    tokens: &'a [Token],
    at: usize,
    vocabulary: &'a Vocabulary,
    asker: &'a Asker,
}

impl<'a> Parser<'a> {
    fn question(mut self) -> Result<Question, SyntaxError> {
        self.refuse_forms_to_come()?;
        let anchors = self.set("a class such as panics, \"text\" or {condition}")?;
        let mut question = Matches { anchors, conditions: Vec::new(), bounds: Bounds::default(), by: None };
        let mut scope = Scope::Host;
        let mut said: Vec<&str> = Vec::new();
        while let Some(token) = self.tokens.get(self.at) {
            let word = match &token.piece {
                Piece::Word(word) => word.as_str(),
                Piece::Quoted(_) | Piece::Predicate(_) => "",
            };
            let part = match word {
                "since" | "between" | "in" => "a range",
                "on" | "anywhere" => "a scope",
                other => other,
            };
            if said.contains(&part) && part != "within" {
                return Err(self.error(format!("The question has {part} already.")));
            }
            said.push(part);
            match word {
                "within" if !question.conditions.is_empty() => {
                    return Err(self.error("Chains of within are not understood yet: ask with one."));
                }
                "within" => question.conditions.push(self.near()?),
                "on" | "anywhere" => scope = self.scope()?,
                "since" => {
                    self.at += 1;
                    question.bounds.from_ns = Some(self.instant()?);
                }
                "between" => (question.bounds.from_ns, question.bounds.to_ns) = self.between()?,
                "in" => question.bounds.from_ns = Some(self.in_the_last()?),
                "by" => question.by = Some(self.grouping()?),
                "not" => {
                    return Err(
                        self.error("not within is not understood yet: ask what is near, without not.")
                    );
                }
                "before" | "after" => {
                    let message =
                        format!("Wanted how near, as in within 5 minutes {word}; found {word} alone.");
                    return Err(self.error(message));
                }
                _ => return Err(self.unexpected()),
            }
        }
        if question.conditions.is_empty() && said.contains(&"a scope") {
            let place = self.tokens.iter().find(|token| is(token, "on") || is(token, "anywhere"));
            let place = place.map_or(0..0, |token| token.place.clone());
            let message = "A scope says where the partner may be, and this question has none: wanted within D of something.";
            return Err(SyntaxError::new(self.question, place, message));
        }
        for condition in &mut question.conditions {
            condition.scope = scope.clone();
        }
        Ok(Question::Matches(question))
    }

    /// Forms of the language that begin otherwise and are not understood yet.
    fn refuse_forms_to_come(&self) -> Result<(), SyntaxError> {
        let words = self.words();
        let found = match words.as_slice() {
            ["what", "precedes" | "distinguishes", ..] => 0..2,
            ["hosts" | "guests", "silent", "for", ..] => 0..3,
            _ => match words.windows(3).position(|three| matches!(three, ["before", "and", "after"])) {
                Some(at) => at..at + 3,
                None => return Ok(()),
            },
        };
        let place = self.place_of(found);
        let form = self.question.get(place.clone()).unwrap_or_default();
        let message = format!("Questions with {form:?} are not understood yet.");
        Err(SyntaxError::new(self.question, place, message)
            .suggest(Some(format!("What is understood looks like: {EXAMPLE}"))))
    }

    fn set(&mut self, wanted: &str) -> Result<Set, SyntaxError> {
        let first = self.at;
        let Some(token) = self.tokens.get(first) else {
            return Err(self
                .error(format!("Wanted {wanted}; the question ends here."))
                .suggest(Some(format!("For example: {EXAMPLE}"))));
        };
        let members = match &token.piece {
            Piece::Quoted(text) => Members::Text(text.clone()),
            Piece::Predicate(sql) => Members::Predicate(sql.clone()),
            Piece::Word(word) if AFTER_SET.contains(&word.as_str()) => {
                return Err(self.error(format!("Wanted {wanted}; found {word}.")));
            }
            Piece::Word(_) => return self.class(),
        };
        self.at += 1;
        let place = token.place.clone();
        Ok(Set { members, words: self.question.get(place.clone()).unwrap_or_default().to_owned(), place })
    }

    fn class(&mut self) -> Result<Set, SyntaxError> {
        let first = self.at;
        let mut words = Vec::new();
        while let Some(Token { piece: Piece::Word(word), .. }) = self.tokens.get(self.at) {
            // A name may itself have such a word, as long as it is not the first.
            let longer = [words.join(" "), word.clone()].join(" ");
            if AFTER_SET.contains(&word.as_str())
                && !self.vocabulary.names.all().any(|name| name.starts_with(longer.trim()))
            {
                break;
            }
            words.push(word.as_str());
            self.at += 1;
        }
        let name = words.join(" ");
        let place = self.place_of(first..self.at);
        let asked = self.question.get(place.clone()).unwrap_or_default();
        if let Some(class) = self.vocabulary.names.class(&name) {
            return Ok(Set { members: Members::Class(class.to_owned()), words: asked.to_owned(), place });
        }
        let mut suggestion = self.vocabulary.names.nearest(&name).map(|name| format!("Did you mean {name}?"));
        let mut wrong = place;
        // Perhaps a name and then a misspelt keyword: "panics witin 5 minutes of …".
        for taken in (1..words.len()).rev() {
            let (name, next) = words.split_at(taken);
            let Some(next) = next.first().copied() else { continue };
            if self.vocabulary.names.class(&name.join(" ")).is_some() {
                if let Some(keyword) = nearest(next, AFTER_SET.iter().copied()) {
                    suggestion = Some(format!("Did you mean {keyword}?"));
                }
                wrong = self.place_of(first + taken..first + taken + 1);
                return Err(SyntaxError::new(
                    self.question,
                    wrong,
                    format!("After {:?} {next:?} is not understood.", name.join(" ")),
                )
                .suggest(suggestion));
            }
        }
        if suggestion.is_none() {
            suggestion = Some("Text in logs is asked for in quotes: \"link is down\". `SELECT DISTINCT Class FROM events` lists classes.".to_owned());
        }
        wrong.end = wrong.end.max(wrong.start);
        Err(SyntaxError::new(self.question, wrong, format!("Nothing is called {asked:?}."))
            .suggest(suggestion))
    }

    fn near(&mut self) -> Result<Near, SyntaxError> {
        self.at += 1;
        let words = self.words();
        let Some((within_ns, taken)) = moment::length(&words) else {
            return Err(self.wanted("a length of time such as 5 minutes, 30s or 1h30m"));
        };
        if within_ns > WITHIN_NS_MAX {
            let place = self.place_of(self.at..self.at + taken);
            return Err(SyntaxError::new(
                self.question,
                place,
                "That is too long: within takes at most 366 days.",
            ));
        }
        self.at += taken;
        let relation = match self.words().first().copied() {
            Some("of") => Relation::Of,
            Some("before") => Relation::Before,
            Some("after") => Relation::After,
            _ => {
                return Err(self
                    .wanted("of, before or after")
                    .suggest(self.spelling(&["of", "before", "after"])));
            }
        };
        self.at += 1;
        let partners = self.set("what they are near to, such as network saturation")?;
        Ok(Near { negated: false, relation, within_ns, partners, scope: Scope::Host })
    }

    fn scope(&mut self) -> Result<Scope, SyntaxError> {
        let words = self.words();
        let (scope, taken) = match words.as_slice() {
            ["anywhere", ..] => (Scope::Anywhere, 1),
            ["on", "the", "same", "host", ..] => (Scope::Host, 4),
            ["on", "the", "same", "guest", ..] => (Scope::Guest, 4),
            ["on", "same", "host", ..] => (Scope::Host, 3),
            ["on", "same", "guest", ..] => (Scope::Guest, 3),
            ["on", "the", "same", _, ..] => {
                self.at += 3;
                return Err(self
                    .wanted("host or guest; other scopes are not understood yet")
                    .suggest(self.spelling(&["host", "guest"])));
            }
            _ => return Err(self.wanted("on the same host, on the same guest or anywhere")),
        };
        self.at += taken;
        Ok(scope)
    }

    fn instant(&mut self) -> Result<i64, SyntaxError> {
        match moment::instant(&self.words(), self.asker) {
            Some((instant_ns, taken)) => {
                self.at += taken;
                Ok(instant_ns)
            }
            None => Err(self.wanted("a time such as 7 days ago, yesterday, 2026-11-20 or 2026-11-20 15:00")),
        }
    }

    fn between(&mut self) -> Result<(Option<i64>, Option<i64>), SyntaxError> {
        self.at += 1;
        let from_ns = self.instant()?;
        if self.words().first().copied() != Some("and") {
            return Err(self.wanted("and, as in between 2026-11-20 and 2026-11-21"));
        }
        self.at += 1;
        let second = self.at;
        let to_ns = self.instant()?;
        if to_ns <= from_ns {
            let place = self.place_of(second..self.at);
            let message =
                "The range ends before it begins: its end, which does not belong to it, has to be later.";
            return Err(SyntaxError::new(self.question, place, message));
        }
        Ok((Some(from_ns), Some(to_ns)))
    }

    fn in_the_last(&mut self) -> Result<i64, SyntaxError> {
        let words = self.words();
        let skipped = match words.as_slice() {
            ["in", "the", "last" | "past", ..] => 3,
            ["in", "last" | "past", ..] => 2,
            _ => return Err(self.wanted("in the last D, as in in the last 7 days")),
        };
        let rest = words.get(skipped..).unwrap_or_default();
        // "in the last hour" is one hour.
        let alone = rest.first().map(|unit| ["1", *unit]);
        let (length_ns, taken) = match (moment::length(rest), alone) {
            (Some(found), _) => found,
            (None, Some(one)) if let Some((length_ns, _)) = moment::length(&one) => (length_ns, 1),
            _ => {
                self.at += skipped;
                return Err(self.wanted("a length of time such as 7 days"));
            }
        };
        self.at += skipped + taken;
        Ok(self.asker.now_ns.saturating_sub(length_ns))
    }

    fn grouping(&mut self) -> Result<Grouping, SyntaxError> {
        let words = self.words();
        let rest = words.get(1..).unwrap_or_default();
        let (grouping, taken) = match rest {
            ["hour", "of", "day", ..] | ["hour", "of", "the", "day", ..] => {
                (Grouping::HourOfDay, if rest.get(2) == Some(&"the") { 4 } else { 3 })
            }
            ["day", "of", "week", ..] | ["day", "of", "the", "week", ..] => {
                (Grouping::DayOfWeek, if rest.get(2) == Some(&"the") { 4 } else { 3 })
            }
            ["hour", ..] => (Grouping::HourOfDay, 1),
            ["weekday", ..] => (Grouping::DayOfWeek, 1),
            ["host", ..] => (Grouping::Host, 1),
            ["guest", ..] => (Grouping::Guest, 1),
            ["class", ..] => (Grouping::Class, 1),
            _ => {
                self.at += 1;
                let suggestion = self.spelling(&["hour", "day", "host", "guest", "class"]);
                return Err(self
                    .wanted("hour of day, day of week, host, guest or class")
                    .suggest(suggestion));
            }
        };
        self.at += 1 + taken;
        Ok(grouping)
    }

    /// The words from here to the next quoted text or predicate.
    fn words(&self) -> Vec<&'a str> {
        let rest = self.tokens.get(self.at..).unwrap_or_default();
        rest.iter()
            .map_while(|token| match &token.piece {
                Piece::Word(word) => Some(word.as_str()),
                Piece::Quoted(_) | Piece::Predicate(_) => None,
            })
            .collect()
    }

    fn place_of(&self, tokens: Range<usize>) -> Range<usize> {
        let pieces = self.tokens.get(tokens).unwrap_or_default();
        match (pieces.first(), pieces.last()) {
            (Some(first), Some(last)) => first.place.start..last.place.end,
            _ => self.question.trim_end().len()..self.question.trim_end().len(),
        }
    }

    fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError::new(self.question, self.place_of(self.at..self.at + 1), message)
    }

    fn wanted(&self, wanted: &str) -> SyntaxError {
        let place = self.place_of(self.at..self.at + 1);
        match self.question.get(place.clone()).filter(|found| !found.is_empty()) {
            Some(found) => self.error(format!("Wanted {wanted}; found {found}.")),
            None => self.error(format!("Wanted {wanted}; the question ends here.")),
        }
    }

    fn unexpected(&self) -> SyntaxError {
        let place = self.place_of(self.at..self.at + 1);
        let found = self.question.get(place.clone()).unwrap_or_default();
        self.error(format!("{found:?} is not understood here: wanted within, on, anywhere, since, between, in, by, or the question's end."))
            .suggest(self.spelling(AFTER_SET))
    }

    fn spelling(&self, words: &[&str]) -> Option<String> {
        let found = self.words().first().copied()?;
        nearest(found, words.iter().copied()).map(|word| format!("Did you mean {word}?"))
    }
}

fn is(token: &Token, wanted: &str) -> bool {
    token.piece == Piece::Word(wanted.to_owned())
}
