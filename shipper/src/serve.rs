//! `/metrics`, `/healthz` and `/readyz` of a shipper that is a process of its own.

use std::net::SocketAddr;

use lastwords_runtime::{health::serve_health, now_ns};
use tokio::net::TcpListener;

use crate::status::Status;

/// Serves until the task is dropped. Where the address is taken, the shipper ships all the same, and says so.
pub async fn serve_status(address: SocketAddr, status: Status, shutdown: impl Future<Output = ()>) {
    match TcpListener::bind(address).await {
        Ok(listener) => {
            tracing::info!(%address, "serving /metrics, /healthz and /readyz");
            let (counted, asked) = (status.clone(), status);
            serve_health(listener, move || counted.metrics(), move || asked.ready(now_ns()), shutdown).await;
        }
        Err(error) => {
            tracing::warn!(%address, %error, "/metrics and /readyz are not served: set ship.listen to another address, or to off");
            shutdown.await;
        }
    }
}
