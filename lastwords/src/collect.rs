//! What the shipper is told to collect from this machine.

use anyhow::Context as _;
use lastwords_shipper::ShipperConfig;

use crate::config::Config;

/// The shipper's configuration that follows from ours. A state folder beside the data folder is closed to others.
///
/// # Errors
/// Where the state folder is not ours alone.
pub fn shipper(config: &Config) -> anyhow::Result<ShipperConfig> {
    let mut shipper = unfitted(config);
    shipper.fit_machine();
    if config.collect.state_dir.is_some() {
        shipper.close_state().context("the shipper's state folder (collect.state_dir) cannot be used")?;
    }
    Ok(shipper)
}

/// The same as it is configured, whatever this machine has of it.
#[must_use]
pub fn unfitted(config: &Config) -> ShipperConfig {
    config.collect.shipper(config.host.clone(), config.data.shipper())
}
