//! The parent's side: one thread that starts the engine's process, hears its reports, and starts it again.
//!
//! It is a thread and not a task: the kernel ends the child with the thread that started it, and a runtime's threads
//! come and go.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use tokio::sync::watch;

use super::cage::Cage;
use super::relay::{Tail, relay};
use super::report::{LINE_BYTES_MAX, Report};
use super::restarts::Restarts;
use super::state::{END_MAX, EngineState, ProcessOptions};
use crate::engine::merge_threads::MergeThreads;
use crate::engine::watchdog::{EXIT_MEMORY, EXIT_STUCK};
use crate::engine::{EngineError, default_memory, find_library};

/// SIGKILL: by an operator, or by the kernel where memory has run out.
const KILLED: i32 = 9;
/// Connections that may wait for the engine to take them.
const QUEUE: i32 = 1024;
/// How often the thread looks up from waiting for a report.
const LOOK: Duration = Duration::from_millis(250);
/// A start that takes longer is broken off. Folders with very many parts take minutes.
const START_MAX: Duration = Duration::from_secs(600);
/// An engine that was killed may hold its folder for some moments more: its memory has to be taken down first.
/// One that is killed while it starts is started again, too.
const FIRST_MAX: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Of the environment, what the engine's process gets: the time zone.
const ENVIRONMENT: &[&str] = &["TZ", "TZDIR"];

/// What the parent's threads share with the supervisor.
#[derive(Debug)]
pub(super) struct Control {
    socket: PathBuf,
    state: watch::Sender<EngineState>,
    inner: Mutex<Inner>,
    woken: Condvar,
    ending: AtomicBool,
    restarts: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    cage: Cage,
    /// The way to tell the child to end.
    child: Option<UnixStream>,
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn state(&self) -> watch::Receiver<EngineState> {
        self.state.subscribe()
    }

    pub(super) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(super) fn cage(&self) -> Cage {
        self.lock().cage.clone()
    }

    /// The child ends when its statements have, and is not started again.
    pub(super) fn ask_to_end(&self) {
        self.ending.store(true, Ordering::Release);
        if let Some(child) = &self.lock().child {
            let _ = child.shutdown(std::net::Shutdown::Write);
        }
        self.woken.notify_all();
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Waits, but not for an engine that is to end.
    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut inner = self.lock();
        while !self.is_ending() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            inner = self.woken.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Starts the thread; returns when the engine takes statements for the first time.
pub(super) fn start(
    options: &ProcessOptions,
) -> Result<(Arc<Control>, std::thread::JoinHandle<()>), EngineError> {
    let library = find_library(options.engine.library.as_deref())?;
    let library = library.canonicalize().unwrap_or(library);
    let folder = make_folder(&options.engine.path)?;
    let listener = bind(&options.socket)
        .map_err(|source| EngineError::Socket { path: options.socket.clone(), source })?;
    let (state, _) = watch::channel(EngineState::Starting);
    let control = Arc::new(Control {
        socket: options.socket.clone(),
        state,
        inner: Mutex::default(),
        woken: Condvar::new(),
        ending: AtomicBool::new(false),
        restarts: AtomicU64::new(0),
    });
    let supervisor = Supervisor {
        control: Arc::clone(&control),
        listener,
        program: options.program.clone(),
        arguments: arguments(options, &folder, &library),
        folder,
    };
    let (first, started) = sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || supervisor.run(&first))
        .map_err(|source| EngineError::Process { source })?;
    match started.recv() {
        Ok(Ok(())) => Ok((control, thread)),
        Ok(Err(error)) => {
            let _ = thread.join();
            Err(error)
        }
        Err(_) => Err(EngineError::Process {
            source: std::io::Error::other("the thread that keeps the engine's process broke"),
        }),
    }
}

fn make_folder(path: &Path) -> Result<PathBuf, EngineError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let failed = |source| EngineError::Folder { path: path.to_path_buf(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    path.canonicalize().map_err(failed)
}

fn arguments(options: &ProcessOptions, folder: &Path, library: &Path) -> Vec<std::ffi::OsString> {
    let memory = options.engine.memory_bytes_max.unwrap_or_else(default_memory);
    let mut arguments: Vec<std::ffi::OsString> = options.words.iter().map(Into::into).collect();
    for (name, value) in [
        ("--folder", folder.as_os_str().to_owned()),
        ("--library", library.as_os_str().to_owned()),
        ("--memory-max", memory.to_string().into()),
        ("--parent", std::process::id().to_string().into()),
    ] {
        arguments.extend([name.into(), value]);
    }
    arguments
}

/// Binds the socket for its owner alone, from its first moment on.
fn bind(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let address = SocketAddrUnix::new(path)?;
    let flags = rustix::net::SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // The file takes its mode from the socket.
    rustix::fs::fchmod(&socket, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, QUEUE)?;
    Ok(UnixListener::from(socket))
}

struct Supervisor {
    control: Arc<Control>,
    listener: UnixListener,
    program: PathBuf,
    arguments: Vec<std::ffi::OsString>,
    folder: PathBuf,
}

/// How one child ended.
enum Ended {
    /// It took statements for so long.
    Served(Duration, String),
    /// It never came so far; whether another attempt may.
    Failed(EngineError, bool),
}

impl Supervisor {
    fn run(self, first: &SyncSender<Result<(), EngineError>>) {
        let (mut restarts, mut waiting) = (Restarts::default(), Some(first));
        let since = Instant::now();
        loop {
            let ended = self.live(&mut waiting);
            self.control.lock().child = None;
            if self.control.is_ending() {
                break;
            }
            let (served, reason) = match ended {
                Ended::Served(served, reason) => (Some(served), reason),
                Ended::Failed(error, passing) => match waiting {
                    Some(_) if passing && since.elapsed() < FIRST_MAX => {
                        self.control.pause(FIRST_PAUSE);
                        continue;
                    }
                    Some(first) => {
                        let _ = first.send(Err(error));
                        break;
                    }
                    None => (None, error.to_string()),
                },
            };
            let pause = restarts.ended(served);
            if restarts.in_a_row() > 1 {
                // Whoever waits in the queue does not wait for an engine that may never come: it is told to ask again.
                self.turn_away();
            }
            tracing::warn!(
                reason,
                in_a_row = restarts.in_a_row(),
                again_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "the engine's process ended; it is started again"
            );
            self.control.restarts.fetch_add(1, Ordering::Relaxed);
            let down = EngineState::Down { in_a_row: restarts.in_a_row(), reason: reason.into() };
            self.control.state.send_replace(down);
            self.control.pause(pause);
        }
        self.control.state.send_replace(EngineState::Ended);
        let _ = std::fs::remove_file(&self.control.socket);
    }

    /// One child, from its start to its end.
    fn live(&self, waiting: &mut Option<&SyncSender<Result<(), EngineError>>>) -> Ended {
        let failed = |source| Ended::Failed(EngineError::Process { source }, false);
        let (mut child, connection) = match self.spawn() {
            Ok(spawned) => spawned,
            Err(error) => return failed(error),
        };
        let tail = Tail::default();
        let log = child.stderr.take().map(|stderr| {
            let tail = tail.clone();
            std::thread::Builder::new().name("engine-log".to_owned()).spawn(move || relay(stderr, &tail))
        });
        let heard = self.hear(&mut child, connection, waiting, &tail);
        // Nobody connects any more to wait for what may not come.
        self.control.state.send_if_modified(|state| {
            let up = matches!(state, EngineState::Up { .. });
            if up {
                *state = EngineState::Starting;
            }
            up
        });
        let status = child.wait();
        if let Some(Ok(log)) = log {
            // Ends with the child, which was its only writer.
            let _ = log.join();
        }
        match heard {
            Heard::Failed { held, text } => {
                let reason = if held { text } else { with_tail(text, &tail) };
                Ended::Failed(EngineError::Child { reason }, held)
            }
            Heard::Silence { served } => {
                let (reason, killed) = match status {
                    Ok(status) => (explain(status, &tail), status.signal() == Some(KILLED)),
                    Err(error) => (error.to_string(), false),
                };
                match served {
                    Some(served) => Ended::Served(served, reason),
                    None => Ended::Failed(self.unborn(&reason), killed),
                }
            }
        }
    }

    fn unborn(&self, reason: &str) -> EngineError {
        let folder = self.folder.display();
        let reason = format!("the engine's process ended before it had opened {folder}: {reason}");
        EngineError::Child { reason }
    }

    fn spawn(&self) -> std::io::Result<(Child, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let listener: OwnedFd = self.listener.try_clone()?.into();
        let mut command = Command::new(&self.program);
        command
            .arg0("lastwords")
            .args(&self.arguments)
            .env_clear()
            // Keys at a terminal are for the parent.
            .process_group(0)
            .stdin(Stdio::from(listener))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::piped());
        for name in ENVIRONMENT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let level = if tracing::enabled!(tracing::Level::DEBUG) { "debug" } else { "info" };
        command.env("LASTWORDS_LOG", level);
        let child = command.spawn()?;
        Ok((child, ours))
    }

    /// Takes the child's reports until it closes its end.
    fn hear(
        &self,
        child: &mut Child,
        connection: UnixStream,
        waiting: &mut Option<&SyncSender<Result<(), EngineError>>>,
        tail: &Tail,
    ) -> Heard {
        let begun = Instant::now();
        let (mut ready, mut ending_since) = (None, None);
        let _ = connection.set_read_timeout(Some(LOOK));
        self.control.lock().child = connection.try_clone().ok();
        if self.control.is_ending() {
            // Asked between two lives.
            self.control.ask_to_end();
        }
        let mut reader = BufReader::new(connection);
        let mut line = String::new();
        let mut merges = MergeThreads::of_process(Some(child.id()));
        loop {
            if ready.is_some() {
                merges.look(Instant::now());
            }
            let late = ready.is_none() && begun.elapsed() > START_MAX;
            let since = ending_since.get_or_insert_with(Instant::now);
            if !self.control.is_ending() {
                ending_since = None;
            } else if since.elapsed() > END_MAX {
                tracing::warn!("the engine's process does not end; it is killed");
                let _ = child.kill();
            }
            if late {
                let _ = child.kill();
            }
            match reader.by_ref().take(LINE_BYTES_MAX).read_line(&mut line) {
                Ok(0) => {
                    // A child that closed its end without ending has nothing left to do here.
                    let served = ready.map(|since: Instant| since.elapsed());
                    self.reap(child);
                    return Heard::Silence { served };
                }
                Ok(_) => match Report::parse(&line) {
                    Some(Report::Caged(cage)) => self.caged(cage),
                    Some(Report::Ready { version }) if ready.is_none() => {
                        ready = Some(Instant::now());
                        tail.clear();
                        self.ready(child.id(), &version, begun.elapsed());
                        if let Some(first) = waiting.take() {
                            let _ = first.send(Ok(()));
                        }
                    }
                    Some(Report::Failed { held, text }) => {
                        self.reap(child);
                        return Heard::Failed { held, text };
                    }
                    _ => tracing::debug!("the engine's process said what is no report"),
                },
                Err(error) if is_timeout(&error) => {
                    if matches!(child.try_wait(), Ok(Some(_))) {
                        return Heard::Silence { served: ready.map(|since: Instant| since.elapsed()) };
                    }
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "the engine's process cannot be heard");
                    let _ = child.kill();
                    return Heard::Silence { served: ready.map(|since: Instant| since.elapsed()) };
                }
            }
            line.clear();
        }
    }

    /// Waits for a child that has closed its end, within a bound.
    fn reap(&self, child: &mut Child) {
        let since = Instant::now();
        while since.elapsed() < END_MAX {
            match child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                _ => return,
            }
        }
        tracing::warn!("the engine's process does not end; it is killed");
        let _ = child.kill();
    }

    fn caged(&self, cage: Cage) {
        for gap in cage.gaps() {
            tracing::warn!(layer = gap.name, "the engine's cage has a gap: {}", gap.found);
        }
        self.control.lock().cage = cage;
    }

    fn ready(&self, pid: u32, version: &str, took: Duration) {
        let again = self.control.restarts() > 0;
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let cage: Vec<String> =
            self.control.lock().cage.layers.iter().map(|layer| layer.found.clone()).collect();
        if again {
            tracing::warn!(pid, took_ms, "the engine takes statements again");
        } else {
            tracing::info!(
                pid,
                version,
                took_ms,
                cage = cage.join("; "),
                "the engine runs in a process of its own"
            );
        }
        self.control.state.send_replace(EngineState::Up { pid });
    }

    /// Closes the connections that wait in the socket's queue.
    fn turn_away(&self) {
        if self.listener.set_nonblocking(true).is_err() {
            return;
        }
        while self.listener.accept().is_ok() {}
    }
}

enum Heard {
    Failed { held: bool, text: String },
    Silence { served: Option<Duration> },
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Why a child ended, in words.
fn explain(status: ExitStatus, tail: &Tail) -> String {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) if code == i32::from(EXIT_STUCK) => "a statement did not end".to_owned(),
        (Some(code), _) if code == i32::from(EXIT_MEMORY) => "it took too much memory".to_owned(),
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    };
    // Who kills it from outside says it elsewhere.
    if status.signal() == Some(KILLED) { how } else { with_tail(how, tail) }
}

/// A reason with the last lines that the library has said.
fn with_tail(reason: String, tail: &Tail) -> String {
    match tail.text() {
        text if text.is_empty() => reason,
        text => format!("{reason}: {text}"),
    }
}
