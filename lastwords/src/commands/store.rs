//! `lastwords store …`

use std::{io::Write as _, time::Duration};

use anyhow::Context as _;
use lastwords_store::{
    Store,
    schema::{self, Layout},
    store::DATABASE,
};
use tokio::net::TcpListener;

use crate::{
    args::{MigrateArgs, StoreServeArgs},
    config::{self, Flags},
    outcome::{Outcome, UsageError, printed},
    output,
    pipeline::OpenStore,
    port,
};
use lastwords_config::environment;
use lastwords_runtime::shutdown::stop_signal;

/// How long a folder that a process before still holds is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// `lastwords store migrate`: brings a schema up to date, or prints how that is done.
///
/// # Errors
/// Where the folder is in use, the server does not answer, or the engine or a migration fails.
pub async fn migrate(migrate: &MigrateArgs) -> anyhow::Result<Outcome> {
    let mut config = config::load(&Flags::from(&migrate.place), &environment)?;
    if let Some(cluster) = &migrate.cluster {
        if !config::is_cluster_name(cluster) {
            let message = format!(
                "--cluster: wanted a cluster's name of letters, digits, _, - and ., found {cluster:?}"
            );
            return Err(UsageError(message).into());
        }
        if let Some(store) = &mut config.store {
            store.cluster = Some(cluster.clone());
        }
    }
    if migrate.print {
        let layout = match &config.store {
            Some(store) => Layout { database: store.database.clone(), cluster: store.cluster.clone() },
            None => Layout { database: DATABASE.to_owned(), cluster: migrate.cluster.clone() },
        };
        let mut out = output::stdout();
        for statement in schema::rendered(&layout) {
            printed(writeln!(out, "{statement};\n"))?;
        }
        return Ok(Outcome::Done);
    }
    if let Some(remote) = &config.store
        && migrate.place.data.is_none()
    {
        let applied = Store::remote(remote)?.migrate().await?;
        printed(writeln!(
            output::stdout(),
            "the schema of {} is up to date ({applied} migrations applied)",
            remote.urls.join(", ")
        ))?;
        return Ok(Outcome::Done);
    }
    if migrate.cluster.is_some() {
        let message = "--cluster is for a server of [store], or with --print: a data folder is one server";
        return Err(UsageError(message.to_owned()).into());
    }
    let lock = config.data.try_lock("lastwords store migrate")?;
    OpenStore::open(&config, lock).await?;
    printed(writeln!(output::stdout(), "the schema of {} is up to date", config.data.root().display()))?;
    Ok(Outcome::Done)
}

/// `lastwords store serve`: the embedded engine as a ClickHouse server.
///
/// # Errors
/// Where the folder is in use, the engine or a migration fails, or the address cannot be listened on.
pub async fn serve(serve: &StoreServeArgs) -> anyhow::Result<Outcome> {
    let mut config = config::load(&Flags::from(&serve.place), &environment)?;
    let password = match &serve.password_file {
        Some(path) => Some(config::password("--password-file", path)?),
        None => environment("LASTWORDS_STORE_PASSWORD").filter(|password| !password.is_empty()),
    };
    if let Some(named) = config::named_writer("--user", serve.user.clone(), password)? {
        config.clickhouse.named = Some(named);
    }
    let stop = stop_signal()?;
    config.data.create()?;
    let since = tokio::time::Instant::now();
    let lock = loop {
        match config.data.try_lock("lastwords store serve") {
            Err(held) if since.elapsed() < PATIENCE => {
                tracing::info!("waiting: {held}");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            ended => break ended?,
        }
    };
    let listener = TcpListener::bind(serve.listen)
        .await
        .with_context(|| format!("--listen: cannot listen on {}; is something else there?", serve.listen))?;
    let open = OpenStore::open(&config, lock).await?;
    let users = port::users(&config.clickhouse, &config.data)?;
    let tls = config.clickhouse_tls()?;
    let address = listener.local_addr()?;
    tracing::info!(what = "clickhouse", %address, data = %config.data.root().display(), "serving");
    let stopped = async {
        let signal = stop.await;
        tracing::info!(signal, "stopping");
    };
    port::serve(listener, open.store.clone(), users, config.known.clone(), tls, stopped).await?;
    Ok(Outcome::Done)
}
