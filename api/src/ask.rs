//! A question, or SQL, and what comes of it.

use bytes::Bytes;
use jiff::tz::TimeZone;
use lastwords_query::AskOptions;
use lastwords_store::{Lane, Store};
use serde::{Deserialize, Serialize};
use tokio_stream::StreamExt as _;
use utoipa::ToSchema;

use crate::{
    Chunks, Problem, RowFormat,
    rows::{self, Rows},
    status::Kind,
};

/// What is asked. Exactly one of `question` and `sql` is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// A question in the language of questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "panics within 5 minutes of network saturation")]
    pub question: Option<String>,
    /// One statement that reads: SELECT, WITH, FROM, DESCRIBE or SHOW.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// At most so many matches are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Time zone of the asker, as the time zone database calls it; by default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Europe/Berlin")]
    pub time_zone: Option<String>,
    /// Form of SQL's rows; by default jsonl.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<RowFormat>,
    /// Do not answer the question, but say how it is understood and what it makes of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<bool>,
}

/// What came of asking.
pub enum Reply {
    /// A question's answer with its words.
    Answer(Box<lastwords_query::Reply>),
    /// How a question is understood: a text.
    Explanation(Chunks),
    /// SQL's rows.
    Rows(Rows),
}

/// A text that is there already.
pub(crate) fn whole(text: impl Into<Bytes>) -> Chunks {
    Box::pin(tokio_stream::once(Ok(text.into())))
}

/// All of a text.
///
/// # Errors
/// Where it breaks off.
pub async fn collect(mut chunks: Chunks) -> Result<Vec<u8>, Problem> {
    let mut text = Vec::new();
    while let Some(chunk) = chunks.next().await {
        text.extend_from_slice(&chunk?);
    }
    Ok(text)
}

/// Answers from a store at hand.
pub(crate) async fn reply(
    store: &Store,
    ask: &Ask,
    options: impl Fn(TimeZone) -> AskOptions,
) -> Result<Reply, Problem> {
    let options = AskOptions { limit: ask.limit, ..options(time_zone(ask)?) };
    match (&ask.question, &ask.sql) {
        (Some(question), None) => answer(&store.in_lane(Lane::Question), question, ask, &options).await,
        (None, Some(sql)) => {
            let format = ask.format.unwrap_or(RowFormat::Jsonl);
            Ok(Reply::Rows(rows::run(&store.in_lane(Lane::Asker), sql, format, &options).await?))
        }
        _ => Err(Problem::new(Kind::Invalid, "wanted exactly one of `question` and `sql`")),
    }
}

fn time_zone(ask: &Ask) -> Result<TimeZone, Problem> {
    let zone = ask.time_zone.as_deref().unwrap_or("UTC");
    TimeZone::get(zone).map_err(|_| {
        let wanted = "time_zone: wanted a name of the time zone database such as Europe/Berlin";
        Problem::new(Kind::Invalid, format!("{wanted}, found {zone:?}"))
    })
}

async fn answer(store: &Store, question: &str, ask: &Ask, options: &AskOptions) -> Result<Reply, Problem> {
    if ask.explain == Some(true) {
        return Ok(Reply::Explanation(whole(lastwords_query::explain(store, question, options).await?)));
    }
    Ok(Reply::Answer(Box::new(lastwords_query::ask(store, question, options).await?)))
}
