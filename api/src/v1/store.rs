//! `GET /api/v1/store`: what is in the store.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{reply, state::Shared};
use crate::{Problem, problem::GetProblems};

/// What there is to know about the store at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contents {
    /// Version of its schema.
    pub schema: u32,
    /// Batches in quarantine.
    pub quarantined: u64,
    /// Batches of which the last audit found records missing.
    #[serde(default)]
    pub missing_batches: u64,
    /// When that was, seconds since 1970; 0: never.
    #[serde(default)]
    pub audited_s: u32,
    /// Parts that the engine has set aside as broken.
    #[serde(default)]
    pub broken_parts: u64,
}

impl From<lastwords_store::Contents> for Contents {
    fn from(contents: lastwords_store::Contents) -> Contents {
        let lastwords_store::Contents { schema, quarantined, missing_batches, audited_s, broken_parts } =
            contents;
        Contents { schema, quarantined, missing_batches, audited_s, broken_parts }
    }
}

impl From<Contents> for lastwords_store::Contents {
    fn from(contents: Contents) -> lastwords_store::Contents {
        let Contents { schema, quarantined, missing_batches, audited_s, broken_parts } = contents;
        lastwords_store::Contents { schema, quarantined, missing_batches, audited_s, broken_parts }
    }
}

/// What is in the store, at a glance.
#[utoipa::path(get, path = "/api/v1/store", tag = "store", responses(
    (status = 200, description = "What is in the store.", body = Contents),
    GetProblems,
))]
pub(super) async fn store(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    reply::document(&Contents::from(shared.service.contents().await?))
}
