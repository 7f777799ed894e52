//! When a process is asked to end.

use std::{future::Future, io};

use tokio::signal::unix::{SignalKind, signal};

/// Resolves at the first SIGTERM or SIGINT, with its name. They are listened to from the call on, and so is SIGHUP, which
/// log rotation and closing terminals send: it ends nothing.
///
/// # Errors
/// Where signals cannot be listened to.
pub fn stop_signal() -> io::Result<impl Future<Output = &'static str>> {
    let failed = |name: &str, error: io::Error| {
        io::Error::new(error.kind(), format!("{name} cannot be listened to: {error}"))
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| failed("SIGTERM", error))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| failed("SIGINT", error))?;
    let mut hangup = signal(SignalKind::hangup()).map_err(|error| failed("SIGHUP", error))?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return "SIGTERM",
                _ = interrupt.recv() => return "SIGINT",
                _ = hangup.recv() => tracing::info!("SIGHUP: a changed configuration takes a restart"),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_asks_the_process_to_end() {
        let stop = stop_signal().unwrap();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP).unwrap();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
        assert_eq!(stop.await, "SIGTERM");
    }
}
