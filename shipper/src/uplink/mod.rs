//! Batches out, acknowledgements in. Three ways with one contract:
//!
//! - what is handed over is sent in its order and kept until it is acknowledged or rejected,
//! - when the other side is gone, it is tried again for ever, with jittered backoff, from the first batch that is
//!   not acknowledged,
//! - reports come in the order of the numbers.

mod clock;
mod contract;
mod grpc;
mod inprocess;
mod once;
mod tls;

pub use once::{SendError, send};
use std::{path::PathBuf, sync::Arc};

use tokio::sync::mpsc;

pub use clock::ClockFilter;
pub use contract::{Content, Deliver, DeliverError, DeliverFuture, Delivered, Identity, Outgoing, Report};
use tls::ClientTls;
pub use tls::{IdentityFiles, TlsError, TlsOptions};

/// Where batches go.
#[derive(Clone)]
pub enum Uplink {
    /// gRPC over TCP: `http://10.0.0.5:4320`.
    Grpc(String),
    /// gRPC over TLS: `https://ingest.example.org:4320`.
    GrpcTls(String, TlsOptions),
    /// gRPC over a unix socket.
    Unix(PathBuf),
    /// Into this very process, unsealed.
    InProcess(Arc<dyn Deliver>),
}

impl std::fmt::Debug for Uplink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Uplink::Grpc(endpoint) => f.debug_tuple("Grpc").field(endpoint).finish(),
            Uplink::GrpcTls(endpoint, tls) => f.debug_tuple("GrpcTls").field(endpoint).field(tls).finish(),
            Uplink::Unix(path) => f.debug_tuple("Unix").field(path).finish(),
            Uplink::InProcess(_) => f.write_str("InProcess"),
        }
    }
}

/// Sends until `outgoing` is closed and everything is acknowledged, or until the receiver of reports is gone.
pub async fn drive(
    uplink: Uplink,
    identity: Identity,
    outgoing: mpsc::Receiver<Outgoing>,
    reports: mpsc::Sender<Report>,
) {
    match uplink {
        Uplink::Grpc(endpoint) => {
            grpc::drive(grpc::Endpoint::Tcp(endpoint), identity, outgoing, reports).await
        }
        Uplink::GrpcTls(endpoint, options) => {
            let endpoint = grpc::Endpoint::Tls(endpoint, Box::new(ClientTls::new(options)));
            grpc::drive(endpoint, identity, outgoing, reports).await
        }
        Uplink::Unix(path) => grpc::drive(grpc::Endpoint::Unix(path), identity, outgoing, reports).await,
        Uplink::InProcess(sink) => inprocess::drive(sink, identity, outgoing, reports).await,
    }
}
