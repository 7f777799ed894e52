//! Configuration of collecting and shipping, the same for `lastwords-shipper` and `lastwords`: each module has the
//! settings as they are written, and what they come to.
//!
//! - `host`: `[host]`,
//! - `collect`: `[collect]` and its sets of files,
//! - `journal`: `[collect.journal]`,
//! - `limits`: `[collect.limits]`,
//! - `ship`: `[ship]` and `[ship.tls]`,
//! - `file_rule`: which files are followed,
//! - `shipper`: what all of it comes to,
//! - `machine`: what this machine has of that.

mod collect;
mod file_rule;
mod host;
mod journal;
mod limits;
mod machine;
mod ship;
mod shipper;

use std::path::{Path, PathBuf};

use lastwords_config::{FilePath, FormerNames, Invalid, Layers, Schema, ShortNames};
use serde::{Deserialize, Serialize};

pub use collect::{
    Collect, CollectSettings, DEFAULT_CONSOLES, DEFAULT_EXCLUDE, DEFAULT_FILES, FileSettings, FileSource,
};
pub use file_rule::FileRule;
pub(crate) use file_rule::guest_at;
pub use host::HostSettings;
pub use journal::{JournalOptions, JournalSettings};
pub use lastwords_config::ConfigError;
pub use limits::LimitSettings;
pub use ship::{DEFAULT_LISTEN, ShipSettings, ShipTlsSettings};
pub use shipper::ShipperConfig;

use crate::uplink::Uplink;

/// The configuration file that `lastwords-shipper` reads where no other is named.
pub const DEFAULT_FILE: &str = "/etc/lastwords/shipper.toml";
/// Where `lastwords-shipper` keeps its state.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/lastwords-shipper";

/// Names of tables and keys before `lastwords` and `lastwords-shipper` had the same ones.
pub const FORMER_NAMES: FormerNames = &[
    ("state_dir", "collect.state_dir"),
    ("sources", "collect"),
    ("file", "collect.file"),
    ("limits", "collect.limits"),
    ("uplink", "ship"),
];

/// Variables with names of their own.
pub const SHORT_NAMES: ShortNames =
    &[("LASTWORDS_HOST", "host.name"), ("LASTWORDS_INGESTER", "ship.ingester")];

/// The whole file of `lastwords-shipper`; `lastwords` takes these tables, too, and they mean the same there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShipperSettings {
    /// What this machine is called.
    pub host: HostSettings,
    /// What is collected.
    pub collect: CollectSettings,
    /// Where it is sent to.
    pub ship: ShipSettings,
}

/// What a process was told to do.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The shipper.
    pub shipper: ShipperConfig,
    /// Where it sends to.
    pub uplink: Uplink,
    /// Where its status is served; none: nowhere.
    pub listen: Option<std::net::SocketAddr>,
    /// The settings, with what nobody said.
    pub settings: ShipperSettings,
    /// The file, the variables and the flags.
    pub layers: Layers,
}

/// What the command line of `lastwords-shipper` says.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`; none: the default file, where it exists.
    pub config: Option<PathBuf>,
    /// `--set KEY=VALUE`
    pub assignments: Vec<String>,
}

/// Reads the file, the environment and the flags; `environment` looks a variable up.
///
/// # Errors
/// The file, line and key, the variable or the flag that is wrong, and what was wanted.
pub fn load(flags: &Flags, environment: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, ConfigError> {
    let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
    let path = flags.config.clone().or_else(default);
    let schema = Schema::derive::<ShipperSettings>();
    let mut layers = open(path.as_deref(), environment)?;
    layers.lay_environment(&schema, &[SHORT_NAMES], environment)?;
    for assignment in &flags.assignments {
        layers.lay_assignment(&schema, "--set", assignment)?;
    }
    let mut settings: ShipperSettings = layers.read(&schema)?;
    let (shipper, uplink) = resolve(&mut settings, environment).map_err(|invalid| layers.place(invalid))?;
    let listen = settings.ship.check_listen().map_err(|invalid| layers.place(invalid))?;
    Ok(Loaded { shipper, uplink, listen, settings, layers })
}

/// Opens a file that may have been written with former names. It goes on meaning what it meant: then no files were
/// followed but those that it names.
///
/// # Errors
/// As [`Layers::open`] and [`Layers::rename`].
pub fn open(
    path: Option<&Path>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Layers, ConfigError> {
    let mut layers = Layers::open(path, environment)?;
    layers.rename(FORMER_NAMES)?;
    if !layers.notices().is_empty() {
        layers.default_to_none("collect.files");
        layers.default_to_none("collect.consoles");
    }
    Ok(layers)
}

fn resolve(
    settings: &mut ShipperSettings,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(ShipperConfig, Uplink), Invalid> {
    settings.host.fill();
    settings.collect.fill(environment)?;
    settings.collect.state_dir.get_or_insert_with(|| FilePath(DEFAULT_STATE_DIR.into()));
    let host = settings.host.check()?;
    let collect = settings.collect.check()?;
    let Some(uplink) = settings.ship.check()? else {
        let message = "wanted ingester = \"https://HOST:PORT\" or socket = \"PATH\", found neither \
                       (LASTWORDS_INGESTER, --set ship.ingester=… do, too)";
        return Err(Invalid::new("ship", message));
    };
    settings.ship.check_files()?;
    settings.ship.listen.get_or_insert_with(|| DEFAULT_LISTEN.to_owned());
    Ok((collect.shipper(host, DEFAULT_STATE_DIR.into()), uplink))
}

#[cfg(test)]
mod tests;
