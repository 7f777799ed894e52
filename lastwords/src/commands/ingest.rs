//! `lastwords ingest`: shippers in, Kafka out. Keeps nothing itself.

use anyhow::Context as _;
use lastwords_ingester::{Speakers, connections, kafka::Producer, serve_grpc};
use lastwords_runtime::serve_health;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::kafka;
use crate::{
    args::ServiceArgs,
    config::{self, ConfigError, Flags},
    gate::Gate,
    outcome::Outcome,
};
use lastwords_config::environment;
use lastwords_runtime::shutdown::stop_signal;

const FATAL_LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// Runs until a signal; then what was taken is acknowledged, as far as the grace period goes.
///
/// # Errors
/// Where Kafka is not as configured, or breaks for good.
pub async fn run(ingest: &ServiceArgs) -> anyhow::Result<Outcome> {
    let config = config::load(&Flags::from(ingest), &environment)?;
    let options = kafka::options(&config)?;
    let mut stop = std::pin::pin!(stop_signal()?);
    let address = config
        .listen
        .grpc
        .ok_or(ConfigError::Lacking("listen.grpc is off: there is nothing to ingest from"))?;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listen.grpc: cannot listen on {address}"))?;
    let http = match config.listen.http {
        Some(http) => Some(
            TcpListener::bind(http).await.with_context(|| format!("listen.http: cannot listen on {http}"))?,
        ),
        None => None,
    };
    let gate = Gate::load(&config)?;
    let producer = tokio::select! {
        started = Producer::start(&options, config.listen.memory.queue_bytes) => started?,
        _ = &mut stop => return Ok(Outcome::Done),
    };
    let shutdown = CancellationToken::new();
    if let Some(http) = http {
        let (counted, gate, ready) = (producer.clone(), gate.metrics(), producer.clone());
        let metrics = move || counted.metrics() + &gate();
        let stop = shutdown.clone();
        let stopping = shutdown.clone();
        let ready = move || match (stopping.is_cancelled(), ready.fatal_error()) {
            (true, _) => Err("stopping".to_owned()),
            (_, Some(error)) => Err(error),
            (false, None) if ready.is_full() => {
                Err("Kafka does not take batches as fast as they come".to_owned())
            }
            (false, None) => Ok(()),
        };
        tokio::spawn(serve_health(http, metrics, ready, stop.cancelled_owned()));
    }
    let admit = gate.options(Speakers::OwnHost);
    let incoming = connections(listener, gate.tls, gate.refusals, gate.limits.places);
    let stopped = shutdown.clone().cancelled_owned();
    let serving = tokio::spawn(serve_grpc(incoming, producer.clone(), admit, stopped));
    tracing::info!(what = "grpc", %address, topic = options.topic, "serving");
    let broken = tokio::select! {
        signal = &mut stop => {
            tracing::info!(signal, grace_seconds = config.grace.as_secs(), "stopping");
            None
        }
        error = fatal(&producer) => Some(error),
    };
    shutdown.cancel();
    match tokio::time::timeout(config.grace, serving).await {
        Ok(Ok(())) => tracing::info!("stopped"),
        Ok(Err(error)) => tracing::error!(%error, "serving broke"),
        Err(_) => tracing::warn!("the grace period is over; shippers send again what was not acknowledged"),
    }
    producer.close();
    match broken {
        None => Ok(Outcome::Done),
        Some(error) => {
            anyhow::bail!(
                "the producer is broken for good ({error}): start again; shippers send again what was not acknowledged"
            )
        }
    }
}

/// Resolves when only a new process helps.
async fn fatal(producer: &Producer) -> String {
    loop {
        if let Some(error) = producer.fatal_error() {
            return error;
        }
        tokio::time::sleep(FATAL_LOOK).await;
    }
}
