//! What can go wrong, and what that is over HTTP and on the command line: one table.

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The request cannot be read.
    Malformed,
    /// It may not be asked so, or not here.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// The path takes another method.
    MethodNotAllowed,
    /// The request did not come in time.
    RequestTimeout,
    /// The request's body is too large.
    BodyTooLarge,
    /// The request's path and query are too long.
    UriTooLong,
    /// The request's body is of another type.
    UnsupportedMediaType,
    /// The request is for another server.
    Misdirected,
    /// The request can be read, and lacks something or says too much.
    Invalid,
    /// The question or the statement cannot be understood, or is not allowed.
    NotUnderstood,
    /// It is understood, and there is nothing that it could be answered from.
    Unanswerable,
    /// To answer would take more than there is for it.
    BeyondLimits,
    /// The request's header lines are too long.
    HeadTooLarge,
    /// It failed here.
    Failed,
    /// It cannot be done now; it may be later.
    Unavailable,
}

/// How a program ends for which something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The asker has to ask otherwise.
    Usage,
    /// It failed.
    Failure,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Class {
    /// What went wrong.
    pub kind: Kind,
    /// The status that says it.
    pub status: StatusCode,
    /// How the command line ends.
    pub ending: Ending,
    /// For the document of the API.
    pub description: &'static str,
}

const fn class(kind: Kind, status: StatusCode, ending: Ending, description: &'static str) -> Class {
    Class { kind, status, ending, description }
}

/// Every kind once, by status.
pub const TABLE: &[Class] = &[
    class(Kind::Malformed, StatusCode::BAD_REQUEST, Ending::Usage, "The request cannot be read."),
    class(
        Kind::Forbidden,
        StatusCode::FORBIDDEN,
        Ending::Failure,
        "A page of another origin asks, or this is answered on the socket in the data folder only.",
    ),
    class(Kind::NotFound, StatusCode::NOT_FOUND, Ending::Failure, "There is no such thing."),
    class(
        Kind::MethodNotAllowed,
        StatusCode::METHOD_NOT_ALLOWED,
        Ending::Failure,
        "The path takes the methods of Allow.",
    ),
    class(
        Kind::RequestTimeout,
        StatusCode::REQUEST_TIMEOUT,
        Ending::Failure,
        "The request's body did not come in time.",
    ),
    class(
        Kind::BodyTooLarge,
        StatusCode::PAYLOAD_TOO_LARGE,
        Ending::Usage,
        "The request's body is too large.",
    ),
    class(Kind::UriTooLong, StatusCode::URI_TOO_LONG, Ending::Usage, "The path and query are too long."),
    class(
        Kind::UnsupportedMediaType,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Ending::Failure,
        "The request's body is not declared as application/json.",
    ),
    class(Kind::Misdirected, StatusCode::MISDIRECTED_REQUEST, Ending::Failure, "Host names another server."),
    class(
        Kind::Invalid,
        StatusCode::UNPROCESSABLE_ENTITY,
        Ending::Usage,
        "The request lacks something, or says too much.",
    ),
    class(
        Kind::NotUnderstood,
        StatusCode::UNPROCESSABLE_ENTITY,
        Ending::Usage,
        "The question or the statement cannot be understood, or is not allowed.",
    ),
    class(
        Kind::Unanswerable,
        StatusCode::UNPROCESSABLE_ENTITY,
        Ending::Usage,
        "There is nothing that the question could be answered from.",
    ),
    class(
        Kind::BeyondLimits,
        StatusCode::UNPROCESSABLE_ENTITY,
        Ending::Failure,
        "The answer would take more memory or time than there is for it.",
    ),
    class(
        Kind::HeadTooLarge,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Ending::Failure,
        "The header lines are too long.",
    ),
    class(Kind::Failed, StatusCode::INTERNAL_SERVER_ERROR, Ending::Failure, "It failed here."),
    class(
        Kind::Unavailable,
        StatusCode::SERVICE_UNAVAILABLE,
        Ending::Failure,
        "It cannot be done now; Retry-After says when to ask again.",
    ),
];

impl Kind {
    /// Its line of the table.
    #[must_use]
    pub fn class(self) -> Class {
        let found = TABLE.iter().find(|class| class.kind == self).copied();
        // A test looks for each.
        found.unwrap_or(class(self, StatusCode::INTERNAL_SERVER_ERROR, Ending::Failure, ""))
    }

    /// The status that says it.
    #[must_use]
    pub fn status(self) -> StatusCode {
        self.class().status
    }

    /// How the command line ends.
    #[must_use]
    pub fn ending(self) -> Ending {
        self.class().ending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_in_the_table_once_and_by_status() {
        // The words of the type's own schema are all its kinds.
        let schema = serde_json::to_value(<Kind as utoipa::PartialSchema>::schema()).unwrap();
        let kinds = schema["enum"].as_array().unwrap();
        assert_eq!(kinds.len(), TABLE.len());
        for kind in kinds {
            let kind: Kind = serde_json::from_value(kind.clone()).unwrap();
            assert_eq!(TABLE.iter().filter(|class| class.kind == kind).count(), 1, "{kind:?}");
            assert!(!kind.class().description.is_empty(), "{kind:?}");
        }
        assert!(TABLE.iter().map(|class| class.status.as_u16()).is_sorted());
    }

    #[test]
    fn only_what_the_asker_can_say_otherwise_is_a_usage_error() {
        for class in TABLE.iter().filter(|class| class.ending == Ending::Usage) {
            assert!(class.status.is_client_error(), "{class:?}");
        }
        assert_eq!(Kind::BeyondLimits.ending(), Ending::Failure);
    }
}
