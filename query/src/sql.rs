//! Plain SQL: one statement that reads our tables and nothing else.
//!
//! The engine in this process has no users, so nothing but these checks stands between a statement and its files:
//! 1. [`words`] looks at the text: one statement, no comments, nothing outside ASCII but in strings, none of the words
//!    that write, set or format. It is stricter than ClickHouse's own reading, so both cut the text alike.
//! 2. The engine itself parses the text, without running it (`EXPLAIN AST`), and [`tree`] looks at what it found:
//!    tables by name must be ours, table functions must be among the few that touch nothing, no settings, no
//!    functions that reach beyond their arguments.
//! 3. What passes runs read-only under limits. Nothing is cut silently: a statement beyond a limit fails.

mod correlate;
mod tree;
mod words;

use bytes::Bytes;
use lastwords_store::{QueryError, Store, store::AnswerBytes};

use crate::{
    ask::{AskError, AskOptions},
    language::{Set, SyntaxError},
};

/// Bytes of a statement that the store reads; ours are at most 200,000.
const QUERY_BYTES_MAX: usize = 262_144;
/// Limits of a statement.
const LIMITS: &[(&str, &str)] = &[
    ("readonly", "2"),
    ("allow_ddl", "0"),
    ("allow_introspection_functions", "0"),
    ("max_execution_time", "300"),
    ("max_ast_depth", "500"),
    ("timeout_overflow_mode", "throw"),
    ("final", "0"),
    ("output_format_json_quote_64bit_integers", "0"),
    // An error must not be written into an answer that has begun as if it were rows of it.
    ("http_write_exception_in_output_format", "0"),
];
/// Formats that rows may have.
const FORMATS: &[&str] = &[
    "JSONEachRow",
    "JSON",
    "JSONCompact",
    "JSONCompactEachRow",
    "JSONLines",
    "JSONColumns",
    "CSV",
    "CSVWithNames",
    "CSVWithNamesAndTypes",
    "TSV",
    "TabSeparated",
    "TabSeparatedWithNames",
    "TSVWithNames",
    "TabSeparatedRaw",
    "Pretty",
    "PrettyCompact",
    "PrettyCompactMonoBlock",
    "PrettyCompactNoEscapes",
    "PrettyNoEscapes",
    "PrettySpace",
    "PrettySpaceNoEscapes",
    "PrettyMonoBlock",
    "Vertical",
    "Markdown",
    "Parquet",
    "Arrow",
    "ArrowStream",
    "Native",
    "RowBinary",
    "RowBinaryWithNamesAndTypes",
];

/// Whether a text is SQL: it begins with SELECT or WITH.
pub fn is_sql(text: &str) -> bool {
    let word =
        text.trim_start().split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default();
    word.eq_ignore_ascii_case("select") || word.eq_ignore_ascii_case("with")
}

/// Rows as they come.
#[derive(Debug)]
pub struct Rows {
    first: Option<Bytes>,
    rest: AnswerBytes,
}

impl Rows {
    /// The next bytes, none at the end.
    ///
    /// # Errors
    /// Where the statement breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, AskError> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.rest.next().await.map_err(of_statement),
        }
    }

    /// All of it.
    ///
    /// # Errors
    /// Where the statement breaks off.
    pub async fn collect(mut self) -> Result<Vec<u8>, AskError> {
        let mut whole = Vec::new();
        while let Some(chunk) = self.next().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }
}

/// Runs one SELECT or WITH statement; gives its rows in a format of ClickHouse's. `correlate(…)` in it is a question's
/// matches as a table; `options` say how that is asked.
///
/// # Errors
/// Where the statement is not allowed, is wrong, or fails before its first row.
pub async fn sql(store: &Store, text: &str, format: &str, options: &AskOptions) -> Result<Rows, AskError> {
    if !FORMATS.contains(&format) {
        return Err(AskError::Statement(format!(
            "Wanted a format such as JSONEachRow, CSVWithNames or Parquet; found {format}."
        )));
    }
    let statement = words::one_statement(text).map_err(AskError::Statement)?;
    let calls = correlate::calls(statement).map_err(AskError::Statement)?;
    let (statement, query_bytes_max) = if calls.is_empty() {
        check(store, statement).await?;
        (statement.to_owned(), QUERY_BYTES_MAX)
    } else {
        let empty = correlate::without_rows(statement, &calls);
        check(store, &empty).await?;
        // Without rows names and types are looked at, and errors do not show the rows.
        let explained = store.query_bytes(&format!("EXPLAIN QUERY TREE {empty}"), &[], "Null", LIMITS)?;
        explained.collect().await.map_err(of_statement)?;
        let full = correlate::with_rows(store, statement, &calls, options).await?;
        let bytes = full.len() + QUERY_BYTES_MAX;
        (full, bytes)
    };
    let query_bytes_max = query_bytes_max.to_string();
    let settings: Vec<(&str, &str)> =
        LIMITS.iter().copied().chain([("max_query_size", query_bytes_max.as_str())]).collect();
    let mut rest = store.query_bytes(&statement, &[], format, &settings)?;
    let first = rest.next().await.map_err(of_statement)?;
    Ok(Rows { first, rest })
}

/// Refuses a `{predicate}` that is more than an expression over `logs`.
///
/// # Errors
/// Pointing at the predicate.
pub async fn check_predicate(
    store: &Store,
    question: &str,
    set: &Set,
    predicate: &str,
) -> Result<(), AskError> {
    let refused = |message: String| {
        AskError::Syntax(SyntaxError {
            question: question.to_owned(),
            place: set.place.clone(),
            message: format!("This condition cannot be asked: {}", message.trim_end_matches('.').to_owned() + "."),
            suggestion: Some("Wanted an SQL expression over a record, such as {Program = 'nginx' and SeverityNumber >= 17}.".to_owned()),
        })
    };
    words::expression(predicate).map_err(refused)?;
    let statement = format!("SELECT 1 FROM logs WHERE (\n{predicate}\n) LIMIT 0");
    check(store, &statement).await.map_err(|error| match error {
        AskError::Statement(message) => refused(message),
        other => other,
    })?;
    // Reading nothing, the store says whether names and types are right.
    let tried = match store.query_bytes(&statement, &[], "Null", LIMITS) {
        Ok(answer) => answer.collect().await,
        Err(error) => Err(error),
    };
    tried.map(|_| ()).map_err(|error| match of_statement(error) {
        AskError::Statement(message) => refused(message),
        other => other,
    })
}

/// Lets the engine parse the statement and looks at what it found.
async fn check(store: &Store, statement: &str) -> Result<(), AskError> {
    let explain = format!("EXPLAIN AST {statement}");
    let settings = [("readonly", "2"), ("max_ast_depth", "500"), ("max_query_size", "262144")];
    let answer = store.query_bytes(&explain, &[], "TabSeparatedRaw", &settings)?;
    let parsed = answer.collect().await.map_err(of_statement)?;
    let parsed = String::from_utf8_lossy(&parsed);
    tree::check(&parsed).map_err(AskError::Statement)
}

/// A statement that the store refuses is the asker's matter, but for what passes or is ours.
fn of_statement(error: QueryError) -> AskError {
    const PASSING: &[i32] = &[
        159, // too slow
        160, 202, // too many statements
        209, 210, 236, 241, // memory
        242, 243, 252, 394, 999,
    ];
    match error {
        QueryError::Statement { code, text } if !PASSING.contains(&code) => AskError::Statement(short(&text)),
        other => AskError::Store(other),
    }
}

/// The store's message without its code and version.
fn short(text: &str) -> String {
    let text = text.trim();
    let text = text.split_once("DB::Exception: ").map_or(text, |(_, rest)| rest);
    let text = text.rsplit_once(" (version ").map_or(text, |(rest, _)| rest);
    text.trim().to_owned()
}
