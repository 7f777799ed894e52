//! How requests are read: within bounds of bytes and time, and strictly.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Query, Request},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{body::Body as _, http::request::Parts};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::{
    Problem,
    access::{Denied, Door, declares_json},
    status::Kind,
};

/// A request's body may have so many bytes.
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// And may take so long to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// What a resource takes.
pub(crate) trait Input: DeserializeOwned {
    /// What errors call it.
    const WANTED: &'static str;
}

/// A body of JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: Input, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Json<T>, Problem> {
        declares_json(request.headers())?;
        let bytes = read_body(REQUEST_TIMEOUT, request.into_body()).await?;
        let read = serde_json::from_slice(&bytes);
        read.map(Json).map_err(|error| {
            let kind = match error.classify() {
                Category::Data => Kind::Invalid,
                Category::Io | Category::Syntax | Category::Eof => Kind::Malformed,
            };
            Problem::new(kind, format!("wanted {}: {error}", T::WANTED))
        })
    }
}

/// Parameters behind the path.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: Input, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Parameters<T>, Problem> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        read.map(|Query(parameters)| Parameters(parameters)).map_err(|rejection| {
            Problem::new(Kind::Malformed, format!("wanted {}: {}", T::WANTED, rejection.body_text()))
        })
    }
}

/// What changes the store or brings rules along comes in by the socket in the data folder, which its owner alone reaches.
pub(super) struct OwnerOnly;

impl<S: Sync> FromRequestParts<S> for OwnerOnly {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<OwnerOnly, Problem> {
        match parts.extensions.get::<Door>() {
            Some(Door::Socket) => Ok(OwnerOnly),
            Some(Door::Tcp(_)) | None => Err(Denied::SocketOnly(parts.uri.path().to_owned()).into()),
        }
    }
}

/// The whole body, within its bounds of bytes and time.
async fn read_body(patience: Duration, body: Body) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("wanted a body of at most {REQUEST_BYTES_MAX} bytes, found more");
        Problem::new(Kind::BodyTooLarge, detail)
    };
    if body.size_hint().lower() > REQUEST_BYTES_MAX as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(patience, Limited::new(body, REQUEST_BYTES_MAX).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => {
            Err(Problem::new(Kind::Malformed, format!("the request's body cannot be read: {error}")))
        }
        Err(_) => {
            let detail = format!("wanted the body within {} s", patience.as_secs());
            Err(Problem::new(Kind::RequestTimeout, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::response::IntoResponse as _;
    use hyper::header;

    use super::*;

    #[tokio::test]
    async fn bodies_are_bounded_in_bytes_and_time() {
        let hour = Duration::from_secs(3_600);
        let whole = Bytes::from_static(b"{}");
        assert_eq!(read_body(hour, Body::from(whole.clone())).await.unwrap(), whole);
        let large = Body::from(vec![b' '; REQUEST_BYTES_MAX + 1]);
        assert_eq!(read_body(hour, large).await.unwrap_err().kind, Kind::BodyTooLarge);
        let endless = tokio_stream::iter(std::iter::repeat_with(|| {
            Ok::<_, Infallible>(Bytes::from_static(&[b' '; 4096]))
        }));
        let streamed = read_body(hour, Body::from_stream(endless)).await.unwrap_err();
        assert_eq!(streamed.kind, Kind::BodyTooLarge);
        let never = Body::from_stream(tokio_stream::pending::<Result<Bytes, Infallible>>());
        let late = read_body(Duration::from_millis(1), never).await.unwrap_err();
        assert_eq!(late.kind, Kind::RequestTimeout);
        for problem in [streamed, late] {
            let response = problem.into_response();
            assert_eq!(response.headers().get(header::CONNECTION).unwrap(), "close");
        }
    }
}
