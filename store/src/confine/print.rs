//! Prints a tree so that it can be read in one way only: names in backquotes, texts escaped, operators as functions.

mod expression;

use super::names::{Name, quoted_name, quoted_text};
use super::tree::{
    Block, Distinct, Expression, From, GroupBy, Grouping, Join, JoinOn, LimitBy, OrderBy, OrderKey, Query,
    Select, SetOperation, SettingValue, Source, Table, With,
};

/// A statement's text, in pieces: between two of them stands a question's matches.
#[derive(Debug, Default)]
pub(super) struct Printer {
    pieces: Vec<String>,
    /// Numbers of the calls whose matches stand between the pieces.
    calls: Vec<usize>,
    out: String,
}

impl Printer {
    /// The pieces of a query, and the numbers of the calls between them.
    pub(super) fn print_query(query: &Query) -> (Vec<String>, Vec<usize>) {
        let mut printer = Printer::default();
        printer.query(query);
        printer.pieces.push(printer.out);
        (printer.pieces, printer.calls)
    }

    /// An expression without questions in it.
    pub(super) fn print_expression(expression: &Expression) -> String {
        let mut printer = Printer::default();
        printer.expression(expression);
        printer.out
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn name(&mut self, name: &Name) {
        let quoted = quoted_name(&name.text);
        self.push(&quoted);
    }

    fn path(&mut self, parts: &[Name]) {
        self.separated(parts, ".", Self::name);
    }

    fn separated<T>(&mut self, all: &[T], between: &str, mut one: impl FnMut(&mut Self, &T)) {
        for (number, each) in all.iter().enumerate() {
            if number > 0 {
                self.push(between);
            }
            one(self, each);
        }
    }

    fn list(&mut self, all: &[Expression]) {
        self.separated(all, ", ", Self::expression);
    }

    fn bracketed(&mut self, all: &[Expression]) {
        self.push("(");
        self.list(all);
        self.push(")");
    }

    fn clause(&mut self, words: &str, expression: Option<&Expression>) {
        if let Some(expression) = expression {
            self.push(words);
            self.value(expression);
        }
    }

    /// An expression where a name of its own has to stand in brackets.
    fn value(&mut self, expression: &Expression) {
        if expression.alias.is_none() {
            return self.expression(expression);
        }
        self.push("(");
        self.expression(expression);
        self.push(")");
    }

    fn query(&mut self, query: &Query) {
        self.block(&query.first);
        for (operation, block) in &query.rest {
            self.push(match operation {
                SetOperation::Union => " UNION ",
                SetOperation::UnionAll => " UNION ALL ",
                SetOperation::UnionDistinct => " UNION DISTINCT ",
                SetOperation::Intersect => " INTERSECT ",
                SetOperation::IntersectAll => " INTERSECT ALL ",
                SetOperation::IntersectDistinct => " INTERSECT DISTINCT ",
                SetOperation::Except => " EXCEPT ",
                SetOperation::ExceptAll => " EXCEPT ALL ",
                SetOperation::ExceptDistinct => " EXCEPT DISTINCT ",
            });
            self.block(block);
        }
    }

    fn query_in_brackets(&mut self, query: &Query) {
        self.push("(");
        self.query(query);
        self.push(")");
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Select(select) => self.select(select),
            Block::Brackets(query) => self.query_in_brackets(query),
        }
    }

    fn select(&mut self, select: &Select) {
        if !select.with.is_empty() {
            self.push(if select.recursive { "WITH RECURSIVE " } else { "WITH " });
            self.separated(&select.with, ", ", |printer, with| match with {
                With::Table { name, query } => {
                    printer.name(name);
                    printer.push(" AS ");
                    printer.query_in_brackets(query);
                }
                With::Expression(expression) => printer.expression(expression),
            });
            self.push(" ");
        }
        self.push("SELECT ");
        match &select.distinct {
            Distinct::No => {}
            Distinct::Rows => self.push("DISTINCT "),
            Distinct::On(keys) => {
                self.push("DISTINCT ON ");
                self.bracketed(keys);
                self.push(" ");
            }
        }
        self.list(&select.columns);
        if let Some(from) = &select.from {
            self.from(from);
        }
        self.clause(" PREWHERE ", select.prewhere.as_ref());
        self.clause(" WHERE ", select.filter.as_ref());
        if let Some(group_by) = &select.group_by {
            self.group_by(group_by);
        }
        self.clause(" HAVING ", select.having.as_ref());
        if !select.windows.is_empty() {
            self.push(" WINDOW ");
            self.separated(&select.windows, ", ", |printer, (name, window)| {
                printer.name(name);
                printer.push(" AS ");
                printer.window(window);
            });
        }
        self.clause(" QUALIFY ", select.qualify.as_ref());
        self.order_and_limits(select);
    }

    fn order_and_limits(&mut self, select: &Select) {
        if let Some(order_by) = &select.order_by {
            self.order_by(order_by);
        }
        if let Some(limit_by) = &select.limit_by {
            self.limit_by(limit_by);
        }
        self.clause(" LIMIT ", select.limit.limit.as_ref());
        if select.limit.with_ties && select.limit.offset.is_none() {
            self.push(" WITH TIES");
        }
        self.clause(" OFFSET ", select.limit.offset.as_ref());
        if select.limit.with_ties && select.limit.offset.is_some() {
            self.push(" WITH TIES");
        }
        if !select.settings.is_empty() {
            self.push(" SETTINGS ");
            self.separated(&select.settings, ", ", |printer, setting| {
                printer.push(&setting.name.text);
                printer.push(" = ");
                match &setting.value {
                    SettingValue::Number(number) => printer.push(number),
                    SettingValue::Text(text) => printer.push(&quoted_text(text)),
                }
            });
        }
    }

    fn from(&mut self, from: &From) {
        if let Some(first) = &from.first {
            self.push(" FROM ");
            self.table(first);
        }
        for join in &from.joins {
            match join {
                Join::Table(joined) => {
                    let kind = &joined.kind;
                    self.push(if kind == "," { "" } else { " " });
                    self.push(kind);
                    self.push(" ");
                    self.table(&joined.table);
                    match &joined.on {
                        JoinOn::Nothing => {}
                        JoinOn::Condition(condition) => {
                            self.push(" ON ");
                            self.expression(condition);
                        }
                        JoinOn::Columns(columns) => {
                            self.push(" USING ");
                            self.bracketed(columns);
                        }
                    }
                }
                Join::Array { left, columns } => {
                    self.push(if *left { " LEFT ARRAY JOIN " } else { " ARRAY JOIN " });
                    self.list(columns);
                }
            }
        }
    }

    fn table(&mut self, table: &Table) {
        match &table.source {
            Source::Named(parts) => self.path(parts),
            Source::Query(query) => self.query_in_brackets(query),
            Source::Function { name, arguments } => {
                self.name(name);
                self.bracketed(arguments);
            }
            Source::Matches(number) => {
                self.calls.push(*number);
                let piece = std::mem::take(&mut self.out);
                self.pieces.push(piece);
            }
        }
        if let Some(alias) = &table.alias {
            self.push(" AS ");
            self.name(alias);
        }
        if table.is_final {
            self.push(" FINAL");
        }
        if let Some((ratio, offset)) = &table.sample {
            self.push(" SAMPLE ");
            self.push(ratio);
            if let Some(offset) = offset {
                self.push(" OFFSET ");
                self.push(offset);
            }
        }
    }

    fn group_by(&mut self, group_by: &GroupBy) {
        match &group_by.keys {
            Grouping::Nothing => {}
            Grouping::All => self.push(" GROUP BY ALL"),
            Grouping::Keys(keys) => {
                self.push(" GROUP BY ");
                self.list(keys);
            }
            Grouping::Rollup(keys) => {
                self.push(" GROUP BY ROLLUP");
                self.bracketed(keys);
            }
            Grouping::Cube(keys) => {
                self.push(" GROUP BY CUBE");
                self.bracketed(keys);
            }
            Grouping::Sets(sets) => {
                self.push(" GROUP BY GROUPING SETS (");
                self.separated(sets, ", ", |printer, keys| printer.bracketed(keys));
                self.push(")");
            }
        }
        if group_by.totals {
            self.push(" WITH TOTALS");
        }
    }

    fn order_by(&mut self, order_by: &OrderBy) {
        self.push(" ORDER BY ");
        self.separated(&order_by.keys, ", ", Self::order_key);
        if let Some(interpolate) = &order_by.interpolate {
            self.push(" INTERPOLATE");
            if !interpolate.is_empty() {
                self.push(" (");
                self.separated(interpolate, ", ", |printer, (name, value)| {
                    printer.name(name);
                    printer.clause(" AS ", value.as_ref());
                });
                self.push(")");
            }
        }
    }

    fn order_key(&mut self, key: &OrderKey) {
        match &key.expression {
            Some(expression) => self.expression(expression),
            None => self.push("ALL"),
        }
        if key.descending {
            self.push(" DESC");
        }
        match key.nulls_first {
            Some(true) => self.push(" NULLS FIRST"),
            Some(false) => self.push(" NULLS LAST"),
            None => {}
        }
        if let Some(collation) = &key.collation {
            self.push(" COLLATE ");
            self.push(&quoted_text(collation.as_bytes()));
        }
        if let Some(fill) = &key.fill {
            self.push(" WITH FILL");
            self.clause(" FROM ", fill.from.as_ref());
            self.clause(" TO ", fill.to.as_ref());
            self.clause(" STEP ", fill.step.as_ref());
            self.clause(" STALENESS ", fill.staleness.as_ref());
        }
    }

    fn limit_by(&mut self, limit_by: &LimitBy) {
        self.push(" LIMIT ");
        self.value(&limit_by.limit);
        self.clause(" OFFSET ", limit_by.offset.as_ref());
        self.push(" BY ");
        if limit_by.keys.is_empty() {
            self.push("ALL");
        }
        self.list(&limit_by.keys);
    }
}
