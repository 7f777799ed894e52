//! Questions and SQL, answered by a store at hand or by a running `up`.

use std::pin::Pin;

use bytes::Bytes;
use lastwords_store::Store;
use serde::{Deserialize, Serialize};
use tokio_stream::{Stream, StreamExt as _};

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
    /// Also word the answer to a question for a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render: Option<Render>,
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

/// Whether a text is SQL: it begins with SELECT or WITH.
#[must_use]
pub fn is_sql(text: &str) -> bool {
    let word =
        text.trim_start().split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default();
    word.eq_ignore_ascii_case("select") || word.eq_ignore_ascii_case("with")
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
pub async fn reply(store: &Store, ask: &Ask) -> Result<Reply, Refusal> {
    match (&ask.question, &ask.sql) {
        (Some(_), None) => Err(Refusal::usage("x".into())),
        (None, Some(_)) => Err(Refusal::usage("x".into())),
        _ => Err(Refusal::usage("wanted exactly one of `question` and `sql`".to_owned())),
    }
}
