//! Reads a statement by recursive descent: the tokens of ClickHouse's SELECT become a tree, or a refusal.
//!
//! The depth is bounded before the stack is, and nothing is tried twice, so time grows with the text alone.

mod expression;
mod operand;
mod query;
mod special;
mod tables;
mod types;
mod window;

use std::collections::{HashMap, HashSet};

use super::lexer::{self, Placed, Token};
use super::names::Name;
use super::refusal::{Place, Refusal};
use super::tree::{Block, Expression, Kind, Measure, Over, Query, Setting, Star, StarColumns, Transformer};

/// Highest tree, and deepest nesting of brackets.
pub(super) const HEIGHT_MAX: usize = 80;
/// Deepest nesting of SELECTs.
pub(super) const SELECTS_DEEP_MAX: usize = 24;
/// Most nodes of a tree.
const NODES_MAX: usize = 40_000;

/// What a statement is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Statement {
    Select(Query),
    /// `DESCRIBE` of a table, by its name's parts.
    DescribeTable(Vec<Name>),
    DescribeQuery(Query),
    /// `SHOW TABLES`, of a database where it is said.
    ShowTables(Option<Name>),
    ShowDatabases,
}

/// A statement, and what its check wants to know of it.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) statement: Statement,
    /// The word after FORMAT.
    pub(super) format: Option<Name>,
    /// Settings that stand behind the statement and not in its SELECT.
    pub(super) settings: Vec<Setting>,
    /// Names that the statement gives: of tables, of columns, of lambdas' arguments.
    pub(super) names: HashSet<String>,
    /// Whether an alias stands for a plain name (of whatever); else it stands for a value.
    pub(super) aliases: HashMap<String, bool>,
}

/// Reads one statement.
pub(super) fn statement(text: &str) -> Result<Parsed, Refusal> {
    let mut parser = Parser::new(text)?;
    let mut statement = parser.statement()?;
    let mut settings = parser.trailing_settings()?;
    let format = if parser.take_word("FORMAT") { Some(parser.name("a format's name")?) } else { None };
    settings.extend(parser.trailing_settings()?);
    if let Statement::Select(Query { first: Block::Select(select), rest, .. }) = &mut statement
        && rest.is_empty()
    {
        select.settings.append(&mut settings);
    }
    if parser.is_word("INTO") {
        return parser.refuse("SQL here reads: INTO writes a file.");
    }
    if parser.take_sign(";") && !parser.is_end() {
        return parser.refuse("Wanted one statement; a semicolon stands before another one.");
    }
    parser.expect_end()?;
    Ok(Parsed { statement, format, settings, names: parser.names, aliases: parser.aliases })
}

/// Reads one expression.
pub(super) fn expression(text: &str) -> Result<Expression, Refusal> {
    let mut parser = Parser::new(text)?;
    let expression = parser.expression()?;
    parser.expect_end()?;
    Ok(expression)
}

/// Reads a column's type.
pub(super) fn data_type(text: &str) -> Result<super::types::Type, Refusal> {
    let mut parser = Parser::new(text)?;
    let data_type = parser.data_type()?;
    parser.expect_end()?;
    Ok(data_type)
}

/// Reads a table's columns: `a String, b UInt8`.
pub(super) fn structure(text: &str) -> Result<Vec<(Name, super::types::Type)>, Refusal> {
    let mut parser = Parser::new(text)?;
    let mut columns = Vec::new();
    loop {
        let name = parser.name("a column's name")?;
        columns.push((name, parser.data_type()?));
        if !parser.take_sign(",") {
            parser.expect_end()?;
            return Ok(columns);
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Placed>,
    /// Where each opening bracket is closed.
    closes: HashMap<usize, usize>,
    at: usize,
    /// Calls of [`Parser::deeper`] under way.
    depth: usize,
    /// SELECTs under way.
    selects: usize,
    /// Height of the tallest tree of the SELECT under way.
    tallest: usize,
    /// Nodes made so far.
    nodes: usize,
    names: HashSet<String>,
    aliases: HashMap<String, bool>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Parser<'a>, Refusal> {
        let tokens = lexer::tokens(text)?;
        Ok(Parser {
            text,
            closes: closes(&tokens),
            tokens,
            at: 0,
            depth: 0,
            selects: 0,
            tallest: 0,
            nodes: 0,
            names: HashSet::new(),
            aliases: HashMap::new(),
        })
    }

    fn statement(&mut self) -> Result<Statement, Refusal> {
        if self.take_word("SHOW") {
            if self.take_word("DATABASES") {
                return Ok(Statement::ShowDatabases);
            }
            self.expect_word("TABLES")?;
            let from = self.take_word("FROM") || self.take_word("IN");
            let database = if from { Some(self.name("a database's name")?) } else { None };
            return Ok(Statement::ShowTables(database));
        }
        if self.take_word("DESCRIBE") || self.take_word("DESC") {
            self.take_word("TABLE");
            if self.is_sign("(") {
                self.at += 1;
                let query = self.query()?;
                self.expect_sign(")")?;
                return Ok(Statement::DescribeQuery(query));
            }
            let mut parts = vec![self.name("a table's name")?];
            while self.take_sign(".") {
                parts.push(self.name("a table's name")?);
            }
            return Ok(Statement::DescribeTable(parts));
        }
        if !["SELECT", "WITH", "FROM"].iter().any(|word| self.is_word(word)) && !self.is_sign("(") {
            return self.refuse(format!(
                "Wanted a statement that begins with SELECT or WITH; found {}.",
                self.found()
            ));
        }
        Ok(Statement::Select(self.query()?))
    }

    /// `SETTINGS`, where it stands behind a whole statement.
    fn trailing_settings(&mut self) -> Result<Vec<Setting>, Refusal> {
        if self.take_word("SETTINGS") { self.list(Self::setting) } else { Ok(Vec::new()) }
    }

    fn token(&self) -> &Token {
        self.peek(0)
    }

    /// The token so many further on.
    fn peek(&self, ahead: usize) -> &Token {
        self.tokens.get(self.at + ahead).map_or(&Token::End, |placed| &placed.token)
    }

    fn place(&self) -> Place {
        self.tokens
            .get(self.at)
            .map_or_else(|| Place::new(self.text.len(), self.text.len()), |placed| placed.place)
    }

    /// The place of the token before this one.
    fn last_place(&self) -> Place {
        self.at
            .checked_sub(1)
            .and_then(|at| self.tokens.get(at))
            .map_or_else(Place::default, |placed| placed.place)
    }

    fn is_end(&self) -> bool {
        *self.token() == Token::End
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.token(), Token::Sign(found) if *found == sign)
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let taken = self.is_sign(sign);
        self.at += usize::from(taken);
        taken
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), Refusal> {
        if self.take_sign(sign) {
            return Ok(());
        }
        self.refuse(format!("Wanted {sign}; found {}.", self.found()))
    }

    fn is_word(&self, word: &str) -> bool {
        self.word_is(0, word)
    }

    fn word_is(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek(ahead), Token::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let taken = self.is_word(word);
        self.at += usize::from(taken);
        taken
    }

    /// Several words in a row, all or none.
    fn take_words(&mut self, words: &[&str]) -> bool {
        let taken = words.iter().enumerate().all(|(ahead, word)| self.word_is(ahead, word));
        self.at += if taken { words.len() } else { 0 };
        taken
    }

    fn expect_word(&mut self, word: &str) -> Result<(), Refusal> {
        if self.take_word(word) {
            return Ok(());
        }
        self.refuse(format!("Wanted {word}; found {}.", self.found()))
    }

    fn expect_end(&self) -> Result<(), Refusal> {
        if self.is_end() {
            return Ok(());
        }
        self.refuse(format!("Wanted the end; found {}.", self.found()))
    }

    /// A name, quoted or not, whatever it is.
    fn name(&mut self, wanted: &str) -> Result<Name, Refusal> {
        let place = self.place();
        match self.token() {
            Token::Word(text) | Token::Quoted(text) => {
                let name = Name { text: text.clone(), place };
                self.at += 1;
                Ok(name)
            }
            _ => self.refuse(format!("Wanted {wanted}; found {}.", self.found())),
        }
    }

    /// What stands here, for a message.
    fn found(&self) -> String {
        if self.is_end() {
            return "the end".to_owned();
        }
        let text: String = self.place().text(self.text).chars().take(40).collect();
        if text.is_empty() { "nothing".to_owned() } else { format!("{text:?}") }
    }

    fn refuse<T>(&self, message: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal::new(message, self.place()))
    }

    /// Goes one level deeper, where the depth allows it.
    fn deeper<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<T, Refusal> {
        if self.depth >= HEIGHT_MAX {
            return self
                .refuse(format!("Wanted at most {HEIGHT_MAX} levels within each other; here is one more."));
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    /// An expression from its parts, where it does not become too high.
    fn make(&mut self, kind: Kind, place: Place) -> Result<Expression, Refusal> {
        let parts = measure_of_parts(&kind);
        let measure = Measure { height: parts.height + 1, weight: parts.weight.saturating_add(1) };
        if measure.height > HEIGHT_MAX {
            return Err(Refusal::new(
                format!("Wanted at most {HEIGHT_MAX} levels within each other; here is one more."),
                place,
            ));
        }
        self.count(1, place)?;
        self.tallest = self.tallest.max(measure.height);
        Ok(Expression::new(kind, place, measure))
    }

    /// Counts nodes of the tree.
    fn count(&mut self, nodes: usize, place: Place) -> Result<(), Refusal> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        Err(Refusal::new(
            format!("Wanted a statement of at most {NODES_MAX} parts; this one has more."),
            place,
        ))
    }

    /// One or more of something, with commas between.
    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T, Refusal>) -> Result<Vec<T>, Refusal> {
        let mut all = vec![one(self)?];
        while self.take_sign(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    /// The same in brackets; between them there may be nothing.
    fn bracketed<T>(&mut self, one: impl FnMut(&mut Self) -> Result<T, Refusal>) -> Result<Vec<T>, Refusal> {
        self.expect_sign("(")?;
        if self.take_sign(")") {
            return Ok(Vec::new());
        }
        let all = self.list(one)?;
        self.expect_sign(")")?;
        Ok(all)
    }
}

/// Where each opening round bracket is closed.
fn closes(tokens: &[Placed]) -> HashMap<usize, usize> {
    let mut open = Vec::new();
    let mut closes = HashMap::new();
    for (at, placed) in tokens.iter().enumerate() {
        match placed.token {
            Token::Sign("(") => open.push(at),
            Token::Sign(")") => {
                if let Some(opened) = open.pop() {
                    closes.insert(opened, at);
                }
            }
            _ => {}
        }
    }
    closes
}

fn measure<'a>(parts: impl IntoIterator<Item = &'a Expression>) -> Measure {
    parts.into_iter().fold(Measure::default(), |all, part| all.beside(part.measure))
}

fn measure_of_parts(kind: &Kind) -> Measure {
    match kind {
        Kind::Null
        | Kind::Bool(_)
        | Kind::Number(_)
        | Kind::Text(_)
        | Kind::Column(_)
        | Kind::Parameter { .. } => Measure::default(),
        Kind::Tuple(parts) | Kind::Array(parts) => measure(parts),
        Kind::Call(call) => {
            let parts = call.parameters.iter().flatten().chain(&call.arguments).chain(&call.filter);
            measure(parts).beside(call.over.as_ref().map_or_else(Measure::default, measure_of_window))
        }
        Kind::Lambda { body, .. } => body.measure,
        Kind::Query(query) => query.measure,
        Kind::Star(star) => measure_of_star(star),
    }
}

fn measure_of_window(over: &Over) -> Measure {
    match over {
        Over::Named(_) => Measure::default(),
        Over::Window(window) => {
            let keys = window.order_by.iter().filter_map(|key| key.expression.as_ref());
            measure(window.partition_by.iter().chain(keys))
        }
    }
}

fn measure_of_star(star: &Star) -> Measure {
    let listed = match &star.columns {
        StarColumns::Listed(columns) => measure(columns),
        StarColumns::All | StarColumns::Pattern(_) => Measure::default(),
    };
    let of_transformer = |transformer: &Transformer| match transformer {
        Transformer::ApplyFunction { parameters, .. } => measure(parameters.iter().flatten()),
        Transformer::ApplyLambda(lambda) => lambda.measure,
        Transformer::Replace { columns, .. } => measure(columns.iter().map(|(value, _)| value)),
        Transformer::Except { .. } | Transformer::ExceptPattern(_) => Measure::default(),
    };
    star.transformers.iter().map(of_transformer).fold(listed, Measure::beside)
}
