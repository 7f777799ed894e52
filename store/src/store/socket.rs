//! The client's way to the engine's process: its unix socket. While the engine is being started again, connections wait.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::watch;

use super::wire::Wire;
use crate::engine::{EngineProcess, EngineState};

/// A statement waits so long for an engine that is being started again; then it fails, and may be asked again. A start
/// takes a second or two where the folder has many parts.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// What a block of rows goes through in one turn: the default would cut it into pieces of 200 KiB.
const BUFFER_BYTES: usize = 1 << 20;

/// Makes connections to the engine's process.
#[derive(Clone)]
pub(super) struct Connector {
    socket: Arc<PathBuf>,
    state: watch::Receiver<EngineState>,
}

impl Connector {
    pub(super) fn new(process: &EngineProcess) -> Self {
        Connector { socket: Arc::new(process.socket().to_owned()), state: process.state() }
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Wire>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Connector { socket, mut state } = self.clone();
        Box::pin(async move {
            match tokio::time::timeout(WAIT_MAX, up(&mut state)).await {
                Ok(waited) => waited?,
                Err(_) => return Err(gone(&state.borrow())),
            }
            connect(&socket).await.map(Wire::new)
        })
    }
}

/// Waits until the engine takes statements.
async fn up(state: &mut watch::Receiver<EngineState>) -> io::Result<()> {
    let settled = |state: &EngineState| matches!(state, EngineState::Up { .. } | EngineState::Ended);
    match state.wait_for(settled).await.as_deref() {
        Ok(EngineState::Up { .. }) => Ok(()),
        _ => Err(gone(&EngineState::Ended)),
    }
}

async fn connect(socket: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(socket).await?;
    // Where the system allows no more, its own measure does.
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, BUFFER_BYTES);
    Ok(stream)
}

fn gone(state: &EngineState) -> io::Error {
    let text = match state {
        EngineState::Down { in_a_row, reason } => {
            format!("the engine has ended {in_a_row} times in a row, at last by: {reason}")
        }
        EngineState::Ended => "the engine has been closed".to_owned(),
        _ => format!("the engine did not start within {} s", WAIT_MAX.as_secs()),
    };
    io::Error::new(io::ErrorKind::NotConnected, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_statement_waits_for_the_engine_and_not_for_one_that_was_closed() {
        let (sender, receiver) = watch::channel(EngineState::Starting);
        let waiting = tokio::spawn({
            let mut state = receiver.clone();
            async move { up(&mut state).await.is_ok() }
        });
        sender.send_replace(EngineState::Down { in_a_row: 1, reason: "signal 9".into() });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        sender.send_replace(EngineState::Up { pid: 7 });
        assert!(waiting.await.unwrap());
        sender.send_replace(EngineState::Ended);
        let refused = up(&mut receiver.clone()).await.unwrap_err();
        assert!(refused.to_string().contains("closed"), "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_statement_does_not_wait_for_ever_and_says_why_the_engine_ended() {
        use tower_service::Service as _;
        let (_sender, state) = watch::channel(EngineState::Down { in_a_row: 4, reason: "disk full".into() });
        let mut connector = Connector { socket: Arc::new(PathBuf::from("/nowhere")), state };
        let Err(refused) = connector.call(Uri::from_static("http://engine")).await else {
            panic!("connected to nothing")
        };
        assert!(refused.to_string().contains("4 times in a row, at last by: disk full"), "{refused}");
    }
}
