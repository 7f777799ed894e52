//! Whoever reads standard output, and may have gone.

/// Whoever read stdout has closed it.
#[derive(Debug, thiserror::Error)]
#[error("the reader of standard output is gone")]
pub struct ReaderGone;

/// Tells a closed stdout apart from every other failure; wraps each write to stdout.
///
/// # Errors
/// `ReaderGone` or the write's own error.
pub fn printed(result: std::io::Result<()>) -> anyhow::Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        Err(error) => Err(anyhow::Error::new(error).context("standard output cannot be written")),
    }
}
