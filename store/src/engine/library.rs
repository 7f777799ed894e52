//! The C API of libchdb by name. Facts are from `programs/local/chdb.h` of chdb-io/chdb-core, version 26.7.
//!
//! Everything unsafe of this crate is in this file and in `connection.rs`. What it rests on:
//! - The library is never unloaded: its threads outlive connections, so the handle is leaked on purpose.
//! - A connection's pointer is used by one thread at a time (`Connection` is not `Sync`).
//! - A result's buffer lives until the result is destroyed; it is read only while the result is held.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use super::options::EngineError;

/// `chdb_connection *`: what connect returns and close takes; the connection itself is what it points to.
pub(super) type ConnectionBox = *mut ConnectionPointer;
/// `chdb_connection`.
pub(super) type ConnectionPointer = *mut c_void;
/// `chdb_result *`.
pub(super) type ResultPointer = *mut c_void;
/// `chdb_insert_stream`.
pub(super) type InsertPointer = *mut c_void;

macro_rules! functions {
    ($($field:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions that are used.
        #[derive(Debug)]
        pub(super) struct Functions {
            $(pub(super) $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            /// Looks all of them up.
            fn find(library: &libloading::Library) -> Result<Functions, libloading::Error> {
                // SAFETY: the types are those of the header named at the top of this file.
                unsafe {
                    Ok(Functions {
                        $($field: *library.get(concat!("chdb_", stringify!($field)).as_bytes())?,)*
                    })
                }
            }
        }
    };
}

functions! {
    version: fn() -> *const c_char;
    set_signal_handlers_enabled: fn(c_int);
    connect: fn(c_int, *const *const c_char) -> ConnectionBox;
    close_conn: fn(ConnectionBox);
    query_n: fn(ConnectionPointer, *const c_char, usize, *const c_char, usize) -> ResultPointer;
    query_with_params_n: fn(ConnectionPointer, *const c_char, usize, *const c_char, usize, *const *const c_char, *const usize, *const *const c_char, *const usize, usize) -> ResultPointer;
    stream_query_with_params_n: fn(ConnectionPointer, *const c_char, usize, *const c_char, usize, *const *const c_char, *const usize, *const *const c_char, *const usize, usize) -> ResultPointer;
    stream_fetch_result: fn(ConnectionPointer, ResultPointer) -> ResultPointer;
    stream_cancel_query: fn(ConnectionPointer, ResultPointer);
    destroy_query_result: fn(ResultPointer);
    stream_insert_n: fn(ConnectionPointer, *const c_char, usize, *const c_char, usize) -> InsertPointer;
    stream_append: fn(InsertPointer, *const c_void, usize) -> c_int;
    stream_done: fn(InsertPointer) -> ResultPointer;
    stream_insert_error: fn(InsertPointer) -> *const c_char;
    destroy_insert_stream: fn(InsertPointer);
    result_buffer: fn(ResultPointer) -> *const c_char;
    result_length: fn(ResultPointer) -> usize;
    result_elapsed: fn(ResultPointer) -> f64;
    result_rows_read: fn(ResultPointer) -> u64;
    result_storage_rows_read: fn(ResultPointer) -> u64;
    result_storage_bytes_read: fn(ResultPointer) -> u64;
    result_rows_written: fn(ResultPointer) -> u64;
    result_bytes_written: fn(ResultPointer) -> u64;
    result_error: fn(ResultPointer) -> *const c_char;
    classify_query_n: fn(ConnectionPointer, *const c_char, usize, *const c_char, usize, *mut Analysis) -> c_int;
}

/// `chdb_query_analysis_v1`.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Analysis {
    pub(super) struct_size: u32,
    pub(super) statement_count: u32,
    pub(super) flags: u32,
    pub(super) query_class: u32,
}

/// The loaded library.
#[derive(Debug)]
pub(crate) struct Library {
    pub(super) functions: Functions,
    version: String,
    open: Mutex<Option<PathBuf>>,
}

/// Loads the parts of the C library that the library asks for by name, so that their files are not looked for later.
pub(crate) fn preload() {
    for name in ["libpthread.so.0", "libm.so.6", "librt.so.1", "libdl.so.2"] {
        // SAFETY: the C library's own parts, which most programs load at their start.
        if let Ok(library) = unsafe { libloading::Library::new(name) } {
            std::mem::forget(library);
        }
    }
}

static LOADED: OnceLock<Arc<Library>> = OnceLock::new();

impl Library {
    /// Loads it, once per process.
    pub(super) fn load(path: &Path) -> Result<Arc<Library>, EngineError> {
        if let Some(library) = LOADED.get() {
            return Ok(Arc::clone(library));
        }
        let failed = |error: libloading::Error| EngineError::Load {
            path: path.to_path_buf(),
            reason: error.to_string(),
        };
        // SAFETY: the library's initialisers are those of a ClickHouse build; they touch nothing of ours.
        let library = unsafe { libloading::Library::new(path) }.map_err(failed)?;
        let functions = Functions::find(&library).map_err(failed)?;
        std::mem::forget(library);
        // SAFETY: returns a static string; the call on signals only sets a flag, before any connect.
        let version = unsafe {
            (functions.set_signal_handlers_enabled)(0);
            CStr::from_ptr((functions.version)()).to_string_lossy().into_owned()
        };
        let library = Arc::new(Library { functions, version, open: Mutex::new(None) });
        Ok(Arc::clone(LOADED.get_or_init(|| library)))
    }

    /// The library, if it was loaded.
    pub(super) fn loaded() -> Option<Arc<Library>> {
        LOADED.get().cloned()
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Notes the one folder that this process has open.
    pub(super) fn claim(&self, path: &Path) -> Result<(), EngineError> {
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &*open {
            Some(path) => Err(EngineError::AlreadyOpen { path: path.clone() }),
            None => {
                *open = Some(path.to_path_buf());
                Ok(())
            }
        }
    }

    /// From now on the process ends without the library's destructors. Its threads, and ours that are in it, outlive
    /// `main`, and crashed on what the destructors had taken down. What was acknowledged is on disk by then.
    pub(super) fn end_without_destructors(&self) {
        // Neither is in the `libc` crate. Handlers run in reverse order; the library registers some of its own while
        // it runs, so this is called again whenever an end may be near.
        unsafe extern "C" {
            fn on_exit(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
            fn _exit(status: c_int) -> !;
        }
        extern "C" fn end(status: c_int, _: *mut c_void) {
            // SAFETY: ends the process; Rust has flushed its standard output by now.
            unsafe { _exit(status) }
        }
        // SAFETY: the handler touches nothing. Where there is no room for it, things are as they were without it.
        unsafe {
            on_exit(end, std::ptr::null_mut());
        }
    }

    /// The folder is closed again.
    pub(super) fn release(&self) {
        *self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }
}
