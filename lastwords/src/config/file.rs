//! The configuration file as it is written, and where in it an error is.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    ConfigError,
    clickhouse::RawClickHouse,
    error::address_with_secrets,
    fleet::{RawKafka, RawStore},
    security::{RawListenTls, RawShipTls},
};
use crate::args::{self, Listen};

/// The whole file. Every key is optional; an unknown key is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Raw {
    pub data: Option<PathBuf>,
    pub grace_seconds: Option<u64>,
    pub host: RawHost,
    pub listen: RawListen,
    pub clickhouse: RawClickHouse,
    pub engine: RawEngine,
    pub collect: RawCollect,
    pub ship: RawShip,
    pub kafka: RawKafka,
    pub store: RawStore,
    pub detect: RawDetect,
    pub query: RawQuery,
    pub sets: BTreeMap<String, String>,
    pub hosts: BTreeMap<String, BTreeMap<String, String>>,
}

/// `[host]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawHost {
    pub name: Option<String>,
}

/// `[listen]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawListen {
    pub grpc: Option<ListenText>,
    pub http: Option<ListenText>,
    pub http_hosts: Option<Vec<String>>,
    pub insecure: Option<bool>,
    pub memory_max: Option<Size>,
    pub tls: Option<RawListenTls>,
}

/// `[engine]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawEngine {
    pub library: Option<PathBuf>,
    pub memory_max: Option<Size>,
    pub in_process: Option<bool>,
}

/// `[collect]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawCollect {
    pub journald: Option<bool>,
    pub kmsg: Option<bool>,
    pub samples: Option<bool>,
    pub files: Option<Vec<String>>,
    pub exclude: Option<Vec<String>>,
    pub consoles: Option<Vec<String>>,
    pub time_zone: Option<String>,
    pub saturation_share: Option<f64>,
}

/// `[detect]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawDetect {
    pub rules: Option<Vec<PathBuf>>,
}

/// `[query]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawQuery {
    pub memory_max: Option<Size>,
}

/// `[ship]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawShip {
    pub ingester: Option<String>,
    pub tls: Option<RawShipTls>,
}

/// `ADDR:PORT` or `off`.
#[derive(Debug, Clone, Copy)]
pub struct ListenText(pub Listen);

impl<'de> Deserialize<'de> for ListenText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ListenText, D::Error> {
        let text = String::deserialize(deserializer)?;
        args::parse_listen(&text).map(ListenText).map_err(D::Error::custom)
    }
}

/// Bytes, with an optional unit: `536870912`, `"512MiB"`, `"2GiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl Size {
    /// Reads a number with an optional binary unit.
    pub fn parse(text: &str) -> Result<Size, String> {
        let wanted = || format!("wanted a size such as 512MiB or 2GiB, found {text:?}");
        let split = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(split);
        let shift = match unit.trim() {
            "" | "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return Err(wanted()),
        };
        let number: u64 = digits.parse().map_err(|_| wanted())?;
        number.checked_mul(1 << shift).map(Size).ok_or_else(wanted)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a number of bytes or a text such as \"2GiB\"")]
        enum Form {
            Bytes(u64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Bytes(bytes) => Ok(Size(bytes)),
            Form::Text(text) => Size::parse(&text).map_err(D::Error::custom),
        }
    }
}

/// Reads the file at `path`.
pub fn read(path: &Path) -> Result<Raw, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(&text, path)
}

/// Reads the text of a file; `path` is for errors.
pub fn parse(text: &str, path: &Path) -> Result<Raw, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start).min(text.len());
        let (line, key) = place(text, offset);
        ConfigError::File { path: path.to_owned(), line, key, message: error.message().to_owned() }
    })
}

/// Says where in the file an impossible value stands, if it is the file's.
pub fn placed(error: ConfigError, path: &Path) -> ConfigError {
    let (key, message) = match &error {
        ConfigError::Value { key, wanted, found } => {
            (key.clone(), format!("wanted {wanted}, found {found:?}"))
        }
        ConfigError::Secrets { key, found, way_out } => (key.clone(), address_with_secrets(found, way_out)),
        ConfigError::Glob { key, message }
        | ConfigError::Set { key, message }
        | ConfigError::Rules { key, message }
        | ConfigError::Tls { key, message } => (key.clone(), message.clone()),
        _ => return error,
    };
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        offset += line.len();
        let (number, found) = place(&text, offset.saturating_sub(1));
        if found == key {
            return ConfigError::File { path: path.to_owned(), line: number, key, message };
        }
    }
    error
}

/// The line, from 1, and the dotted key that stand at a byte of the text.
fn place(text: &str, offset: usize) -> (usize, String) {
    let before = text.get(..offset).unwrap_or(text);
    let line_index = before.matches('\n').count();
    let mut table = String::new();
    let mut key = String::new();
    // The key may stand some lines above: a list goes over several.
    for line in text.lines().take(line_index + 1) {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name)
            && is_key(name)
        {
            name.clone_into(&mut table);
            key.clear();
        } else if let Some((name, _)) = line.split_once('=')
            && is_key(name.trim())
        {
            name.trim().clone_into(&mut key);
        }
    }
    let dotted = [table, key].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
    (line_index + 1, dotted)
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter))
}
