//! A user's SQL, confined.

use crate::confine::limits::{self, TEXT_BYTES_MAX};
use crate::confine::{Audience, Policy, Refusal, confine_within};
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
}

/// A reader's statement.
///
/// # Errors
/// In ClickHouse's words, where it is anything but a statement that reads our tables.
pub(super) fn of_reader(text: &str, database: &str) -> Result<Confined, Failure> {
    confined(text, database, TEXT_BYTES_MAX, limits::settings(Audience::Port))
}

/// A statement that this program made, of a question mostly: it may be longer, and brings its own limits.
///
/// # Errors
/// As with a reader's.
pub(super) fn of_writer(text: &str, database: &str) -> Result<Confined, Failure> {
    let limits = vec![("max_execution_time", OWN_SECONDS_MAX.to_string())];
    match text.strip_prefix(EXPLAIN) {
        Some(explained) => {
            let confined = confined(explained, database, OWN_BYTES_MAX, limits)?;
            Ok(Confined { text: format!("{EXPLAIN}{}", confined.text), ..confined })
        }
        None => confined(text, database, OWN_BYTES_MAX, limits),
    }
}

fn confined(
    text: &str,
    database: &str,
    bytes_max: usize,
    limits: Vec<(&'static str, String)>,
) -> Result<Confined, Failure> {
    let policy = Policy { database, audience: Audience::Port };
    let confined = confine_within(text, &policy, bytes_max).map_err(|refusal| refused(&refusal, text))?;
    Ok(Confined { text: confined.text, format: confined.format, limits })
}

/// A refusal in ClickHouse's form.
fn refused(refusal: &Refusal, text: &str) -> Failure {
    Failure::Statement {
        code: 497,
        text: format!("Code: 497. DB::Exception: {} (ACCESS_DENIED)", refusal.pointing_into(text)),
    }
}
