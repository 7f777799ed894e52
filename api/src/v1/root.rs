//! `GET /`: what this is.

use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::reply;
use crate::{Problem, problem::GetProblems};

/// Where the document of the API is.
pub const OPENAPI: &str = "/api/v1/openapi.json";

/// What answers here.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct About {
    /// `lastwords`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is for.
    pub description: String,
    /// Where the document of this API is, from here.
    pub openapi: String,
    /// Where the manual is.
    pub documentation: String,
}

/// What this is, and where it is described.
#[utoipa::path(get, path = "/", tag = "about", responses(
    (status = 200, description = "What answers here.", body = About),
    GetProblems,
))]
pub(super) async fn about() -> Result<Response, Problem> {
    reply::document(&About {
        name: "lastwords".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        description: "answers questions that cross machines and time from the logs of a fleet".to_owned(),
        openapi: OPENAPI.to_owned(),
        documentation: concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/cli.md#http-api-of-up")
            .to_owned(),
    })
}
