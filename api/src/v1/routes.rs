//! Which resource answers at which path and to which method: as the document says, which takes both from the resources.

use std::sync::Arc;

use axum::{
    Router,
    handler::Handler,
    response::{IntoResponse as _, Response},
    routing::{MethodFilter, on},
};
use hyper::{Method, StatusCode, Uri};
use utoipa::{Path, openapi::HttpMethod};

use super::{complete, health, openapi, quarantine, query, rescan, root, state::Shared, store};
use crate::{Problem, status::Kind};

/// Every resource under the path and the methods that the document says.
pub(super) fn routes() -> Router<Arc<Shared>> {
    let router = Router::new();
    let router = add::<root::__path_about, _, _>(router, root::about);
    let router = add::<query::__path_query, _, _>(router, query::query);
    let router = add::<complete::__path_complete, _, _>(router, complete::complete);
    let router = add::<store::__path_store, _, _>(router, store::store);
    let router = add::<quarantine::__path_quarantine, _, _>(router, quarantine::quarantine);
    let router = add::<rescan::__path_rescan, _, _>(router, rescan::rescan);
    let router = add::<health::__path_healthz, _, _>(router, health::healthz);
    let router = add::<health::__path_readyz, _, _>(router, health::readyz);
    let router = add::<health::__path_metrics, _, _>(router, health::metrics);
    let router = add::<openapi::__path_openapi, _, _>(router, openapi::openapi);
    router.method_not_allowed_fallback(other_method).fallback(no_resource)
}

fn add<P, H, T>(router: Router<Arc<Shared>>, handler: H) -> Router<Arc<Shared>>
where
    P: Path,
    H: Handler<T, Arc<Shared>>,
    T: 'static,
{
    let mut methods = P::methods().into_iter().map(filter);
    let Some(first) = methods.next() else { return router };
    router.route(&P::path(), on(methods.fold(first, MethodFilter::or), handler))
}

fn filter(method: HttpMethod) -> MethodFilter {
    match method {
        HttpMethod::Get => MethodFilter::GET,
        HttpMethod::Post => MethodFilter::POST,
        HttpMethod::Put => MethodFilter::PUT,
        HttpMethod::Delete => MethodFilter::DELETE,
        HttpMethod::Options => MethodFilter::OPTIONS,
        HttpMethod::Head => MethodFilter::HEAD,
        HttpMethod::Patch => MethodFilter::PATCH,
        HttpMethod::Trace => MethodFilter::TRACE,
    }
}

/// Where no resource is.
async fn no_resource(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new(
        Kind::NotFound,
        format!("there is no {path:?} here: GET / says where what there is is described"),
    )
}

/// Where a resource does not take the method; which ones it takes is said in front.
async fn other_method(method: Method, uri: Uri) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let path: String = uri.path().chars().take(200).collect();
    let detail = format!("{path} does not take {method}: Allow says what it takes");
    Problem::new(Kind::MethodNotAllowed, detail).into_response()
}
