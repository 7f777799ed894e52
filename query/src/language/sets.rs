//! What events are called: a class or one of its names, a saved set, quoted text, a predicate.

use std::ops::Range;

use lastwords_store::confine::Predicate;

use super::{
    error::SyntaxError,
    lexer::{Piece, Token},
    names::nearest,
    parser::{AFTER_SET, EXAMPLE, Parser},
    question::{Members, Set},
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
            Piece::Word(_) => return self.class(),
        };
        self.at += 1;
        let place = token.place.clone();
        Ok(Set { members, words: self.question.get(place.clone()).unwrap_or_default().to_owned(), place })
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
            if AFTER_SET.contains(&word.as_str())
                && !self.vocabulary.all().any(|name| name.starts_with(longer.trim()))
            {
                break;
            }
            words.push(word.as_str());
            self.at += 1;
        }
        let name = words.join(" ");
        let place = self.place_of(first..self.at);
        let asked = self.question.get(place.clone()).unwrap_or_default();
        if let Some(members) = self.vocabulary.members(&name) {
            return Ok(Set { members, words: asked.to_owned(), place });
        }
        let mut suggestion = self.vocabulary.nearest(&name).map(|name| format!("Did you mean {name}?"));
        let mut wrong = place;
        // Perhaps a name and then a misspelt keyword: "panics witin 5 minutes of …".
        for taken in (1..words.len()).rev() {
            let (name, next) = words.split_at(taken);
            let Some(next) = next.first().copied() else { continue };
            if self.vocabulary.members(&name.join(" ")).is_some() {
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
}
