//! `lastwords query`: asks a store in a data folder, a running `up`, or a server elsewhere, and prints the answer.

use std::io::{self, Write};

use anyhow::Context as _;
use bytes::Bytes;
use lastwords_query::sql::is_sql;
use serde_json::{Value, json};
use tokio_stream::StreamExt as _;

use super::place::Place;
use crate::{
    args::QueryArgs,
    config::{self, Flags},
    http::client::Server,
    outcome::{Outcome, UsageError, printed},
    output::{self, Format},
    questions::{self, Ask, Body, Render, Reply},
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
        return print(Server::parse(server)?.ask(&ask).await?, &ask, format).await;
    }
    let config = config::load(&Flags::from(&query.place), &environment)?;
    let place = Place::of(&config, query.place.data.is_some(), "lastwords query").await?;
    let store = match &place {
        Place::Remote(store) => store,
        Place::Here(open) => &open.store,
        Place::There(server) => return print(server.ask(&ask).await?, &ask, format).await,
    };
    let reply = questions::reply(store, &ask, &config.known).await.map_err(questions::usage_or_failure)?;
    print(reply, &ask, format).await
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
        return Ok(Ask { sql: Some(text), format: Some(format), time_zone: Some(zone), ..Ask::default() });
    }
    let table = format == Format::Table;
    Ok(Ask {
        explain: query.explain.then_some(true),
        question: Some(text),
        limit: query.limit.or(table.then_some(TABLE_MATCHES)),
        time_zone: Some(zone),
        render: table.then(|| Render { width: output::terminal_width(), colour: output::colour() }),
        ..Ask::default()
    })
}

async fn print(reply: Reply, ask: &Ask, format: Format) -> anyhow::Result<Outcome> {
    if ask.explain == Some(true) {
        let explained = reply.body.collect().await?;
        printed(output::stdout().write_all(&explained))?;
        return Ok(Outcome::Done);
    }
    match reply.matched {
        Some(matched) if ask.question.is_some() => {
            print_answer(&reply.body.collect().await?, format)?;
            Ok(Outcome::found(matched > 0))
        }
        _ => print_rows(reply.body, format).await,
    }
}

fn print_answer(answer: &[u8], format: Format) -> anyhow::Result<()> {
    // The wording has cleaned what comes from logs, and may be coloured.
    let styled = format == Format::Table && output::colour();
    let screen = if styled { output::styled_stdout() } else { output::stdout() };
    let mut out = io::BufWriter::new(screen);
    if format == Format::Json {
        printed(out.write_all(answer).and_then(|()| writeln!(out)))?;
        return printed(out.flush());
    }
    let answer: Value = serde_json::from_slice(answer).context("the answer is not JSON")?;
    if format == Format::Table {
        let rendered =
            answer.get("rendered").and_then(Value::as_str).context("the answer came without its wording")?;
        printed(writeln!(out, "{}", rendered.trim_end()))?;
    } else {
        if let Some(rows) = answer.get("rows").and_then(Value::as_array) {
            let columns =
                answer.get("columns").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let columns: Vec<&str> = columns.iter().filter_map(Value::as_str).collect();
            printed(output::print_rows(&mut out, format, &columns, rows))?;
            return printed(out.flush());
        }
        let matches = answer.get("matches").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if format == Format::Csv {
            let rows: Vec<Value> = matches.iter().map(flat).collect();
            printed(output::print_rows(&mut out, format, CSV_COLUMNS, &rows))?;
        } else {
            printed(output::print_rows(&mut out, format, &[], matches))?;
        }
    }
    printed(out.flush())
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

async fn print_rows(body: Body, format: Format) -> anyhow::Result<Outcome> {
    let mut out = io::BufWriter::new(output::stdout());
    let mut seen = RowsSeen::new(format);
    match body {
        Body::Whole(bytes) => write_chunk(&mut out, &mut seen, &bytes)?,
        Body::Rows(mut chunks) => {
            while let Some(chunk) = chunks.next().await {
                write_chunk(&mut out, &mut seen, &chunk.map_err(questions::usage_or_failure)?)?;
            }
        }
    }
    printed(out.flush())?;
    Ok(Outcome::found(seen.any()))
}

fn write_chunk(out: &mut impl Write, seen: &mut RowsSeen, chunk: &Bytes) -> anyhow::Result<()> {
    seen.look(chunk);
    printed(out.write_all(chunk))
}

/// Tells from the printed bytes whether there was a row.
struct RowsSeen {
    format: Format,
    lines: usize,
    objects: bool,
}

impl RowsSeen {
    fn new(format: Format) -> RowsSeen {
        RowsSeen { format, lines: 0, objects: false }
    }

    fn look(&mut self, chunk: &[u8]) {
        // Past the header there is nothing more to learn.
        if self.lines < 2 {
            self.lines += chunk.iter().filter(|&&byte| byte == b'\n').count();
        }
        self.objects |= chunk.contains(&b'{');
    }

    fn any(&self) -> bool {
        match self.format {
            Format::Table | Format::Jsonl => self.lines > 0,
            Format::Json => self.objects,
            Format::Csv => self.lines > 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_from_empty_results() {
        let cases = [
            (Format::Jsonl, "", false),
            (Format::Jsonl, "{\"a\":1}\n", true),
            (Format::Json, "[\n\n]\n", false),
            (Format::Json, "[\n{\"a\":1}\n]\n", true),
            (Format::Csv, "\"a\"\n", false),
            (Format::Csv, "\"a\"\n1\n", true),
            (Format::Table, "", false),
        ];
        for (format, printed, expected) in cases {
            let mut seen = RowsSeen::new(format);
            printed.as_bytes().chunks(3).for_each(|chunk| seen.look(chunk));
            assert_eq!(seen.any(), expected, "{format} {printed:?}");
        }
    }

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
