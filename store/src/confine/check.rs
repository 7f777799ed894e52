//! Looks at every part of a tree, and puts what may be read in the place of what was named.

mod call;
mod source;

use std::collections::{HashMap, HashSet};

use super::names::Name;
use super::refusal::{Place, Refusal};
use super::tree::{
    Block, Distinct, Expression, Fill, From, Grouping, Join, JoinOn, Kind, OrderBy, OrderKey, Over, Query,
    Select, Star, StarColumns, Table, Transformer, Window, With,
};
use super::{Audience, MatchesCall, Policy, functions, settings, tables};

/// The check of one statement.
pub(super) struct Checker<'a> {
    policy: &'a Policy<'a>,
    /// Names that the statement gives.
    names: HashSet<String>,
    /// Whether an alias may stand for a plain name.
    aliases: HashMap<String, bool>,
    /// Names of WITH's tables that can be seen here.
    with_tables: Vec<String>,
    /// Whether `*` would show a table of the store itself.
    star_refused: bool,
    /// Whether it is a condition over `logs`: its names have been looked at.
    in_predicate: bool,
    calls: Vec<MatchesCall>,
    /// Tables of the store itself that were named, and what they are called in the statement that is sent.
    views: Vec<(String, String)>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(
        policy: &'a Policy<'a>,
        names: HashSet<String>,
        aliases: HashMap<String, bool>,
        tables: &[String],
    ) -> Checker<'a> {
        Checker {
            policy,
            names,
            aliases,
            with_tables: tables.to_vec(),
            star_refused: false,
            in_predicate: false,
            calls: Vec::new(),
            views: Vec::new(),
        }
    }

    pub(super) fn into_calls(self) -> Vec<MatchesCall> {
        self.calls
    }

    /// Checks an expression whose names have been looked at already.
    pub(super) fn predicate(&mut self, expression: &mut Expression) -> Result<(), Refusal> {
        self.in_predicate = true;
        self.expression(expression)
    }

    /// Checks SELECTs that are put together. What the first one's WITH names can be seen in the others, too.
    pub(super) fn query(&mut self, query: &mut Query) -> Result<(), Refusal> {
        let seen = self.with_tables.len();
        self.block(&mut query.first)?;
        let first = self.with_tables.len();
        for (_, block) in &mut query.rest {
            self.block(block)?;
            self.with_tables.truncate(first);
        }
        self.with_tables.truncate(seen);
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Result<(), Refusal> {
        match block {
            Block::Select(select) => {
                let outside = std::mem::take(&mut self.star_refused);
                let result = self.select(select);
                self.star_refused = outside;
                result
            }
            Block::Brackets(query) => self.query(query),
        }
    }

    fn select(&mut self, select: &mut Select) -> Result<(), Refusal> {
        for with in &mut select.with {
            match with {
                With::Table { name, query } => self.with_table(name, query, select.recursive)?,
                With::Expression(expression) => self.with_value(expression)?,
            }
        }
        if let Some(from) = &mut select.from {
            self.from(from)?;
        }
        match &mut select.distinct {
            Distinct::On(keys) => self.all(keys)?,
            Distinct::No | Distinct::Rows => {}
        }
        self.all(&mut select.columns)?;
        for condition in [&mut select.prewhere, &mut select.filter, &mut select.having, &mut select.qualify]
            .into_iter()
            .flatten()
        {
            self.expression(condition)?;
        }
        if let Some(group_by) = &mut select.group_by {
            match &mut group_by.keys {
                Grouping::Nothing | Grouping::All => {}
                Grouping::Keys(keys) | Grouping::Rollup(keys) | Grouping::Cube(keys) => self.all(keys)?,
                Grouping::Sets(sets) => sets.iter_mut().try_for_each(|keys| self.all(keys))?,
            }
        }
        for (_, window) in &mut select.windows {
            self.window(window)?;
        }
        if let Some(order_by) = &mut select.order_by {
            self.order_by(order_by)?;
        }
        if let Some(limit_by) = &mut select.limit_by {
            self.expression(&mut limit_by.limit)?;
            self.all(&mut limit_by.keys)?;
            limit_by.offset.iter_mut().try_for_each(|offset| self.expression(offset))?;
        }
        for limit in [&mut select.limit.limit, &mut select.limit.offset].into_iter().flatten() {
            self.expression(limit)?;
        }
        select.settings.retain(|setting| !settings::is_without_effect(&setting.name.text));
        select.settings.iter().try_for_each(settings::check)
    }

    fn with_table(&mut self, name: &Name, query: &mut Query, recursive: bool) -> Result<(), Refusal> {
        self.table_name(name)?;
        if recursive {
            self.with_tables.push(name.text.clone());
            return self.query(query);
        }
        self.query(query)?;
        self.with_tables.push(name.text.clone());
        Ok(())
    }

    fn with_value(&mut self, expression: &mut Expression) -> Result<(), Refusal> {
        if matches!(expression.kind, Kind::Lambda { .. }) {
            return Err(Refusal::new(
                "Wanted a value under this name; functions are not defined here.",
                expression.place,
            ));
        }
        self.expression(expression)
    }

    /// A name that a statement gives to a table.
    fn table_name(&self, name: &Name) -> Result<(), Refusal> {
        if name.text.contains('.') || tables::HIDDEN.contains(&name.text.as_str()) {
            return Err(Refusal::new(
                format!("A table cannot be called {} here: wanted another name.", name.text),
                name.place,
            ));
        }
        Ok(())
    }

    fn from(&mut self, from: &mut From) -> Result<(), Refusal> {
        if let Some(first) = &mut from.first {
            self.table(first)?;
        }
        for join in &mut from.joins {
            match join {
                Join::Table(joined) => {
                    self.table(&mut joined.table)?;
                    match &mut joined.on {
                        JoinOn::Nothing => {}
                        JoinOn::Condition(condition) => self.expression(condition)?,
                        JoinOn::Columns(columns) => self.all(columns)?,
                    }
                }
                Join::Array { columns, .. } => self.all(columns)?,
            }
        }
        Ok(())
    }

    fn table(&mut self, table: &mut Table) -> Result<(), Refusal> {
        if let Some(alias) = &table.alias {
            self.table_name(alias)?;
        }
        self.source(table)
    }

    fn order_by(&mut self, order_by: &mut OrderBy) -> Result<(), Refusal> {
        order_by.keys.iter_mut().try_for_each(|key| self.order_key(key))?;
        for (_, value) in order_by.interpolate.iter_mut().flatten() {
            value.iter_mut().try_for_each(|value| self.expression(value))?;
        }
        Ok(())
    }

    fn order_key(&mut self, key: &mut OrderKey) -> Result<(), Refusal> {
        key.expression.iter_mut().try_for_each(|expression| self.expression(expression))?;
        let Some(Fill { from, to, step, staleness }) = &mut key.fill else { return Ok(()) };
        [from, to, step, staleness].into_iter().flatten().try_for_each(|value| self.expression(value))
    }

    fn window(&mut self, window: &mut Window) -> Result<(), Refusal> {
        self.all(&mut window.partition_by)?;
        window.order_by.iter_mut().try_for_each(|key| self.order_key(key))?;
        let Some(frame) = &mut window.frame else { return Ok(()) };
        for bound in [Some(&mut frame.start), frame.end.as_mut()].into_iter().flatten() {
            use super::tree::Bound;
            if let Bound::Preceding(Some(offset)) | Bound::Following(Some(offset)) = bound {
                self.expression(offset)?;
            }
        }
        Ok(())
    }

    fn over(&mut self, over: &mut Over) -> Result<(), Refusal> {
        match over {
            Over::Named(_) => Ok(()),
            Over::Window(window) => self.window(window),
        }
    }

    fn all(&mut self, expressions: &mut [Expression]) -> Result<(), Refusal> {
        expressions.iter_mut().try_for_each(|expression| self.expression(expression))
    }

    fn expression(&mut self, expression: &mut Expression) -> Result<(), Refusal> {
        let place = expression.place;
        match &mut expression.kind {
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => Ok(()),
            Kind::Column(parts) => {
                self.name_view(parts);
                self.column(parts, place)
            }
            Kind::Tuple(parts) | Kind::Array(parts) => self.all(parts),
            // A client's greeting asks for the server's name; the machine's is nobody's business.
            Kind::Call(call) if call.name.text == "displayName" && self.policy.audience == Audience::Port => {
                expression.alias.get_or_insert_with(|| Name::new("displayName()"));
                expression.kind = Kind::Text(b"lastwords".to_vec());
                Ok(())
            }
            Kind::Call(call) => self.call(call),
            Kind::Lambda { body, .. } => self.expression(body),
            Kind::Query(query) => self.query(query),
            Kind::Star(star) => {
                if self.star_refused {
                    return Err(Refusal::new(
                        "Wanted columns by name: this table is the store's own, and not all of it is shown.",
                        place,
                    ));
                }
                self.star(star, place)
            }
            Kind::Parameter { kind, .. } if self.policy.audience == Audience::Port => kind.check(),
            Kind::Parameter { .. } => {
                Err(Refusal::new("Parameters are for ClickHouse's clients: wanted the value itself.", place))
            }
        }
    }

    /// `system.tables.name` is a column of what has taken the place of `system.tables`.
    fn name_view(&self, parts: &mut Vec<Name>) {
        let alias = match parts.as_slice() {
            [system, table, _, ..] if system.text == "system" => self
                .views
                .iter()
                .rev()
                .find(|(view, _)| *view == table.text)
                .map(|(_, alias)| Name::new(alias)),
            _ => None,
        };
        if let Some(alias) = alias {
            parts.splice(..2, [alias]);
        }
    }

    /// A name of several parts begins with something that the statement or the schema knows: never with a database.
    fn column(&self, parts: &[Name], place: Place) -> Result<(), Refusal> {
        let [first, second, ..] = parts else { return Ok(()) };
        let ours = first.text == self.policy.database && tables::TABLES.contains(&second.text.as_str());
        let known = ours
            || self.in_predicate
            || self.names.contains(&first.text)
            || tables::TABLES.contains(&first.text.as_str())
            || tables::PARTED_COLUMNS.contains(&first.text.as_str());
        if known {
            return Ok(());
        }
        Err(Refusal::new(format!("Nothing in this statement is called {}.", first.text), place))
    }

    fn star(&mut self, star: &mut Star, place: Place) -> Result<(), Refusal> {
        if !star.qualifier.is_empty() {
            let mut parts = star.qualifier.clone();
            parts.push(Name::new("*"));
            self.column(&parts, place)?;
        }
        if let StarColumns::Listed(columns) = &mut star.columns {
            self.all(columns)?;
        }
        for transformer in &mut star.transformers {
            match transformer {
                Transformer::ApplyFunction { name, parameters } => {
                    self.function(name)?;
                    if functions::takes_a_set(&name.text) {
                        return Err(Refusal::new(format!("APPLY cannot call {}.", name.text), name.place));
                    }
                    self.all(parameters.as_mut().map_or(&mut [], Vec::as_mut_slice))?;
                }
                Transformer::ApplyLambda(lambda) => self.expression(lambda)?,
                Transformer::Except { .. } | Transformer::ExceptPattern(_) => {}
                Transformer::Replace { columns, .. } => {
                    columns.iter_mut().try_for_each(|(value, _)| self.expression(value))?;
                }
            }
        }
        Ok(())
    }
}
