//! What stands behind FROM: tables, SELECTs, table functions, and how they are joined.

use super::Parser;
use crate::confine::lexer::Token;
use crate::confine::refusal::Refusal;
use crate::confine::tree::{From, Join, JoinOn, JoinedTable, Source, Table};

/// Words of joins before JOIN, in the order in which ClickHouse prints them.
const STRICTNESS: &[&str] = &["ANY", "ALL", "ASOF", "SEMI", "ANTI", "ONLY"];
const SIDES: &[&str] = &["INNER", "LEFT", "RIGHT", "FULL", "CROSS", "PASTE"];

impl Parser<'_> {
    pub(super) fn from(&mut self) -> Result<From, Refusal> {
        let mut from = From { first: None, joins: Vec::new() };
        if !self.begins_array_join() {
            from.first = Some(self.table()?);
        }
        loop {
            if self.take_sign(",") {
                let table = self.table()?;
                from.joins.push(Join::Table(Box::new(JoinedTable {
                    kind: ",".to_owned(),
                    table,
                    on: JoinOn::Nothing,
                })));
            } else if self.begins_array_join() {
                let left = self.take_word("LEFT");
                let _ = self.take_word("INNER");
                self.at += 2;
                let columns = self.list(|parser| parser.maybe_named(Self::aliased))?;
                from.joins.push(Join::Array { left, columns });
            } else if let Some(kind) = self.join_kind()? {
                let table = self.table()?;
                let on = self.join_condition()?;
                from.joins.push(Join::Table(Box::new(JoinedTable { kind, table, on })));
            } else {
                return Ok(from);
            }
        }
    }

    fn begins_array_join(&self) -> bool {
        let at = usize::from(self.is_word("LEFT") || self.is_word("INNER"));
        self.word_is(at, "ARRAY") && self.word_is(at + 1, "JOIN")
    }

    /// `[GLOBAL] [ANY|ASOF|…] [LEFT|…] [OUTER] JOIN`, in either order, as it is printed.
    fn join_kind(&mut self) -> Result<Option<String>, Refusal> {
        let one =
            |parser: &Self, words: &[&'static str]| words.iter().find(|word| parser.is_word(word)).copied();
        let begins = ["GLOBAL", "LOCAL", "JOIN", "NATURAL"].iter().any(|word| self.is_word(word))
            || one(self, STRICTNESS).is_some()
            || one(self, SIDES).is_some();
        if !begins {
            return Ok(None);
        }
        let global = self.take_word("GLOBAL");
        let _ = !global && self.take_word("LOCAL");
        let (mut strictness, mut side) = (None, None);
        while !self.is_word("JOIN") {
            if let Some(word) = one(self, STRICTNESS).filter(|_| strictness.is_none()) {
                strictness = Some(word);
            } else if let Some(word) = one(self, SIDES).filter(|_| side.is_none()) {
                side = Some(word);
            } else if !self.is_word("OUTER") {
                return self.refuse(format!("Wanted JOIN; found {}.", self.found()));
            }
            self.at += 1;
        }
        self.at += 1;
        if strictness == Some("ONLY") {
            return self.refuse("Wanted a join without ONLY.");
        }
        let words = [global.then_some("GLOBAL"), strictness, side, Some("JOIN")];
        Ok(Some(words.into_iter().flatten().collect::<Vec<_>>().join(" ")))
    }

    fn join_condition(&mut self) -> Result<JoinOn, Refusal> {
        if self.take_word("ON") {
            return Ok(JoinOn::Condition(self.aliased()?));
        }
        if self.take_word("USING") {
            let columns =
                if self.is_sign("(") { self.bracketed(Self::aliased)? } else { self.list(Self::aliased)? };
            return Ok(JoinOn::Columns(columns));
        }
        Ok(JoinOn::Nothing)
    }

    fn table(&mut self) -> Result<Table, Refusal> {
        let place = self.place();
        let source = if self.take_sign("(") {
            if !self.begins_query() {
                return self.refuse("Wanted a SELECT in these brackets.");
            }
            let query = self.query()?;
            self.expect_sign(")")?;
            Source::Query(Box::new(query))
        } else {
            self.named_table()?
        };
        let place = place.to(self.last_place());
        let mut alias =
            if self.take_word("AS") { Some(self.name("a name after AS")?) } else { self.bare_alias() };
        let is_final = self.take_word("FINAL");
        let sample = self.sample()?;
        if alias.is_none() {
            alias =
                if self.take_word("AS") { Some(self.name("a name after AS")?) } else { self.bare_alias() };
        }
        if let Some(alias) = &alias {
            self.names.insert(alias.text.clone());
        }
        Ok(Table { source, alias, is_final, sample, place })
    }

    fn named_table(&mut self) -> Result<Source, Refusal> {
        if matches!(self.token(), Token::Text(_)) {
            return self.refuse("Wanted a table; found a text, which would be a file.");
        }
        let mut parts = vec![self.name("a table")?];
        if self.is_sign("(") {
            let Some(name) = parts.pop() else { return self.refuse("Wanted a table function.") };
            let arguments = self.bracketed(Self::aliased)?;
            return Ok(Source::Function { name, arguments });
        }
        while self.take_sign(".") {
            parts.push(self.name("a table")?);
        }
        if let Some(last) = parts.last() {
            self.names.insert(last.text.clone());
        }
        Ok(Source::Named(parts))
    }

    /// `SAMPLE 1/10 OFFSET 1/2`.
    fn sample(&mut self) -> Result<Option<(String, Option<String>)>, Refusal> {
        if !self.take_word("SAMPLE") {
            return Ok(None);
        }
        let ratio = self.ratio()?;
        let offset = if self.take_word("OFFSET") { Some(self.ratio()?) } else { None };
        Ok(Some((ratio, offset)))
    }

    fn ratio(&mut self) -> Result<String, Refusal> {
        let number = |parser: &mut Self| match parser.token().clone() {
            Token::Number(number) => {
                parser.at += 1;
                Ok(number)
            }
            _ => parser.refuse(format!("Wanted a number; found {}.", parser.found())),
        };
        let above = number(self)?;
        if !self.take_sign("/") {
            return Ok(above);
        }
        Ok(format!("{above} / {}", number(self)?))
    }
}
