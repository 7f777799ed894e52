//! Questions and SQL, answered by a store at hand or by a running `up`.

use std::{collections::HashMap, pin::Pin, sync::Arc};

use bytes::Bytes;
use jiff::tz::TimeZone;
use lastwords_query::{AskError, AskOptions, Attributes, ErrorClass, Look, language::Vocabulary};
use lastwords_store::{Lane, Store};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};

use crate::{outcome::UsageError, output::Format};

/// What is asked: the body of `POST /api/v1/query`. Exactly one of `question` and `sql` is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// A question in the language of questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// One SELECT or WITH statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// At most so many matches are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Time zone of the asker [UTC].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Form of SQL's rows [jsonl].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Do not answer the question, but say how it is understood and what it makes of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<bool>,
    /// Also word the answer to a question for a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render: Option<Render>,
}

/// What questions may name beside classes: saved sets, and hosts' labels from configuration.
#[derive(Debug, Clone)]
pub struct Known {
    /// Names.
    pub vocabulary: Arc<Vocabulary>,
    /// Labels by host.
    pub labels: Arc<HashMap<String, Attributes>>,
    /// Memory that a question may take; none: the default.
    pub memory_bytes_max: Option<u64>,
}

impl Default for Known {
    fn default() -> Known {
        Known {
            vocabulary: Arc::new(lastwords_query::vocabulary().clone()),
            labels: Arc::default(),
            memory_bytes_max: None,
        }
    }
}

impl Known {
    /// How a question is asked that may name these.
    #[must_use]
    pub fn options(&self, time_zone: TimeZone) -> AskOptions {
        let (vocabulary, labels) = (Arc::clone(&self.vocabulary), Arc::clone(&self.labels));
        let defaults = AskOptions::new(time_zone);
        let memory_bytes_max = self.memory_bytes_max.unwrap_or(defaults.memory_bytes_max);
        AskOptions { vocabulary, labels, memory_bytes_max, ..defaults }
    }
}

/// The terminal that an answer is worded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Render {
    /// Columns.
    pub width: usize,
    /// Whether it shows colours.
    pub colour: bool,
}

/// What came of asking.
pub struct Reply {
    /// MIME type of the body.
    pub content_type: &'static str,
    /// How many anchors of a question matched; none for SQL.
    pub matched: Option<u64>,
    /// The answer.
    pub body: Body,
}

/// An answer's bytes.
pub enum Body {
    /// All at once: a question's answer.
    Whole(Bytes),
    /// As they come: SQL's rows.
    Rows(Rows),
}

/// A stream of bytes that may break off.
pub type Rows = Pin<Box<dyn Stream<Item = Result<Bytes, Refusal>> + Send>>;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Whose fault it is.
    pub kind: RefusalKind,
    /// What was wanted, what was found, what to do; several lines where a place in the text is pointed at.
    pub message: String,
}

/// Whose fault it is that there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The asker's: the question cannot be understood or is not allowed.
    Usage,
    /// Ours.
    Failed,
}

impl Refusal {
    /// The asker must ask otherwise.
    #[must_use]
    pub fn usage(message: String) -> Refusal {
        Refusal { kind: RefusalKind::Usage, message }
    }

    /// We could not answer.
    #[must_use]
    pub fn failed(message: String) -> Refusal {
        Refusal { kind: RefusalKind::Failed, message }
    }
}

impl Render {
    fn look(self) -> Look {
        Look { width: self.width, colour: self.colour }
    }
}

impl Body {
    /// The whole of it.
    ///
    /// # Errors
    /// Where it breaks off.
    pub async fn collect(self) -> anyhow::Result<Vec<u8>> {
        match self {
            Body::Whole(bytes) => Ok(bytes.into()),
            Body::Rows(mut chunks) => {
                let mut whole = Vec::new();
                while let Some(chunk) = chunks.next().await {
                    whole.extend_from_slice(&chunk.map_err(usage_or_failure)?);
                }
                Ok(whole)
            }
        }
    }
}

/// A refusal as a command's error, with its exit code.
#[must_use]
pub fn usage_or_failure(refusal: Refusal) -> anyhow::Error {
    match refusal.kind {
        RefusalKind::Usage => UsageError(refusal.message).into(),
        RefusalKind::Failed => refusal.into(),
    }
}

/// Answers from a store at hand.
///
/// # Errors
/// Where the question is wrong or the store fails.
pub async fn reply(store: &Store, ask: &Ask, known: &Known) -> Result<Reply, Refusal> {
    match (&ask.question, &ask.sql) {
        (Some(question), None) => answer(store, question, ask, known).await,
        (None, Some(sql)) => rows(store, sql, ask, known).await,
        _ => Err(Refusal::usage("wanted exactly one of `question` and `sql`".to_owned())),
    }
}

fn options(ask: &Ask, known: &Known) -> Result<AskOptions, Refusal> {
    let zone = ask.time_zone.as_deref().unwrap_or("UTC");
    let time_zone = TimeZone::get(zone).map_err(|_| {
        Refusal::usage(format!(
            "time_zone: wanted a name of the time zone database such as Europe/Berlin, found {zone:?}"
        ))
    })?;
    Ok(AskOptions { limit: ask.limit, ..known.options(time_zone) })
}

async fn answer(store: &Store, question: &str, ask: &Ask, known: &Known) -> Result<Reply, Refusal> {
    let options = options(ask, known)?;
    let store = &store.in_lane(Lane::Question);
    if ask.explain == Some(true) {
        let explained =
            lastwords_query::explain(store, question, &options).await.map_err(|error| refusal(&error))?;
        let body = Body::Whole(explained.into());
        return Ok(Reply { content_type: "text/plain; charset=utf-8", matched: None, body });
    }
    let answer = lastwords_query::ask(store, question, &options).await.map_err(|error| refusal(&error))?;
    let matched = answer.matched();
    let mut document = serde_json::to_vec(&answer).map_err(|error| Refusal::failed(error.to_string()))?;
    if let Some(render) = ask.render {
        // The wording joins the object as its last key.
        let rendered = lastwords_query::render(&answer, &render.look());
        let rendered =
            serde_json::to_string(&rendered).map_err(|error| Refusal::failed(error.to_string()))?;
        if document.pop() == Some(b'}') {
            document.extend_from_slice(b",\"rendered\":");
            document.extend_from_slice(rendered.as_bytes());
            document.push(b'}');
        }
    }
    Ok(Reply { content_type: "application/json", matched: Some(matched), body: Body::Whole(document.into()) })
}

async fn rows(store: &Store, sql: &str, ask: &Ask, known: &Known) -> Result<Reply, Refusal> {
    let options = options(ask, known)?;
    let format = ask.format.unwrap_or(Format::Jsonl);
    let (clickhouse_format, content_type) = match format {
        Format::Table => ("PrettyCompactNoEscapes", "text/plain; charset=utf-8"),
        Format::Jsonl => ("JSONEachRow", "application/x-ndjson"),
        Format::Json => ("JSONEachRow", "application/json"),
        Format::Csv => ("CSVWithNames", "text/csv; charset=utf-8"),
    };
    let store = &store.in_lane(Lane::Asker);
    let rows = lastwords_query::sql(store, sql, clickhouse_format, &options)
        .await
        .map_err(|error| refusal(&error))?;
    // A statement that says FORMAT itself has its rows as they come.
    let (content_type, array) = match rows.stated_format() {
        Some(stated) if stated.starts_with("JSON") => ("application/json", None),
        Some(_) => ("application/octet-stream", None),
        None => (content_type, (format == Format::Json).then(Array::default)),
    };
    Ok(Reply { content_type, matched: None, body: Body::Rows(Box::pin(stream(rows, array))) })
}

/// Rows that wait for the engine, asked for one chunk ahead at most.
fn stream(
    mut rows: lastwords_query::Rows,
    mut array: Option<Array>,
) -> impl Stream<Item = Result<Bytes, Refusal>> + Send + use<> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let next = tokio::select! {
                // Where nobody waits any more, the statement is cancelled with its rows.
                () = sender.closed() => return,
                next = rows.next() => next,
            };
            let chunk = match (next, &mut array) {
                (Ok(Some(chunk)), None) => Ok(chunk),
                (Ok(Some(chunk)), Some(array)) => Ok(array.push(&chunk)),
                (Ok(None), None) => return,
                (Ok(None), Some(array)) => {
                    // Nobody may read on; then there is nobody to tell.
                    let _ = sender.send(Ok(array.finish())).await;
                    return;
                }
                (Err(error), _) => Err(refusal(&error)),
            };
            let ended = chunk.is_err();
            if sender.send(chunk).await.is_err() || ended {
                return;
            }
        }
    });
    ReceiverStream::new(receiver)
}

/// One JSON array out of lines of objects, which come in pieces.
#[derive(Debug, Default)]
struct Array {
    begun: bool,
    /// An object has ended; whether another follows is not known yet.
    between: bool,
}

impl Array {
    fn push(&mut self, chunk: &[u8]) -> Bytes {
        let mut text = Vec::with_capacity(chunk.len() + 16);
        for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
            if !self.begun {
                text.extend_from_slice(b"[\n");
                self.begun = true;
            }
            if std::mem::take(&mut self.between) {
                text.extend_from_slice(b",\n");
            }
            let object = piece.strip_suffix(b"\n");
            self.between = object.is_some();
            text.extend_from_slice(object.unwrap_or(piece));
        }
        text.into()
    }

    fn finish(&mut self) -> Bytes {
        Bytes::from_static(if self.begun { b"\n]\n" } else { b"[\n]\n" })
    }
}

fn refusal(error: &AskError) -> Refusal {
    match error.class() {
        ErrorClass::Usage | ErrorClass::Unanswerable => Refusal::usage(error.to_string()),
        ErrorClass::TooLarge | ErrorClass::Unavailable | ErrorClass::Failed | ErrorClass::Cancelled => {
            Refusal::failed(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_objects_become_one_array_however_they_are_cut() {
        for lines in ["", "{\"a\":1}\n", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n"] {
            for size in 1..12 {
                let mut array = Array::default();
                let mut text = Vec::new();
                lines.as_bytes().chunks(size).for_each(|chunk| text.extend_from_slice(&array.push(chunk)));
                text.extend_from_slice(&array.finish());
                let document: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
                assert_eq!(document.len(), lines.lines().count(), "{size}: {lines}");
            }
        }
    }
}
