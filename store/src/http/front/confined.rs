//! A user's SQL, confined.

use crate::confine::limits::{self, TEXT_BYTES_MAX};
use crate::confine::{Audience, Policy, Refusal, confine_beside, confine_columns, put_identifiers};
use crate::http::failure::Failure;

/// A statement of this program's may have so many bytes: questions put ids, times and tables of matches into theirs.
const OWN_BYTES_MAX: usize = 4 << 20;
/// By which this program has names and types looked at, without rows.
const EXPLAIN: &str = "EXPLAIN QUERY TREE ";
/// A statement of this program's runs so long at most.
const OWN_SECONDS_MAX: u64 = 300;

/// What is sent to the engine, and what goes with it.
pub(super) struct Confined {
    pub(super) text: String,
    pub(super) format: Option<String>,
    pub(super) limits: Vec<(&'static str, String)>,
    /// Where it calls `correlate(…)`: the statement into which the matches are put.
    pub(super) calling: Option<crate::confine::Confined>,
}

/// A reader's statement.
///
/// # Errors
/// In ClickHouse's words, where it is anything but a statement that reads our tables.
pub(super) fn of_reader(
    text: &str,
    database: &str,
    parameters: &[(String, String)],
    tables: &[String],
) -> Result<Confined, Failure> {
    let text = &put_identifiers(text, parameters).map_err(|refusal| refused(&refusal, text))?;
    confined(text, database, TEXT_BYTES_MAX, limits::settings(Audience::Port), tables)
}

/// A statement that this program made, of a question mostly: it may be longer, and brings its own limits.
///
/// # Errors
/// As with a reader's.
pub(super) fn of_writer(text: &str, database: &str) -> Result<Confined, Failure> {
    let limits = vec![("max_execution_time", OWN_SECONDS_MAX.to_string())];
    match text.strip_prefix(EXPLAIN) {
        Some(explained) => {
            let confined = confined(explained, database, OWN_BYTES_MAX, limits, &[])?;
            // Types are looked at with tables without rows.
            Ok(Confined { text: format!("{EXPLAIN}{}", confined.text), calling: None, ..confined })
        }
        None => confined(text, database, OWN_BYTES_MAX, limits, &[]),
    }
}

fn confined(
    text: &str,
    database: &str,
    bytes_max: usize,
    limits: Vec<(&'static str, String)>,
    tables: &[String],
) -> Result<Confined, Failure> {
    let policy = Policy { database, audience: Audience::Port };
    let confined =
        confine_beside(text, &policy, bytes_max, tables).map_err(|refusal| refused(&refusal, text))?;
    let (text, format) = (confined.text.clone(), confined.format.clone());
    let calling = (!confined.calls.is_empty()).then_some(confined);
    Ok(Confined { text, format, limits, calling })
}

/// The columns of a table that comes with a statement, written anew.
///
/// # Errors
/// Where they are not understood, or of a type that is not listed.
pub(super) fn columns(text: &str) -> Result<String, Failure> {
    confine_columns(text).map_err(|refusal| refused(&refusal, text))
}

/// A refusal in ClickHouse's form.
fn refused(refusal: &Refusal, text: &str) -> Failure {
    Failure::Statement {
        code: 497,
        text: format!("Code: 497. DB::Exception: {} (ACCESS_DENIED)", refusal.pointing_into(text)),
    }
}
