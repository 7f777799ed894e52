//! Configuration: one TOML file, environment variables over it, flags over both; validated once.
//!
//! `file` reads the TOML with places for errors, `environment` lays variables over it, this module resolves what
//! nobody said and checks what was said.

mod clickhouse;
mod environment;
mod error;
mod file;
mod fleet;
mod security;

use std::{
    collections::BTreeMap,
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::tz::TimeZone;
use lastwords_ingester::{MemoryPlan, kafka::KafkaOptions};
use lastwords_shipper::{discover::Pattern, uplink::TlsOptions};
use lastwords_store::RemoteOptions;

pub use clickhouse::{ClickHouseConfig, READER, WRITER, named_writer, password};
pub use environment::VARIABLES;
pub use error::ConfigError;
use file::{Raw, RawCollect};
pub use fleet::is_cluster_name;
pub use security::{GrpcSecurity, HttpUse};

use crate::{
    args::{Listen, PlaceArgs, ServiceArgs, ShipArgs, UpArgs},
    data::DataFolder,
    http::access::Authority,
    questions::Known,
    rules::{self, Rules},
};

/// The configuration file that is read where no other is named.
pub const DEFAULT_FILE: &str = "/etc/lastwords/lastwords.toml";

/// Everything that a command needs to know, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from.
    pub file: Option<PathBuf>,
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
    pub collect: CollectConfig,
    /// What finds events.
    pub rules: Rules,
    /// Saved sets and labels of hosts.
    pub known: Known,
    /// Where `ship` sends to.
    pub ingester: Option<String>,
    /// Kafka, where `ingest` and `write` meet.
    pub kafka: Option<KafkaOptions>,
    /// The ClickHouse server; none: the engine in the data folder.
    pub store: Option<RemoteOptions>,
    /// How `ship` does; none: plain text.
    pub ingester_tls: Option<TlsOptions>,
    /// How long a shutdown may take.
    pub grace: Duration,
}

/// Where `up` listens.
#[derive(Debug, Clone)]
pub struct ListenConfig {
    /// gRPC, for shippers.
    pub grpc: Option<SocketAddr>,
    /// How `grpc` is secured.
    pub security: GrpcSecurity,
    /// What comes from outside may take so much memory, until it is stored.
    pub memory: MemoryPlan,
    /// HTTP API.
    pub http: Option<SocketAddr>,
    /// Names by which the HTTP API may be asked for, beside its address.
    pub http_names: Vec<Authority>,
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

/// What is collected from this machine.
#[derive(Debug, Clone)]
pub struct CollectConfig {
    /// systemd's journal, where `journalctl` exists.
    pub journald: bool,
    /// The kernel's ring, where it can be read.
    pub kmsg: bool,
    /// Network counters and their saturation.
    pub samples: bool,
    /// Log files, as globs.
    pub files: Vec<String>,
    /// Files that are left alone, as globs.
    pub exclude: Vec<String>,
    /// Guests' console logs, as globs.
    pub consoles: Vec<String>,
    /// Time zone of lines that don't say theirs.
    pub time_zone: TimeZone,
    /// Share of an interface's speed that counts as saturated.
    pub saturation_share: f64,
}

impl CollectConfig {
    /// Whether there is anything to collect.
    #[must_use]
    pub fn anything(&self) -> bool {
        self.journald || self.kmsg || self.samples || !self.files.is_empty() || !self.consoles.is_empty()
    }
}

/// Log files that are collected where the configuration says nothing.
pub const DEFAULT_FILES: &[&str] =
    &["/var/log/*.log", "/var/log/**/*.log", "/var/log/syslog", "/var/log/messages"];
/// Files that are left alone: binary, compressed, or collected by another source.
pub const DEFAULT_EXCLUDE: &[&str] = &[
    "/var/log/journal/**",
    "/var/log/lastwords/**",
    "/var/log/libvirt/**",
    "/var/log/xen/console/**",
    "/var/log/installer/**",
    "/var/log/faillog",
    "/var/log/lastlog",
];
/// Guests' console logs of libvirt and Xen.
pub const DEFAULT_CONSOLES: &[&str] = &["/var/log/libvirt/qemu/*.log", "/var/log/xen/console/*.log"];

const DEFAULT_GRPC: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4320);
const DEFAULT_HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8640);
const DEFAULT_GRACE_SECONDS: u64 = 20;
const DEFAULT_SATURATION_SHARE: f64 = 0.8;

/// What the flags say, whichever command they were given to.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<Listen>,
    /// `--http-listen`
    pub http_listen: Option<Listen>,
    /// `--clickhouse-listen`
    pub clickhouse_listen: Option<Listen>,
    /// `--clickhouse-user`
    pub clickhouse_user: Option<String>,
    /// `--clickhouse-password-file`
    pub clickhouse_password_file: Option<PathBuf>,
    /// `--host`
    pub host: Option<String>,
    /// `--ingester`
    pub ingester: Option<String>,
    /// `--insecure`
    pub insecure: bool,
    /// What `--http-listen` and `listen.http` are for.
    pub http_use: HttpUse,
    /// `--no-collect`
    pub no_collect: bool,
}

impl From<&PlaceArgs> for Flags {
    fn from(place: &PlaceArgs) -> Flags {
        Flags { config: place.config.clone(), data: place.data.clone(), ..Flags::default() }
    }
}

impl From<&UpArgs> for Flags {
    fn from(up: &UpArgs) -> Flags {
        Flags {
            listen: up.listen,
            http_listen: up.http_listen,
            clickhouse_listen: up.clickhouse_listen,
            clickhouse_user: up.clickhouse_user.clone(),
            clickhouse_password_file: up.clickhouse_password_file.clone(),
            host: up.host.clone(),
            insecure: up.insecure,
            http_use: HttpUse::Api,
            no_collect: up.no_collect,
            ..Flags::from(&up.place)
        }
    }
}

impl From<&ServiceArgs> for Flags {
    fn from(service: &ServiceArgs) -> Flags {
        Flags {
            listen: service.listen,
            http_listen: service.http_listen,
            insecure: service.insecure,
            http_use: HttpUse::Health,
            ..Flags::from(&service.place)
        }
    }
}

impl From<&ShipArgs> for Flags {
    fn from(ship: &ShipArgs) -> Flags {
        Flags { ingester: ship.ingester.clone(), host: ship.host.clone(), ..Flags::from(&ship.place) }
    }
}

/// Reads the file, the environment and the flags into one checked configuration.
///
/// `environment` looks a variable up; a parameter, so that tests need no environment.
///
/// # Errors
/// The file, line and key, or the variable, that is wrong, and what was wanted.
pub fn load(flags: &Flags, environment: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    let named = flags.config.clone();
    let path = named.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()));
    let mut raw = match &path {
        Some(path) => file::read(path)?,
        None => Raw::default(),
    };
    environment::overlay(&mut raw, environment)?;
    resolve(raw, path.clone(), flags, environment).map_err(|error| match &path {
        Some(path) => file::placed(error, path),
        None => error,
    })
}

fn resolve(
    raw: Raw,
    file: Option<PathBuf>,
    flags: &Flags,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let data = flags.data.clone().or(raw.data).unwrap_or_else(|| default_data(environment));
    let name = flags.host.clone().or(raw.host.name).unwrap_or_else(host_name);
    let machine_id =
        std::fs::read_to_string("/etc/machine-id").map(|text| text.trim().to_owned()).unwrap_or_default();
    let host = lastwords_record::Host { name, machine_id };
    if host.check_version_1().is_err() {
        let wanted = "1 to 255 bytes without control characters";
        // A part of it says which it is.
        let found = host.name.chars().take(64).collect();
        return Err(ConfigError::Value { key: "host.name".into(), wanted, found });
    }
    let mut collect = collect(raw.collect, environment)?;
    if flags.no_collect {
        collect = CollectConfig {
            journald: false,
            kmsg: false,
            samples: false,
            files: Vec::new(),
            consoles: Vec::new(),
            ..collect
        };
    }
    let grpc = pick(flags.listen, raw.listen.grpc.map(|listen| listen.0), Some(DEFAULT_GRPC));
    let http = pick(flags.http_listen, raw.listen.http.map(|listen| listen.0), Some(DEFAULT_HTTP));
    let insecure = flags.insecure || raw.listen.insecure.unwrap_or(false);
    let ingester = flags.ingester.clone().or(raw.ship.ingester);
    let rules = rules::read(&raw.detect.rules.unwrap_or_default())
        .and_then(Rules::of)
        .map_err(|message| ConfigError::Rules { key: "detect.rules".into(), message })?;
    Ok(Config {
        file,
        data: DataFolder::new(data),
        host,
        listen: ListenConfig {
            grpc,
            security: security::listen(grpc, raw.listen.tls, insecure)?,
            memory: security::memory(raw.listen.memory_max)?,
            http: security::http(http, flags.http_use, raw.kafka.brokers.is_some(), insecure)?,
            http_names: security::http_names(raw.listen.http_hosts)?,
        },
        clickhouse: clickhouse::resolve(raw.clickhouse, flags, environment)?,
        engine: EngineConfig {
            library: raw.engine.library,
            memory_bytes_max: raw.engine.memory_max.map(|size| size.0),
            in_process: raw.engine.in_process.unwrap_or(false),
        },
        collect,
        ingester_tls: security::ship(ingester.as_deref(), raw.ship.tls)?,
        ingester,
        known: Known {
            memory_bytes_max: raw.query.memory_max.map(|size| size.0),
            ..known(&raw.sets, raw.hosts, &rules)?
        },
        rules,
        kafka: fleet::kafka(raw.kafka, environment)?,
        store: fleet::store(raw.store, environment)?,
        grace: Duration::from_secs(raw.grace_seconds.unwrap_or(DEFAULT_GRACE_SECONDS)),
    })
}

/// `[sets]` and `[hosts.NAME]`.
fn known(
    sets: &BTreeMap<String, String>,
    hosts: BTreeMap<String, BTreeMap<String, String>>,
    rules: &Rules,
) -> Result<Known, ConfigError> {
    let mut vocabulary = lastwords_query::vocabulary().clone();
    rules.classes().for_each(|class| vocabulary.names.add(class));
    for (name, definition) in sets {
        vocabulary
            .save(name, definition)
            .map_err(|error| ConfigError::Set { key: format!("sets.{name}"), message: error.to_string() })?;
    }
    vocabulary.labels.extend(hosts.values().flat_map(BTreeMap::keys).cloned());
    let labels = Arc::new(hosts.into_iter().collect());
    Ok(Known { vocabulary: Arc::new(vocabulary), labels, memory_bytes_max: None })
}

fn collect(
    raw: RawCollect,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<CollectConfig, ConfigError> {
    let list = |given: Option<Vec<String>>, default: &[&str]| {
        given.unwrap_or_else(|| default.iter().map(|&glob| glob.to_owned()).collect())
    };
    let share = raw.saturation_share.unwrap_or(DEFAULT_SATURATION_SHARE);
    if !(share > 0.0 && share <= 1.0) {
        return Err(ConfigError::Value {
            key: "collect.saturation_share".into(),
            wanted: "a share above 0 and up to 1",
            found: share.to_string(),
        });
    }
    let collect = CollectConfig {
        journald: raw.journald.unwrap_or(true),
        kmsg: raw.kmsg.unwrap_or(true),
        samples: raw.samples.unwrap_or(true),
        files: list(raw.files, DEFAULT_FILES),
        exclude: list(raw.exclude, DEFAULT_EXCLUDE),
        consoles: list(raw.consoles, DEFAULT_CONSOLES),
        time_zone: time_zone("collect.time_zone", raw.time_zone.as_deref(), environment)?,
        saturation_share: share,
    };
    for (key, globs) in
        [("files", &collect.files), ("exclude", &collect.exclude), ("consoles", &collect.consoles)]
    {
        if let Some(error) = globs.iter().find_map(|glob| glob.parse::<Pattern>().err()) {
            return Err(ConfigError::Glob { key: format!("collect.{key}"), message: error.to_string() });
        }
    }
    Ok(collect)
}

/// The zone that was named, else `TZ`, else that of `/etc/localtime`, else UTC. `key` is what errors call it.
///
/// # Errors
/// Where the time zone database has no such zone.
pub fn time_zone(
    key: &str,
    named: Option<&str>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<TimeZone, ConfigError> {
    let (key, name) = match named {
        Some(name) => (key, name.to_owned()),
        None => match environment("TZ").filter(|name| !name.is_empty()) {
            // The form `:Europe/Berlin` is the C library's.
            Some(name) => ("TZ", name.trim_start_matches(':').to_owned()),
            None => ("/etc/localtime", lastwords_shipper::zone::local(environment)),
        },
    };
    TimeZone::get(&name).or_else(|_| TimeZone::posix(&name)).map_err(|_| ConfigError::Value {
        key: key.into(),
        wanted: "a name of the time zone database such as Europe/Berlin",
        found: name,
    })
}

/// More of a file with a secret is not read.
const PASSWORD_FILE_BYTES_MAX: u64 = 64 << 10;

/// The first line of a file with a secret.
///
/// # Errors
/// Where it cannot be read.
pub fn first_line(path: &Path) -> Result<String, ConfigError> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(PASSWORD_FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|source| ConfigError::PasswordFile { path: path.to_owned(), source })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn pick(flag: Option<Listen>, file: Option<Listen>, default: Option<SocketAddr>) -> Option<SocketAddr> {
    match flag.or(file) {
        Some(Listen::At(address)) => Some(address),
        Some(Listen::Off) => None,
        None => default,
    }
}

fn default_data(environment: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/lastwords");
    }
    let home =
        || PathBuf::from(environment("HOME").unwrap_or_else(|| "/tmp".to_owned())).join(".local/share");
    environment("XDG_DATA_HOME").map_or_else(home, PathBuf::from).join("lastwords")
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
