//! How the engine's process is started, how it stands, and how long its end may take.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::EngineOptions;

/// How the engine's process is started.
#[derive(Debug, Clone)]
pub struct ProcessOptions {
    /// The engine's folder, the library and its memory.
    pub engine: EngineOptions,
    /// The socket that the engine serves. Made anew at every start; its path has at most 107 bytes.
    pub socket: PathBuf,
    /// The program that serves it, and what it is told before the options of [`super::ChildOptions`]. By default this one,
    /// even where its file has been replaced meanwhile.
    pub program: PathBuf,
    /// The words before the options.
    pub words: Vec<String>,
}

impl ProcessOptions {
    /// This program as `engine`.
    pub fn new(engine: EngineOptions, socket: PathBuf) -> Self {
        ProcessOptions {
            engine,
            socket,
            program: PathBuf::from("/proc/self/exe"),
            words: vec!["engine".to_owned()],
        }
    }
}

/// How the engine's process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineState {
    /// It is being started.
    Starting,
    /// It takes statements.
    Up {
        /// Its process id.
        pid: u32,
    },
    /// It ended, and is started again in a moment.
    Down {
        /// How often it has ended in a row.
        in_a_row: u32,
        /// Why, as far as is known.
        reason: Arc<str>,
    },
    /// It was asked to end: it will not be started again.
    Ended,
}

/// Statements under way may go on for so long when the engine is asked to end.
pub(super) const DRAIN: Duration = Duration::from_secs(5);
/// After so long it is ended whatever it does.
pub(super) const END_MAX: Duration = Duration::from_secs(10);
