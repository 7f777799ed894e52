//! A user's SQL, which reads: confined, with questions' matches as tables, and run under limits.

use bytes::Bytes;
use serde::Serialize;

use crate::{
    Store,
    confine::{
        Audience, Confined, FORMATS, MATCHES_COLUMNS, MatchesCall, Policy, Predicate, Refusal, confine,
        limits, text_literal,
    },
    store::{AnswerBytes, QueryError},
};

/// Words that a statement begins with.
const FIRST_WORDS: &[&str] = &["select", "with", "from", "describe", "desc", "show", "explain"];

/// What ClickHouse can show.
const SHOWN: &[&str] = &[
    "tables",
    "create",
    "databases",
    "columns",
    "fields",
    "index",
    "indexes",
    "indices",
    "keys",
    "full",
    "extended",
    "table",
    "processlist",
    "functions",
    "settings",
    "engines",
    "grants",
    "schemas",
    "temporary",
    "dictionaries",
];

/// Whether a text is SQL: it begins with SELECT, WITH, FROM, DESCRIBE or SHOW (of what can be shown), after brackets and comments.
pub fn is_sql(text: &str) -> bool {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '(');
        rest = if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, rest)| rest)
        } else if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, rest)| rest)
        } else {
            break;
        };
    }
    let mut words = rest.split(|letter: char| !letter.is_ascii_alphabetic());
    let word = words.next().unwrap_or_default();
    // People say "show me all panics" as well.
    if word.eq_ignore_ascii_case("show") {
        let mut behind = words.filter(|word| !word.is_empty());
        return behind.next().is_none_or(|what| SHOWN.iter().any(|shown| what.eq_ignore_ascii_case(shown)));
    }
    FIRST_WORDS.iter().any(|first| word.eq_ignore_ascii_case(first))
}

/// A statement that may be run.
#[derive(Debug)]
pub struct UserStatement {
    confined: Confined,
}

impl UserStatement {
    /// Reads a statement.
    ///
    /// # Errors
    /// Where it is not understood, or is more than may be read.
    pub fn parse(store: &Store, text: &str) -> Result<UserStatement, Refusal> {
        let policy = Policy { database: store.database(), audience: Audience::Asker };
        confine(text, &policy).map(|confined| UserStatement { confined })
    }

    /// Calls of `correlate(…)` in it; for each, [`UserStatement::run`] wants a table.
    pub fn calls(&self) -> &[MatchesCall] {
        &self.confined.calls
    }

    /// Lets the store look at names and types, with tables without rows, so that errors do not show the rows.
    ///
    /// # Errors
    /// Where something is wrong, or the store fails.
    pub async fn check(&self, store: &Store) -> Result<(), QueryError> {
        run_for_nothing(store, &format!("EXPLAIN QUERY TREE {}", self.confined.text)).await
    }

    /// Runs it. Rows come in the format that it states, else in this one of ClickHouse's.
    ///
    /// # Errors
    /// Where it fails before its first row.
    pub async fn run(
        &self,
        store: &Store,
        tables: &[MatchesTable],
        format: &str,
    ) -> Result<Rows, QueryError> {
        let text = self
            .confined
            .with_tables(|number| tables.get(number).map_or("", |MatchesTable(table)| table.as_str()));
        let stated_format = self.confined.format.clone();
        let settings = settings(text.len());
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut rest =
            store.query_bytes(&text, &[], stated_format.as_deref().unwrap_or(format), &settings)?;
        let first = rest.next().await?;
        Ok(Rows { first, rest, stated_format })
    }
}

/// Whether rows can be asked for in a format.
pub fn is_format(format: &str) -> bool {
    FORMATS.contains(&format)
}

/// Rows as they come.
#[derive(Debug)]
pub struct Rows {
    first: Option<Bytes>,
    rest: AnswerBytes,
    stated_format: Option<String>,
}

impl Rows {
    /// The format that the statement itself asked for; it has been followed.
    pub fn stated_format(&self) -> Option<&str> {
        self.stated_format.as_deref()
    }

    /// The next bytes, none at the end.
    ///
    /// # Errors
    /// Where the statement breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, QueryError> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.rest.next().await,
        }
    }
}

/// Lets the store look at the names and types of a condition; that it is nothing more than an expression over one
/// record was seen when it was read.
///
/// # Errors
/// Where something is wrong, or the store fails.
pub async fn check_predicate(store: &Store, predicate: &Predicate) -> Result<(), QueryError> {
    run_for_nothing(store, &format!("SELECT 1 FROM logs WHERE {} LIMIT 0", predicate.sql())).await
}

async fn run_for_nothing(store: &Store, statement: &str) -> Result<(), QueryError> {
    let settings = settings(statement.len());
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    store.query_bytes(statement, &[], "Null", &settings)?.collect().await.map(|_| ())
}

/// What a statement of so many bytes runs under.
fn settings(bytes: usize) -> Vec<(&'static str, String)> {
    let mut settings = limits::settings(Audience::Asker);
    settings.push(("max_query_size", (bytes + 1024).to_string()));
    settings
}

/// A question's matches, as a table that takes the place of its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchesTable(String);

/// One match: an event asked for with the partner nearest to it. Times are as the store reads them, in UTC.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "as the answer's fields of these names")]
pub struct MatchRow<'a> {
    pub class: &'a str,
    pub start: String,
    pub end: Option<String>,
    pub host: &'a str,
    pub guest: &'a str,
    pub title: &'a str,
    pub severity: &'a str,
    pub partners: usize,
    pub partner_class: &'a str,
    pub partner_start: Option<String>,
    pub partner_end: Option<String>,
    pub partner_host: &'a str,
    pub partner_guest: &'a str,
    pub partner_title: &'a str,
    pub lag: Option<f64>,
}

impl MatchesTable {
    /// Of these rows.
    pub fn new<'a>(rows: impl Iterator<Item = MatchRow<'a>>) -> MatchesTable {
        let lines: String =
            rows.filter_map(|row| serde_json::to_string(&row).ok()).map(|line| line + "\n").collect();
        let columns = text_literal(MATCHES_COLUMNS);
        MatchesTable(if lines.is_empty() {
            format!("null({columns})")
        } else {
            format!("format(JSONEachRow, {columns}, {})", text_literal(&lines))
        })
    }

    /// As it stands in a statement.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Bytes that it takes in a statement.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_from_questions() {
        for text in [
            "SELECT 1",
            "  with 3 as three select three",
            "(SELECT 1)",
            "-- a comment\nSELECT 1",
            "/* a */ /* b */ ((select 1))",
            "FROM logs SELECT 1",
            "SHOW TABLES",
            "show create table logs",
            "desc logs",
        ] {
            assert!(is_sql(text), "{text}");
        }
        for text in [
            "panics within 5m of oom kills",
            "show me all panics",
            "show panics",
            "{Host = 'a'} since 1h ago",
            "\"select\"",
            "describes",
            "--",
            "",
        ] {
            assert!(!is_sql(text), "{text}");
        }
    }
}
