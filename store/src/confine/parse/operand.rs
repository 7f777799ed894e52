//! What stands between operators: values, names, calls, brackets, and what is hung on them (`[1]`, `.1`, `::Date`).

use super::Parser;
use crate::confine::lexer::Token;
use crate::confine::names::Name;
use crate::confine::refusal::{Place, Refusal};
use crate::confine::tree::{Call, Expression, Kind, Over, Star, StarColumns, Transformer};

/// Words that never are a column's name unless quoted.
const NOT_NAMES: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "PREWHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "UNION",
    "INTERSECT",
    "JOIN",
    "USING",
    "INTO",
    "FORMAT",
    "SETTINGS",
    "QUALIFY",
    "AND",
    "OR",
    "THEN",
    "WHEN",
    "ELSE",
    "BETWEEN",
    "IN",
    "IS",
    "LIKE",
    "ILIKE",
    "AS",
    "ON",
    "BY",
    "WITH",
];

impl Parser<'_> {
    /// A value with what is hung on it.
    pub(super) fn operand(&mut self) -> Result<Expression, Refusal> {
        let start = self.place();
        let mut value = self.primary()?;
        loop {
            if self.take_sign("[") {
                let index = self.expression()?;
                self.expect_sign("]")?;
                value = self.call("arrayElement", vec![value, index], start)?;
            } else if self.is_sign(".") {
                value = self.element(value, start)?;
            } else if self.is_sign("::") {
                value = self.cast(value, start)?;
            } else if self.is_word("AT") && self.word_is(1, "TIME") && self.word_is(2, "ZONE") {
                self.at += 3;
                let zone = self.primary()?;
                value = self.call("toTimeZone", vec![value, zone], start)?;
            } else {
                return Ok(value);
            }
        }
    }

    /// `.1` and `.name`.
    fn element(&mut self, value: Expression, start: Place) -> Result<Expression, Refusal> {
        self.at += 1;
        let place = self.place();
        let kind = match self.token() {
            Token::Number(number) => Kind::Number(number.clone()),
            Token::Word(name) | Token::Quoted(name) => Kind::Text(name.clone().into_bytes()),
            _ => return self.refuse(format!("Wanted the number or name of a part; found {}.", self.found())),
        };
        self.at += 1;
        let part = self.make(kind, place)?;
        self.call("tupleElement", vec![value, part], start)
    }

    /// `::Date`. Of a literal the store reads its text, as its own parser does: `1.10::Decimal(9, 2)` loses nothing.
    fn cast(&mut self, value: Expression, start: Place) -> Result<Expression, Refusal> {
        let end = self.last_place();
        self.at += 1;
        let place = self.place();
        let data_type = self.data_type()?;
        let name = self.make(Kind::Text(data_type.to_string().into_bytes()), place.to(self.last_place()))?;
        let literal = match &value.kind {
            Kind::Number(number) => Some(number.clone().into_bytes()),
            Kind::Array(_) | Kind::Tuple(_) if is_literal(&value) => {
                Some(start.to(end).text(self.text).as_bytes().to_vec())
            }
            _ => None,
        };
        let value = match literal {
            Some(text) => self.make(Kind::Text(text), value.place)?,
            None => value,
        };
        self.call("CAST", vec![value, name], start)
    }

    fn primary(&mut self) -> Result<Expression, Refusal> {
        let place = self.place();
        match self.token().clone() {
            Token::Number(number) => {
                self.at += 1;
                self.make(Kind::Number(number), place)
            }
            Token::Text(text) => {
                self.at += 1;
                self.make(Kind::Text(text), place)
            }
            Token::Sign("-") => {
                self.at += 1;
                let number = match self.token() {
                    Token::Number(number) | Token::Word(number) => format!("-{number}"),
                    _ => return self.refuse(format!("Wanted a number after -; found {}.", self.found())),
                };
                self.at += 1;
                self.make(Kind::Number(number), place.to(self.last_place()))
            }
            Token::Sign("(") => self.in_brackets(place),
            Token::Sign("[") => {
                self.at += 1;
                let parts = if self.is_sign("]") { Vec::new() } else { self.list(Self::aliased)? };
                self.expect_sign("]")?;
                self.make(Kind::Array(parts), place.to(self.last_place()))
            }
            Token::Sign("{") => self.parameter(place),
            Token::Sign("*") => {
                self.at += 1;
                self.star(Vec::new(), place)
            }
            Token::Quoted(_) => self.named(place),
            Token::Word(word) => self.word(&word, place),
            Token::Sign(_) | Token::End => {
                self.refuse(format!("Wanted a value or a column; found {}.", self.found()))
            }
        }
    }

    /// `(a)`, `(a, b)`, `(SELECT …)`.
    fn in_brackets(&mut self, place: Place) -> Result<Expression, Refusal> {
        self.expect_sign("(")?;
        if self.begins_query() {
            let query = self.query()?;
            self.expect_sign(")")?;
            return self.make(Kind::Query(Box::new(query)), place.to(self.last_place()));
        }
        if self.take_sign(")") {
            return self.call("tuple", Vec::new(), place);
        }
        let mut parts = vec![self.aliased()?];
        let mut is_tuple = false;
        while self.take_sign(",") {
            is_tuple = true;
            if self.is_sign(")") {
                break;
            }
            parts.push(self.aliased()?);
        }
        self.expect_sign(")")?;
        match (parts.pop(), parts.is_empty(), is_tuple) {
            (Some(only), true, false) => Ok(only),
            (Some(only), true, true) => self.call("tuple", vec![only], place),
            (last, ..) => {
                parts.extend(last);
                self.make(Kind::Tuple(parts), place.to(self.last_place()))
            }
        }
    }

    /// Whether a SELECT begins here, perhaps within further brackets: `(SELECT 1) UNION …`, but not `(SELECT 1) + 1`.
    pub(super) fn begins_query(&self) -> bool {
        let mut ahead = 0;
        while matches!(self.peek(ahead), Token::Sign("(")) {
            let Some(close) = self.closes.get(&(self.at + ahead)) else { return false };
            let behind = close.saturating_sub(self.at) + 1;
            let ends = matches!(self.peek(behind), Token::Sign(")"));
            if !ends && !["UNION", "INTERSECT", "EXCEPT"].iter().any(|word| self.word_is(behind, word)) {
                return false;
            }
            ahead += 1;
        }
        if self.word_is(ahead, "FROM") {
            // A column may be called so, a table expression follows a query's FROM.
            return matches!(self.peek(ahead + 1), Token::Word(_) | Token::Quoted(_) | Token::Sign("("));
        }
        self.word_is(ahead, "SELECT")
            || (self.word_is(ahead, "WITH") && !matches!(self.peek(ahead + 1), Token::Sign(_)))
    }

    /// `{name:Type}`.
    fn parameter(&mut self, place: Place) -> Result<Expression, Refusal> {
        self.expect_sign("{")?;
        if !matches!(self.token(), Token::Word(_)) {
            return self
                .refuse(format!("Wanted a parameter such as {{name:String}}; found {}.", self.found()));
        }
        let name = self.name("a parameter's name")?;
        self.expect_sign(":")?;
        let kind = self.data_type()?;
        self.expect_sign("}")?;
        self.make(Kind::Parameter { name, kind }, place.to(self.last_place()))
    }

    pub(super) fn infinity_at(&self, ahead: usize) -> bool {
        ["inf", "infinity", "nan"].iter().any(|word| self.word_is(ahead, word))
            && !matches!(self.peek(ahead + 1), Token::Sign("(" | "."))
    }

    fn word(&mut self, word: &str, place: Place) -> Result<Expression, Refusal> {
        let called = matches!(self.peek(1), Token::Sign("("));
        if !called {
            let literal = match word.to_ascii_lowercase().as_str() {
                "null" => Some(Kind::Null),
                "true" => Some(Kind::Bool(true)),
                "false" => Some(Kind::Bool(false)),
                _ if self.infinity_at(0) => Some(Kind::Number(word.to_owned())),
                _ => None,
            };
            if let Some(kind) = literal
                && !matches!(self.peek(1), Token::Sign("."))
            {
                self.at += 1;
                return self.make(kind, place);
            }
        }
        if let Some(special) = self.special(word, place)? {
            return Ok(special);
        }
        let is_keyword = NOT_NAMES.iter().any(|keyword| keyword.eq_ignore_ascii_case(word));
        if is_keyword && !called {
            return self.refuse(format!(
                "Wanted a value or a column; found {word:?}, which as a name stands in backquotes."
            ));
        }
        self.named(place)
    }

    /// A column, a function's call, `t.*`.
    fn named(&mut self, place: Place) -> Result<Expression, Refusal> {
        let first = self.name("a name")?;
        if self.is_sign("(") {
            if first.text.eq_ignore_ascii_case("COLUMNS") {
                return self.columns(Vec::new(), place);
            }
            return self.function(first, place);
        }
        let mut parts = vec![first];
        while self.is_sign(".") {
            match self.peek(1) {
                Token::Sign("*") => {
                    self.at += 2;
                    return self.star(parts, place);
                }
                Token::Word(word)
                    if word.eq_ignore_ascii_case("COLUMNS") && matches!(self.peek(2), Token::Sign("(")) =>
                {
                    self.at += 2;
                    return self.columns(parts, place);
                }
                Token::Word(_) | Token::Quoted(_) => {
                    self.at += 1;
                    parts.push(self.name("a name")?);
                }
                _ => break,
            }
        }
        if parts.len() > 4 {
            return self.refuse("Wanted a name of at most four parts.");
        }
        self.make(Kind::Column(parts), place.to(self.last_place()))
    }

    /// A call: `f(a)`, `f(p)(a)`, `f(DISTINCT a)`, with FILTER, RESPECT NULLS and OVER behind it.
    fn function(&mut self, name: Name, place: Place) -> Result<Expression, Refusal> {
        let (mut distinct, mut arguments) = self.arguments()?;
        let mut parameters = None;
        if self.is_sign("(") {
            if distinct {
                return self.refuse("DISTINCT stands in the second brackets.");
            }
            parameters = Some(std::mem::take(&mut arguments));
            (distinct, arguments) = self.arguments()?;
        }
        let mut respect_nulls = self.nulls();
        let filter = if self.word_is(0, "FILTER") && matches!(self.peek(1), Token::Sign("(")) {
            self.at += 2;
            self.expect_word("WHERE")?;
            let filter = self.aliased()?;
            self.expect_sign(")")?;
            Some(filter)
        } else {
            None
        };
        respect_nulls = respect_nulls.or_else(|| self.nulls());
        let over = if self.word_is(0, "OVER") {
            self.at += 1;
            Some(if self.is_sign("(") {
                Over::Window(Box::new(self.window()?))
            } else {
                Over::Named(self.name("a window")?)
            })
        } else {
            None
        };
        let call = Call { name, parameters, distinct, arguments, filter, respect_nulls, over };
        self.make(Kind::Call(Box::new(call)), place.to(self.last_place()))
    }

    fn nulls(&mut self) -> Option<bool> {
        if self.take_words(&["RESPECT", "NULLS"]) {
            return Some(true);
        }
        self.take_words(&["IGNORE", "NULLS"]).then_some(false)
    }

    /// What stands in a call's brackets, and whether it is DISTINCT.
    fn arguments(&mut self) -> Result<(bool, Vec<Expression>), Refusal> {
        self.expect_sign("(")?;
        let named = matches!(self.peek(1), Token::Sign("(" | "," | ")" | "."));
        let distinct = self.is_word("DISTINCT") && !named;
        let all = self.is_word("ALL") && !named;
        self.at += usize::from(distinct || all);
        let arguments = if self.is_sign(")") { Vec::new() } else { self.list(Self::aliased)? };
        self.expect_sign(")")?;
        Ok((distinct, arguments))
    }

    /// `*` and what follows it.
    pub(super) fn star(&mut self, qualifier: Vec<Name>, place: Place) -> Result<Expression, Refusal> {
        self.finish_star(qualifier, StarColumns::All, place)
    }

    /// `COLUMNS('expression')` and `COLUMNS(a, b)`.
    fn columns(&mut self, qualifier: Vec<Name>, place: Place) -> Result<Expression, Refusal> {
        self.expect_sign("(")?;
        let columns = match self.token().clone() {
            Token::Text(pattern) => {
                self.at += 1;
                StarColumns::Pattern(pattern)
            }
            _ => StarColumns::Listed(self.list(Self::column)?),
        };
        self.expect_sign(")")?;
        self.finish_star(qualifier, columns, place)
    }

    /// A column by name.
    fn column(&mut self) -> Result<Expression, Refusal> {
        let place = self.place();
        let mut parts = vec![self.name("a column")?];
        while self.take_sign(".") {
            parts.push(self.name("a column")?);
        }
        self.make(Kind::Column(parts), place.to(self.last_place()))
    }

    fn finish_star(
        &mut self,
        qualifier: Vec<Name>,
        columns: StarColumns,
        place: Place,
    ) -> Result<Expression, Refusal> {
        let mut transformers = Vec::new();
        while let Some(transformer) = self.transformer()? {
            transformers.push(transformer);
        }
        let star = Star { qualifier, columns, transformers };
        self.make(Kind::Star(Box::new(star)), place.to(self.last_place()))
    }

    fn transformer(&mut self) -> Result<Option<Transformer>, Refusal> {
        if self.take_word("APPLY") {
            let bracket = self.take_sign("(");
            let transformer = if let Some(lambda) = self.apply_lambda()? {
                Transformer::ApplyLambda(lambda)
            } else {
                let name = self.name("a function's name")?;
                let parameters = if self.is_sign("(") { Some(self.bracketed(Self::aliased)?) } else { None };
                Transformer::ApplyFunction { name, parameters }
            };
            if bracket {
                self.expect_sign(")")?;
            }
            return Ok(Some(transformer));
        }
        // `SELECT * EXCEPT SELECT …` puts two SELECTs together.
        let set_operation = self.is_word("EXCEPT")
            && (["ALL", "DISTINCT", "SELECT", "WITH", "FROM"].iter().any(|word| self.word_is(1, word))
                || (matches!(self.peek(1), Token::Sign("(")) && self.word_is(2, "SELECT")));
        if !set_operation && self.take_word("EXCEPT") {
            let strict = self.take_word("STRICT");
            if matches!(self.token(), Token::Sign("(")) && matches!(self.peek(1), Token::Text(_)) {
                self.at += 1;
                let Token::Text(pattern) = self.token().clone() else { return Ok(None) };
                self.at += 1;
                self.expect_sign(")")?;
                return Ok(Some(Transformer::ExceptPattern(pattern)));
            }
            let columns = if self.is_sign("(") {
                self.bracketed(|parser| parser.name("a column"))?
            } else {
                vec![self.name("a column")?]
            };
            return Ok(Some(Transformer::Except { strict, columns }));
        }
        if self.take_word("REPLACE") {
            let strict = self.take_word("STRICT");
            let columns = if self.is_sign("(") {
                self.bracketed(Self::replacement)?
            } else {
                vec![self.replacement()?]
            };
            return Ok(Some(Transformer::Replace { strict, columns }));
        }
        Ok(None)
    }

    fn apply_lambda(&mut self) -> Result<Option<Expression>, Refusal> {
        let arrow = matches!(self.peek(1), Token::Sign("->")) || self.is_sign("(");
        if !arrow {
            return Ok(None);
        }
        let lambda = self.expression()?;
        if matches!(lambda.kind, Kind::Lambda { .. }) {
            return Ok(Some(lambda));
        }
        Err(Refusal::new("Wanted a function's name or x -> … after APPLY.", lambda.place))
    }

    fn replacement(&mut self) -> Result<(Expression, Name), Refusal> {
        let value = self.expression()?;
        self.expect_word("AS")?;
        Ok((value, self.name("a column")?))
    }
}

/// Whether it is nothing but numbers, texts and brackets.
fn is_literal(value: &Expression) -> bool {
    let plain = match &value.kind {
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => true,
        Kind::Tuple(parts) | Kind::Array(parts) => parts.iter().all(is_literal),
        _ => false,
    };
    plain && value.alias.is_none()
}
