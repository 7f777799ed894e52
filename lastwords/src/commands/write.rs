//! `lastwords write`: Kafka in, events found, ClickHouse out, exactly once.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use lastwords_ingester::{
    BlockLimits, Counters,
    audit::watch,
    kafka::{GroupOptions, PartitionStates, run_group},
};
use lastwords_runtime::{Backoff, Pauses, serve_health};
use lastwords_store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::kafka;
use crate::{
    args::ServiceArgs,
    config::{self, ConfigError, Flags},
    outcome::Outcome,
};
use lastwords_config::environment;
use lastwords_runtime::shutdown::stop_signal;

const NO_STORE: &str = "no store is configured: wanted store.url = \"http://HOST:8123\", or LASTWORDS_STORE_URL \
                        (`lastwords store serve` offers the embedded engine)";
/// Between two tries of a store that does not answer.
const STORE_PAUSES: Pauses = Pauses::between(Duration::from_millis(500), Duration::from_secs(5));
/// Several partitions are written at once: each has less than the one queue of `up`. Bytes are those that rows become:
/// so many are read ahead, too.
const BLOCK_ROWS_MAX: usize = 150_000;
const BLOCK_BYTES_MAX: usize = 48 << 20;

/// Runs until a signal; then blocks under way are finished, as far as the grace period goes.
///
/// # Errors
/// Where Kafka is not as configured, the store's schema is newer, or the consumer breaks for good.
pub async fn run(write: &ServiceArgs) -> anyhow::Result<Outcome> {
    let config = config::load(&Flags::from(write), &environment)?;
    let options = kafka::options(&config)?;
    let remote = config.store.clone().ok_or(ConfigError::Lacking(NO_STORE))?;
    let stop = stop_signal()?;
    let shutdown = CancellationToken::new();
    let signalled = shutdown.clone();
    tokio::spawn(async move {
        let signal = stop.await;
        tracing::info!(signal, "stopping");
        signalled.cancel();
    });
    let (counters, states) = (Arc::new(Counters::default()), Arc::new(PartitionStates::default()));
    if let Some(address) = config.listen.http {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("listen.http: cannot listen on {address}"))?;
        let (counted, told, held) = (Arc::clone(&counters), Arc::clone(&states), Arc::clone(&states));
        let stopping = shutdown.clone();
        let ready = move || match stopping.is_cancelled() {
            true => Err("stopping".to_owned()),
            false => held.readiness(),
        };
        let metrics = move || counted.render(0) + &told.render();
        tokio::spawn(serve_health(listener, metrics, ready, shutdown.clone().cancelled_owned()));
        tracing::info!(what = "http", %address, "serving");
    }
    let store = Store::remote(&remote)?;
    let urls = remote.urls.join(", ");
    let Some(migrated) = shutdown.run_until_cancelled(migrate(&store, &urls)).await else {
        return Ok(Outcome::Done);
    };
    migrated?;
    let group = GroupOptions {
        kafka: options,
        block: BlockLimits { rows_max: BLOCK_ROWS_MAX, bytes_max: BLOCK_BYTES_MAX, ..BlockLimits::default() },
        grace: config.grace,
    };
    tracing::info!(topic = group.kafka.topic, group = group.kafka.group, store = urls, "writing");
    let watching = watch(store.clone(), Arc::clone(&counters));
    let auditing = tokio::spawn(watching);
    let ended = run_group(group, store, config.rules.detector(), counters, states, shutdown).await;
    auditing.abort();
    ended?;
    tracing::info!("stopped");
    Ok(Outcome::Done)
}

/// Brings the schema up to date, waiting for a store that does not answer yet.
async fn migrate(store: &Store, url: &str) -> anyhow::Result<()> {
    let mut backoff = Backoff::new(STORE_PAUSES);
    loop {
        match store.migrate().await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_passing() => {
                tracing::warn!(url, %error, "the store does not answer; trying again");
                backoff.wait().await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
