//! Engine, store and direct queue on a data folder: what `up`, `import` and `demo` send batches into.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use lastwords_detect::Detector;
use lastwords_ingester::{Direct, DirectOptions, Incoming};
use lastwords_record::Batch;
use lastwords_shipper::{Deliver, DeliverError, Delivered, DeliverFuture};
use lastwords_store::{Engine, EngineOptions, Store};
use tokio::sync::{mpsc, oneshot};

use crate::{
    config::Config,
    data::{DataError, DataFolder, Lock},
};

/// How long a command waits for a data folder that another command is about to release.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An open data folder: the lock, the engine, the migrated store.
pub struct OpenStore {
    /// The store.
    pub store: Store,
    /// The engine under it.
    pub engine: Arc<Engine>,
    /// Last, so that it is released after the engine.
    lock: Lock,
}

impl OpenStore {
    /// Opens the engine on a folder that we hold, and brings its schema up to date.
    ///
    /// # Errors
    /// Where the engine is missing or does not start, or the schema is newer than this binary.
    pub async fn open(config: &Config, lock: Lock) -> anyhow::Result<OpenStore> {
        let options = EngineOptions {
            library: config.engine.library.clone(),
            path: config.data.engine(),
            memory_bytes_max: config.engine.memory_bytes_max,
            ..EngineOptions::default()
        };
        let engine = tokio::task::spawn_blocking(move || Engine::open(&options))
            .await
            .context("the engine's start was interrupted")??;
        let engine = Arc::new(engine);
        let store = Store::embedded(Arc::clone(&engine));
        store.migrate().await.context("the store's schema could not be brought up to date")?;
        Ok(OpenStore { store, engine, lock })
    }
}
