//! Requests of ClickHouse's HTTP protocol, handed to the engine's handler as they are: for a front that has checked
//! who asks and what for.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Incoming};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use thiserror::Error;

use super::{memory, socket};

/// Why a request got no answer.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum ForwardError {
    #[error(
        "wanted the engine of a data folder to forward to, found a server: its clients reach it themselves"
    )]
    Remote,
    #[error("the engine does not answer: {0}; ask again")]
    Unreachable(#[source] legacy::Error),
}

pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;
type ForwardBody = UnsyncBoxBody<Bytes, Failure>;

/// The way of forwarded requests; its connections are not those of the store's own statements.
#[derive(Clone)]
pub(super) enum Forward {
    /// The engine in this process.
    Memory(legacy::Client<memory::Connector, ForwardBody>),
    /// The engine in a process of its own.
    Socket(legacy::Client<socket::Connector, ForwardBody>),
}

impl Forward {
    pub(super) fn memory(connector: memory::Connector) -> Forward {
        Forward::Memory(legacy::Client::builder(TokioExecutor::new()).build(connector))
    }

    pub(super) fn socket(connector: socket::Connector) -> Forward {
        Forward::Socket(legacy::Client::builder(TokioExecutor::new()).build(connector))
    }

    /// Sends a request as it is, but for its address.
    pub(super) async fn send<B>(&self, request: Request<B>) -> Result<Response<Incoming>, ForwardError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Failure>,
    {
        let (mut parts, body) = request.into_parts();
        parts.uri = addressed(parts.uri);
        parts.version = hyper::Version::HTTP_11;
        let request = Request::from_parts(parts, body.map_err(Into::into).boxed_unsync());
        match self {
            Forward::Memory(client) => client.request(request).await,
            Forward::Socket(client) => client.request(request).await,
        }
        .map_err(ForwardError::Unreachable)
    }
}

/// The path and query at the engine: a server's requests come without scheme and authority.
fn addressed(uri: Uri) -> Uri {
    let mut parts = uri.into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(Authority::from_static("engine"));
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    // All three are there, so this cannot fail.
    Uri::from_parts(parts).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_uri_of_a_request_is_addressed_to_the_engine() {
        for (uri, expected) in [
            ("/?query=SELECT%201", "http://engine/?query=SELECT%201"),
            ("/ping", "http://engine/ping"),
            ("http://elsewhere:8123/x?y", "http://engine/x?y"),
            ("elsewhere:80", "http://engine/"),
        ] {
            assert_eq!(addressed(uri.parse().unwrap()).to_string(), expected);
        }
    }
}
