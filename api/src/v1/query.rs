//! `POST /api/v1/query`: a question, or SQL.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use hyper::header::HeaderValue;
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{AdditionalProperties, AnyOfBuilder, ArrayBuilder, ObjectBuilder},
    },
};

use super::{
    extract::{Input, Json},
    reply::{self, FOUND_HEADER, MATCHED_HEADER},
    state::Shared,
};
use crate::{Ask, Problem, Reply, problem::PostProblems};

/// A question's answer. What other keys it has depends on its form.
#[derive(ToSchema)]
#[allow(dead_code, reason = "what the document says about an answer")]
pub struct Answer {
    /// Its form.
    form: AnswerForm,
    /// As it was asked.
    question: String,
    /// The one sentence.
    sentence: String,
    /// How many of the events that were asked for matched.
    matched: u64,
    /// What else a reader must know, each a sentence.
    notes: Vec<String>,
    /// Whether the list is shorter than what matched.
    truncated: bool,
    /// Matches, or rows, and figures.
    #[serde(flatten)]
    more: Value,
}

/// Forms of answers.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "what the document says about an answer")]
pub enum AnswerForm {
    /// Events with their partners.
    Matches,
    /// What precedes a set's events.
    Preceding,
    /// What machines with a set's events have in common.
    Distinguishing,
    /// Whether events became rarer.
    Changed,
    /// Which messages there are.
    Messages,
    /// Machines that said nothing.
    Silence,
}

/// What `POST /api/v1/query` gives as JSON: a question's answer, SQL's rows in the format `json`, or whatever the format
/// is that a statement names itself.
pub enum JsonReply {}

impl PartialSchema for JsonReply {
    fn schema() -> RefOr<Schema> {
        let any = || ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true)));
        AnyOfBuilder::new()
            .item(Ref::from_schema_name(Answer::name()))
            .item(ArrayBuilder::new().items(any()))
            .item(any())
            .into()
    }
}

impl ToSchema for JsonReply {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Answer::name().into_owned(), Answer::schema()));
        Answer::schemas(schemas);
    }
}

impl Input for Ask {
    const WANTED: &'static str = "{\"question\": …} or {\"sql\": …}";
}

/// Answers a question, or runs a statement that reads.
///
/// A question's answer is one object; with `explain` it is a text. Rows of SQL come as they are found, in `format`, or
/// in the statement's own `FORMAT`. Rows that nobody reads for a minute break off.
#[utoipa::path(post, path = "/api/v1/query", tag = "query", request_body = Ask, responses(
    (
        status = 200,
        description = "The answer, or the rows.",
        headers(
            ("lastwords-matched" = u64, description = "Of a question: how many of the events that were asked for matched."),
            ("lastwords-found" = bool, description = "Of SQL: whether there are rows."),
        ),
        content(
            (JsonReply = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
            (String = "text/plain"),
            (Vec<u8> = "application/octet-stream"),
        ),
    ),
    PostProblems,
))]
pub(super) async fn query(
    State(shared): State<Arc<Shared>>,
    Json(ask): Json<Ask>,
) -> Result<Response, Problem> {
    Ok(match shared.service.ask(&ask).await? {
        Reply::Answer(answer) => {
            let mut response = reply::document(&answer)?;
            response.headers_mut().insert(MATCHED_HEADER, HeaderValue::from(answer.matched()));
            response
        }
        Reply::Explanation(text) => reply::streamed("text/plain; charset=utf-8", text),
        Reply::Rows(rows) => {
            let mut response = reply::streamed(&rows.content_type, rows.chunks);
            let found = HeaderValue::from_static(if rows.found { "true" } else { "false" });
            response.headers_mut().insert(FOUND_HEADER, found);
            response
        }
    })
}

#[cfg(test)]
mod tests {
    use lastwords_query::Answer;

    use super::*;

    #[test]
    fn the_document_names_every_form_of_an_answer() {
        // Whoever adds a form adds it here and there.
        let known = |answer: &Answer| match answer {
            Answer::Matches(_) => AnswerForm::Matches,
            Answer::Preceding(_) => AnswerForm::Preceding,
            Answer::Distinguishing(_) => AnswerForm::Distinguishing,
            Answer::Changed(_) => AnswerForm::Changed,
            Answer::Messages(_) => AnswerForm::Messages,
            Answer::Silence(_) => AnswerForm::Silence,
        };
        let _ = known;
        let schema = serde_json::to_value(<AnswerForm as PartialSchema>::schema()).unwrap();
        let forms: Vec<String> = serde_json::from_value(schema["enum"].clone()).unwrap();
        for form in forms {
            // A form that is none is refused by its name, another for what it lacks.
            let text = format!("{{\"form\":\"{form}\"}}");
            let error = serde_json::from_str::<Answer>(&text).unwrap_err().to_string();
            assert!(error.contains("missing field"), "{form}: {error}");
        }
    }
}
