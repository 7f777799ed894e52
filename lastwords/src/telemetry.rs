//! Logs of this process, on stderr.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::{args::GlobalArgs, outcome::UsageError, output};

/// Starts logging. `default` is the level where nobody asked for another.
///
/// # Errors
/// Where the filter cannot be read.
pub fn start(global: &GlobalArgs, default: &str) -> Result<(), UsageError> {
    let asked = global.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(asked).map_err(|error| {
        UsageError(format!(
            "--log: wanted a level such as info or lastwords=debug,warn, found {asked:?}: {error}"
        ))
    })?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(output::styled_stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start (tests run commands in one process) keeps the first.
    let _ = if global.log_json { logs.json().try_init() } else { logs.try_init() };
    Ok(())
}

/// Starts logging in the engine's process: level and text alone, since the process that reads it has the rest.
///
/// # Errors
/// Where the filter cannot be read.
pub fn start_child(level: &str) -> Result<(), UsageError> {
    let filter = EnvFilter::try_new(level).map_err(|error| UsageError(error.to_string()))?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time();
    let _ = logs.try_init();
    Ok(())
}
