//! The tree of a statement. Operators are the functions that ClickHouse makes of them, so nothing is left of precedence.

use std::ops::{Deref, DerefMut};

use super::names::Name;
use super::refusal::Place;
use super::types::Type;

/// SELECTs that are put together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query {
    pub(super) first: Block,
    pub(super) rest: Vec<(SetOperation, Block)>,
    /// Of all that is in it.
    pub(super) measure: Measure,
}

/// How large a tree is. Trees are compared by what they mean, so all sizes are equal.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Measure {
    pub(super) height: usize,
    /// Nodes.
    pub(super) weight: usize,
}

impl PartialEq for Measure {
    fn eq(&self, _other: &Measure) -> bool {
        true
    }
}

impl Measure {
    /// Of trees side by side.
    pub(super) fn beside(self, other: Measure) -> Measure {
        Measure { height: self.height.max(other.height), weight: self.weight.saturating_add(other.weight) }
    }
}

/// One SELECT, or several in brackets.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Block {
    Select(Box<Select>),
    Brackets(Box<Query>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum SetOperation {
    Union,
    UnionAll,
    UnionDistinct,
    Intersect,
    IntersectAll,
    IntersectDistinct,
    Except,
    ExceptAll,
    ExceptDistinct,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Select {
    pub(super) recursive: bool,
    pub(super) with: Vec<With>,
    pub(super) distinct: Distinct,
    pub(super) columns: Vec<Expression>,
    pub(super) from: Option<From>,
    pub(super) prewhere: Option<Expression>,
    pub(super) filter: Option<Expression>,
    pub(super) group_by: Option<GroupBy>,
    pub(super) having: Option<Expression>,
    pub(super) windows: Vec<(Name, Window)>,
    pub(super) qualify: Option<Expression>,
    pub(super) order_by: Option<OrderBy>,
    pub(super) limit_by: Option<LimitBy>,
    pub(super) limit: Limit,
    pub(super) settings: Vec<Setting>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum With {
    Table { name: Name, query: Query },
    Expression(Expression),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Distinct {
    #[default]
    No,
    Rows,
    On(Vec<Expression>),
}

/// Tables and what they are joined with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct From {
    pub(super) first: Option<Table>,
    pub(super) joins: Vec<Join>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Join {
    /// A table by a kind of join, such as `LEFT ANTI JOIN`.
    Table(Box<JoinedTable>),
    /// `ARRAY JOIN`.
    Array { left: bool, columns: Vec<Expression> },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct JoinedTable {
    /// Its words, or a comma.
    pub(super) kind: String,
    pub(super) table: Table,
    pub(super) on: JoinOn,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum JoinOn {
    Nothing,
    Condition(Expression),
    Columns(Vec<Expression>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    pub(super) source: Source,
    pub(super) alias: Option<Name>,
    pub(super) is_final: bool,
    /// Ratio and offset, as they were written.
    pub(super) sample: Option<(String, Option<String>)>,
    pub(super) place: Place,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    Named(Vec<Name>),
    Query(Box<Query>),
    Function {
        name: Name,
        arguments: Vec<Expression>,
    },
    /// A question's matches: the number of the call.
    Matches(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct GroupBy {
    pub(super) keys: Grouping,
    pub(super) totals: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Grouping {
    /// Only `WITH TOTALS`.
    Nothing,
    All,
    Keys(Vec<Expression>),
    Rollup(Vec<Expression>),
    Cube(Vec<Expression>),
    Sets(Vec<Vec<Expression>>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct OrderBy {
    pub(super) keys: Vec<OrderKey>,
    /// `INTERPOLATE`, and what.
    pub(super) interpolate: Option<Vec<(Name, Option<Expression>)>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct OrderKey {
    /// Nothing: `ORDER BY ALL`.
    pub(super) expression: Option<Expression>,
    pub(super) descending: bool,
    pub(super) nulls_first: Option<bool>,
    pub(super) collation: Option<String>,
    pub(super) fill: Option<Fill>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Fill {
    pub(super) from: Option<Expression>,
    pub(super) to: Option<Expression>,
    pub(super) step: Option<Expression>,
    pub(super) staleness: Option<Expression>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct LimitBy {
    pub(super) limit: Expression,
    pub(super) offset: Option<Expression>,
    /// Nothing: `BY ALL`.
    pub(super) keys: Vec<Expression>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Limit {
    pub(super) limit: Option<Expression>,
    pub(super) offset: Option<Expression>,
    pub(super) with_ties: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    pub(super) name: Name,
    pub(super) value: SettingValue,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum SettingValue {
    Number(String),
    Text(Vec<u8>),
}

/// An expression. It is small, because many of them lie on the stack while one is read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression(Box<Node>);

impl Expression {
    pub(super) fn new(kind: Kind, place: Place, measure: Measure) -> Expression {
        Expression(Box::new(Node { kind, alias: None, place, measure }))
    }
}

impl Deref for Expression {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.0
    }
}

impl DerefMut for Expression {
    fn deref_mut(&mut self) -> &mut Node {
        &mut self.0
    }
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) alias: Option<Name>,
    pub(super) place: Place,
    pub(super) measure: Measure,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(String),
    Text(Vec<u8>),
    Column(Vec<Name>),
    Tuple(Vec<Expression>),
    Array(Vec<Expression>),
    Call(Box<Call>),
    Lambda { arguments: Vec<Name>, body: Expression },
    Query(Box<Query>),
    Star(Box<Star>),
    Parameter { name: Name, kind: Type },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) name: Name,
    /// `quantile(0.5)(x)`: the first brackets.
    pub(super) parameters: Option<Vec<Expression>>,
    pub(super) distinct: bool,
    pub(super) arguments: Vec<Expression>,
    pub(super) filter: Option<Expression>,
    /// `RESPECT NULLS`: true.
    pub(super) respect_nulls: Option<bool>,
    pub(super) over: Option<Over>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Over {
    Named(Name),
    Window(Box<Window>),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Window {
    pub(super) base: Option<Name>,
    pub(super) partition_by: Vec<Expression>,
    pub(super) order_by: Vec<OrderKey>,
    pub(super) frame: Option<Frame>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    /// ROWS, RANGE or GROUPS.
    pub(super) unit: &'static str,
    pub(super) start: Bound,
    pub(super) end: Option<Bound>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bound {
    CurrentRow,
    /// Nothing: unbounded.
    Preceding(Option<Expression>),
    Following(Option<Expression>),
}

/// `*`, `t.*`, `COLUMNS(…)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Star {
    pub(super) qualifier: Vec<Name>,
    pub(super) columns: StarColumns,
    pub(super) transformers: Vec<Transformer>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum StarColumns {
    All,
    Pattern(Vec<u8>),
    Listed(Vec<Expression>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Transformer {
    ApplyFunction { name: Name, parameters: Option<Vec<Expression>> },
    ApplyLambda(Expression),
    Except { strict: bool, columns: Vec<Name> },
    ExceptPattern(Vec<u8>),
    Replace { strict: bool, columns: Vec<(Expression, Name)> },
}
