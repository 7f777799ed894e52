//! ClickHouse as a library: libchdb, found at run time.
//!
//! - [`library`] (private): the C API by name, and nothing else unsafe.
//! - [`connection`] (private): one statement on one connection.
//! - [`merge_threads`] (private): merges take what others leave over.
//! - [`watchdog`] (private): ends them, and the process where that does not help.
//! - [`running`] (private): the statements that run, and which of them are to end.
//! - [`process`]: the engine in a process of its own, in a cage; what most programs use.
//!
//! One process can open one folder, once. A connection runs one statement at a time and is cheap (0.3 ms), so each
//! statement has its own, with its own settings, and nothing of a statement is left for the next one.

mod connection;
mod library;
mod merge_threads;
mod options;
pub mod process;
pub(crate) mod running;
pub(crate) mod watchdog;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use connection::{Answer, Chunk, Statement, StatementError, Statistics};
pub(crate) use connection::{Class, Connection, Streaming, exception_code};
use library::Library;
pub(crate) use library::preload;
pub(crate) use options::default_memory;
pub use options::{ENGINE_VERSION, EngineError, EngineOptions, find_library};
pub use process::{ChildOptions, EngineProcess, EngineState, ProcessOptions, serve_child};
use running::Running;

/// The engine of this process, open on its data folder.
#[derive(Debug)]
pub struct Engine {
    // Order matters: the first connection keeps the engine running and has to close before the library goes.
    anchor: std::sync::Mutex<Option<Connection>>,
    library: Arc<Library>,
    arguments: Vec<std::ffi::CString>,
    path: PathBuf,
    memory_bytes_max: u64,
    statements_max: usize,
    port_wait_max: Duration,
    statement_ids: AtomicU64,
    running: Arc<Running>,
}

impl Engine {
    /// Loads the library and opens the data folder.
    pub fn open(options: &EngineOptions) -> Result<Engine, EngineError> {
        let library = Library::load(&find_library(options.library.as_deref())?)?;
        std::fs::create_dir_all(&options.path)
            .map_err(|source| EngineError::Folder { path: options.path.clone(), source })?;
        let path = options
            .path
            .canonicalize()
            .map_err(|source| EngineError::Folder { path: options.path.clone(), source })?;
        let memory = options.memory_bytes_max.unwrap_or_else(default_memory);
        // Caches are bounded by a part of the limit; their defaults are made for large servers.
        let cache = (memory / 8).clamp(64 << 20, 5 << 30);
        let settings = [
            ("path", path.display().to_string()),
            ("max_server_memory_usage", memory.to_string()),
            ("mark_cache_size", cache.to_string()),
        ];
        let mut arguments = vec![c_string("lastwords")];
        arguments.extend(settings.iter().map(|(name, value)| c_string(&format!("--{name}={value}"))));
        library.claim(&path)?;
        if let Err(source) = crate::schema::partition::renew(&path) {
            library.release();
            return Err(EngineError::Folder { path, source });
        }
        let anchor = match Connection::open(&library, &arguments) {
            Ok(anchor) => anchor,
            Err(reason) => {
                library.release();
                return Err(open_error(path, reason));
            }
        };
        library.end_without_destructors();
        tracing::info!(path = %path.display(), version = library.version(), memory_bytes_max = memory, "engine open");
        Ok(Engine {
            anchor: std::sync::Mutex::new(Some(anchor)),
            library,
            arguments,
            path,
            memory_bytes_max: memory,
            statements_max: options.statements_max.max(1),
            port_wait_max: options.port_wait_max,
            statement_ids: AtomicU64::new(1),
            running: Arc::default(),
        })
    }

    /// The data folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Version that the library states.
    pub fn version(&self) -> &str {
        self.library.version()
    }

    /// Statements of our own that can run at the same time.
    pub fn statements_max(&self) -> usize {
        self.statements_max
    }

    /// Runs a statement whose whole answer is wanted at once. Blocks the thread.
    pub fn run_blocking(&self, statement: &Statement<'_>) -> Result<Answer, StatementError> {
        self.connect()?.run(statement)
    }

    /// A connection for one statement. Blocks the thread for less than a millisecond.
    pub(crate) fn connect(&self) -> Result<Connection, StatementError> {
        Connection::open(&self.library, &self.arguments).map_err(StatementError::from_text)
    }

    /// What the engine may use, in bytes.
    pub fn memory_bytes_max(&self) -> u64 {
        self.memory_bytes_max
    }

    /// How long a user's statement waits for a place.
    pub(crate) fn port_wait_max(&self) -> Duration {
        self.port_wait_max
    }

    /// The statements that run.
    pub(crate) fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// Closes the folder. Statements that still run go on as far as they get.
    pub(crate) fn close(&self) {
        self.library.end_without_destructors();
        if let Ok(mut anchor) = self.anchor.lock() {
            *anchor = None;
        }
    }

    /// A number that no other statement of this process has.
    pub(crate) fn statement_id(&self) -> u64 {
        self.statement_ids.fetch_add(1, Ordering::Relaxed)
    }
}

/// To be called last in `main`: lets the process end without the destructors of an engine that was open.
pub fn prepare_exit() {
    if let Some(library) = Library::loaded() {
        library.end_without_destructors();
    }
}

/// Ends this process at once, without the engine's destructors and whatever its threads do.
pub(crate) fn end_process(status: u8) -> ! {
    prepare_exit();
    std::process::exit(status.into())
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
        self.library.release();
    }
}

/// The engine gives no reason of its own; the usual one is another process, which holds a lock on the file `status`.
fn open_error(path: PathBuf, reason: String) -> EngineError {
    let status = path.join("status");
    let held = std::fs::File::open(&status)
        .is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)));
    if !held {
        return EngineError::Open { path, reason };
    }
    let pid = std::fs::read_to_string(&status)
        .ok()
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("PID: ").map(str::to_owned)));
    EngineError::Held { path, holder: pid.map(|pid| format!(" (process {pid})")).unwrap_or_default() }
}

fn c_string(text: &str) -> std::ffi::CString {
    // A folder's name cannot hold a NUL, and the other arguments are ours.
    std::ffi::CString::new(text.replace('\0', "")).unwrap_or_default()
}
