//! `POST /api/v1/quarantine`: batches that were set aside.

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
    quarantine::{Act, Done},
};

impl Input for Act {
    const WANTED: &'static str = "{\"action\": \"list\"}, or show, retry or drop with \"batch\"";
}

/// Lists, shows, retries or drops batches that were set aside. On the socket in the data folder only.
#[utoipa::path(post, path = "/api/v1/quarantine", tag = "store", request_body = Act, responses(
    (status = 200, description = "What came of it.", body = Done),
    PostProblems,
))]
pub(super) async fn quarantine(
    State(shared): State<Arc<Shared>>,
    _owner: OwnerOnly,
    Json(act): Json<Act>,
) -> Result<Response, Problem> {
    reply::document(&shared.service.quarantine(&act).await?)
}
