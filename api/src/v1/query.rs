//! `POST /api/v1/query`: a question, or SQL.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use hyper::header::HeaderValue;
use lastwords_query::Reply as Answered;
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

/// What `POST /api/v1/query` gives as JSON: a question's answer, SQL's rows in the format `json`, or whatever the format
/// is that a statement names itself.
pub enum JsonReply {}

impl PartialSchema for JsonReply {
    fn schema() -> RefOr<Schema> {
        let any = || ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true)));
        AnyOfBuilder::new()
            .item(Ref::from_schema_name(Answered::name()))
            .item(ArrayBuilder::new().items(any()))
            .item(any())
            .into()
    }
}

impl ToSchema for JsonReply {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Answered::name().into_owned(), Answered::schema()));
        Answered::schemas(schemas);
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
