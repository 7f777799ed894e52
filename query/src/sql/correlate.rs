//! `correlate('panics', 'network saturation', '5m')` in SQL: a question's matches as a table.
//!
//! The question is answered first; its matches take the call's place in the statement, as text that the store reads as
//! a table. What is checked is the statement with an empty table of the same columns there.

use jiff::Timestamp;
use lastwords_store::{
    Store,
    confine::{MATCHES_COLUMNS, MatchesCall, text_literal},
};
use serde::Serialize;

use crate::{
    answer::{Answer, Match, MatchesAnswer},
    ask,
    error::AskError,
    options::AskOptions,
};

/// Bytes of all tables of a statement.
const BYTES_MAX: usize = 256 << 20;

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

/// The matches of each call as a table.
///
/// # Errors
/// Where a question is not understood, is not about events, or matches too much.
pub(super) async fn tables(
    store: &Store,
    statement: &str,
    calls: &[MatchesCall],
    options: &AskOptions,
) -> Result<Vec<String>, AskError> {
    let options = AskOptions { limit: None, statistics: false, evidence: 0, ..options.clone() };
    let mut tables = Vec::with_capacity(calls.len());
    let mut bytes = 0;
    for call in calls {
        let question = question(&call.arguments);
        // The two have each other: questions hold conditions in SQL.
        let reply = Box::pin(ask::ask(store, &question, &options)).await?;
        let Answer::Matches(answer) = reply.answer else {
            let found = statement.get(call.place.clone()).unwrap_or(&question);
            return Err(AskError::Refused(format!(
                "correlate takes a question about events, such as panics within 5m of network saturation; found {found}."
            )));
        };
        let table = table(&answer);
        bytes += table.len();
        if bytes > BYTES_MAX {
            return Err(AskError::TableTooLarge { needed: bytes as u64, limit: BYTES_MAX as u64 });
        }
        tables.push(table);
    }
    Ok(tables)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Line<'a> {
    class: &'a str,
    start: String,
    end: Option<String>,
    host: &'a str,
    guest: &'a str,
    title: &'a str,
    severity: &'a str,
    partners: usize,
    partner_class: &'a str,
    partner_start: Option<String>,
    partner_end: Option<String>,
    partner_host: &'a str,
    partner_guest: &'a str,
    partner_title: &'a str,
    lag: Option<f64>,
}

fn table(answer: &MatchesAnswer) -> String {
    if answer.matches.is_empty() {
        return format!("null({})", text_literal(MATCHES_COLUMNS));
    }
    let lines: String = answer
        .matches
        .iter()
        .filter_map(|one| serde_json::to_string(&line(one)).ok())
        .map(|line| line + "\n")
        .collect();
    format!("format(JSONEachRow, {}, {})", text_literal(MATCHES_COLUMNS), text_literal(&lines))
}

fn line(one: &Match) -> Line<'_> {
    let nearest = one.partners.first();
    Line {
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
