//! What the shipper is told to collect from this machine.

use lastwords_record::Source;
use lastwords_shipper::{
    ShipperConfig,
    config::FileRule,
    discover::PatternError,
    sample::{network::NetworkOptions, saturation::Thresholds},
};

use crate::config::{CollectConfig, Config};

/// Calm is this much below the share that begins a saturation.
const HYSTERESIS: f64 = 0.1;

/// The shipper's configuration that follows from ours.
///
/// # Errors
/// Where a glob is none.
pub fn shipper(config: &Config) -> Result<ShipperConfig, PatternError> {
    let collect = &config.collect;
    let mut shipper = ShipperConfig::new(config.host.clone(), config.data.shipper());
    shipper.files = rules(collect)?;
    shipper.journald = collect.journald && has_journalctl();
    shipper.kmsg = collect.kmsg && can_read_kmsg();
    shipper.samples = collect.samples.then(|| network(collect));
    Ok(shipper)
}

/// Consoles come first: the first rule that means a file counts.
///
/// # Errors
/// Where a glob is none.
pub fn rules(collect: &CollectConfig) -> Result<Vec<FileRule>, PatternError> {
    let zone = collect.time_zone.iana_name().unwrap_or("UTC");
    let mut rules = Vec::new();
    if !collect.consoles.is_empty() {
        rules.push(FileRule::new(Source::Console, &collect.consoles, &[], zone)?);
    }
    if !collect.files.is_empty() {
        rules.push(FileRule::new(Source::File, &collect.files, &collect.exclude, zone)?);
    }
    Ok(rules)
}

fn network(collect: &CollectConfig) -> NetworkOptions {
    let begin_utilisation = collect.saturation_share;
    let end_utilisation = (begin_utilisation - HYSTERESIS).max(begin_utilisation / 2.0);
    NetworkOptions {
        thresholds: Thresholds { begin_utilisation, end_utilisation, ..Thresholds::default() },
        ..NetworkOptions::default()
    }
}

fn has_journalctl() -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join("journalctl").is_file()));
    if !found {
        tracing::info!("no journalctl here: the journal is not collected");
    }
    found
}

fn can_read_kmsg() -> bool {
    match std::fs::File::open("/dev/kmsg") {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(%error, "/dev/kmsg cannot be read: the kernel's ring is not collected");
            false
        }
    }
}
