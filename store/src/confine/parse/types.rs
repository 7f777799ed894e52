//! Types of columns: `Nullable(DateTime64(9, 'UTC'))`, `Tuple(a UInt8, b String)`, `Enum8('a' = 1)`.

use super::Parser;
use crate::confine::lexer::Token;
use crate::confine::refusal::Refusal;
use crate::confine::types::{Argument, Type};

/// Types of several words: how they begin and what may follow.
const WORDS: &[(&str, &[&str])] = &[
    ("DOUBLE", &["PRECISION"]),
    ("CHAR", &["VARYING", "LARGE", "OBJECT"]),
    ("CHARACTER", &["VARYING", "LARGE", "OBJECT"]),
    ("TINYINT", &["SIGNED", "UNSIGNED"]),
    ("SMALLINT", &["SIGNED", "UNSIGNED"]),
    ("INT", &["SIGNED", "UNSIGNED"]),
    ("INTEGER", &["SIGNED", "UNSIGNED"]),
    ("BIGINT", &["SIGNED", "UNSIGNED"]),
];

impl Parser<'_> {
    pub(super) fn data_type(&mut self) -> Result<Type, Refusal> {
        self.deeper(Self::data_type_here)
    }

    fn data_type_here(&mut self) -> Result<Type, Refusal> {
        let place = self.place();
        if !matches!(self.token(), Token::Word(_)) {
            return self.refuse(format!("Wanted a type such as String or UInt64; found {}.", self.found()));
        }
        let mut name = self.name("a type")?.text;
        if let Some((_, more)) = WORDS.iter().find(|(first, _)| first.eq_ignore_ascii_case(&name)) {
            while let Some(word) = more.iter().find(|word| self.is_word(word)) {
                self.at += 1;
                name = format!("{name} {word}");
            }
        }
        let arguments = if self.is_sign("(") { Some(self.bracketed(Self::type_argument)?) } else { None };
        self.count(1, place)?;
        Ok(Type { name, arguments, place: place.to(self.last_place()) })
    }

    fn type_argument(&mut self) -> Result<Argument, Refusal> {
        match self.token().clone() {
            Token::Number(number) => {
                self.at += 1;
                Ok(Argument::Number(number))
            }
            Token::Text(text) => {
                self.at += 1;
                if !self.take_sign("=") {
                    return Ok(Argument::Text(text));
                }
                let minus = self.take_sign("-");
                let Token::Number(number) = self.token().clone() else {
                    return self.refuse(format!("Wanted a number; found {}.", self.found()));
                };
                self.at += 1;
                Ok(Argument::Enumerated(text, if minus { format!("-{number}") } else { number }))
            }
            Token::Quoted(_) => Ok(Argument::Named(self.name("a name")?, self.data_type()?)),
            Token::Word(_) => {
                let named = matches!(self.peek(1), Token::Word(_))
                    && !["PRECISION", "VARYING", "LARGE", "SIGNED", "UNSIGNED"]
                        .iter()
                        .any(|word| self.word_is(1, word));
                if named {
                    return Ok(Argument::Named(self.name("a name")?, self.data_type()?));
                }
                self.data_type().map(Argument::Type)
            }
            _ => self.refuse(format!("Wanted a type; found {}.", self.found())),
        }
    }
}
