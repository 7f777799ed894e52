//! Configuration: one TOML file, environment variables over it, flags over both; validated once. Each module has a
//! table's settings as they are written, and what they come to:
//!
//! - `listen`: `[listen]`,
//! - `clickhouse`: `[clickhouse]`,
//! - `kafka`: `[kafka]`,
//! - `store`: `[store]`,
//! - `known`: `[sets]` and `[hosts]`,
//! - `secrets`: passwords in files, and none in addresses,
//! - `flags`: what the command line says;
//!
//! `[host]`, `[collect]` and `[ship]` are the shipper's ([`lastwords_shipper::config`]).

mod clickhouse;
mod flags;
mod kafka;
mod known;
mod listen;
mod secrets;
mod store;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::tz::TimeZone;
use lastwords_api::Known;
use lastwords_config::{FilePath, Invalid, Layers, Schema, ShortNames, Shown, Size, shown};
use lastwords_detect::rule_files::{self, RuleFiles};
use lastwords_ingester::{ServerTls, kafka::KafkaOptions};
use lastwords_shipper::{
    Uplink,
    config::{self as shipper, Collect, CollectSettings, HostSettings, ShipSettings},
    uplink::TlsOptions,
};
use lastwords_store::RemoteOptions;
use serde::{Deserialize, Serialize};

pub use clickhouse::{ClickHouseConfig, ClickHouseSettings, READER, WRITER, named_writer};
pub use flags::{FLAGS, Flags};
pub use kafka::KafkaSettings;
pub use lastwords_config::ConfigError;
pub use listen::{GrpcSecurity, HttpUse, ListenConfig, ListenSettings};
pub use secrets::password;
pub use store::{StoreSettings, is_cluster_name};

use crate::data::DataFolder;

/// The configuration file that is read where no other is named.
pub const DEFAULT_FILE: &str = "/etc/lastwords/lastwords.toml";

/// Variables with names of their own, beside the shipper's: every key can be set by LASTWORDS_TABLE_KEY, too.
pub const SHORT_NAMES: ShortNames = &[
    ("LASTWORDS_LISTEN", "listen.grpc"),
    ("LASTWORDS_HTTP_LISTEN", "listen.http"),
    ("LASTWORDS_HTTP_HOSTS", "listen.http_hosts"),
    ("LASTWORDS_INSECURE", "listen.insecure"),
    ("LASTWORDS_ENGINE", "engine.library"),
];

/// Variables that are no keys: where the file is, what is logged, and passwords, which do not belong into the file.
pub fn variables_without_keys() -> impl Iterator<Item = &'static str> {
    ["LASTWORDS_CONFIG", "LASTWORDS_LOG", "LASTWORDS_LOG_JSON"]
        .into_iter()
        .chain(clickhouse::PASSWORD_VARIABLES.iter().copied())
        .chain([kafka::PASSWORD_VARIABLE, store::PASSWORD_VARIABLE])
}

/// The whole file. Every key is optional; an unknown key is an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The data folder; none: a place of the user's.
    pub data: Option<FilePath>,
    /// How long a shutdown may take.
    pub grace_seconds: u64,
    /// What this machine is called.
    pub host: HostSettings,
    /// Who may send and ask.
    pub listen: ListenSettings,
    /// The port for ClickHouse's clients.
    pub clickhouse: ClickHouseSettings,
    /// The embedded engine.
    pub engine: EngineSettings,
    /// What is collected from this machine.
    pub collect: CollectSettings,
    /// What finds events.
    pub detect: DetectSettings,
    /// What questions may take.
    pub query: QuerySettings,
    /// Saved sets by name.
    pub sets: BTreeMap<String, String>,
    /// Labels by host.
    pub hosts: BTreeMap<String, BTreeMap<String, String>>,
    /// Where `ship` sends to.
    pub ship: ShipSettings,
    /// Where `ingest` and `write` meet.
    pub kafka: KafkaSettings,
    /// The ClickHouse server.
    pub store: StoreSettings,
}

/// `[engine]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EngineSettings {
    /// The library, where it is not at its installed place.
    pub library: Option<FilePath>,
    /// Most memory it may use; none: it follows the machine.
    pub memory_max: Option<Size>,
    /// It runs in the process that needs it, without a cage.
    pub in_process: bool,
}

/// `[detect]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DetectSettings {
    /// Files of the user's own rules.
    pub rules: Vec<FilePath>,
}

/// `[query]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QuerySettings {
    /// Memory that a question may take, beside the engine's; none: the default of questions.
    pub memory_max: Option<Size>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            data: None,
            grace_seconds: 20,
            host: HostSettings::default(),
            listen: ListenSettings::default(),
            clickhouse: ClickHouseSettings::default(),
            engine: EngineSettings::default(),
            collect: CollectSettings::default(),
            detect: DetectSettings::default(),
            query: QuerySettings::default(),
            sets: BTreeMap::new(),
            hosts: BTreeMap::new(),
            ship: ShipSettings::default(),
            kafka: KafkaSettings::default(),
            store: StoreSettings::default(),
        }
    }
}

/// Everything that a command needs to know, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data folder.
    pub data: DataFolder,
    /// This machine's name and machine-id.
    pub host: lastwords_record::Host,
    /// Where `up` listens.
    pub listen: ListenConfig,
    /// The port for ClickHouse's clients.
    pub clickhouse: ClickHouseConfig,
    /// The embedded engine.
    pub engine: EngineConfig,
    /// What is collected from this machine.
    pub collect: Collect,
    /// What finds events.
    pub rules: RuleFiles,
    /// Saved sets and labels of hosts.
    pub known: Known,
    /// Where `ship` sends to.
    pub uplink: Option<Uplink>,
    ship_listen: Option<SocketAddr>,
    /// Kafka, where `ingest` and `write` meet.
    pub kafka: Option<KafkaOptions>,
    /// The ClickHouse server; none: the engine in the data folder.
    pub store: Option<RemoteOptions>,
    /// How long a shutdown may take.
    pub grace: Duration,
    settings: Settings,
    layers: Layers,
}

/// The embedded engine.
#[derive(Debug, Clone, Default)]
pub struct EngineConfig {
    /// The library, where it is not at its installed place.
    pub library: Option<PathBuf>,
    /// Most memory it may use, in bytes.
    pub memory_bytes_max: Option<u64>,
    /// It runs in the process that needs it, without a cage.
    pub in_process: bool,
}

/// Reads the file, the environment and the flags into one checked configuration.
///
/// `environment` looks a variable up; a parameter, so that tests need no environment.
///
/// # Errors
/// The file, line and key, the variable or the flag that is wrong, and what was wanted.
pub fn load(flags: &Flags, environment: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
    let path = flags.config.clone().or_else(default);
    let schema = Schema::derive::<Settings>();
    let mut layers = shipper::open(path.as_deref(), environment)?;
    layers.lay_environment(&schema, &[shipper::SHORT_NAMES, SHORT_NAMES], environment)?;
    flags.lay(&mut layers, &schema)?;
    let mut settings: Settings = layers.read(&schema)?;
    settings.fill(environment).map_err(|invalid| layers.place(invalid))?;
    let checked = settings.check(flags.http_use, environment);
    checked.map_err(|invalid| layers.place(invalid)).map(|config| Config { layers, ..config })
}

impl Settings {
    /// Says what nobody said and this machine knows.
    fn fill(&mut self, environment: &dyn Fn(&str) -> Option<String>) -> Result<(), Invalid> {
        self.data.get_or_insert_with(|| FilePath(default_data(environment)));
        self.host.fill();
        self.collect.fill(environment)
    }

    fn check(
        mut self,
        http_use: HttpUse,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, Invalid> {
        let files: Vec<PathBuf> = self.detect.rules.iter().map(|path| path.0.clone()).collect();
        let rules = rule_files::read(&files)
            .and_then(RuleFiles::new)
            .map_err(|error| Invalid::new("detect.rules", error.to_string()))?;
        let known = known::check(&self.sets, &self.hosts, &rules)?;
        Ok(Config {
            data: DataFolder::new(self.data.clone().unwrap_or_default().0),
            host: self.host.check()?,
            listen: self.listen.check(http_use, self.kafka.brokers.is_some())?,
            clickhouse: self.clickhouse.check(environment)?,
            engine: EngineConfig {
                library: self.engine.library.as_ref().map(|path| path.0.clone()),
                memory_bytes_max: self.engine.memory_max.map(|size| size.0),
                in_process: self.engine.in_process,
            },
            collect: self.collect.check()?,
            known: Known { memory_bytes_max: self.query.memory_max.map(|size| size.0), ..known },
            rules,
            uplink: self.ship.check()?,
            ship_listen: self.ship.check_listen()?,
            kafka: self.kafka.check(environment)?,
            store: self.store.check(environment)?,
            grace: Duration::from_secs(self.grace_seconds),
            layers: Layers::empty(),
            settings: self,
        })
    }
}

impl Config {
    /// The file it came from.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.layers.path()
    }

    /// Former names of keys that the file has.
    #[must_use]
    pub fn notices(&self) -> &[lastwords_config::Notice] {
        self.layers.notices()
    }

    /// Logs which keys are written with former names.
    pub fn warn_of_former_names(&self) {
        self.notices().iter().for_each(|notice| tracing::warn!("{notice}"));
    }

    /// Every key with the value that is used.
    #[must_use]
    pub fn shown(&self) -> Vec<Shown> {
        shown::show(&self.settings, &Schema::derive::<Settings>(), &self.layers)
    }

    /// Reads certificate, key and CA of the listener; none: it speaks plain text.
    ///
    /// # Errors
    /// File, line and key of what cannot be used.
    pub fn listen_tls(&self) -> Result<Option<Arc<ServerTls>>, ConfigError> {
        self.listen.security.load().map_err(|invalid| self.layers.place(invalid))
    }

    /// Where `ship` serves its status; none: nowhere.
    #[must_use]
    pub fn ship_listen(&self) -> Option<SocketAddr> {
        self.ship_listen
    }

    /// Reads certificate and key of the ClickHouse port; none: it speaks plain text.
    ///
    /// # Errors
    /// File, line and key of what cannot be used.
    pub fn clickhouse_tls(&self) -> Result<Option<Arc<ServerTls>>, ConfigError> {
        self.clickhouse.load_tls().map_err(|invalid| self.layers.place(invalid))
    }

    /// `[ship.tls]`, also where a flag names the ingester.
    ///
    /// # Errors
    /// File, line and key of what cannot be used.
    pub fn ship_tls(&self) -> Result<Option<TlsOptions>, ConfigError> {
        self.settings.ship.tls_options().map_err(|invalid| self.layers.place(invalid))
    }

    /// Reads the certificates and the key of `[ship.tls]` once.
    ///
    /// # Errors
    /// File, line and key of what cannot be used.
    pub fn check_ship_files(&self) -> Result<(), ConfigError> {
        self.settings.ship.check_files().map_err(|invalid| self.layers.place(invalid))
    }
}

/// The zone that was named, else `TZ`, else that of `/etc/localtime`, else UTC. `key` is what errors call it.
///
/// # Errors
/// Where the time zone database has no such zone.
pub fn time_zone(
    key: &str,
    named: Option<&str>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<TimeZone, Invalid> {
    let (key, name) = match named {
        Some(name) => (key, name.to_owned()),
        None => match environment("TZ").filter(|name| !name.is_empty()) {
            // The form `:Europe/Berlin` is the C library's.
            Some(name) => ("TZ", name.trim_start_matches(':').to_owned()),
            None => ("/etc/localtime", lastwords_shipper::zone::local(environment)),
        },
    };
    lastwords_shipper::form::time_zone(&name)
        .ok_or_else(|| Invalid::wanted(key, "a name of the time zone database such as Europe/Berlin", &name))
}

fn default_data(environment: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/lastwords");
    }
    let home =
        || PathBuf::from(environment("HOME").unwrap_or_else(|| "/tmp".to_owned())).join(".local/share");
    environment("XDG_DATA_HOME").map_or_else(home, PathBuf::from).join("lastwords")
}

#[cfg(test)]
mod tests;
