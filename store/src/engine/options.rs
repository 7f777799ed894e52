//! How the engine is opened, where its library is, and why it could not be opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

/// Version of the engine that this program was made for.
pub const ENGINE_VERSION: &str = "26.7.3";

/// How the engine is opened.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The library; none: `LASTWORDS_ENGINE`, then the cache folder, then the system's folders.
    pub library: Option<PathBuf>,
    /// The data folder. Made if it does not exist.
    pub path: PathBuf,
    /// What the engine may use; none: a third of the machine's memory, at least 1 GiB.
    pub memory_bytes_max: Option<u64>,
    /// Statements of our own that run at the same time; others wait. Questions, SQL of the command line and the API, and
    /// SQL of the port have a quarter as many places each, of their own, so that readers keep no insert waiting.
    pub statements_max: usize,
    /// A user's statement waits so long for a place; then it is told to come again.
    pub port_wait_max: Duration,
}

impl EngineOptions {
    /// The defaults for a data folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        EngineOptions {
            library: None,
            path: path.into(),
            memory_bytes_max: None,
            statements_max: 16,
            port_wait_max: Duration::from_secs(10),
        }
    }
}

/// Why the engine could not be opened.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum EngineError {
    #[error(
        "the engine (libchdb.so {ENGINE_VERSION}) was not found; looked for: {looked}. Run scripts/engine to install it, or set LASTWORDS_ENGINE to its path"
    )]
    Missing { looked: String },
    #[error("the engine {} could not be loaded: {reason}. Run scripts/engine to install version {ENGINE_VERSION}", path.display())]
    Load { path: PathBuf, reason: String },
    #[error("the engine could not open the data folder {}: {reason}", path.display())]
    Open { path: PathBuf, reason: String },
    #[error("the data folder {} is held by another process{holder}; stop it, or talk to it over its sockets", path.display())]
    Held { path: PathBuf, holder: String },
    #[error("this process has already opened {}; an engine has one data folder per process", path.display())]
    AlreadyOpen { path: PathBuf },
    #[error("the data folder {} could not be made: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(
        "the engine's process could not be started: {source}; with engine.in_process = true there is none"
    )]
    Process { source: std::io::Error },
    #[error("the engine's socket {} could not be made: {source}", path.display())]
    Socket { path: PathBuf, source: std::io::Error },
    #[error("{reason}")]
    Child { reason: String },
}

/// Where the library is: the given path, `LASTWORDS_ENGINE`, the cache, the system's folders.
pub fn find_library(given: Option<&Path>) -> Result<PathBuf, EngineError> {
    let mut looked = Vec::new();
    if let Some(path) =
        given.map(Path::to_path_buf).or_else(|| std::env::var_os("LASTWORDS_ENGINE").map(PathBuf::from))
    {
        looked.push(path);
    } else {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let cache = std::env::var_os("LASTWORDS_CACHE")
            .map(PathBuf::from)
            .or_else(|| home.map(|home| home.join(".cache/lastwords")));
        looked.extend(cache.map(|cache| cache.join("engine").join(ENGINE_VERSION).join("libchdb.so")));
        looked.extend(
            ["/usr/lib/lastwords/libchdb.so", "/usr/local/lib/libchdb.so", "/usr/lib/libchdb.so"]
                .map(PathBuf::from),
        );
    }
    match looked.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => {
            let looked: Vec<String> = looked.iter().map(|path| path.display().to_string()).collect();
            Err(EngineError::Missing { looked: looked.join(", ") })
        }
    }
}

/// A third of the machine's memory, at least 1 GiB.
pub(crate) fn default_memory() -> u64 {
    let total_kib = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        text.lines().find_map(|line| {
            line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        })
    });
    total_kib.map_or(2 << 30, |kib| (kib * 1024 / 3).max(1 << 30))
}
