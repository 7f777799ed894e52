//! What can be wrong with a configuration.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in the file is not as it must be.
    #[error("{path}:{line}: key `{key}`: {message}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Dotted key; the table where the key itself is unreadable.
        key: String,
        /// What was wanted and found.
        message: String,
    },
    /// An environment variable is not as it must be.
    #[error("environment variable {name}: {message}")]
    Environment {
        /// Which.
        name: String,
        /// What was wanted and found.
        message: String,
    },
    /// A value is of the right type and yet impossible.
    #[error("`{key}`: wanted {wanted}, found {found:?}")]
    Value {
        /// Dotted key, flag or variable.
        key: String,
        /// What would do.
        wanted: &'static str,
        /// What was there.
        found: String,
    },
    /// A glob that is none.
    #[error("`{key}`: {message}")]
    Glob {
        /// Dotted key.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// A saved set that is none.
    #[error("`{key}`: {message}")]
    Set {
        /// Dotted key.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// A rules file that cannot be used.
    #[error("`{key}`: {message}")]
    Rules {
        /// Dotted key.
        key: String,
        /// File, line, rule and key, and what is wrong.
        message: String,
    },
    /// A property of librdkafka's that is not the user's.
    #[error("`{key}` cannot be set: {why}")]
    Property {
        /// Dotted key.
        key: String,
        /// Why not.
        why: &'static str,
    },
    /// The command needs a part of the configuration that is not there.
    #[error("{0}")]
    Lacking(&'static str),
    /// Certificates, keys and CAs.
    #[error("`{key}`: {message}")]
    Tls {
        /// Dotted key.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// Anyone could write anything.
    #[error(
        "listen.grpc = {address} is not loopback and has no TLS: set listen.tls.certificate_file, key_file and \
         client_ca_file (docs/security.md), or listen on 127.0.0.1, or take plain text from anyone with \
         listen.insecure = true (--insecure)"
    )]
    PlainToAll {
        /// Where it would listen.
        address: SocketAddr,
    },
    /// Anyone could read anything.
    #[error(
        "listen.http = {address} is not loopback, and the HTTP API asks nobody for a password: listen on 127.0.0.1 (an \
         ssh tunnel or a proxy that asks who comes can lead there), or let anyone read everything with \
         listen.insecure = true (--insecure)"
    )]
    HttpToAll {
        /// Where it would listen.
        address: SocketAddr,
    },
    /// A password, or something like it, stands in an address.
    #[error("`{key}`: {}", address_with_secrets(.found, .way_out))]
    Secrets {
        /// Dotted key.
        key: String,
        /// The address, without what may be secret.
        found: String,
        /// Where it belongs.
        way_out: &'static str,
    },
    /// A password file cannot be read.
    #[error("the password file {path} cannot be read: {source}")]
    PasswordFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What is wrong with an address in which a password may stand; `found` is what may be shown of it.
pub(super) fn address_with_secrets(found: &str, way_out: &str) -> String {
    format!("wanted an address without user, password and parameters, found {found:?}: {way_out}")
}
