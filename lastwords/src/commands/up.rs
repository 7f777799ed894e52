//! `lastwords up`: everything in one process, on one data folder.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use lastwords_api::{
    Api, Service,
    server::{self, Listener, bind_unix},
};
use lastwords_ingester::{Speakers, audit::watch, connections, serve_grpc};
use lastwords_shipper::{Uplink, run_with_status, status::Status};
use tokio::{
    net::{TcpListener, UnixListener},
    task::JoinSet,
};
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;

use crate::{
    args::UpArgs,
    collect,
    config::{self, Config, Flags},
    data::{DataError, Lock},
    gate::Gate,
    outcome::{Outcome, explain},
    pipeline::{OpenStore, PATIENCE, Pipeline, broken},
    port,
};
use lastwords_config::environment;
use lastwords_runtime::shutdown::stop_signal;

const PURPOSE: &str = "lastwords up";

/// Runs until a signal, then drains.
///
/// # Errors
/// Where something cannot be started, or a part fails that the others cannot do without.
pub async fn run(up: &UpArgs) -> anyhow::Result<Outcome> {
    let config = config::load(&Flags::from(up), &environment)?;
    config.warn_of_former_names();
    let stop = stop_signal()?;
    let lock = lock(&config).await?;
    let gate = Gate::load(&config)?;
    let listeners = Listeners::bind(&config).await?;
    let open = OpenStore::open(&config, lock).await?;
    let mut pipeline = Pipeline::start(open, &config).await?;

    let shutdown = CancellationToken::new();
    let mut parts = Parts::new();
    let collected = Status::default();
    let api = Arc::new(api(&pipeline, &config, &gate, &collected));
    serve(listeners, &config, &pipeline, &api, gate, &shutdown, &mut parts)?;
    collect(&config, &pipeline, collected, &shutdown, &mut parts)?;
    audit(&pipeline, &shutdown, &mut parts);
    api.set_ready(true);
    tracing::info!(data = %config.data.root().display(), host = config.host.name, "up");

    let failed = tokio::select! {
        signal = stop => {
            tracing::info!(signal, grace_seconds = config.grace.as_secs(), "stopping");
            None
        }
        Some(ended) = parts.join_next() => Some(why(ended)),
        reason = pipeline.broke() => Some(broken(&reason)),
    };
    api.set_ready(false);
    shutdown.cancel();
    // The last hold on the queue besides the parts': the writer ends when nobody can hand anything in.
    drop(api);
    drain(&config, parts, pipeline).await;
    match failed {
        None => Ok(Outcome::Done),
        Some(error) => Err(error),
    }
}

/// Waits for commands that are about to end, but not for another `up`.
async fn lock(config: &Config) -> Result<Lock, DataError> {
    let since = Instant::now();
    loop {
        match config.data.try_lock(PURPOSE) {
            Err(DataError::Held { holder, .. })
                if holder.purpose != PURPOSE && since.elapsed() < PATIENCE =>
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            ended => return ended,
        }
    }
}

/// Everything that is listened on, bound before anything else starts.
struct Listeners {
    grpc: Option<TcpListener>,
    http: Option<TcpListener>,
    clickhouse: Option<TcpListener>,
    ingest: UnixListener,
    query: UnixListener,
}

impl Listeners {
    async fn bind(config: &Config) -> anyhow::Result<Listeners> {
        let listen = &config.listen;
        Ok(Listeners {
            grpc: bind(listen.grpc, "listen.grpc (--listen)").await?,
            http: bind(listen.http, "listen.http (--http-listen)").await?,
            clickhouse: bind(config.clickhouse.listen, "clickhouse.listen (--clickhouse-listen)").await?,
            ingest: bind_unix(&config.data.ingest_socket()).context("DATA/ingest.sock cannot be made")?,
            query: bind_unix(&config.data.query_socket()).context("DATA/query.sock cannot be made")?,
        })
    }
}

async fn bind(address: Option<SocketAddr>, key: &str) -> anyhow::Result<Option<TcpListener>> {
    match address {
        None => Ok(None),
        Some(address) => TcpListener::bind(address)
            .await
            .map(Some)
            .with_context(|| format!("{key}: cannot listen on {address}; is something else there?")),
    }
}

fn why(ended: Result<(&'static str, anyhow::Result<()>), tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok((part, Err(error))) => error.context(format!("{part} failed")),
        Ok((part, Ok(()))) => anyhow::anyhow!("{part} ended by itself"),
        Err(error) => anyhow::anyhow!("a part broke: {error}"),
    }
}

fn api(pipeline: &Pipeline, config: &Config, gate: &Gate, collected: &Status) -> Api {
    let (direct, gate, collected) = (pipeline.direct.clone(), gate.metrics(), collected.clone());
    let (store, known, rules) = (pipeline.open.store.clone(), config.known.clone(), config.rules.clone());
    let api = Api::new(Service::new(store, known, rules), move || {
        direct.metrics() + &gate() + &collected.metrics()
    });
    api.known_as(config.listen.http_names.clone())
}

/// A part of `up` that runs until the shutdown; its end before that is a failure.
type Parts = JoinSet<(&'static str, anyhow::Result<()>)>;

fn serve(
    listeners: Listeners,
    config: &Config,
    pipeline: &Pipeline,
    api: &Arc<Api>,
    gate: Gate,
    shutdown: &CancellationToken,
    parts: &mut Parts,
) -> anyhow::Result<()> {
    let told = |what: &str, address: SocketAddr| tracing::info!(what, %address, "serving");
    let mut http = vec![Listener::Unix(listeners.query)];
    if let Some(listener) = listeners.http {
        told("http", listener.local_addr()?);
        http.push(Listener::Tcp(listener));
    }
    for listener in http {
        let (api, shutdown) = (Arc::clone(api), shutdown.clone());
        parts.spawn(async move {
            server::serve(listener, api, shutdown).await;
            ("the HTTP API", Ok(()))
        });
    }
    let (direct, stop) = (pipeline.direct.clone(), shutdown.clone().cancelled_owned());
    // Whoever can reach the socket owns the data folder: imports speak for other hosts.
    let options = gate.options(Speakers::AnyHost);
    parts.spawn(async move {
        let incoming = UnixListenerStream::new(listeners.ingest);
        serve_grpc(incoming, direct, options, stop).await;
        ("the gRPC socket", Ok(()))
    });
    if let Some(listener) = listeners.grpc {
        told("grpc", listener.local_addr()?);
        let (direct, stop) = (pipeline.direct.clone(), shutdown.clone().cancelled_owned());
        let options = gate.options(Speakers::OwnHost);
        let incoming = connections(listener, gate.tls, gate.refusals, gate.limits.places);
        parts.spawn(async move {
            serve_grpc(incoming, direct, options, stop).await;
            ("the gRPC listener", Ok(()))
        });
    }
    if let Some(listener) = listeners.clickhouse {
        told("clickhouse", listener.local_addr()?);
        let users = port::users(&config.clickhouse, &config.data)?;
        let (store, stop) = (pipeline.open.store.clone(), shutdown.clone().cancelled_owned());
        let (known, tls) = (config.known.clone(), config.clickhouse_tls()?);
        parts.spawn(async move {
            ("the ClickHouse port", port::serve(listener, store, users, known, tls, stop).await)
        });
    }
    Ok(())
}

/// Looks whether the rows are there that the ledger says are stored.
fn audit(pipeline: &Pipeline, shutdown: &CancellationToken, parts: &mut Parts) {
    let watching = watch(pipeline.open.store.clone(), pipeline.direct.shared_counters());
    let stop = shutdown.clone();
    parts.spawn(async move {
        stop.run_until_cancelled(watching).await;
        ("the audit", Ok(()))
    });
}

/// Starts this machine's own shipper.
fn collect(
    config: &Config,
    pipeline: &Pipeline,
    collected: Status,
    shutdown: &CancellationToken,
    parts: &mut Parts,
) -> anyhow::Result<()> {
    if !config.collect.anything() {
        tracing::info!("nothing is collected from this machine itself");
        return Ok(());
    }
    let (shipper, uplink) = (collect::shipper(config)?, Uplink::InProcess(pipeline.deliver()));
    let stop = shutdown.clone().cancelled_owned();
    parts.spawn(async move {
        (
            "this machine's shipper",
            run_with_status(shipper, uplink, collected, stop).await.map_err(Into::into),
        )
    });
    Ok(())
}

/// Lets everything end, as far as the grace period goes.
async fn drain(config: &Config, mut parts: Parts, pipeline: Pipeline) {
    let drained = async {
        while let Some(ended) = parts.join_next().await {
            if let Ok((part, Err(error))) = ended {
                tracing::warn!("{part} did not end well: {}", explain(&error));
            }
        }
        pipeline.finish().await;
    };
    match tokio::time::timeout(config.grace, drained).await {
        Ok(()) => tracing::info!("stopped"),
        Err(_) => {
            tracing::warn!("the grace period is over; what is unfinished is taken up at the next start")
        }
    }
}
