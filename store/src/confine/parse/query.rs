//! SELECT and what puts SELECTs together.

use super::{Parser, SELECTS_DEEP_MAX};
use crate::confine::lexer::Token;
use crate::confine::names::Name;
use crate::confine::refusal::Refusal;
use crate::confine::tree::{
    Block, Distinct, Expression, Fill, GroupBy, Grouping, Limit, LimitBy, Measure, OrderBy, OrderKey, Query,
    Select, SetOperation, Setting, SettingValue, With,
};

/// Words that cannot be a name without AS before it.
const NOT_ALIASES: &[&str] = &[
    "ALL",
    "ANTI",
    "ANY",
    "APPLY",
    "ARRAY",
    "AS",
    "ASC",
    "ASOF",
    "AND",
    "BETWEEN",
    "BY",
    "COLLATE",
    "CROSS",
    "DESC",
    "DIV",
    "ELSE",
    "END",
    "EXCEPT",
    "FETCH",
    "FILTER",
    "FINAL",
    "FORMAT",
    "FROM",
    "FULL",
    "GLOBAL",
    "GROUP",
    "HAVING",
    "IGNORE",
    "ILIKE",
    "IN",
    "INNER",
    "INTERPOLATE",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOCAL",
    "MOD",
    "NATURAL",
    "NOT",
    "NULLS",
    "OFFSET",
    "ON",
    "ONLY",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARALLEL",
    "PASTE",
    "PREWHERE",
    "QUALIFY",
    "REGEXP",
    "REPLACE",
    "RESPECT",
    "RIGHT",
    "SAMPLE",
    "SEMI",
    "SETTINGS",
    "THEN",
    "UNION",
    "USING",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
    "SELECT",
    "EXECUTE",
    "AT",
];

impl Parser<'_> {
    /// SELECTs with UNION, INTERSECT and EXCEPT between.
    pub(super) fn query(&mut self) -> Result<Query, Refusal> {
        if self.selects >= SELECTS_DEEP_MAX {
            return self.refuse(format!(
                "Wanted at most {SELECTS_DEEP_MAX} SELECTs within each other; here is one more."
            ));
        }
        self.selects += 1;
        let above = std::mem::take(&mut self.tallest);
        let nodes = self.nodes;
        let (first, rest) = self.deeper(|parser| {
            let first = parser.block()?;
            let mut rest = Vec::new();
            while let Some(operation) = parser.set_operation() {
                rest.push((operation, parser.block()?));
            }
            Ok((first, rest))
        })?;
        self.selects -= 1;
        self.count(1, self.place())?;
        let measure = Measure { height: self.tallest + 1, weight: self.nodes.saturating_sub(nodes) };
        if measure.height > super::HEIGHT_MAX {
            return self.refuse(format!(
                "Wanted at most {} levels within each other; here is one more.",
                super::HEIGHT_MAX
            ));
        }
        self.tallest = above.max(measure.height);
        Ok(Query { first, rest, measure })
    }

    fn block(&mut self) -> Result<Block, Refusal> {
        if self.take_sign("(") {
            let query = self.query()?;
            self.expect_sign(")")?;
            return Ok(Block::Brackets(Box::new(query)));
        }
        self.select().map(Block::Select)
    }

    fn set_operation(&mut self) -> Option<SetOperation> {
        let (plain, all, distinct) = if self.take_word("UNION") {
            (SetOperation::Union, SetOperation::UnionAll, SetOperation::UnionDistinct)
        } else if self.take_word("INTERSECT") {
            (SetOperation::Intersect, SetOperation::IntersectAll, SetOperation::IntersectDistinct)
        } else if self.take_word("EXCEPT") {
            (SetOperation::Except, SetOperation::ExceptAll, SetOperation::ExceptDistinct)
        } else {
            return None;
        };
        Some(if self.take_word("ALL") {
            all
        } else if self.take_word("DISTINCT") {
            distinct
        } else {
            plain
        })
    }

    fn select(&mut self) -> Result<Box<Select>, Refusal> {
        let mut select = Box::<Select>::default();
        if self.take_word("WITH") {
            select.recursive = self.take_word("RECURSIVE");
            select.with = self.list(Self::with)?;
        }
        if self.is_word("FROM") {
            self.at += 1;
            select.from = Some(self.from()?);
        }
        self.expect_word("SELECT")?;
        select.distinct = self.distinct()?;
        if self.take_word("TOP") {
            let bracket = self.take_sign("(");
            let place = self.place();
            let Token::Number(number) = self.token().clone() else {
                return self.refuse(format!("Wanted a number after TOP; found {}.", self.found()));
            };
            self.at += 1;
            if bracket {
                self.expect_sign(")")?;
            }
            let number = self.make(crate::confine::tree::Kind::Number(number), place)?;
            select.limit.with_ties = self.take_words(&["WITH", "TIES"]);
            select.limit.limit = Some(number);
        }
        select.columns = self.select_list()?;
        if select.from.is_none() && self.take_word("FROM") {
            select.from = Some(self.from()?);
        }
        self.conditions(&mut select)?;
        self.tail(&mut select)?;
        Ok(select)
    }

    fn conditions(&mut self, select: &mut Select) -> Result<(), Refusal> {
        if self.take_word("PREWHERE") {
            select.prewhere = Some(self.aliased()?);
        }
        if self.take_word("WHERE") {
            select.filter = Some(self.aliased()?);
        }
        select.group_by = self.group_by()?;
        if self.take_word("HAVING") {
            select.having = Some(self.aliased()?);
        }
        if self.take_word("WINDOW") {
            select.windows = self.list(|parser| {
                let name = parser.name("a window's name")?;
                parser.expect_word("AS")?;
                Ok((name, parser.window()?))
            })?;
        }
        if self.take_word("QUALIFY") {
            select.qualify = Some(self.aliased()?);
        }
        Ok(())
    }

    fn tail(&mut self, select: &mut Select) -> Result<(), Refusal> {
        if self.take_words(&["ORDER", "BY"]) {
            let keys = self.list(Self::order_key)?;
            let interpolate = if self.take_word("INTERPOLATE") {
                let listed = self.is_sign("(");
                Some(if listed { self.bracketed(Self::interpolation)? } else { Vec::new() })
            } else {
                None
            };
            select.order_by = Some(OrderBy { keys, interpolate });
        }
        self.limits(select)?;
        if self.take_word("SETTINGS") {
            select.settings = self.list(Self::setting)?;
        }
        Ok(())
    }

    fn interpolation(&mut self) -> Result<(Name, Option<Expression>), Refusal> {
        let name = self.name("a column")?;
        let value = if self.take_word("AS") { Some(self.expression()?) } else { None };
        Ok((name, value))
    }

    fn with(&mut self) -> Result<With, Refusal> {
        let is_table = matches!(self.token(), Token::Word(_) | Token::Quoted(_))
            && self.word_is(1, "AS")
            && matches!(self.peek(2), Token::Sign("("));
        if is_table {
            let name = self.name("a name")?;
            self.names.insert(name.text.clone());
            self.at += 1;
            self.expect_sign("(")?;
            let query = self.query()?;
            self.expect_sign(")")?;
            return Ok(With::Table { name, query });
        }
        let expression = self.aliased()?;
        if expression.alias.is_none() {
            return self.refuse("Wanted WITH name AS (SELECT …) or WITH value AS name.");
        }
        Ok(With::Expression(expression))
    }

    fn distinct(&mut self) -> Result<Distinct, Refusal> {
        if !self.take_word("DISTINCT") {
            // `SELECT ALL x`, but `SELECT all, x`.
            if self.is_word("ALL")
                && !matches!(self.peek(1), Token::Sign("," | ".") | Token::End)
                && !self.word_is(1, "FROM")
            {
                self.at += 1;
            }
            return Ok(Distinct::No);
        }
        if self.word_is(0, "ON") && matches!(self.peek(1), Token::Sign("(")) {
            self.at += 1;
            return Ok(Distinct::On(self.bracketed(Self::expression)?));
        }
        Ok(Distinct::Rows)
    }

    fn select_list(&mut self) -> Result<Vec<Expression>, Refusal> {
        let mut columns = Vec::new();
        loop {
            columns.push(self.maybe_named(Self::aliased)?);
            // A comma may stand behind the last column, too.
            if !self.take_sign(",")
                || self.is_end()
                || self.is_word("FROM") && !matches!(self.peek(1), Token::Sign(_))
            {
                return Ok(columns);
            }
        }
    }

    /// A name may stand without AS.
    pub(super) fn maybe_named(
        &mut self,
        one: impl FnOnce(&mut Self) -> Result<Expression, Refusal>,
    ) -> Result<Expression, Refusal> {
        let mut expression = one(self)?;
        if expression.alias.is_none()
            && let Some(name) = self.bare_alias()
        {
            self.set_alias(&mut expression, name)?;
        }
        Ok(expression)
    }

    /// A name that stands without AS.
    pub(super) fn bare_alias(&mut self) -> Option<Name> {
        let place = self.place();
        let text = match self.token() {
            Token::Quoted(text) => text.clone(),
            Token::Word(word) if !NOT_ALIASES.iter().any(|known| known.eq_ignore_ascii_case(word)) => {
                word.clone()
            }
            _ => return None,
        };
        self.at += 1;
        Some(Name { text, place })
    }

    fn group_by(&mut self) -> Result<Option<GroupBy>, Refusal> {
        let mut keys = Grouping::Nothing;
        if self.take_words(&["GROUP", "BY"]) {
            keys = if self.is_word("ALL") && !matches!(self.peek(1), Token::Sign("," | "(" | ".")) {
                self.at += 1;
                Grouping::All
            } else if self.take_words(&["GROUPING", "SETS"]) {
                Grouping::Sets(self.bracketed(|parser| {
                    if parser.is_sign("(") {
                        parser.bracketed(Self::aliased)
                    } else {
                        parser.aliased().map(|only| vec![only])
                    }
                })?)
            } else if self.is_word("ROLLUP") && matches!(self.peek(1), Token::Sign("(")) {
                self.at += 1;
                Grouping::Rollup(self.bracketed(Self::aliased)?)
            } else if self.is_word("CUBE") && matches!(self.peek(1), Token::Sign("(")) {
                self.at += 1;
                Grouping::Cube(self.bracketed(Self::aliased)?)
            } else {
                Grouping::Keys(self.list(Self::aliased)?)
            };
            keys = match keys {
                Grouping::Keys(keys) if self.take_words(&["WITH", "ROLLUP"]) => Grouping::Rollup(keys),
                Grouping::Keys(keys) if self.take_words(&["WITH", "CUBE"]) => Grouping::Cube(keys),
                keys => keys,
            };
        }
        let totals = self.take_words(&["WITH", "TOTALS"]);
        Ok((keys != Grouping::Nothing || totals).then_some(GroupBy { keys, totals }))
    }

    pub(super) fn order_key(&mut self) -> Result<OrderKey, Refusal> {
        let all = self.is_word("ALL")
            && (matches!(self.peek(1), Token::End | Token::Sign(")" | ";"))
                || ["ASC", "DESC", "NULLS", "LIMIT", "SETTINGS", "FORMAT", "UNION"]
                    .iter()
                    .any(|word| self.word_is(1, word)));
        let expression = if all {
            self.at += 1;
            None
        } else {
            Some(self.aliased()?)
        };
        let descending = if self.take_word("DESC") || self.take_word("DESCENDING") {
            true
        } else {
            let _ = self.take_word("ASC") || self.take_word("ASCENDING");
            false
        };
        let nulls_first = if self.take_word("NULLS") {
            let first = self.take_word("FIRST");
            if !first {
                self.expect_word("LAST")?;
            }
            Some(first)
        } else {
            None
        };
        let collation = if self.take_word("COLLATE") {
            match self.token().clone() {
                Token::Text(text) => {
                    self.at += 1;
                    Some(String::from_utf8_lossy(&text).into_owned())
                }
                _ => return self.refuse("Wanted a collation such as 'en' after COLLATE."),
            }
        } else {
            None
        };
        let fill = if self.take_words(&["WITH", "FILL"]) { Some(self.fill()?) } else { None };
        Ok(OrderKey { expression, descending, nulls_first, collation, fill })
    }

    fn fill(&mut self) -> Result<Fill, Refusal> {
        let mut fill = Fill::default();
        if self.take_word("FROM") {
            fill.from = Some(self.expression()?);
        }
        if self.take_word("TO") {
            fill.to = Some(self.expression()?);
        }
        if self.take_word("STEP") {
            fill.step = Some(self.expression()?);
        }
        if self.take_word("STALENESS") {
            fill.staleness = Some(self.expression()?);
        }
        Ok(fill)
    }

    /// `LIMIT n BY …`, `LIMIT n OFFSET m`, `LIMIT m, n`, `OFFSET m ROWS FETCH FIRST n ROWS ONLY`.
    fn limits(&mut self, select: &mut Select) -> Result<(), Refusal> {
        while self.take_word("LIMIT") {
            let mut limit = self.expression()?;
            let mut offset = None;
            if self.take_sign(",") {
                offset = Some(std::mem::replace(&mut limit, self.expression()?));
            } else if self.take_word("OFFSET") {
                offset = Some(self.expression()?);
            }
            if self.take_word("BY") {
                if select.limit_by.is_some() || select.limit.limit.is_some() {
                    return self.refuse("Wanted one LIMIT BY, before LIMIT.");
                }
                let all = self.is_word("ALL") && !matches!(self.peek(1), Token::Sign("," | "(" | "."));
                self.at += usize::from(all);
                let keys = if all { Vec::new() } else { self.list(Self::aliased)? };
                select.limit_by = Some(LimitBy { limit, offset, keys });
                continue;
            }
            if select.limit.limit.is_some() {
                return self.refuse("Wanted one LIMIT.");
            }
            select.limit =
                Limit { limit: Some(limit), offset, with_ties: self.take_words(&["WITH", "TIES"]) };
            return Ok(());
        }
        if self.take_word("OFFSET") {
            select.limit.offset = Some(self.expression()?);
            let _ = self.take_word("ROWS") || self.take_word("ROW");
        }
        if self.take_word("FETCH") {
            let _ = self.take_word("FIRST") || self.take_word("NEXT");
            select.limit.limit = Some(self.expression()?);
            let _ = self.take_word("ROWS") || self.take_word("ROW");
            select.limit.with_ties = self.take_words(&["WITH", "TIES"]);
            if !select.limit.with_ties {
                self.expect_word("ONLY")?;
            }
        }
        Ok(())
    }

    pub(super) fn setting(&mut self) -> Result<Setting, Refusal> {
        let name = self.name("a setting's name")?;
        self.expect_sign("=")?;
        let minus = self.take_sign("-");
        let value = match self.token().clone() {
            Token::Number(number) => SettingValue::Number(if minus { format!("-{number}") } else { number }),
            Token::Text(text) if !minus => SettingValue::Text(text),
            Token::Word(word) if word.eq_ignore_ascii_case("true") => SettingValue::Number("1".to_owned()),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => SettingValue::Number("0".to_owned()),
            _ => return self.refuse(format!("Wanted a setting's value; found {}.", self.found())),
        };
        self.at += 1;
        Ok(Setting { name, value })
    }
}
