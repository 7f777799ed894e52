//! Configuration: one TOML file, validated once. Every error names file, line and key; unknown keys are errors.

mod tls;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use lastwords_record::{Host, Source};
use serde::Deserialize;
use toml::Spanned;

use crate::{
    address::{carries_secrets, redacted},
    discover::Pattern,
    form::time_zone,
    plan::Voice,
    sample::network::NetworkOptions,
    uplink::Uplink,
};

/// What a shipper does, checked.
#[derive(Debug, Clone)]
pub struct ShipperConfig {
    /// The host that it runs on.
    pub host: Host,
    /// Where its plan is.
    pub state_dir: PathBuf,
    /// Files that it follows; the first rule that means a file counts.
    pub files: Vec<FileRule>,
    /// systemd's journal.
    pub journald: bool,
    /// The kernel's ring.
    pub kmsg: bool,
    /// Network counters; none: not sampled.
    pub samples: Option<NetworkOptions>,
    /// How long records wait for company in a batch.
    pub flush_interval: Duration,
    /// After how long without a next line an open group is complete.
    pub group_timeout: Duration,
    /// After how long without the rest a partial line is a line.
    pub partial_timeout: Duration,
    /// How often all globs are looked at, whatever inotify says.
    pub rescan_interval: Duration,
    /// How long a rotated file is read after its last byte.
    pub rotated_wait: Duration,
    /// Bytes of deleted files that are kept for reading, at most.
    pub held_bytes_max: u64,
    /// Bytes of batches that are not acknowledged, at most.
    pub window_bytes: u64,
}

/// Files of one kind.
#[derive(Debug, Clone)]
pub struct FileRule {
    /// Which.
    pub patterns: Vec<Pattern>,
    /// Which not.
    pub exclude: Vec<Pattern>,
    /// `file`, or `console`: then the guest's name is taken from the path.
    pub source: Source,
    /// Zone of times that name none, as the time zone database calls it.
    pub time_zone: String,
}

impl FileRule {
    /// A rule from globs.
    ///
    /// # Errors
    /// Where one is no glob.
    pub fn new(
        source: Source,
        patterns: &[String],
        exclude: &[String],
        time_zone: &str,
    ) -> Result<FileRule, crate::discover::PatternError> {
        Ok(FileRule {
            patterns: patterns.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            exclude: exclude.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            source,
            time_zone: time_zone.to_owned(),
        })
    }

    /// Whether a file is meant.
    pub fn means(&self, path: &Path) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(path)) && !self.excludes(path)
    }

    /// Whether a file is left alone.
    pub fn excludes(&self, path: &Path) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches(path))
    }

    /// For whom a file speaks.
    pub fn voice(&self, host: &Host, path: &Path) -> Voice {
        let guest = (self.source == Source::Console).then(|| guest_of(path)).flatten();
        Voice {
            host: (host.name.clone(), host.machine_id.clone()),
            guest: guest.map(|name| (name, String::new())),
            source: self.source,
            attributes: vec![("log.file.path".to_owned(), path.to_string_lossy().into_owned())],
            time_zone: self.time_zone.clone(),
            year: None,
            modified_ns: None,
            boots: Vec::new(),
        }
    }
}

/// The guest whose console a file is, by the names that libvirt, QEMU and xenconsoled give: `web07.log`,
/// `guest-web07.log`. The hypervisor's own console is no guest's.
fn guest_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let name = name.split_once(".log").map_or(name, |(name, _)| name);
    let name = name.strip_prefix("guest-").unwrap_or(name);
    // Who names a guest chooses its file's name; what stands in rows can be printed.
    let printable = |letter: char| if letter.is_control() { '?' } else { letter };
    (!name.is_empty() && name != "hypervisor").then(|| name.chars().map(printable).collect())
}

impl ShipperConfig {
    /// A shipper that follows nothing yet, with what the documentation calls the defaults.
    pub fn new(host: Host, state_dir: PathBuf) -> ShipperConfig {
        ShipperConfig {
            host,
            state_dir,
            files: Vec::new(),
            journald: false,
            kmsg: false,
            samples: None,
            flush_interval: Duration::from_millis(100),
            group_timeout: Duration::from_millis(1_000),
            partial_timeout: Duration::from_millis(2_000),
            rescan_interval: Duration::from_secs(10),
            rotated_wait: Duration::from_secs(30),
            held_bytes_max: 1 << 30,
            window_bytes: 4 << 20,
        }
    }
}

/// What a configuration file says.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The shipper.
    pub shipper: ShipperConfig,
    /// Where it sends to.
    pub uplink: Uplink,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {source}; name another with --config")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML, or has a key or a type that is not known.
    #[error("{path}: line {line}: {message}")]
    Toml {
        /// Which file.
        path: PathBuf,
        /// Which line.
        line: usize,
        /// What is wrong, with the key.
        message: String,
    },
    /// A value that makes no sense.
    #[error("{path}: line {line}: {key}: {message}")]
    Value {
        /// Which file.
        path: PathBuf,
        /// Which line.
        line: usize,
        /// Which key.
        key: String,
        /// What was wanted and what was found.
        message: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    host: RawHost,
    state_dir: Option<PathBuf>,
    uplink: RawUplink,
    #[serde(default)]
    sources: RawSources,
    #[serde(default)]
    file: Vec<RawFile>,
    #[serde(default)]
    limits: RawLimits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHost {
    name: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUplink {
    ingester: Option<Spanned<String>>,
    socket: Option<Spanned<PathBuf>>,
    tls: Option<Spanned<tls::RawTls>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSources {
    journald: bool,
    kmsg: bool,
    samples: bool,
}

impl Default for RawSources {
    fn default() -> Self {
        RawSources { journald: true, kmsg: true, samples: true }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    paths: Vec<Spanned<String>>,
    #[serde(default)]
    exclude: Vec<Spanned<String>>,
    source: Option<Spanned<String>>,
    time_zone: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    flush_interval_ms: Option<u64>,
    group_timeout_ms: Option<u64>,
    partial_timeout_ms: Option<u64>,
    rescan_interval_seconds: Option<u64>,
    rotated_wait_seconds: Option<u64>,
    held_bytes_max: Option<u64>,
    window_bytes: Option<Spanned<u64>>,
}

/// Where the file is that is being read.
struct Place<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Place<'_> {
    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    fn wrong<T>(&self, key: &str, value: &Spanned<T>, message: impl ToString) -> ConfigError {
        ConfigError::Value {
            path: self.path.to_owned(),
            line: self.line(value.span().start),
            key: key.to_owned(),
            message: message.to_string(),
        }
    }
}

/// Reads and checks a configuration file.
///
/// # Errors
/// Where it cannot be read or is wrong.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(path, &text)
}

/// Checks a configuration's text; `path` is for messages.
///
/// # Errors
/// Where it is wrong.
pub fn parse(path: &Path, text: &str) -> Result<Loaded, ConfigError> {
    let place = Place { path, text };
    let raw: Raw = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| place.line(span.start));
        // A value of the wrong type: the key stands on its line, in front.
        let key = text.lines().nth(line - 1).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
        let message = match key {
            Some(key) if !error.message().contains(key) => format!("{key}: {}", error.message()),
            _ => error.message().to_owned(),
        };
        ConfigError::Toml { path: path.to_owned(), line, message }
    })?;
    let uplink = uplink(&place, raw.uplink)?;
    let state_dir = raw.state_dir.unwrap_or_else(|| PathBuf::from("/var/lib/lastwords-shipper"));
    let host = this_host(raw.host.name.as_ref().map(|name| name.get_ref().clone()));
    if let (Some(name), Err(error)) = (&raw.host.name, host.check_version_1()) {
        return Err(place.wrong("host.name", name, error));
    }
    let mut shipper = ShipperConfig::new(host, state_dir);
    for (index, file) in raw.file.iter().enumerate() {
        shipper.files.push(file_rule(&place, index, file)?);
    }
    shipper.journald = raw.sources.journald;
    shipper.kmsg = raw.sources.kmsg;
    shipper.samples = raw.sources.samples.then(NetworkOptions::default);
    limits(&place, &raw.limits, &mut shipper)?;
    Ok(Loaded { shipper, uplink })
}

fn uplink(place: &Place<'_>, raw: RawUplink) -> Result<Uplink, ConfigError> {
    if let Some(ingester) = raw.ingester.as_ref().filter(|ingester| carries_secrets(ingester.get_ref())) {
        let found = redacted(ingester.get_ref());
        let message = format!(
            "wanted an address without user, password and parameters, found '{found}': a shipper shows who it is by a \
             certificate, see [uplink.tls]"
        );
        return Err(place.wrong("uplink.ingester", ingester, message));
    }
    match (raw.ingester, raw.socket, raw.tls) {
        (Some(ingester), None, None) => {
            if !ingester.get_ref().starts_with("http://") {
                let found = ingester.get_ref();
                let message =
                    format!("wanted http://HOST:PORT (or https:// and [uplink.tls]), found '{found}'");
                return Err(place.wrong("uplink.ingester", &ingester, message));
            }
            Ok(Uplink::Grpc(ingester.into_inner()))
        }
        (Some(ingester), None, Some(tls)) => {
            if !ingester.get_ref().starts_with("https://") {
                let found = ingester.get_ref();
                let message = format!("wanted https://HOST:PORT, as there is [uplink.tls], found '{found}'");
                return Err(place.wrong("uplink.ingester", &ingester, message));
            }
            Ok(Uplink::GrpcTls(ingester.into_inner(), tls::check(place, tls.get_ref())?))
        }
        (None, Some(socket), None) => Ok(Uplink::Unix(socket.into_inner())),
        (None, Some(_), Some(tls)) => {
            Err(place.wrong("uplink.tls", &tls, "wanted ingester with it: a socket has no TLS"))
        }
        (Some(_), Some(socket), _) => {
            Err(place.wrong("uplink.socket", &socket, "wanted either ingester or socket, found both"))
        }
        (None, None, _) => {
            let line = place.text.lines().position(|line| line.trim() == "[uplink]");
            Err(ConfigError::Value {
                path: place.path.to_owned(),
                line: line.map_or(1, |line| line + 1),
                key: "uplink".to_owned(),
                message: "wanted ingester = \"https://HOST:PORT\" or socket = \"PATH\", found neither"
                    .to_owned(),
            })
        }
    }
}

fn limits(place: &Place<'_>, raw: &RawLimits, shipper: &mut ShipperConfig) -> Result<(), ConfigError> {
    let milliseconds = |value: Option<u64>, default: Duration| value.map_or(default, Duration::from_millis);
    shipper.flush_interval = milliseconds(raw.flush_interval_ms, shipper.flush_interval);
    shipper.group_timeout = milliseconds(raw.group_timeout_ms, shipper.group_timeout);
    shipper.partial_timeout = milliseconds(raw.partial_timeout_ms, shipper.partial_timeout);
    shipper.rescan_interval =
        raw.rescan_interval_seconds.map_or(shipper.rescan_interval, Duration::from_secs);
    shipper.rotated_wait = raw.rotated_wait_seconds.map_or(shipper.rotated_wait, Duration::from_secs);
    shipper.held_bytes_max = raw.held_bytes_max.unwrap_or(shipper.held_bytes_max);
    if let Some(window) = &raw.window_bytes {
        if !(1 << 20..=1 << 30).contains(window.get_ref()) {
            let message = format!("wanted 1048576 to 1073741824, found {}", window.get_ref());
            return Err(place.wrong("limits.window_bytes", window, message));
        }
        shipper.window_bytes = *window.get_ref();
    }
    Ok(())
}

fn file_rule(place: &Place<'_>, index: usize, raw: &RawFile) -> Result<FileRule, ConfigError> {
    let globs = |key: &str, list: &[Spanned<String>]| {
        let parse = |text: &Spanned<String>| {
            text.get_ref()
                .parse::<Pattern>()
                .map_err(|error| place.wrong(&format!("file[{index}].{key}"), text, error))
        };
        list.iter().map(parse).collect::<Result<Vec<_>, _>>()
    };
    let source = match &raw.source {
        None => Source::File,
        Some(name) => match name.get_ref().as_str() {
            "file" => Source::File,
            "console" => Source::Console,
            other => {
                let message = format!("wanted file or console, found '{other}'");
                return Err(place.wrong(&format!("file[{index}].source"), name, message));
            }
        },
    };
    let zone = match &raw.time_zone {
        None => crate::zone::local(&|name| std::env::var(name).ok()),
        Some(name) if time_zone(name.get_ref()).is_none() => {
            let message = format!("wanted a name such as Europe/Berlin, found '{}'", name.get_ref());
            return Err(place.wrong(&format!("file[{index}].time_zone"), name, message));
        }
        Some(name) => name.get_ref().clone(),
    };
    Ok(FileRule {
        patterns: globs("paths", &raw.paths)?,
        exclude: globs("exclude", &raw.exclude)?,
        source,
        time_zone: zone,
    })
}

/// This machine, under a name of its own or the one that it is called.
pub fn this_host(name: Option<String>) -> Host {
    let machine_id =
        std::fs::read_to_string("/etc/machine-id").map(|id| id.trim().to_owned()).unwrap_or_default();
    let name = name.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
    Host { name, machine_id }
}

#[cfg(test)]
mod tests;
