//! Plain SQL: one statement that reads our tables and nothing else.
//!
//! [`confine`] reads the statement, looks at every part of it and prints it anew; the store sees only what was printed,
//! read-only and under limits. Nothing is cut silently: a statement beyond a limit fails.

mod correlate;

use bytes::Bytes;
use lastwords_store::{
    Store,
    confine::{self, Audience, Confined, Policy},
    store::AnswerBytes,
};

use crate::{
    error::AskError,
    fetch::predicate::{refused, settings},
    options::AskOptions,
};

/// Words that a statement begins with.
const FIRST_WORDS: &[&str] = &["select", "with", "from", "describe", "desc", "show", "explain"];

/// Whether a text is SQL: it begins with SELECT, WITH, FROM, DESCRIBE or SHOW, after brackets and comments.
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
    let word = rest.split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default();
    FIRST_WORDS.iter().any(|first| word.eq_ignore_ascii_case(first))
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
    pub async fn next(&mut self) -> Result<Option<Bytes>, AskError> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.rest.next().await.map_err(refused),
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

/// Runs one statement that reads; gives its rows in a format of ClickHouse's, unless it says FORMAT itself.
/// `correlate(…)` in it is a question's matches as a table; `options` say how that is asked.
///
/// # Errors
/// Where the statement is not allowed, is wrong, or fails before its first row.
pub async fn sql(store: &Store, text: &str, format: &str, options: &AskOptions) -> Result<Rows, AskError> {
    if !confine::FORMATS.contains(&format) {
        return Err(AskError::Refused(format!(
            "Wanted a format such as JSONEachRow, CSVWithNames or Parquet; found {format}."
        )));
    }
    let confined = confine::confine(text, &policy(store))
        .map_err(|refusal| AskError::Refused(refusal.pointing_into(text)))?;
    let statement = if confined.calls.is_empty() {
        confined.text.clone()
    } else {
        with_matches(store, text, &confined, options).await?
    };
    let stated_format = confined.format;
    let settings = settings(statement.len());
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let format = stated_format.as_deref().unwrap_or(format);
    let mut rest = store.query_bytes(&statement, &[], format, &settings)?;
    let first = rest.next().await.map_err(refused)?;
    Ok(Rows { first, rest, stated_format })
}

fn policy(store: &Store) -> Policy<'_> {
    Policy { database: store.database(), audience: Audience::Asker }
}

/// The statement with each question's matches in the place of its call.
async fn with_matches(
    store: &Store,
    text: &str,
    confined: &Confined,
    options: &AskOptions,
) -> Result<String, AskError> {
    // Without rows names and types are looked at, and errors do not show the rows.
    let explain = format!("EXPLAIN QUERY TREE {}", confined.text);
    let settings = settings(explain.len());
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    store.query_bytes(&explain, &[], "Null", &settings)?.collect().await.map_err(refused)?;
    let tables = correlate::tables(store, text, &confined.calls, options).await?;
    Ok(confined.with_tables(|number| tables.get(number).map_or("", String::as_str)))
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
            "desc logs",
        ] {
            assert!(is_sql(text), "{text}");
        }
        for text in [
            "panics within 5m of oom kills",
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
