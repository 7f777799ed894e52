//! `[listen]`: who may send batches, who may ask, and what they may take.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use lastwords_api::access::Authority;
use lastwords_config::{FilePath, Invalid, Size};
use lastwords_ingester::{MemoryPlan, ServerTls, TlsFiles, limits::MEMORY_BYTES_MIN, tls::TlsError};
use lastwords_runtime::descriptors;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::args::{self, Listen};

const DEFAULT_GRPC: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4320);
const DEFAULT_HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8640);

/// `[listen]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListenSettings {
    /// gRPC, for shippers.
    pub grpc: Listen,
    /// HTTP.
    pub http: Listen,
    /// Names by which the HTTP API may be asked for, beside its address.
    pub http_hosts: Vec<String>,
    /// Plain text and questions from anyone.
    pub insecure: bool,
    /// What comes from outside may take so much memory; none: it follows the machine.
    pub memory_max: Option<Size>,
    /// TLS for shippers; none: plain text.
    pub tls: Option<ListenTlsSettings>,
}

/// `[listen.tls]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListenTlsSettings {
    certificate_file: FilePath,
    key_file: FilePath,
    client_ca_file: Option<FilePath>,
}

impl Default for ListenSettings {
    fn default() -> Self {
        ListenSettings {
            grpc: Listen::At(DEFAULT_GRPC),
            http: Listen::At(DEFAULT_HTTP),
            http_hosts: Vec::new(),
            insecure: false,
            memory_max: None,
            tls: None,
        }
    }
}

/// Where a process listens.
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

/// How batches come in over TCP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrpcSecurity {
    /// Certificate, key and CA; none: plain text.
    pub tls: Option<TlsFiles>,
    /// Plain text is taken from anywhere.
    pub insecure: bool,
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

impl ListenSettings {
    /// Says what nobody said, and what it comes to; `has_kafka`: the file is for `ingest` and `write`.
    pub(super) fn check(&mut self, http_use: HttpUse, has_kafka: bool) -> Result<ListenConfig, Invalid> {
        let memory = self.memory()?;
        self.memory_max = Some(Size(memory.memory_bytes_max as u64));
        Ok(ListenConfig {
            grpc: self.grpc.address(),
            security: self.security()?,
            memory,
            http: self.http(http_use, has_kafka)?,
            http_names: self.http_names()?,
        })
    }

    fn security(&self) -> Result<GrpcSecurity, Invalid> {
        let tls = self.tls.as_ref().map(|tls| TlsFiles {
            certificate_file: tls.certificate_file.0.clone(),
            key_file: tls.key_file.0.clone(),
            client_ca_file: tls.client_ca_file.as_ref().map(|file| file.0.clone()),
        });
        match self.grpc.address() {
            Some(address) if tls.is_none() && !self.insecure && !address.ip().is_loopback() => {
                let message = format!(
                    "{address} is not loopback and has no TLS: set listen.tls.certificate_file, key_file and \
                     client_ca_file (docs/security.md), or listen on 127.0.0.1, or take plain text from anyone with \
                     listen.insecure = true (--insecure)"
                );
                Err(Invalid::new("listen.grpc", message))
            }
            _ => Ok(GrpcSecurity { tls, insecure: self.insecure }),
        }
    }

    fn http(&self, http_use: HttpUse, has_kafka: bool) -> Result<Option<SocketAddr>, Invalid> {
        let api = match http_use {
            HttpUse::Api => true,
            HttpUse::Health => false,
            HttpUse::Unknown => !has_kafka,
        };
        match self.http.address() {
            Some(address) if api && !self.insecure && !address.ip().is_loopback() => {
                let message = format!(
                    "{address} is not loopback, and the HTTP API asks nobody for a password: listen on 127.0.0.1 (an \
                     ssh tunnel or a proxy that asks who comes can lead there), or let anyone read everything with \
                     listen.insecure = true (--insecure)"
                );
                Err(Invalid::new("listen.http", message))
            }
            address => Ok(address),
        }
    }

    fn http_names(&self) -> Result<Vec<Authority>, Invalid> {
        let read = |(index, name): (usize, &String)| {
            let wanted = "names such as lastwords.example.org or hv01:8640";
            let key = || format!("listen.http_hosts[{index}]");
            Authority::parse(name).ok_or_else(|| Invalid::wanted(key(), wanted, name))
        };
        self.http_hosts.iter().enumerate().map(read).collect()
    }

    /// How `memory_max` is divided; by default it is an eighth of the machine's memory, within bounds.
    fn memory(&self) -> Result<MemoryPlan, Invalid> {
        let bytes = match self.memory_max {
            Some(Size(bytes)) if bytes < MEMORY_BYTES_MIN as u64 => {
                let message = format!("wanted 64MiB or more, found {bytes} bytes");
                return Err(Invalid::new("listen.memory_max", message));
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
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Listen, D::Error> {
        let text = String::deserialize(deserializer)?;
        args::parse_listen(&text).map_err(D::Error::custom)
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl GrpcSecurity {
    /// Reads certificate, key and CA; none: plain text.
    pub(super) fn load(&self) -> Result<Option<Arc<ServerTls>>, Invalid> {
        let Some(files) = &self.tls else { return Ok(None) };
        let loaded =
            ServerTls::load(files.clone()).map_err(|error| Invalid::new(key_with(files, &error), &error))?;
        Ok(Some(Arc::new(loaded)))
    }
}

/// The key whose file cannot be used.
fn key_with(files: &TlsFiles, error: &TlsError) -> &'static str {
    match error.path() {
        Some(path) if path == files.key_file => "listen.tls.key_file",
        Some(path) if Some(path) == files.client_ca_file.as_deref() => "listen.tls.client_ca_file",
        _ => "listen.tls.certificate_file",
    }
}
