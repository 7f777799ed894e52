//! The engine's process itself: into the cage, open the folder, serve the socket until the parent goes.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use super::cage::{self, Openings};
use super::report::Report;
use super::state::DRAIN;
use crate::engine::watchdog::{self, Ends, Resident};
use crate::engine::{Engine, EngineError, EngineOptions};
use crate::http::{Served, accept_until, serve_stream};

/// Connections at the same time. The parent is the only client and has bounds of its own; beyond this one, connections
/// wait in the socket's queue.
const CONNECTIONS_MAX: usize = 1024;

/// What the engine's process is told on its command line.
#[derive(Debug, Clone)]
pub struct ChildOptions {
    /// The engine's folder, which is there.
    pub folder: PathBuf,
    /// The library.
    pub library: PathBuf,
    /// What the engine may use by its own count.
    pub memory_bytes_max: u64,
    /// The process that started it.
    pub parent: u32,
}

/// Memory beyond the engine's own count that a process may take before it is ended: what the engine does not count
/// (its threads' stacks, its allocator's slack), a quarter and half a GiB. The engine refuses statements long before.
fn resident_bytes_max(memory_bytes_max: u64) -> u64 {
    memory_bytes_max.saturating_add(memory_bytes_max / 4).saturating_add(512 << 20)
}

/// What the kernel lets the process allocate, touched or not: the allocator keeps much that it does not use, and every
/// thread has 8 MiB of stack that it hardly touches. A bound for what goes faster than the watchdog looks.
fn data_bytes_max(memory_bytes_max: u64) -> u64 {
    memory_bytes_max.saturating_mul(2).saturating_add(16 << 30)
}

/// Runs the engine's process: standard input is the socket to serve, standard output the connection to the parent.
/// To be called from a process that has one thread.
///
/// # Errors
/// What kept it from serving; the parent has been told.
pub fn serve_child(options: &ChildOptions) -> Result<(), EngineError> {
    cage::close_others();
    let (listener, mut parent) = descriptors()?;
    live_with(options.parent)?;
    let (cage, statm) = cage::enter(&Openings {
        folder: options.folder.clone(),
        library: options.library.clone(),
        memory_bytes_max: data_bytes_max(options.memory_bytes_max),
    });
    say(&mut parent, &Report::Caged(cage))?;
    // Where the first thread's stack lies, the C library reads from /proc, which is not there any more; of other
    // threads it knows.
    let options = options.clone();
    let engine = std::thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || open_and_serve(&options, listener, parent, statm))
        .map_err(spawning)?;
    engine.join().unwrap_or_else(|_| Err(spawning(std::io::Error::other("its thread broke"))))
}

fn open_and_serve(
    options: &ChildOptions,
    listener: UnixListener,
    mut parent: UnixStream,
    statm: Option<File>,
) -> Result<(), EngineError> {
    let engine = Engine::open(&EngineOptions {
        library: Some(options.library.clone()),
        memory_bytes_max: Some(options.memory_bytes_max),
        ..EngineOptions::new(&options.folder)
    });
    let engine = match engine {
        Ok(engine) => Arc::new(engine),
        Err(error) => {
            let held = matches!(error, EngineError::Held { .. });
            say(&mut parent, &Report::Failed { held, text: error.to_string() })?;
            return Err(error);
        }
    };
    let resident = Resident::new(statm, resident_bytes_max(options.memory_bytes_max));
    watchdog::start(&engine, Ends::Process(resident));
    let version = engine.version().to_owned();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(spawning)?;
    let served = runtime.block_on(serve(listener, parent, Arc::clone(&engine), version));
    engine.close();
    runtime.shutdown_timeout(Duration::ZERO);
    served
}

fn spawning(source: std::io::Error) -> EngineError {
    EngineError::Process { source }
}

/// Takes the socket and the connection to the parent from their places; the places are left to others.
fn descriptors() -> Result<(UnixListener, UnixStream), EngineError> {
    let taken = || {
        let own = |fd: std::os::fd::BorrowedFd<'_>| fd.try_clone_to_owned();
        let listener: OwnedFd = own(std::io::stdin().as_fd())?;
        let parent: OwnedFd = own(std::io::stdout().as_fd())?;
        let null = std::fs::File::open("/dev/null")?;
        rustix::stdio::dup2_stdin(&null)?;
        // What the library prints goes where its complaints go.
        rustix::stdio::dup2_stdout(std::io::stderr().as_fd())?;
        let listener = UnixListener::from(listener);
        // Fails where somebody runs this by hand.
        listener.local_addr()?;
        Ok((listener, UnixStream::from(parent)))
    };
    taken().map_err(spawning)
}

/// Ends with the parent, however that ends.
fn live_with(parent: u32) -> Result<(), EngineError> {
    let signalled = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    signalled.map_err(|error| spawning(error.into()))?;
    let now = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    if u32::try_from(now).ok() != Some(parent) {
        let gone = std::io::Error::other("the process that started it has ended");
        return Err(spawning(gone));
    }
    let _ = rustix::thread::set_name(c"lastwords-eng");
    Ok(())
}

fn say(parent: &mut UnixStream, report: &Report) -> Result<(), EngineError> {
    parent.write_all(report.line().as_bytes()).map_err(spawning)
}

/// Serves until the parent closes its end.
async fn serve(
    listener: UnixListener,
    mut parent: UnixStream,
    engine: Arc<Engine>,
    version: String,
) -> Result<(), EngineError> {
    ignore_signals().map_err(spawning)?;
    listener.set_nonblocking(true).map_err(spawning)?;
    let listener = tokio::net::UnixListener::from_std(listener).map_err(spawning)?;
    let served = Served::new(engine);
    say(&mut parent, &Report::Ready { version })?;
    let gone = tokio::task::spawn_blocking(move || wait_for_end(&mut parent));
    let shutdown = async {
        let _ = gone.await;
    };
    let serve = |stream, ending| Some(serve_stream(stream, Arc::clone(&served), ending));
    if !accept_until(listener, CONNECTIONS_MAX, DRAIN, shutdown, serve).await {
        tracing::debug!("statements were cut off at the end");
    }
    Ok(())
}

/// Resolves when the parent has closed its end, or has ended.
fn wait_for_end(parent: &mut UnixStream) {
    let mut byte = [0; 1];
    loop {
        match parent.read(&mut byte) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// A service manager sends its signals to all processes of a service. Of these the parent decides: the engine is needed
/// until the last record is stored.
fn ignore_signals() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::quit()] {
        // From the first time on the default, which is to end, is gone for good.
        drop(signal(kind)?);
    }
    Ok(())
}
