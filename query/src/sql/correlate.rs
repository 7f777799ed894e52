//! `correlate('panics', 'network saturation', '5m')` in SQL: a question's matches as a table.
//!
//! The question is answered first; its matches take the call's place in the statement, as text that the store reads as
//! a table. What is checked is the statement with an empty table of the same columns there.

use std::ops::Range;

use jiff::Timestamp;
use lastwords_store::Store;
use serde::Serialize;

use super::words::{self, Piece};
use crate::{
    answer::{Answer, Match},
    ask::{self, AskError, AskOptions, Reply},
    plan::literal,
};

/// Columns of the table: one row for each event asked for that matched, with the partner nearest to it.
const COLUMNS: &str = "Class String, Start DateTime64(9, 'UTC'), End Nullable(DateTime64(9, 'UTC')), Host String, \
    Guest String, Title String, Severity String, Partners UInt32, PartnerClass String, \
    PartnerStart Nullable(DateTime64(9, 'UTC')), PartnerEnd Nullable(DateTime64(9, 'UTC')), PartnerHost String, \
    PartnerGuest String, PartnerTitle String, Lag Nullable(Float64)";
/// Bytes of all tables of a statement.
const BYTES_MAX: usize = 256 << 20;

/// One call in a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Its bytes.
    place: Range<usize>,
    /// What it asks.
    question: String,
}

/// The calls of a statement, in their order.
///
/// # Errors
/// Where one has other arguments than texts, or not as many as wanted.
pub(super) fn calls(statement: &str) -> Result<Vec<Call>, String> {
    let pieces = words::pieces(statement)?;
    let mut calls = Vec::new();
    for (at, (piece, place)) in pieces.iter().enumerate() {
        let opens = matches!(pieces.get(at + 1), Some((Piece::Sign('('), _)));
        if !matches!(piece, Piece::Word(word) if word == "correlate") || !opens {
            continue;
        }
        let wanted = || {
            "correlate takes texts: correlate('panics', 'network saturation', '5m'), a fourth with the rest of the \
             question such as 'on the same guest since 7 days ago', or one text with a whole question"
                .to_owned()
        };
        let mut arguments: Vec<String> = Vec::new();
        let mut rest = pieces.get(at + 2..).unwrap_or_default().iter();
        let end = loop {
            let Some((Piece::Text, text)) = rest.next() else { return Err(wanted()) };
            arguments.push(unquoted(statement.get(text.clone()).unwrap_or_default()));
            match rest.next() {
                Some((Piece::Sign(','), _)) => {}
                Some((Piece::Sign(')'), close)) => break close.end,
                _ => return Err(wanted()),
            }
        };
        let question = match arguments.as_slice() {
            [question] => question.clone(),
            [anchors, partners, within] => related(anchors, partners, within, ""),
            [anchors, partners, within, rest] => related(anchors, partners, within, rest),
            _ => return Err(wanted()),
        };
        calls.push(Call { place: place.start..end, question });
    }
    Ok(calls)
}

/// `5m` is `within 5m of`; `5m after` is `within 5m after`.
fn related(anchors: &str, partners: &str, within: &str, rest: &str) -> String {
    let last = within.split_whitespace().last().unwrap_or_default().to_ascii_lowercase();
    let relation = if ["of", "before", "after"].contains(&last.as_str()) { "" } else { " of" };
    format!("{anchors} within {within}{relation} {partners} {rest}").trim_end().to_owned()
}

/// A string of SQL without its quotation marks and backslashes.
fn unquoted(text: &str) -> String {
    let mut letters =
        text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(text).chars();
    let mut out = String::new();
    while let Some(letter) = letters.next() {
        out.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    out
}

/// The statement with an empty table in the place of each call.
pub(super) fn without_rows(statement: &str, calls: &[Call]) -> String {
    let empty = format!("null({})", literal(COLUMNS));
    replaced(statement, calls, |_| &empty)
}

/// The statement with each question's matches in the place of its call.
///
/// # Errors
/// Where a question is not understood, is not about events, or matches too much.
pub(super) async fn with_rows(
    store: &Store,
    statement: &str,
    calls: &[Call],
    options: &AskOptions,
) -> Result<String, AskError> {
    let options = AskOptions { limit: None, statistics: false, evidence: 0, ..options.clone() };
    let mut tables = Vec::with_capacity(calls.len());
    let mut bytes = 0;
    for call in calls {
        // The two have each other: questions hold conditions in SQL.
        let reply = Box::pin(ask::ask(store, &call.question, &options)).await?;
        let Reply::Events(answer) = reply else {
            return Err(AskError::Statement(format!(
                "correlate takes a question about events, such as panics within 5m of network saturation; found {:?}.",
                call.question
            )));
        };
        let table = table(&answer);
        bytes += table.len();
        if bytes > BYTES_MAX {
            return Err(AskError::Statement(format!(
                "{} matches are more than a statement can hold: narrow the question's range.",
                answer.matched
            )));
        }
        tables.push(table);
    }
    Ok(replaced(statement, calls, |number| tables.get(number).map_or("", String::as_str)))
}

fn replaced<'a>(statement: &str, calls: &[Call], by: impl Fn(usize) -> &'a str) -> String {
    let mut out = String::new();
    let mut from = 0;
    for (number, call) in calls.iter().enumerate() {
        out += statement.get(from..call.place.start).unwrap_or_default();
        out += by(number);
        from = call.place.end;
    }
    out + statement.get(from..).unwrap_or_default()
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

fn table(answer: &Answer) -> String {
    if answer.matches.is_empty() {
        return format!("null({})", literal(COLUMNS));
    }
    let lines: String = answer
        .matches
        .iter()
        .filter_map(|one| serde_json::to_string(&line(one)).ok())
        .map(|line| line + "\n")
        .collect();
    format!("format(JSONEachRow, {}, {})", literal(COLUMNS), literal(&lines))
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

    fn questions(statement: &str) -> Result<Vec<String>, String> {
        calls(statement).map(|calls| calls.into_iter().map(|call| call.question).collect())
    }

    #[test]
    fn calls_become_questions() {
        for (statement, expected) in [
            ("SELECT 1", vec![]),
            ("SELECT 'correlate(1)', correlate FROM logs", vec![]),
            (
                "SELECT * FROM correlate('panics', 'network saturation', '5m')",
                vec!["panics within 5m of network saturation"],
            ),
            (
                "SELECT * FROM Correlate ( 'panics' , 'deploys','1h after', 'anywhere') AS c",
                vec!["panics within 1h after deploys anywhere"],
            ),
            (
                r#"SELECT * FROM correlate('"it\'s \\ out" within 5m of {Body = \'x\'}')"#,
                vec![r#""it's \ out" within 5m of {Body = 'x'}"#],
            ),
            ("SELECT * FROM correlate('a') UNION ALL SELECT * FROM correlate('b')", vec!["a", "b"]),
        ] {
            assert_eq!(
                questions(statement),
                Ok(expected.into_iter().map(str::to_owned).collect()),
                "{statement}"
            );
        }
        for wrong in
            ["correlate()", "correlate(Host)", "correlate('a', 'b')", "correlate('a', 5)", "correlate('a'"]
        {
            assert!(questions(&format!("SELECT * FROM {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tables_take_the_place_of_calls() {
        let statement = "SELECT * FROM correlate('a') AS x, correlate('b')";
        let found = calls(statement).unwrap_or_default();
        let by = ["one", "two"];
        assert_eq!(replaced(statement, &found, |number| by[number]), "SELECT * FROM one AS x, two");
    }
}
