//! `lastwords query`: asks a store in a data folder, a running `up`, or a server elsewhere, and prints the answer.

use std::io::{self, Write};

use lastwords_api::{Ask, Reply, ask::collect, rows::Rows};
use lastwords_query::{Answer, Look, sql::is_sql};
use serde_json::{Value, json};
use tokio_stream::StreamExt as _;

use super::place::{self, Asked, Place};
use crate::{
    args::QueryArgs,
    config::{self, Flags},
    outcome::{Outcome, UsageError, printed},
    output::{self, Format},
};
use lastwords_config::environment;

/// A table lists so many matches unless told otherwise.
const TABLE_MATCHES: u64 = 20;

/// Runs the command.
///
/// # Errors
/// Where the question is wrong, or the store cannot be reached or fails.
pub async fn run(query: &QueryArgs) -> anyhow::Result<Outcome> {
    let format = Format::or_default(query.format.format);
    let ask = ask(query, format)?;
    if let Some(server) = &query.server {
        return print(place::server(server)?.ask(&ask).await?, format).await;
    }
    let config = config::load(&Flags::from(&query.place), &environment)?;
    let place = Place::of(&config, query.place.data.is_some(), "lastwords query").await?;
    let reply = match place.asked(&config) {
        Asked::Service(service) => service.ask(&ask).await?,
        Asked::Server(server) => server.ask(&ask).await?,
    };
    print(reply, format).await
}

fn ask(query: &QueryArgs, format: Format) -> anyhow::Result<Ask> {
    let text = query.text.join(" ");
    if text.trim().is_empty() {
        return Err(UsageError(
            "wanted a question such as 'panics within 5 minutes of network saturation'".into(),
        )
        .into());
    }
    let zone = config::time_zone("--time-zone", query.time_zone.as_deref(), &environment)
        .map_err(|error| UsageError(error.to_string()))?;
    let zone = zone.iana_name().unwrap_or("UTC").to_owned();
    if is_sql(&text) {
        if query.limit.is_some() {
            return Err(UsageError("--limit is for questions: SQL says LIMIT itself".to_owned()).into());
        }
        return Ok(Ask {
            sql: Some(text),
            format: Some(format.into()),
            time_zone: Some(zone),
            ..Ask::default()
        });
    }
    let table = format == Format::Table;
    Ok(Ask {
        explain: query.explain.then_some(true),
        question: Some(text),
        limit: query.limit.or(table.then_some(TABLE_MATCHES)),
        time_zone: Some(zone),
        ..Ask::default()
    })
}

async fn print(reply: Reply, format: Format) -> anyhow::Result<Outcome> {
    match reply {
        Reply::Explanation(text) => {
            printed(output::stdout().write_all(&collect(text).await?))?;
            Ok(Outcome::Done)
        }
        Reply::Answer(answer) => {
            print_answer(&answer, format)?;
            Ok(Outcome::found(answer.matched() > 0))
        }
        Reply::Rows(rows) => print_rows(rows).await,
    }
}

fn print_answer(answer: &lastwords_query::Reply, format: Format) -> anyhow::Result<()> {
    // What is drawn has been cleaned of what comes from logs, and may be coloured.
    let styled = format == Format::Table && output::colour();
    let screen = if styled { output::styled_stdout() } else { output::stdout() };
    let mut out = io::BufWriter::new(screen);
    match format {
        Format::Json => {
            // As it is made: an answer of very many matches is large.
            printed(serde_json::to_writer(&mut out, answer).map_err(io::Error::from))?;
            printed(writeln!(out))?;
        }
        Format::Table => {
            let look = Look { width: output::terminal_width(), colour: output::colour() };
            printed(writeln!(out, "{}", lastwords_query::render(answer, &look).trim_end()))?;
        }
        Format::Jsonl | Format::Csv => {
            let (columns, rows) = rows(answer, format)?;
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            printed(output::print_rows(&mut out, format, &columns, &rows))?;
        }
    }
    printed(out.flush())
}

/// An answer's matches or rows, and what of them stands in a CSV.
fn rows(answer: &lastwords_query::Reply, format: Format) -> anyhow::Result<(Vec<String>, Vec<Value>)> {
    if let Answer::Matches(answer) = &answer.answer {
        let matches: Vec<Value> =
            answer.matches.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        let flat = if format == Format::Csv { matches.iter().map(flat).collect() } else { matches };
        return Ok((CSV_COLUMNS.iter().map(|name| (*name).to_owned()).collect(), flat));
    }
    // Every other form is a table.
    let mut document = serde_json::to_value(answer)?;
    let mut taken = |key: &str| document.get_mut(key).map(Value::take).unwrap_or_default();
    Ok((serde_json::from_value(taken("columns"))?, serde_json::from_value(taken("rows"))?))
}

const CSV_COLUMNS: &[&str] = &[
    "class",
    "start",
    "end",
    "host",
    "guest",
    "title",
    "partners",
    "partner_class",
    "partner_start",
    "partner_end",
    "partner_host",
    "lag_seconds",
];

/// A match with its nearest partner, as one row.
fn flat(one: &Value) -> Value {
    let partners = one.get("partners").and_then(Value::as_array);
    let nearest = partners.and_then(|partners| partners.first()).cloned().unwrap_or_default();
    let mut row = json!({
        "partners": partners.map_or(0, Vec::len),
        "partner_class": nearest.get("class"),
        "partner_start": nearest.get("start"),
        "partner_end": nearest.get("end"),
        "partner_host": nearest.get("host"),
        "lag_seconds": nearest.get("lag_seconds"),
    });
    if let Some(row) = row.as_object_mut() {
        for key in ["class", "start", "end", "host", "guest", "title"] {
            row.insert(key.to_owned(), one.get(key).cloned().unwrap_or_default());
        }
    }
    row
}

async fn print_rows(mut rows: Rows) -> anyhow::Result<Outcome> {
    let mut out = io::BufWriter::new(output::stdout());
    while let Some(chunk) = rows.chunks.next().await {
        printed(out.write_all(&chunk?))?;
    }
    printed(out.flush())?;
    Ok(Outcome::found(rows.found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_is_flattened_with_its_nearest_partner() {
        let row = flat(&json!({"class": "kernel.panic", "host": "hv01", "partners": [
            {"class": "network.saturation.nic", "host": "hv01", "lag_seconds": 12.5}, {"lag_seconds": 99.0}]}));
        assert_eq!(row["partners"], 2);
        assert_eq!(row["lag_seconds"], 12.5);
        assert_eq!(row["class"], "kernel.panic");
        assert_eq!(row["guest"], Value::Null);
    }
}
