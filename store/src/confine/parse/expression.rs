//! Operators, by precedence. Each becomes the function that ClickHouse makes of it.

use super::Parser;
use crate::confine::lexer::Token;
use crate::confine::names::Name;
use crate::confine::refusal::{Place, Refusal};
use crate::confine::tree::{Block, Call, Expression, From, Kind, Measure, Query, Select, Source, Table};

/// How tight operators bind, as in ClickHouse's parser.
mod precedence {
    pub(super) const TERNARY: u8 = 2;
    pub(super) const OR: u8 = 3;
    pub(super) const AND: u8 = 4;
    pub(super) const NOT: u8 = 5;
    pub(super) const IS: u8 = 6;
    pub(super) const BETWEEN: u8 = 7;
    pub(super) const COMPARISON: u8 = 9;
    pub(super) const CONCAT: u8 = 10;
    pub(super) const SUM: u8 = 11;
    pub(super) const PRODUCT: u8 = 12;
    pub(super) const NEGATION: u8 = 13;
}

/// Comparisons by sign.
const COMPARISONS: &[(&str, &str)] = &[
    ("=", "equals"),
    ("==", "equals"),
    ("!=", "notEquals"),
    ("<>", "notEquals"),
    ("<=>", "isNotDistinctFrom"),
    ("<", "less"),
    (">", "greater"),
    ("<=", "lessOrEquals"),
    (">=", "greaterOrEquals"),
];
/// Operators of words that take a value on their right.
const WORDS: &[(&[&str], &str)] = &[
    (&["LIKE"], "like"),
    (&["NOT", "LIKE"], "notLike"),
    (&["ILIKE"], "ilike"),
    (&["NOT", "ILIKE"], "notILike"),
    (&["REGEXP"], "match"),
    (&["IN"], "in"),
    (&["NOT", "IN"], "notIn"),
    (&["GLOBAL", "IN"], "globalIn"),
    (&["GLOBAL", "NOT", "IN"], "globalNotIn"),
];

/// An operator with two sides.
struct Binary {
    function: &'static str,
    precedence: u8,
    /// Tokens that it takes.
    width: usize,
}

impl Parser<'_> {
    /// An expression with a name of its own, if it has one: `a + b AS c`.
    pub(super) fn aliased(&mut self) -> Result<Expression, Refusal> {
        let mut expression = self.expression()?;
        if self.take_word("AS") {
            let name = self.name("a name after AS")?;
            self.set_alias(&mut expression, name)?;
        }
        Ok(expression)
    }

    pub(super) fn set_alias(&mut self, expression: &mut Expression, name: Name) -> Result<(), Refusal> {
        if expression.alias.is_some() {
            return Err(Refusal::new(
                format!("This has a name already: wanted it without AS {}.", name.text),
                name.place,
            ));
        }
        let plain = matches!(expression.kind, Kind::Column(_) | Kind::Star(_));
        *self.aliases.entry(name.text.clone()).or_default() |= plain;
        self.names.insert(name.text.clone());
        expression.alias = Some(name);
        Ok(())
    }

    /// An expression without a name.
    pub(super) fn expression(&mut self) -> Result<Expression, Refusal> {
        self.deeper(|parser| {
            let start = parser.place();
            if let Some(arguments) = parser.lambda_head()? {
                let body = parser.expression()?;
                let place = start.to(parser.last_place());
                return parser.make(Kind::Lambda { arguments, body }, place);
            }
            parser.binary(0)
        })
    }

    /// An expression that an AND ends.
    pub(super) fn expression_above_and(&mut self) -> Result<Expression, Refusal> {
        self.deeper(|parser| parser.binary(precedence::NOT))
    }

    /// `x ->` or `(x, y) ->`: the names.
    fn lambda_head(&mut self) -> Result<Option<Vec<Name>>, Refusal> {
        let is_name = |token: &Token| matches!(token, Token::Word(_) | Token::Quoted(_));
        let bare = is_name(self.token()) && matches!(self.peek(1), Token::Sign("->"));
        if !bare {
            if !self.is_sign("(") {
                return Ok(None);
            }
            // Names and commas up to the closing bracket, and an arrow behind it.
            let mut ahead = 1;
            while is_name(self.peek(ahead)) && matches!(self.peek(ahead + 1), Token::Sign(",")) {
                ahead += 2;
            }
            let closed = is_name(self.peek(ahead)) && matches!(self.peek(ahead + 1), Token::Sign(")"));
            if !closed || !matches!(self.peek(ahead + 2), Token::Sign("->")) {
                return Ok(None);
            }
        }
        let arguments =
            if bare { vec![self.name("a name")?] } else { self.bracketed(|parser| parser.name("a name"))? };
        self.expect_sign("->")?;
        for argument in &arguments {
            self.names.insert(argument.text.clone());
            // An argument may stand for anything.
            self.aliases.insert(argument.text.clone(), true);
        }
        Ok(Some(arguments))
    }

    /// Operators that bind at least so tight.
    fn binary(&mut self, least: u8) -> Result<Expression, Refusal> {
        let start = self.place();
        let mut left = self.unary()?;
        loop {
            if least <= precedence::IS && self.is_word("IS") {
                left = self.is_something(left, start)?;
            } else if least <= precedence::BETWEEN && self.begins_between() {
                left = self.between(left, start)?;
            } else if least <= precedence::TERNARY && self.take_sign("?") {
                left = self.ternary(left, start)?;
            } else if let Some(operator) = self.operator()
                && operator.precedence >= least
            {
                self.at += operator.width;
                left = self.right_side(left, &operator, start)?;
            } else {
                return Ok(left);
            }
        }
    }

    fn ternary(&mut self, condition: Expression, start: Place) -> Result<Expression, Refusal> {
        let then = self.deeper(|parser| parser.binary(precedence::TERNARY))?;
        self.expect_sign(":")?;
        let otherwise = self.deeper(|parser| parser.binary(precedence::TERNARY))?;
        self.call("if", vec![condition, then, otherwise], start)
    }

    fn operator(&self) -> Option<Binary> {
        let sign = |function, precedence| Some(Binary { function, precedence, width: 1 });
        match self.token() {
            Token::Sign("||") => sign("concat", precedence::CONCAT),
            Token::Sign("+") => sign("plus", precedence::SUM),
            Token::Sign("-") => sign("minus", precedence::SUM),
            Token::Sign("*") => sign("multiply", precedence::PRODUCT),
            Token::Sign("/") => sign("divide", precedence::PRODUCT),
            Token::Sign("%") => sign("modulo", precedence::PRODUCT),
            Token::Sign(found) => {
                let (_, function) = COMPARISONS.iter().find(|(name, _)| name == found)?;
                sign(function, precedence::COMPARISON)
            }
            Token::Word(_) if self.is_word("OR") => sign("or", precedence::OR),
            Token::Word(_) if self.is_word("AND") => sign("and", precedence::AND),
            Token::Word(_) if self.is_word("MOD") => sign("modulo", precedence::PRODUCT),
            Token::Word(_) if self.is_word("DIV") => sign("intDiv", precedence::PRODUCT),
            Token::Word(_) => {
                let all =
                    |words: &[&str]| words.iter().enumerate().all(|(ahead, word)| self.word_is(ahead, word));
                let (words, function) = WORDS.iter().find(|(words, _)| all(words))?;
                Some(Binary { function, precedence: precedence::COMPARISON, width: words.len() })
            }
            _ => None,
        }
    }

    fn right_side(
        &mut self,
        left: Expression,
        operator: &Binary,
        start: Place,
    ) -> Result<Expression, Refusal> {
        if operator.precedence == precedence::COMPARISON
            && let Some(all) = self.quantifier()
        {
            return self.quantified(left, operator.function, all, start);
        }
        let tighter = operator.precedence + 1;
        let mut parts = vec![left];
        let right = self.deeper(|parser| parser.binary(tighter))?;
        parts.push(right);
        // a AND b AND c is one function of three, as ClickHouse has it; (a AND b) AND c is not.
        if matches!(operator.function, "and" | "or" | "concat") {
            while self.operator().is_some_and(|next| next.function == operator.function) {
                self.at += operator.width;
                parts.push(self.deeper(|parser| parser.binary(tighter))?);
            }
        } else if matches!(operator.function, "like" | "ilike" | "notLike" | "notILike")
            && self.take_word("ESCAPE")
        {
            parts.push(self.unary()?);
        }
        self.call(operator.function, parts, start)
    }

    fn unary(&mut self) -> Result<Expression, Refusal> {
        let start = self.place();
        // `not(x)` as a function is the same.
        if self.is_word("NOT") {
            self.at += 1;
            let operand = self.deeper(|parser| parser.binary(precedence::NOT))?;
            return self.call("not", vec![operand], start);
        }
        if self.is_sign("-") {
            if !matches!(self.peek(1), Token::Number(_)) && !self.infinity_at(1) {
                self.at += 1;
                let operand = self.deeper(|parser| parser.binary(precedence::NEGATION))?;
                return self.call("negate", vec![operand], start);
            }
        } else if self.is_sign("+") && matches!(self.peek(1), Token::Number(_)) {
            self.at += 1;
        }
        self.operand()
    }

    /// `IS [NOT] NULL`, `IS [NOT] DISTINCT FROM x`, `IS [NOT] TRUE`.
    fn is_something(&mut self, left: Expression, start: Place) -> Result<Expression, Refusal> {
        self.at += 1;
        let not = self.take_word("NOT");
        if self.take_word("NULL") || self.take_word("UNKNOWN") {
            return self.call(if not { "isNotNull" } else { "isNull" }, vec![left], start);
        }
        let function = if not { "isNotDistinctFrom" } else { "isDistinctFrom" };
        if self.take_words(&["DISTINCT", "FROM"]) {
            let right = self.deeper(|parser| parser.binary(precedence::IS + 1))?;
            return self.call(function, vec![left, right], start);
        }
        let function = if not { "isDistinctFrom" } else { "isNotDistinctFrom" };
        let place = self.place();
        let value = if self.take_word("TRUE") {
            true
        } else if self.take_word("FALSE") {
            false
        } else {
            return self.refuse(format!(
                "Wanted NULL, TRUE, FALSE or DISTINCT FROM after IS; found {}.",
                self.found()
            ));
        };
        let value = self.make(Kind::Bool(value), place)?;
        self.call(function, vec![left, value], start)
    }

    fn begins_between(&self) -> bool {
        self.is_word("BETWEEN") || (self.is_word("NOT") && self.word_is(1, "BETWEEN"))
    }

    fn between(&mut self, left: Expression, start: Place) -> Result<Expression, Refusal> {
        let not = self.take_word("NOT");
        self.expect_word("BETWEEN")?;
        let bound = precedence::BETWEEN + 1;
        let low = self.deeper(|parser| parser.binary(bound))?;
        self.expect_word("AND")?;
        let high = self.deeper(|parser| parser.binary(bound))?;
        let (whole, first, second) =
            if not { ("or", "less", "greater") } else { ("and", "greaterOrEquals", "lessOrEquals") };
        self.count(left.measure.weight, start)?;
        let mut twin = left.clone();
        // A name is given once.
        twin.alias = None;
        let first = self.call(first, vec![left, low], start)?;
        let second = self.call(second, vec![twin, high], start)?;
        self.call(whole, vec![first, second], start)
    }

    /// `ANY (SELECT` or `ALL (SELECT` on the right of a comparison: whether it is `ALL`.
    fn quantifier(&mut self) -> Option<bool> {
        let begins = |word| {
            self.word_is(0, word)
                && matches!(self.peek(1), Token::Sign("("))
                && ["SELECT", "WITH", "FROM"].iter().any(|word| self.word_is(2, word))
        };
        let all = begins("ALL");
        let any = begins("ANY") || begins("SOME");
        self.at += usize::from(all || any);
        (all || any).then_some(all)
    }

    /// `x > ALL (SELECT …)`: as ClickHouse has it, a comparison with the greatest.
    fn quantified(
        &mut self,
        left: Expression,
        function: &'static str,
        all: bool,
        start: Place,
    ) -> Result<Expression, Refusal> {
        let place = self.place();
        self.expect_sign("(")?;
        let query = self.query()?;
        self.expect_sign(")")?;
        let (function, aggregate) = match (function, all) {
            ("equals", false) => ("in", None),
            ("notEquals", true) => ("notIn", None),
            ("equals" | "notEquals", _) => (function, Some("singleValueOrNull")),
            ("less" | "lessOrEquals", false) | ("greater" | "greaterOrEquals", true) => {
                (function, Some("max"))
            }
            ("less" | "lessOrEquals", true) | ("greater" | "greaterOrEquals", false) => {
                (function, Some("min"))
            }
            _ => return Err(Refusal::new("Wanted =, <>, <, <=, > or >= before ANY and ALL.", place)),
        };
        let right = match aggregate {
            None => self.make(Kind::Query(Box::new(query)), place)?,
            Some(aggregate) => {
                let star = self.star(Vec::new(), place)?;
                let value = self.call(aggregate, vec![star], place)?;
                let measure = Measure { height: query.measure.height + 2, weight: query.measure.weight + 2 };
                let table = Table {
                    source: Source::Query(Box::new(query)),
                    alias: None,
                    is_final: false,
                    sample: None,
                    place,
                };
                let from = Some(From { first: Some(table), joins: Vec::new() });
                let select = Select { columns: vec![value], from, ..Select::default() };
                let query = Query { first: Block::Select(Box::new(select)), rest: Vec::new(), measure };
                self.make(Kind::Query(Box::new(query)), place)?
            }
        };
        self.call(function, vec![left, right], start)
    }

    /// A call of a function by the name that an operator or a keyword stands for.
    pub(super) fn call(
        &mut self,
        name: &str,
        arguments: Vec<Expression>,
        start: Place,
    ) -> Result<Expression, Refusal> {
        let name = Name { text: name.to_owned(), place: start.to(self.last_place()) };
        self.call_named(name, arguments, start)
    }

    pub(super) fn call_named(
        &mut self,
        name: Name,
        arguments: Vec<Expression>,
        start: Place,
    ) -> Result<Expression, Refusal> {
        let call = Call {
            name,
            parameters: None,
            distinct: false,
            arguments,
            filter: None,
            respect_nulls: None,
            over: None,
        };
        let place = start.to(self.last_place());
        self.make(Kind::Call(Box::new(call)), place)
    }
}
