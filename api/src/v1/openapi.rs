//! `GET /api/v1/openapi.json`: the document of the API, made of the types of its resources.
//!
//! `docs/openapi.json` is a copy that a test compares with.

use axum::response::Response;
use utoipa::{OpenApi, openapi::OpenApi as Document};

use super::{complete, health, quarantine, query, reply, rescan, root, store};
use crate::{
    Problem,
    problem::{GetProblems, ProblemDocument},
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lastwords",
        description = "Answers questions that cross machines and time from the logs of a fleet.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        contact(),
    ),
    paths(
        root::about,
        query::query,
        complete::complete,
        store::store,
        quarantine::quarantine,
        rescan::rescan,
        health::healthz,
        health::readyz,
        health::metrics,
        openapi,
    ),
    components(schemas(ProblemDocument)),
    tags(
        (name = "query", description = "Questions and SQL."),
        (name = "store", description = "What is stored."),
        (name = "health", description = "How the process is."),
        (name = "about", description = "What this is."),
    ),
)]
struct Resources;

/// The document.
#[must_use]
pub fn document() -> Document {
    Resources::openapi()
}

/// This document.
#[utoipa::path(get, path = root::OPENAPI, tag = "about", responses(
    (status = 200, description = "OpenAPI 3.1.", body = Value),
    GetProblems,
))]
pub(super) async fn openapi() -> Result<Response, Problem> {
    reply::document(&document())
}
