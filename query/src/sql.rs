//! Plain read-only SQL, beside the questions; in it `correlate('panics', 'network saturation', '5m')` is a question's
//! matches as a table.
//!
//! The question is answered first; its matches take the call's place in the statement. What is checked before is the
//! statement with an empty table of the same columns there.

use bytes::Bytes;
use jiff::Timestamp;
pub use lastwords_store::select::is_sql;
use lastwords_store::{
    Store,
    select::{self, MatchRow, MatchesTable, UserStatement, is_format},
};

use crate::{
    answer::{Answer, Match, MatchesAnswer},
    ask::ask,
    error::AskError,
    fetch::predicate::refused,
    options::AskOptions,
};

/// Bytes of all tables of a statement.
const BYTES_MAX: usize = 256 << 20;

/// Rows as they come.
#[derive(Debug)]
pub struct Rows(select::Rows);

impl Rows {
    /// The format that the statement itself asked for; it has been followed.
    pub fn stated_format(&self) -> Option<&str> {
        self.0.stated_format()
    }

    /// The next bytes, none at the end.
    ///
    /// # Errors
    /// Where the statement breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, AskError> {
        self.0.next().await.map_err(refused)
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

/// Runs one statement that reads; gives its rows in a format of the store's, unless it says FORMAT itself.
/// `correlate(…)` in it is a question's matches as a table; `options` say how that is asked.
///
/// # Errors
/// Where the statement is not allowed, is wrong, or fails before its first row.
pub async fn sql(store: &Store, text: &str, format: &str, options: &AskOptions) -> Result<Rows, AskError> {
    if !is_format(format) {
        return Err(AskError::Refused(format!(
            "Wanted a format such as JSONEachRow, CSVWithNames or Parquet; found {format}."
        )));
    }
    let statement = UserStatement::parse(store, text)
        .map_err(|refusal| AskError::Refused(refusal.pointing_into(text)))?;
    let mut tables = Vec::new();
    if !statement.calls().is_empty() {
        statement.check(store).await.map_err(refused)?;
        let mut bytes = 0;
        for call in statement.calls() {
            let answer = matches_of(store, &call.arguments, options).await?.ok_or_else(|| {
                let found = text.get(call.place.clone()).unwrap_or_default();
                AskError::Refused(format!(
                    "correlate takes a question about events, such as panics within 5m of network saturation; found {found}."
                ))
            })?;
            let table = MatchesTable::new(answer.matches.iter().map(row));
            bytes += table.bytes();
            if bytes > BYTES_MAX {
                return Err(AskError::TableTooLarge { needed: bytes as u64, limit: BYTES_MAX as u64 });
            }
            tables.push(table);
        }
    }
    statement.run(store, &tables, format).await.map(Rows).map_err(refused)
}

/// The matches of a call of `correlate(…)` as a table, for a statement that somebody else runs.
///
/// # Errors
/// Where the question is wrong or no question about events, or the store fails.
pub async fn matches_table(
    store: &Store,
    arguments: &[String],
    options: &AskOptions,
) -> Result<MatchesTable, AskError> {
    let answer = matches_of(store, arguments, options).await?.ok_or_else(|| {
        AskError::Refused(
            "correlate takes a question about events, such as panics within 5m of network saturation."
                .to_owned(),
        )
    })?;
    Ok(MatchesTable::new(answer.matches.iter().map(row)))
}

/// All matches of a call's question; none where it is not about events.
async fn matches_of(
    store: &Store,
    arguments: &[String],
    options: &AskOptions,
) -> Result<Option<MatchesAnswer>, AskError> {
    let options = AskOptions { limit: None, statistics: false, evidence: 0, ..options.clone() };
    match ask(store, &question(arguments), &options).await?.answer {
        Answer::Matches(answer) => Ok(Some(*answer)),
        _ => Ok(None),
    }
}

/// What a call asks.
fn question(arguments: &[String]) -> String {
    match arguments {
        [anchors, partners, within] => related(anchors, partners, within, ""),
        [anchors, partners, within, rest] => related(anchors, partners, within, rest),
        // A whole question; the check lets no other number through.
        _ => arguments.join(" "),
    }
}

/// `5m` is `within 5m of`; `5m after` is `within 5m after`.
fn related(anchors: &str, partners: &str, within: &str, rest: &str) -> String {
    let last = within.split_whitespace().last().unwrap_or_default().to_ascii_lowercase();
    let relation = if ["of", "before", "after"].contains(&last.as_str()) { "" } else { " of" };
    format!("{anchors} within {within}{relation} {partners} {rest}").trim_end().to_owned()
}

fn row(one: &Match) -> MatchRow<'_> {
    let nearest = one.partners.first();
    MatchRow {
        class: &one.class,
        start: time(one.start),
        end: one.end.map(time),
        host: &one.host,
        guest: one.guest.as_deref().unwrap_or_default(),
        title: &one.title,
        severity: &one.severity,
        partners: one.partners.len(),
        partner_class: nearest.map_or("", |partner| &partner.class),
        partner_start: nearest.map(|partner| time(partner.start)),
        partner_end: nearest.and_then(|partner| partner.end).map(time),
        partner_host: nearest.map_or("", |partner| &partner.host),
        partner_guest: nearest.and_then(|partner| partner.guest.as_deref()).unwrap_or_default(),
        partner_title: nearest.map_or("", |partner| &partner.title),
        lag: nearest.map(|partner| partner.lag_seconds),
    }
}

/// As the store reads times, in UTC.
fn time(ns: i64) -> String {
    // Every i64 of nanoseconds lies within jiff's range.
    let time = Timestamp::from_nanosecond(i128::from(ns)).unwrap_or_default();
    time.to_string().replace('T', " ").trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_become_questions() {
        for (arguments, expected) in [
            (&["panics", "network saturation", "5m"][..], "panics within 5m of network saturation"),
            (&["panics", "deploys", "1h after", "anywhere"], "panics within 1h after deploys anywhere"),
            (&["\"it's out\" within 5m of {Body = 'x'}"], "\"it's out\" within 5m of {Body = 'x'}"),
        ] {
            let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
            assert_eq!(question(&arguments), expected);
        }
    }
}
