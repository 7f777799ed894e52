//! Why there is no answer, as `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).

use std::{collections::BTreeMap, ops::Range};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use hyper::{
    StatusCode,
    header::{self, HeaderValue},
};
use lastwords_query::{AskError, ErrorClass};
use lastwords_store::QueryError;
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder},
};

use crate::{
    access::Denied,
    status::{Kind, TABLE},
};

/// The type of a problem's document.
pub const CONTENT_TYPE: &str = "application/problem+json";
/// After so many seconds it is worth another attempt: the engine is there again, or less is asked.
const RETRY_AFTER_SECONDS: u16 = 5;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// What went wrong.
    pub kind: Kind,
    /// What was wanted, what was found, what to do; several lines where a place in the text is pointed at.
    pub detail: String,
    /// Where in the question or the statement.
    pub place: Option<Place>,
}

/// Bytes of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// The first one.
    pub start: usize,
    /// The one behind the last.
    pub end: usize,
}

impl From<Range<usize>> for Place {
    fn from(bytes: Range<usize>) -> Place {
        Place { start: bytes.start, end: bytes.end }
    }
}

/// A problem as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// The status's name.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What went wrong.
    pub kind: Kind,
    /// What was wanted, what was found, what to do.
    pub detail: String,
    /// Where in the question or the statement, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Problem {
    /// A problem without a place.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem { kind, detail: detail.into(), place: None }
    }

    /// It failed here.
    #[must_use]
    pub fn failed(error: impl ToString) -> Problem {
        Problem::new(Kind::Failed, error.to_string())
    }

    /// The document that says it.
    #[must_use]
    pub fn document(&self) -> ProblemDocument {
        let status = self.kind.status();
        ProblemDocument {
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            kind: self.kind,
            detail: self.detail.clone(),
            place: self.place,
        }
    }
}

impl From<ProblemDocument> for Problem {
    fn from(document: ProblemDocument) -> Problem {
        Problem { kind: document.kind, detail: document.detail, place: document.place }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Problem {
        Problem::new(denied.kind(), denied.to_string())
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Problem {
        let kind = match error.class() {
            ErrorClass::Usage => Kind::NotUnderstood,
            ErrorClass::Unanswerable => Kind::Unanswerable,
            ErrorClass::TooLarge => Kind::BeyondLimits,
            ErrorClass::Unavailable => Kind::Unavailable,
            ErrorClass::Failed | ErrorClass::Cancelled => Kind::Failed,
        };
        let detail = error.to_string();
        let place = match error {
            AskError::Syntax(syntax) => Some(syntax.place.into()),
            _ => None,
        };
        Problem { kind, detail, place }
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Problem {
        // As where a question meets it, but said as it is.
        let detail = error.to_string();
        Problem { detail, ..Problem::from(AskError::from(error)) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        // A structure of texts and numbers can be written.
        let text = serde_json::to_string(&self.document()).unwrap_or_default();
        let mut response = Response::new(Body::from(text + "\n"));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if matches!(self.kind, Kind::RequestTimeout | Kind::BodyTooLarge) {
            // What is left of the body is not waited for.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        tracing::debug!(status = status.as_u16(), "an HTTP request is not answered");
        response
    }
}

/// What may be said instead of an answer to a request without a body, for the document of the API.
pub enum GetProblems {}

/// What may be said instead of an answer to a request with a body.
pub enum PostProblems {}

type Responses = BTreeMap<String, RefOr<utoipa::openapi::Response>>;

impl IntoResponses for GetProblems {
    fn responses() -> Responses {
        responses(|kind| {
            !matches!(
                kind,
                Kind::RequestTimeout
                    | Kind::BodyTooLarge
                    | Kind::UnsupportedMediaType
                    | Kind::Invalid
                    | Kind::NotUnderstood
                    | Kind::Unanswerable
                    | Kind::BeyondLimits
            )
        })
    }
}

impl IntoResponses for PostProblems {
    fn responses() -> Responses {
        responses(|_| true)
    }
}

fn responses(concerns: impl Fn(Kind) -> bool) -> Responses {
    let mut descriptions = BTreeMap::<u16, Vec<&str>>::new();
    for class in TABLE.iter().filter(|class| concerns(class.kind)) {
        descriptions.entry(class.status.as_u16()).or_default().push(class.description);
    }
    let response = |descriptions: Vec<&str>| {
        let content =
            ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemDocument::name()))).build();
        let response = ResponseBuilder::new().description(descriptions.join(" "));
        RefOr::T(response.content(CONTENT_TYPE, content).build())
    };
    descriptions.into_iter().map(|(status, lines)| (status.to_string(), response(lines))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_read_back_as_it_was_sent() {
        let place = Some(Place { start: 7, end: 9 });
        let problem = Problem { place, ..Problem::new(Kind::NotUnderstood, "wanted a set, found of") };
        let text = serde_json::to_string(&problem.document()).unwrap();
        assert!(text.contains("\"status\":422") && text.contains("\"kind\":\"not_understood\""), "{text}");
        assert_eq!(Problem::from(serde_json::from_str::<ProblemDocument>(&text).unwrap()), problem);
    }

    #[test]
    fn whoever_is_to_come_again_is_told_when() {
        let response = Problem::new(Kind::Unavailable, "the engine is being started").into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(header::RETRY_AFTER));
        let passing = QueryError::Unreachable("no connection".to_owned());
        assert_eq!(Problem::from(passing).kind, Kind::Unavailable);
        assert_eq!(Problem::from(QueryError::Answer("cut".to_owned())).kind, Kind::Failed);
    }
}
