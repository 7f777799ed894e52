//! What events are called: a class or one of its names, a saved set, quoted text, a predicate.

use std::ops::Range;

use lastwords_store::confine::Predicate;

use super::{
    error::SyntaxError,
    families::{self, family},
    lexer::{Piece, Token},
    names::nearest,
    parser::{AFTER_SET, EXAMPLE, Parser},
    period::period,
    question::{Members, Set},
    request::WORDS,
};

impl Parser<'_> {
    pub(super) fn set(&mut self, wanted: &str) -> Result<Set, SyntaxError> {
        let first = self.at;
        let Some(token) = self.tokens.get(first) else {
            return Err(self
                .error(format!("Wanted {wanted}; the question ends here."))
                .suggest(Some(format!("For example: {EXAMPLE}"))));
        };
        let members = match &token.piece {
            Piece::Quoted(text) => Members::Text(text.clone()),
            Piece::Predicate(sql) => Members::Predicate(self.predicate(sql, &token.place)?),
            Piece::Word(word) if AFTER_SET.contains(&word.as_str()) => {
                return Err(self.error(format!("Wanted {wanted}; found {word}.")));
            }
            Piece::Word(_) => return self.classes(),
        };
        self.at += 1;
        let place = token.place.clone();
        Ok(Set { members, words: self.question.get(place.clone()).unwrap_or_default().to_owned(), place })
    }

    /// A class, or several with or between them.
    fn classes(&mut self) -> Result<Set, SyntaxError> {
        let first = self.at;
        let mut set = self.class()?;
        loop {
            let comma = self.is_after_comma();
            let words = self.words();
            let skipped = match words.as_slice() {
                ["or" | "and", next, ..] if !AFTER_SET.contains(next) => 1,
                [next, ..] if comma && !AFTER_SET.contains(next) => 0,
                ["or"] | [] if self.at + words.len() < self.tokens.len() && (comma || words.len() == 1) => {
                    return Err(self.error(
                        "Texts and conditions are not joined by or: wanted one condition, as in {Body LIKE '%a%' or Body LIKE '%b%'}.",
                    ));
                }
                _ => return Ok(set),
            };
            self.at += skipped;
            let other = self.class()?;
            let members = join(&set.members, &other.members).ok_or_else(|| {
                let message = "Events and records are not joined by or: wanted classes such as panics or oom kills, or one {condition}.";
                SyntaxError::new(self.question, other.place.clone(), message)
            })?;
            let place = self.place_of(first..self.at);
            let words = format!("{} or {}", set.words, other.words);
            set = Set { members, words, place };
        }
    }

    /// The set of this name, which stands nowhere in the question.
    pub(super) fn named_set(&mut self, name: &str) -> Result<Set, SyntaxError> {
        let place = self.place_of(self.at.saturating_sub(1)..self.at);
        let Some(members) = self.resolve(name) else {
            return Err(SyntaxError::new(self.question, place, format!("Nothing is called {name:?}.")));
        };
        Ok(Set { members, words: name.to_owned(), place })
    }

    fn resolve(&mut self, name: &str) -> Option<Members> {
        if let Some(members) = self.vocabulary.members(name) {
            return Some(members);
        }
        let (members, note) = family(name)?;
        self.notes.push(note);
        Some(members)
    }

    fn predicate(&self, text: &str, place: &Range<usize>) -> Result<Predicate, SyntaxError> {
        Predicate::parse(text).map_err(|refusal| {
            let within =
                self.question.get(place.clone()).and_then(|braces| braces.find(text)).unwrap_or_default();
            let start = place.start + within;
            let meant = start + refusal.place.start..(start + refusal.place.end).min(place.end);
            SyntaxError::of_predicate(self.question, meant, &refusal.message)
        })
    }

    fn class(&mut self) -> Result<Set, SyntaxError> {
        let first = self.at;
        let mut words = Vec::new();
        while let Some(Token { piece: Piece::Word(word), .. }) = self.tokens.get(self.at) {
            // A name may itself have such a word, as long as it is not the first.
            let longer = [words.join(" "), word.clone()].join(" ");
            let longer = longer.trim();
            let is_longer = |name: &str| name.starts_with(longer);
            // "segfault at" is a text: what needs something behind it and has nothing is no clause, and "not" alone is none.
            let alone =
                self.at + 1 == self.tokens.len() && !words.is_empty() && NEEDS_MORE.contains(&word.as_str());
            let ends = match word.as_str() {
                "not" => matches!(
                    self.words().get(1),
                    Some(&("within" | "on" | "in" | "during" | "while" | "for" | "of" | "from"))
                ),
                word => AFTER_SET.contains(&word) && !alone,
            };
            if ends && !self.vocabulary.all().any(is_longer) && !families::names().any(is_longer) {
                break;
            }
            words.push(word.as_str());
            self.at += 1;
            if self.tokens.get(self.at - 1).is_some_and(|token| token.comma) {
                break;
            }
        }
        let name = words.join(" ");
        let place = self.place_of(first..self.at);
        let asked = self.question.get(place.clone()).unwrap_or_default();
        if let Some(members) = self.resolve(&name) {
            return Ok(Set { members, words: asked.to_owned(), place });
        }
        // Perhaps the name of a class, and then a time: "panics november".
        for taken in (1..words.len()).rev() {
            let (name, rest) = words.split_at(taken);
            if period(rest, self.asker).is_some()
                && let Some(members) = self.resolve(&name.join(" "))
            {
                self.at = first + taken;
                let place = self.place_of(first..self.at);
                let words = self.question.get(place.clone()).unwrap_or_default().to_owned();
                return Ok(Set { members, words, place });
            }
        }
        let near = self.vocabulary.nearest(&name);
        let is_line = words.iter().any(|word| !word.chars().any(char::is_alphanumeric));
        if (near.is_none() || is_line)
            && let Some(set) = self.text(&words, asked, &place)
        {
            return Ok(set);
        }
        let mut suggestion = near.map(|name| format!("Did you mean {name}?"));
        let mut wrong = place;
        // Perhaps a name and then a misspelt keyword: "panics witin 5 minutes of …".
        for taken in (1..words.len()).rev() {
            let (name, next) = words.split_at(taken);
            let Some(next) = next.first().copied() else { continue };
            if self.vocabulary.members(&name.join(" ")).is_some() {
                let keywords = AFTER_SET.iter().copied().filter(|word| word.len() >= KEYWORD_MIN);
                if let Some(keyword) = nearest(next, keywords) {
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

    /// Words that are called nothing, and can be meant for nothing else, are looked for as a text.
    fn text(&mut self, words: &[&str], asked: &str, place: &Range<usize>) -> Option<Set> {
        let is_ours = |word: &&str| WORDS.contains(word) || OURS.contains(word);
        // "panics foo" is a question that goes wrong; "Kernel panic - not syncing" is a line.
        let starts_known = (1..words.len()).any(|taken| {
            words.split_at_checked(taken).is_some_and(|(name, rest)| {
                let is_word = rest.first().is_some_and(|word| word.chars().any(char::is_alphanumeric));
                is_word && self.vocabulary.members(&name.join(" ")).is_some()
            })
        });
        let is_line = words.iter().any(|word| !word.chars().any(char::is_alphanumeric));
        if (words.iter().any(is_ours) && !is_line)
            || starts_known
            || asked.len() > TEXT_BYTES_MAX
            || asked.chars().filter(|c| c.is_alphanumeric()).count() < TEXT_MIN
        {
            return None;
        }
        let how = "Nothing is called";
        self.notes.push(format!(
            "{how} {asked}: records with this text are shown, letter by letter, as for \"{asked}\"."
        ));
        Some(Set {
            members: Members::Text(asked.to_owned()),
            words: format!("{asked:?}"),
            place: place.clone(),
        })
    }
}

/// Words that are a clause with something behind them only.
const NEEDS_MORE: &[&str] = &["at", "in", "on", "of", "for", "from", "to", "with", "and", "or", "by"];
/// Shorter keywords are too near to other words to be meant.
const KEYWORD_MIN: usize = 4;
/// Shorter texts are no words.
const TEXT_MIN: usize = 4;
/// Longer ones are asked for in quotes.
const TEXT_BYTES_MAX: usize = 200;
/// Words that people use for what the language calls otherwise; they are no texts of logs.
const OURS: &[&str] = &[
    "classes",
    "guests",
    "hosts",
    "guest",
    "host",
    "vm",
    "vms",
    "messages",
    "events",
    "placement",
    "trend",
    "trends",
    "rate",
    "average",
    "mean",
    "longest",
    "shortest",
    "duration",
    "increasing",
    "decreasing",
    "compare",
    "silent",
    "between",
    "distinguishes",
    "precedes",
    "different",
    "same",
    "new",
    "fewer",
    "more",
    "than",
    "is",
    "are",
    "was",
    "were",
    "long",
    "long?",
    "time",
    "why",
    "help",
    "kernels",
    "labels",
    "sets",
    "tables",
    "schema",
    "version",
];

/// Events of either, or records of either.
fn join(one: &Members, other: &Members) -> Option<Members> {
    if let (Members::Predicate(one), Members::Predicate(other)) = (one, other) {
        return Predicate::parse(&format!("({}) or ({})", one.text(), other.text()))
            .ok()
            .map(Members::Predicate);
    }
    let classes = |members: &Members| match members {
        Members::Class(class) => Some(vec![class.clone()]),
        Members::Classes(classes) => Some(classes.clone()),
        Members::Text(_) | Members::Predicate(_) => None,
    };
    let mut all = classes(one)?;
    for class in classes(other)? {
        if !all.contains(&class) {
            all.push(class);
        }
    }
    Some(Members::Classes(all))
}
