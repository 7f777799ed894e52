//! Users' SQL: one lexer, one tree, one list of what is allowed, one printer.
//!
//! 1. [`lexer`] cuts the text, with escapes undone, so that `\x66ile` is `file`.
//! 2. [`parse`] makes a tree of it; operators are functions by then. What it does not know is refused.
//! 3. [`check`] looks at every part: functions ([`functions`]), types, tables ([`tables`]), settings, formats by lists of
//!    what is allowed. What is in no list is refused, so that what the store learns tomorrow is refused as well.
//! 4. [`mod@print`] writes the tree as text that can be read in one way only. The store sees this text, never the user's.
//!
//! What passes runs under [`limits`]. No I/O, no engine: a test asks the engine whether the lists are true.

mod check;
mod formats;
mod functions;
mod identifiers;
mod lexer;
pub mod limits;
mod names;
mod parse;
mod policy;
mod predicate;
mod print;
mod refusal;
mod settings;
mod stack;
mod tables;
mod tree;
mod types;

#[cfg(test)]
mod tests;

pub use formats::FORMATS;
pub use functions::listed as listed_functions;
pub use identifiers::put_identifiers;
pub use policy::{Audience, MatchesCall, Policy};
pub use predicate::{Predicate, confine_predicate};
pub use refusal::Refusal;
pub use settings::{is_allowed as is_allowed_setting, names as allowed_settings};
pub use tables::{LOGS_COLUMNS, TABLES};

use check::Checker;
use names::{Name, quoted_name, quoted_text};
use parse::Statement;
use print::Printer;
use refusal::Place;
use tree::Query;

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// `SELECT`, and `SHOW`, which becomes one.
    Select,
    /// `DESCRIBE`.
    Describe,
}

/// Columns of `correlate(…)`: one row for each event asked for that matched, with the partner nearest to it.
pub const MATCHES_COLUMNS: &str = "Class String, Start DateTime64(9, 'UTC'), End Nullable(DateTime64(9, 'UTC')), Host String, \
    Guest String, Title String, Severity String, Partners UInt32, PartnerClass String, \
    PartnerStart Nullable(DateTime64(9, 'UTC')), PartnerEnd Nullable(DateTime64(9, 'UTC')), PartnerHost String, \
    PartnerGuest String, PartnerTitle String, Lag Nullable(Float64)";

/// A statement as it may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confined {
    /// Its text; calls of `correlate(…)` are tables without rows in it.
    pub text: String,
    /// What it does.
    pub kind: StatementKind,
    /// The format that it asks for.
    pub format: Option<String>,
    /// Calls of `correlate(…)`, in the order of the user's text.
    pub calls: Vec<MatchesCall>,
    /// The text around the calls.
    pieces: Vec<String>,
    /// The numbers of the calls between the pieces.
    order: Vec<usize>,
}

impl Confined {
    /// The text with a table in the place of each call.
    pub fn with_tables<'t>(&self, table: impl Fn(usize) -> &'t str) -> String {
        let mut text = String::new();
        let mut order = self.order.iter();
        for piece in &self.pieces {
            text += piece;
            if let Some(number) = order.next() {
                text += table(*number);
            }
        }
        text
    }
}

/// A string as a literal of the store's SQL.
pub fn text_literal(text: &str) -> String {
    quoted_text(text.as_bytes())
}

/// Reads a statement, checks it and prints it anew.
///
/// # Errors
/// Where it is not understood, or holds anything that is on no list.
pub fn confine(text: &str, policy: &Policy<'_>) -> Result<Confined, Refusal> {
    confine_within(text, policy, limits::TEXT_BYTES_MAX)
}

/// The same for a statement that may have other than the usual number of bytes: this program's own, of a question.
///
/// # Errors
/// As `confine`.
pub fn confine_within(text: &str, policy: &Policy<'_>, bytes_max: usize) -> Result<Confined, Refusal> {
    confine_beside(text, policy, bytes_max, &[])
}

/// The same where tables come with the statement, by their names, which are looked up before ours.
///
/// # Errors
/// As `confine`.
pub fn confine_beside(
    text: &str,
    policy: &Policy<'_>,
    bytes_max: usize,
    tables: &[String],
) -> Result<Confined, Refusal> {
    bounded(text, bytes_max)?;
    stack::with_room(|| confine_here(text, policy, tables))
}

/// Columns of a table that comes with a statement, written anew.
///
/// # Errors
/// Where they are not understood, or of a type that is not listed.
pub fn confine_columns(text: &str) -> Result<String, Refusal> {
    bounded(text, limits::TEXT_BYTES_MAX)?;
    stack::with_room(|| {
        let columns = parse::structure(text)?;
        let written = columns.iter().map(|(name, kind)| {
            kind.check()?;
            Ok(format!("{} {kind}", quoted_name(&name.text)))
        });
        Ok(written.collect::<Result<Vec<String>, Refusal>>()?.join(", "))
    })
}

fn confine_here(text: &str, policy: &Policy<'_>, tables: &[String]) -> Result<Confined, Refusal> {
    let parsed = parse::statement(text)?;
    let format = parsed.format.as_ref().map(checked_format).transpose()?;
    // What stands behind the statement changes nothing of DESCRIBE and SHOW, but has to be on the list.
    parsed
        .settings
        .iter()
        .filter(|one| !settings::is_without_effect(&one.name.text))
        .try_for_each(settings::check)?;
    let mut checker = Checker::new(policy, parsed.names, parsed.aliases, tables);
    let (prefix, query) = match parsed.statement {
        Statement::Select(query) => ("", query),
        Statement::DescribeQuery(query) => ("DESCRIBE TABLE ", query),
        Statement::DescribeTable(parts) => match tables::named_view(&parts, policy.database) {
            Some(view) => ("DESCRIBE TABLE ", view?),
            None => return describe(&checker.our_table(&parts)?, format),
        },
        Statement::ShowDatabases => {
            return Ok(confined("", &tables::show_databases(policy.database)?, format, Vec::new()));
        }
        Statement::ShowTables(database) => {
            if let Some(other) = database.filter(|database| database.text != policy.database) {
                return Err(Refusal::new(
                    format!("Wanted our database {}; found {}.", policy.database, other.text),
                    other.place,
                ));
            }
            return Ok(confined("", &tables::show_tables(policy.database)?, format, Vec::new()));
        }
    };
    let mut query = query;
    checker.query(&mut query)?;
    let calls = checker.into_calls();
    Ok(confined(prefix, &query, format, calls))
}

/// Whether an audience's statements may call a function by this name.
pub fn allows_function(name: &str, audience: Audience) -> bool {
    match functions::find(name) {
        Some(functions::FunctionKind::Client) => audience == Audience::Port,
        found => found.is_some(),
    }
}

/// Whether a text is as it is printed here: what comes of [`confine`] is.
pub fn is_canonical(text: &str) -> bool {
    let printed = parse::statement(text).map(|parsed| match &parsed.statement {
        Statement::Select(query) => Printer::print_query(query).0.concat(),
        Statement::DescribeQuery(query) => {
            format!("DESCRIBE TABLE ({})", Printer::print_query(query).0.concat())
        }
        Statement::DescribeTable(parts) => {
            describe(parts, None).map(|confined| confined.text).unwrap_or_default()
        }
        Statement::ShowDatabases | Statement::ShowTables(_) => String::new(),
    });
    printed.is_ok_and(|printed| printed == text)
}

fn describe(parts: &[Name], format: Option<String>) -> Result<Confined, Refusal> {
    let path: Vec<String> = parts.iter().map(|part| quoted_name(&part.text)).collect();
    let text = format!("DESCRIBE TABLE {}", path.join("."));
    let pieces = vec![text.clone()];
    Ok(Confined { text, kind: StatementKind::Describe, format, calls: Vec::new(), pieces, order: Vec::new() })
}

fn confined(prefix: &str, query: &Query, format: Option<String>, calls: Vec<MatchesCall>) -> Confined {
    let (mut pieces, order) = Printer::print_query(query);
    let kind = if prefix.is_empty() { StatementKind::Select } else { StatementKind::Describe };
    if let Some(first) = pieces.first_mut()
        && !prefix.is_empty()
    {
        *first = format!("{prefix}({first}");
    }
    if let Some(last) = pieces.last_mut()
        && !prefix.is_empty()
    {
        last.push(')');
    }
    let mut confined = Confined { text: String::new(), kind, format, calls, pieces, order };
    let empty = format!("`null`({})", quoted_text(MATCHES_COLUMNS.as_bytes()));
    confined.text = confined.with_tables(|_| &empty);
    confined
}

fn checked_format(format: &Name) -> Result<String, Refusal> {
    if FORMATS.contains(&format.text.as_str()) {
        return Ok(format.text.clone());
    }
    let near = refusal::nearest(&format.text, FORMATS.iter().copied()).unwrap_or("JSONEachRow");
    Err(Refusal::new(format!("Wanted a format such as {near}; found {}.", format.text), format.place))
}

fn bounded(text: &str, bytes_max: usize) -> Result<(), Refusal> {
    if text.len() <= bytes_max {
        return Ok(());
    }
    Err(Refusal::new(
        format!("Wanted a statement of at most {bytes_max} bytes; this one has {}.", text.len()),
        Place::new(0, 0),
    ))
}
