//! Engine, store and direct queue on a data folder: what `up`, `import` and `demo` send batches into.

use std::{
    io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use lastwords_ingester::{Direct, DirectOptions, Incoming, StartError, WriteError, Written};
use lastwords_record::{Batch, ShipperId};
use lastwords_runtime::{Backoff, Pauses};
use lastwords_shipper::{Deliver, DeliverError, DeliverFuture, Delivered};
use lastwords_store::{
    Engine, EngineOptions, EngineProcess, MigrateError, ProcessOptions, Store, schema::copies,
};
use tokio::{
    net::UnixStream,
    sync::{mpsc, oneshot},
};

use crate::{
    config::Config,
    data::{DataError, Lock},
    output,
};

/// How long a command waits for a data folder that another command is about to release.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// After so long the user is told what is waited for.
const QUIET: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);
/// Before what failed at the start is done again.
const AGAIN: Pauses = Pauses::between(Duration::from_millis(100), Duration::from_secs(1));

/// How to reach what a data folder holds.
pub enum Access {
    /// The folder is ours now.
    Here(Box<OpenStore>),
    /// A running `up` has it and answers at the socket.
    There,
}

impl Access {
    /// Takes the folder, or finds the `up` that has it, or waits for whoever else does.
    ///
    /// # Errors
    /// Where the folder cannot be used, or its holder neither answers nor ends within `patience`.
    pub async fn take(
        config: &Config,
        purpose: &str,
        socket: &Path,
        patience: Duration,
    ) -> anyhow::Result<Access> {
        let since = Instant::now();
        let mut told = false;
        loop {
            let held = match config.data.try_lock(purpose) {
                Ok(lock) => return Ok(Access::Here(Box::new(OpenStore::open(config, lock).await?))),
                Err(held @ DataError::Held { .. }) => held,
                Err(other) => return Err(other.into()),
            };
            if UnixStream::connect(socket).await.is_ok() {
                return Ok(Access::There);
            }
            if since.elapsed() > patience {
                return Err(held.into());
            }
            if since.elapsed() > QUIET && !told {
                output::tell(format_args!("lastwords: waiting: {held}"));
                told = true;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// An open data folder: the lock, the engine, the migrated store.
pub struct OpenStore {
    /// The store.
    pub store: Store,
    /// The engine, where it is in this process.
    pub engine: Option<Arc<Engine>>,
    /// Where it has a process of its own. This ends with the folder, whoever still has a store.
    process: Option<Arc<EngineProcess>>,
    /// Last, so that it is released after the engine.
    _lock: Lock,
}

impl OpenStore {
    /// Opens the engine on a folder that we hold, and brings its schema up to date. Where it does not start because what
    /// says what its tables are is damaged, copies of that are put in its place.
    ///
    /// # Errors
    /// Where the engine is missing or does not start, or the schema is newer than this binary.
    pub async fn open(config: &Config, lock: Lock) -> anyhow::Result<OpenStore> {
        let started = match Started::migrated(config).await {
            // One process opens a folder once.
            Err(error) if !config.engine.in_process => {
                let restored = on_schema_copies(config, copies::restore).await?;
                if restored.is_empty() {
                    return Err(error);
                }
                tracing::error!(
                    ?restored,
                    kept = %config.data.schema_copies().display(),
                    %error,
                    "the store did not start: definitions of tables are not as they were, and are replaced by copies"
                );
                Started::migrated(config).await?
            }
            started => started?,
        };
        if let Err(error) = on_schema_copies(config, copies::keep).await {
            tracing::warn!(%error, "definitions of tables cannot be copied: where one is damaged, the store will not start");
        }
        Ok(started.hold(lock))
    }

    /// Opens the engine on a folder that we hold, whatever schema is in it.
    ///
    /// # Errors
    /// Where the engine is missing or does not start.
    pub async fn open_as_it_is(config: &Config, lock: Lock) -> anyhow::Result<OpenStore> {
        Ok(Started::start(config).await?.hold(lock))
    }
}

/// Does something with the engine's folder and the copies of its tables' definitions.
async fn on_schema_copies<T: Send + 'static>(
    config: &Config,
    work: fn(&Path, &Path) -> io::Result<T>,
) -> anyhow::Result<T> {
    let (engine, copies) = (config.data.engine(), config.data.schema_copies());
    let done = tokio::task::spawn_blocking(move || work(&engine, &copies)).await;
    done.context("copies of the tables' definitions")?.context("copies of the tables' definitions")
}

/// An engine that takes statements.
struct Started {
    store: Store,
    engine: Option<Arc<Engine>>,
    process: Option<Arc<EngineProcess>>,
}

impl Started {
    async fn start(config: &Config) -> anyhow::Result<Started> {
        let options = EngineOptions {
            library: config.engine.library.clone(),
            memory_bytes_max: config.engine.memory_bytes_max,
            ..EngineOptions::new(config.data.engine())
        };
        let interrupted = "the engine's start was interrupted";
        if config.engine.in_process {
            let engine =
                tokio::task::spawn_blocking(move || Engine::open(&options)).await.context(interrupted)??;
            let engine = Arc::new(engine);
            let store = Store::embedded(Arc::clone(&engine));
            return Ok(Started { store, engine: Some(engine), process: None });
        }
        let options = ProcessOptions::new(options, config.data.engine_socket());
        let started = tokio::task::spawn_blocking(move || EngineProcess::start(&options));
        let process = Arc::new(started.await.context(interrupted)??);
        let store = Store::local(Arc::clone(&process));
        Ok(Started { store, engine: None, process: Some(process) })
    }

    async fn migrated(config: &Config) -> anyhow::Result<Started> {
        let started = Started::start(config).await?;
        let migrated = again("bring the schema up to date", MigrateError::is_passing, async || {
            started.store.migrate().await
        });
        if let Err(error) = migrated.await {
            if let Some(process) = started.process {
                tokio::task::spawn_blocking(move || process.end()).await.context("the engine's end")?;
            }
            return Err(error.into());
        }
        Ok(started)
    }

    fn hold(self, lock: Lock) -> OpenStore {
        let Started { store, engine, process } = self;
        OpenStore { store, engine, process, _lock: lock }
    }
}

impl Drop for OpenStore {
    fn drop(&mut self) {
        if let Some(process) = &self.process {
            process.end();
        }
    }
}

/// Does something at the start again while the engine is being started again.
async fn again<T, E: std::fmt::Display>(
    what: &str,
    is_passing: impl Fn(&E) -> bool,
    attempt: impl AsyncFn() -> Result<T, E>,
) -> Result<T, E> {
    let (since, mut backoff) = (Instant::now(), Backoff::new(AGAIN));
    loop {
        match attempt().await {
            Err(error) if is_passing(&error) && since.elapsed() < PATIENCE => {
                tracing::warn!(%error, "could not {what}; trying again");
                backoff.wait().await;
            }
            ended => return ended,
        }
    }
}

/// An open data folder that takes in batches.
pub struct Pipeline {
    /// The store, for questions.
    pub open: OpenStore,
    /// The queue, for batches.
    pub direct: Direct,
    /// None once it has ended.
    writer: Option<tokio::task::JoinHandle<()>>,
}

impl Pipeline {
    /// Starts the direct queue and settles what a killed process left in doubt.
    ///
    /// # Errors
    /// Where the store does not say what is in it.
    pub async fn start(open: OpenStore, config: &Config) -> anyhow::Result<Pipeline> {
        let passing = |error: &StartError| matches!(error, StartError::Store(error) if error.is_passing());
        let options =
            DirectOptions { queue_bytes_max: config.listen.memory.queue_bytes, ..DirectOptions::default() };
        let (direct, writer) = again("read what is stored", passing, async || {
            let (store, detector) = (open.store.clone(), config.rules.detector());
            Direct::start(store, detector, config.data.root(), options.clone()).await
        })
        .await?;
        Ok(Pipeline { open, direct, writer: Some(writer) })
    }

    /// Resolves if the writer ends although batches may still come, with the reason.
    pub async fn broke(&mut self) -> String {
        let Some(writer) = &mut self.writer else { return std::future::pending().await };
        let ended = writer.await;
        self.writer = None;
        let reason = self.direct.broken().map(|reason| reason.to_string());
        reason.or(ended.err().map(|error| error.to_string())).unwrap_or_else(|| "it was closed".to_owned())
    }

    /// Does what needs the writer.
    ///
    /// # Errors
    /// As the work, or where the writer breaks under it: it would send again for ever.
    pub async fn while_it_writes<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            biased;
            done = work => done,
            reason = self.broke() => Err(broken(&reason)),
        }
    }

    /// Takes nothing more and waits until what was taken in is written.
    pub async fn finish(self) {
        self.direct.close();
        if let Some(writer) = self.writer
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "the writer broke");
        }
    }

    /// The way into this pipeline for the shipper's library.
    #[must_use]
    pub fn deliver(&self) -> Arc<dyn Deliver> {
        Arc::new(InProcess::start(self.direct.clone()))
    }
}

/// What is said of a writer that broke.
#[must_use]
pub fn broken(reason: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "batches cannot be stored any more ({reason}): start it again; what was under way is settled then"
    )
}

/// Hands batches to the direct queue in the order of the calls.
struct InProcess {
    /// Bounded by the shipper, which lets only so many bytes be under way.
    submissions: mpsc::UnboundedSender<Submission>,
    direct: Direct,
}

type Submission = (Batch, oneshot::Sender<Result<Delivered, DeliverError>>);

impl InProcess {
    fn start(direct: Direct) -> InProcess {
        let (submissions, mut received) = mpsc::unbounded_channel::<Submission>();
        let known = direct.clone();
        tokio::spawn(async move {
            while let Some((batch, reply)) = received.recv().await {
                match direct.submit(Incoming::Opened(batch)).await {
                    Ok(ticket) => {
                        tokio::spawn(async move {
                            let written = ticket.await;
                            // A shipper that has gone needs no answer.
                            let _ = reply.send(delivered(written));
                        });
                    }
                    Err(error) => {
                        let _ = reply.send(Err(DeliverError::Retry(error.to_string())));
                    }
                }
            }
        });
        InProcess { submissions, direct: known }
    }
}

impl Deliver for InProcess {
    fn deliver(&self, batch: Batch) -> DeliverFuture {
        let (reply, answer) = oneshot::channel();
        let sent = self.submissions.send((batch, reply));
        Box::pin(async move {
            let gone = || DeliverError::Retry("the queue has stopped".to_owned());
            sent.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        })
    }

    fn highest(&self, shipper: ShipperId, epoch: u64) -> Option<u64> {
        self.direct.highest(shipper, epoch)
    }
}

/// The writer's answer in the shipper's words.
fn delivered(written: Result<Written, WriteError>) -> Result<Delivered, DeliverError> {
    match written {
        Ok(written) => Ok(Delivered { events: written.events, quarantined: written.quarantined }),
        Err(error @ WriteError::Conflict) => Err(DeliverError::Conflict(error.to_string())),
        Err(error) => Err(DeliverError::Retry(error.to_string())),
    }
}
