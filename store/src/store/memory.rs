//! The client's way to the engine in this process: a pair of pipes in memory, with our HTTP handler at the other end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

use super::wire::Wire;
use crate::engine::Engine;
use crate::http::{Served, serve_stream};

/// Bytes that fit into the pipe in each direction.
const PIPE_BYTES: usize = 1 << 20;

/// Makes connections to the handler.
#[derive(Clone)]
pub(super) struct Connector {
    served: Arc<Served>,
}

impl Connector {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Connector { served: Served::new(engine) }
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Wire>, std::io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        tokio::spawn(serve_stream(theirs, Arc::clone(&self.served), CancellationToken::new()));
        Box::pin(std::future::ready(Ok(Wire::new(ours))))
    }
}
