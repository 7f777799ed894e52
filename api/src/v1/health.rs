//! `GET /healthz`, `/readyz`, `/metrics`: what the process tells about itself.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use hyper::{Method, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::state::Shared;
use crate::{Problem, problem::GetProblems, status::Kind};

/// Whether the process does its work.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// It takes in and answers.
    pub ready: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", responses(
    (status = 200, description = "It lives.", body = String, content_type = "text/plain"),
    GetProblems,
))]
pub(super) async fn healthz(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Response, Problem> {
    answer(&shared, &uri)
}

/// Whether the process takes in and answers.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    GetProblems,
    (status = 200, description = "It does.", body = Readiness),
    (status = 503, description = "It starts, ends, or cannot.", body = Readiness),
))]
pub(super) async fn readyz(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Response, Problem> {
    answer(&shared, &uri)
}

/// Counters and gauges in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, description = "Prometheus text.", body = String, content_type = "text/plain"),
    GetProblems,
))]
pub(super) async fn metrics(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Response, Problem> {
    answer(&shared, &uri)
}

fn answer(shared: &Shared, uri: &Uri) -> Result<Response, Problem> {
    let answered = shared.health.answer(&Method::GET, uri.path());
    let answered =
        answered.ok_or_else(|| Problem::new(Kind::NotFound, "wanted /healthz, /readyz or /metrics"))?;
    Ok(answered.map(Body::new))
}
