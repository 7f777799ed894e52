//! `GET /api/v1/complete`: what may stand at a place of a question, for front ends.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use lastwords_query::language;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    extract::{Input, Parameters},
    reply,
    state::Shared,
};
use crate::{
    Problem,
    problem::{GetProblems, Place},
};

/// The question so far, and where the cursor is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parts {
    /// The question so far.
    #[serde(default)]
    q: String,
    /// The cursor's place in bytes [the end].
    at: Option<usize>,
}

impl Input for Parts {
    const WANTED: &'static str = "q, the question, and at, the cursor's place in bytes";
}

/// What may stand there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Completions {
    /// The bytes of the question that a candidate replaces.
    pub replace: Place,
    /// Candidates.
    pub candidates: Vec<Candidate>,
}

/// Something that may stand there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// What to put there.
    pub text: String,
    /// What it is.
    pub kind: CandidateKind,
    /// The class that a name stands for, or an example of a clause.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
}

/// What a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CandidateKind {
    /// A word of the language.
    Keyword,
    /// A saved set.
    Set,
    /// A class or one of its names.
    Class,
    /// A label of hosts.
    Label,
}

impl From<language::Completions> for Completions {
    fn from(found: language::Completions) -> Completions {
        let candidates = found.candidates.into_iter().map(Candidate::from).collect();
        Completions { replace: found.replace.into(), candidates }
    }
}

impl From<language::Candidate> for Candidate {
    fn from(candidate: language::Candidate) -> Candidate {
        let kind = match candidate.kind {
            language::Kind::Keyword => CandidateKind::Keyword,
            language::Kind::Set => CandidateKind::Set,
            language::Kind::Class => CandidateKind::Class,
            language::Kind::Label => CandidateKind::Label,
        };
        Candidate { text: candidate.text, kind, help: candidate.help }
    }
}

/// What may stand at a place of a question.
#[utoipa::path(get, path = "/api/v1/complete", tag = "query", params(Parts), responses(
    (status = 200, description = "What may stand there.", body = Completions),
    GetProblems,
))]
pub(super) async fn complete(
    State(shared): State<Arc<Shared>>,
    Parameters(parts): Parameters<Parts>,
) -> Result<Response, Problem> {
    let found = shared.service.complete(&parts.q, parts.at).await?;
    reply::document(&Completions::from(found))
}
