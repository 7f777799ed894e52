//! `POST /api/v1/rescan`: looks for events in what is stored.

use std::sync::Arc;

use axum::{extract::State, response::Response};

use super::{
    extract::{Input, Json, OwnerOnly},
    reply,
    state::Shared,
};
use crate::{
    Problem,
    problem::PostProblems,
    rescan::{Rescan, Step, lines},
};

impl Input for Rescan {
    const WANTED: &'static str = "{\"from_ns\": …, \"to_ns\": …}";
}

/// Looks for events in what is stored, and adds those that are missing. On the socket in the data folder only.
///
/// The reply is a stream of lines of JSON; the last one is `done`.
#[utoipa::path(post, path = "/api/v1/rescan", tag = "store", request_body = Rescan, responses(
    (status = 200, description = "Lines, as it goes on.", body = Step, content_type = "application/x-ndjson"),
    PostProblems,
))]
pub(super) async fn rescan(
    State(shared): State<Arc<Shared>>,
    _owner: OwnerOnly,
    Json(request): Json<Rescan>,
) -> Result<Response, Problem> {
    Ok(reply::streamed("application/x-ndjson", lines(shared.service.rescan(request)?)))
}
