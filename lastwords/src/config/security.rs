//! Who may send batches, how they are sent (TLS of the listener and of `ship`, plain text), and what they may take.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use lastwords_ingester::{
    MemoryPlan, ServerTls, TlsFiles, descriptors, limits::MEMORY_BYTES_MIN, tls::TlsError,
};
use lastwords_shipper::uplink::{IdentityFiles, TlsOptions};
use serde::Deserialize;

use super::{
    Config, ConfigError,
    file::{self, Size},
    fleet::without_secrets,
};
use crate::http::access::Authority;

/// `[listen.tls]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawListenTls {
    certificate_file: PathBuf,
    key_file: PathBuf,
    client_ca_file: Option<PathBuf>,
}

/// `[ship.tls]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawShipTls {
    ca_file: PathBuf,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    server_name: Option<String>,
}

/// How batches come in over TCP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrpcSecurity {
    /// Certificate, key and CA; none: plain text.
    pub tls: Option<TlsFiles>,
    /// Plain text is taken from anywhere.
    pub insecure: bool,
}

pub(super) fn listen(
    grpc: Option<SocketAddr>,
    raw: Option<RawListenTls>,
    insecure: bool,
) -> Result<GrpcSecurity, ConfigError> {
    let tls = raw.map(|raw| TlsFiles {
        certificate_file: raw.certificate_file,
        key_file: raw.key_file,
        client_ca_file: raw.client_ca_file,
    });
    match grpc {
        Some(address) if tls.is_none() && !insecure && !address.ip().is_loopback() => {
            Err(ConfigError::PlainToAll { address })
        }
        _ => Ok(GrpcSecurity { tls, insecure }),
    }
}

/// What the HTTP listener of a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpUse {
    /// The API of `up`: whoever reaches it can read everything.
    Api,
    /// Health and metrics of `ingest` and `write`.
    Health,
    /// Not known: what the file is for says it. With `[kafka]` it is for `ingest` and `write`.
    #[default]
    Unknown,
}

/// Where HTTP may be listened on.
pub(super) fn http(
    address: Option<SocketAddr>,
    serves: HttpUse,
    has_kafka: bool,
    insecure: bool,
) -> Result<Option<SocketAddr>, ConfigError> {
    let api = match serves {
        HttpUse::Api => true,
        HttpUse::Health => false,
        HttpUse::Unknown => !has_kafka,
    };
    match address {
        Some(address) if api && !insecure && !address.ip().is_loopback() => {
            Err(ConfigError::HttpToAll { address })
        }
        _ => Ok(address),
    }
}

/// The names by which the HTTP API may be asked for.
pub(super) fn http_names(raw: Option<Vec<String>>) -> Result<Vec<Authority>, ConfigError> {
    let read = |name: String| {
        Authority::parse(&name).ok_or(ConfigError::Value {
            key: "listen.http_hosts".to_owned(),
            wanted: "names such as lastwords.example.org or hv01:8640",
            found: name,
        })
    };
    raw.unwrap_or_default().into_iter().map(read).collect()
}

/// How `listen.memory_max` is divided; by default it is an eighth of the machine's memory, within bounds.
pub(super) fn memory(given: Option<Size>) -> Result<MemoryPlan, ConfigError> {
    let bytes = match given {
        Some(Size(bytes)) if bytes < MEMORY_BYTES_MIN as u64 => {
            return Err(ConfigError::Value {
                key: "listen.memory_max".to_owned(),
                wanted: "64MiB or more",
                found: format!("{bytes} bytes"),
            });
        }
        Some(Size(bytes)) => usize::try_from(bytes).unwrap_or(usize::MAX),
        None => {
            let machine = rustix::system::sysinfo();
            let bytes = machine.totalram.saturating_mul(machine.mem_unit.into());
            MemoryPlan::default_bytes(usize::try_from(bytes).unwrap_or(usize::MAX))
        }
    };
    Ok(MemoryPlan::new(bytes, &descriptors::current()))
}

pub(super) fn ship(
    ingester: Option<&str>,
    raw: Option<RawShipTls>,
) -> Result<Option<TlsOptions>, ConfigError> {
    without_secrets(
        "ship.ingester",
        ingester.unwrap_or_default(),
        "a shipper shows who it is by a certificate, see [ship.tls]",
    )?;
    let value = |wanted, found: &str| ConfigError::Value {
        key: "ship.ingester".to_owned(),
        wanted,
        found: found.to_owned(),
    };
    let Some(raw) = raw else {
        return match ingester {
            Some(url) if url.starts_with("https://") => {
                Err(value("http://HOST:PORT, as there is no [ship.tls]", url))
            }
            _ => Ok(None),
        };
    };
    if let Some(url) = ingester.filter(|url| !url.starts_with("https://")) {
        return Err(value("https://HOST:PORT, as there is [ship.tls]", url));
    }
    let identity = match (raw.certificate_file, raw.key_file) {
        (Some(certificate_file), Some(key_file)) => Some(IdentityFiles { certificate_file, key_file }),
        (None, None) => None,
        (Some(_), None) => {
            return Err(tls_error("ship.tls.certificate_file", "wanted key_file, too, found none"));
        }
        (None, Some(_)) => {
            return Err(tls_error("ship.tls.key_file", "wanted certificate_file, too, found none"));
        }
    };
    Ok(Some(TlsOptions { ca_file: raw.ca_file, identity, server_name: raw.server_name }))
}

fn tls_error(key: &str, message: impl ToString) -> ConfigError {
    ConfigError::Tls { key: key.to_owned(), message: message.to_string() }
}

impl Config {
    /// Reads certificate, key and CA of the listener; none: it speaks plain text.
    ///
    /// # Errors
    /// File, line and key of what cannot be used.
    pub fn listen_tls(&self) -> Result<Option<Arc<ServerTls>>, ConfigError> {
        let Some(files) = &self.listen.security.tls else { return Ok(None) };
        let loaded = ServerTls::load(files.clone()).map_err(|error| {
            let error = tls_error(key_of(files, &error), &error);
            match &self.file {
                Some(path) => file::placed(error, path),
                None => error,
            }
        })?;
        Ok(Some(Arc::new(loaded)))
    }
}

fn key_of(files: &TlsFiles, error: &TlsError) -> &'static str {
    match error.path() {
        Some(path) if path == files.key_file => "listen.tls.key_file",
        Some(path) if Some(path) == files.client_ca_file.as_deref() => "listen.tls.client_ca_file",
        _ => "listen.tls.certificate_file",
    }
}
