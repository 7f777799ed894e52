//! Where the API is served: on TCP, and on a unix socket in the data folder.

use std::{io, path::Path, sync::Arc};

use lastwords_ingester::http::serve_http;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

pub use lastwords_ingester::http::Listener;

use super::api::Api;

/// Binds a unix socket, taking the place of one left behind by a process that was killed.
///
/// Only the holder of the data folder's lock may call this.
///
/// # Errors
/// Where the socket cannot be bound.
pub fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(path)
}

/// Serves until `shutdown`, then lets open requests end.
pub async fn serve(listener: Listener, api: Arc<Api>, shutdown: CancellationToken) {
    let answer = move |request| {
        let api = Arc::clone(&api);
        async move { api.answer(request).await }
    };
    serve_http(listener, answer, shutdown).await;
}
