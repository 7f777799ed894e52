//! `lastwords ship`: this machine's logs to an ingester elsewhere.

use crate::{
    args::ShipArgs,
    collect,
    config::{self, Flags},
    outcome::{Outcome, UsageError},
};
use lastwords_config::environment;
use lastwords_runtime::shutdown::stop_signal;
use lastwords_shipper::{run_with_status, serve_status, status::Status};

/// Runs until a signal.
///
/// # Errors
/// Where the configuration names no ingester, or the shipper's state cannot be used.
pub async fn run(ship: &ShipArgs) -> anyhow::Result<Outcome> {
    let config = config::load(&Flags::from(ship), &environment)?;
    config.warn_of_former_names();
    let Some(uplink) = config.uplink.clone() else {
        let message = "wanted an ingester to send to: --ingester http://HOST:4320, LASTWORDS_INGESTER, or ship.ingester";
        return Err(UsageError(message.to_owned()).into());
    };
    config.check_ship_files()?;
    config.data.create()?;
    let _lock = config.data.try_lock("lastwords ship")?;
    let stop = stop_signal()?;
    tracing::info!(host = config.host.name, to = ?uplink, "shipping this machine's logs");
    let stopped = async {
        let signal = stop.await;
        tracing::info!(signal, "stopping");
    };
    let status = Status::default();
    let shipping = run_with_status(collect::shipper(&config)?, uplink, status.clone(), stopped);
    match config.ship_listen() {
        None => shipping.await?,
        Some(address) => tokio::select! {
            ended = shipping => ended?,
            () = serve_status(address, status, std::future::pending()) => {}
        },
    }
    Ok(Outcome::Done)
}
