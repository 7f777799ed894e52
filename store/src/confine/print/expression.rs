//! Prints expressions.

use super::Printer;
use crate::confine::names::quoted_text;
use crate::confine::tree::{Bound, Call, Expression, Kind, Over, Star, StarColumns, Transformer, Window};

impl Printer {
    pub(super) fn expression(&mut self, expression: &Expression) {
        self.kind(&expression.kind);
        if let Some(alias) = &expression.alias {
            self.push(" AS ");
            self.name(alias);
        }
    }

    fn kind(&mut self, kind: &Kind) {
        match kind {
            Kind::Null => self.push("NULL"),
            Kind::Bool(value) => self.push(if *value { "true" } else { "false" }),
            Kind::Number(number) => self.push(number),
            Kind::Text(text) => self.push(&quoted_text(text)),
            Kind::Column(parts) => self.path(parts),
            Kind::Tuple(parts) => self.bracketed(parts),
            Kind::Array(parts) => {
                self.push("[");
                self.list(parts);
                self.push("]");
            }
            Kind::Call(call) => self.call(call),
            Kind::Lambda { arguments, body } => {
                self.push("(");
                self.separated(arguments, ", ", Self::name);
                self.push(") -> ");
                self.value(body);
            }
            Kind::Query(query) => self.query_in_brackets(query),
            Kind::Star(star) => self.star(star),
            Kind::Parameter { name, kind } => {
                let text = format!("{{{}:{kind}}}", name.text);
                self.push(&text);
            }
        }
    }

    fn call(&mut self, call: &Call) {
        // Names of functions are on the list, so quotation marks are for one reading only, too.
        self.name(&call.name);
        if let Some(parameters) = &call.parameters {
            self.bracketed(parameters);
        }
        self.push(if call.distinct { "(DISTINCT " } else { "(" });
        self.list(&call.arguments);
        self.push(")");
        if let Some(filter) = &call.filter {
            self.push(" FILTER (WHERE ");
            self.expression(filter);
            self.push(")");
        }
        match call.respect_nulls {
            Some(true) => self.push(" RESPECT NULLS"),
            Some(false) => self.push(" IGNORE NULLS"),
            None => {}
        }
        match &call.over {
            Some(Over::Named(name)) => {
                self.push(" OVER ");
                self.name(name);
            }
            Some(Over::Window(window)) => {
                self.push(" OVER ");
                self.window(window);
            }
            None => {}
        }
    }

    pub(super) fn window(&mut self, window: &Window) {
        self.push("(");
        let mut between = "";
        if let Some(base) = &window.base {
            self.name(base);
            between = " ";
        }
        if !window.partition_by.is_empty() {
            self.push(between);
            self.push("PARTITION BY ");
            self.list(&window.partition_by);
            between = " ";
        }
        if !window.order_by.is_empty() {
            self.push(between);
            self.push("ORDER BY ");
            self.separated(&window.order_by, ", ", Self::order_key);
            between = " ";
        }
        if let Some(frame) = &window.frame {
            self.push(between);
            self.push(frame.unit);
            self.push(if frame.end.is_some() { " BETWEEN " } else { " " });
            self.bound(&frame.start);
            if let Some(end) = &frame.end {
                self.push(" AND ");
                self.bound(end);
            }
        }
        self.push(")");
    }

    fn bound(&mut self, bound: &Bound) {
        let (offset, word) = match bound {
            Bound::CurrentRow => return self.push("CURRENT ROW"),
            Bound::Preceding(offset) => (offset, " PRECEDING"),
            Bound::Following(offset) => (offset, " FOLLOWING"),
        };
        match offset {
            Some(offset) => self.value(offset),
            None => self.push("UNBOUNDED"),
        }
        self.push(word);
    }

    fn star(&mut self, star: &Star) {
        for part in &star.qualifier {
            self.name(part);
            self.push(".");
        }
        match &star.columns {
            StarColumns::All => self.push("*"),
            StarColumns::Pattern(pattern) => {
                self.push("COLUMNS(");
                self.push(&quoted_text(pattern));
                self.push(")");
            }
            StarColumns::Listed(columns) => {
                self.push("COLUMNS");
                self.bracketed(columns);
            }
        }
        for transformer in &star.transformers {
            self.transformer(transformer);
        }
    }

    fn transformer(&mut self, transformer: &Transformer) {
        match transformer {
            Transformer::ApplyFunction { name, parameters } => {
                self.push(" APPLY(");
                self.name(name);
                if let Some(parameters) = parameters {
                    self.bracketed(parameters);
                }
                self.push(")");
            }
            Transformer::ApplyLambda(lambda) => {
                self.push(" APPLY(");
                self.expression(lambda);
                self.push(")");
            }
            Transformer::Except { strict, columns } => {
                self.push(if *strict { " EXCEPT STRICT (" } else { " EXCEPT (" });
                self.separated(columns, ", ", Self::name);
                self.push(")");
            }
            Transformer::ExceptPattern(pattern) => {
                self.push(" EXCEPT (");
                self.push(&quoted_text(pattern));
                self.push(")");
            }
            Transformer::Replace { strict, columns } => {
                self.push(if *strict { " REPLACE STRICT (" } else { " REPLACE (" });
                self.separated(columns, ", ", |printer, (value, name)| {
                    printer.value(value);
                    printer.push(" AS ");
                    printer.name(name);
                });
                self.push(")");
            }
        }
    }
}
