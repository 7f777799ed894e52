//! Where requests come in: TCP, and the socket in the data folder.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
};

use lastwords_runtime::http::serve_http;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

pub use lastwords_runtime::http::Listener;

use crate::{access::Door, v1::Api};

/// Binds a unix socket for its owner alone, taking the place of one left behind by a process that was killed.
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
    let listener = UnixListener::bind(path)?;
    // Nobody else could reach it before: its folder is its owner's alone.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until `shutdown`, then lets open requests end.
pub async fn serve(listener: Listener, api: Arc<Api>, shutdown: CancellationToken) {
    let door = door(&listener);
    if let Door::Tcp(address) = door
        && !address.ip().is_loopback()
    {
        tracing::warn!(
            %address,
            "insecure: nobody is asked for a password over HTTP; whoever reaches the port can read everything"
        );
    }
    let answer = move |request| {
        let api = Arc::clone(&api);
        async move { api.answer(door, request).await }
    };
    serve_http(listener, answer, shutdown).await;
}

fn door(listener: &Listener) -> Door {
    match listener {
        Listener::Unix(_) => Door::Socket,
        // Without an address nobody is known but the configured names.
        Listener::Tcp(listener) => {
            Door::Tcp(listener.local_addr().unwrap_or_else(|_| SocketAddr::from((Ipv4Addr::BROADCAST, 0))))
        }
    }
}
