//! The engine in a process of its own, in a cage.
//!
//! The parent, which takes in logs and answers questions, binds a unix socket and starts itself again as
//! `lastwords engine` with that socket. The child gives up all that it does not need ([`cage`]), opens the folder and
//! serves ClickHouse's HTTP protocol on the socket ([`child`]). Whatever a statement does to it, the parent goes on:
//! it starts the engine again at once ([`supervise`]), and statements wait for that meanwhile.
//!
//! Parent and child share three descriptors: the listening socket (the child's standard input), a connection on which
//! the child reports and whose end is the child's end (its standard output), and the child's standard error, which
//! becomes lines of the parent's log ([`relay`]).

pub mod cage;
mod child;
mod relay;
mod report;
mod restarts;
mod state;
mod supervise;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use lastwords_runtime::metrics::look;
use tokio::sync::watch;

use super::EngineError;
use cage::Cage;
pub use child::{ChildOptions, serve_child};
pub use state::{EngineState, ProcessOptions};
use supervise::Control;

/// The engine's process, kept running until this is dropped.
#[derive(Debug)]
pub struct EngineProcess {
    control: Arc<Control>,
    supervisor: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl EngineProcess {
    /// Starts the engine and waits until it takes statements. Blocks the thread.
    ///
    /// # Errors
    /// Where the library is missing, the process cannot be started, or it cannot open the folder.
    pub fn start(options: &ProcessOptions) -> Result<EngineProcess, EngineError> {
        let (control, supervisor) = supervise::start(options)?;
        Ok(EngineProcess { control, supervisor: Mutex::new(Some(supervisor)) })
    }

    /// The socket that it serves.
    pub fn socket(&self) -> &Path {
        self.control.socket()
    }

    /// How it is, now and later.
    pub fn state(&self) -> watch::Receiver<EngineState> {
        self.control.state()
    }

    /// Why it does not take statements now; nothing where it does.
    pub fn trouble(&self) -> Option<String> {
        match &*self.control.state().borrow() {
            EngineState::Up { .. } => None,
            EngineState::Starting => Some("the engine is being started".to_owned()),
            EngineState::Ended => Some("the engine has been closed".to_owned()),
            EngineState::Down { in_a_row, reason } => {
                Some(format!("the engine ended ({in_a_row} times in a row; {reason}) and is started again"))
            }
        }
    }

    /// How often it was started again.
    pub fn restarts(&self) -> u64 {
        self.control.restarts()
    }

    /// The same in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        let up = matches!(&*self.control.state().borrow(), EngineState::Up { .. });
        let restarts = self.restarts();
        look(move |looked| {
            let help = "Whether the engine's process takes statements.";
            looked.gauge("lastwords_engine_up", help, i64::from(up));
            let help = "Times that the engine's process was started again.";
            looked.counter("lastwords_engine_restarts", help, restarts);
        })
    }

    /// The cage that it is in.
    pub fn cage(&self) -> Cage {
        self.control.cage()
    }

    /// Lets it finish the statements under way, within a bound, and waits for its end. Blocks the thread.
    pub fn end(&self) {
        self.control.ask_to_end();
        let supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(supervisor) = supervisor
            && supervisor.join().is_err()
        {
            tracing::error!("the thread that keeps the engine's process broke");
        }
    }
}

impl Drop for EngineProcess {
    fn drop(&mut self) {
        self.end();
    }
}
