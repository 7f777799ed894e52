//! `[clickhouse]`: the port for ClickHouse's clients, and who may use it.

use std::{net::SocketAddr, sync::Arc};

use lastwords_config::{FilePath, Invalid};
use lastwords_ingester::{ServerTls, TlsFiles};
use serde::{Deserialize, Serialize};

use super::secrets::password;
use crate::args::Listen;

/// `[clickhouse]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClickHouseSettings {
    /// Where `up` listens.
    pub listen: Listen,
    /// File with the reader's password; none: one is made at the first start.
    pub reader_password_file: Option<FilePath>,
    /// File with the writer's password; none: one is made at the first start.
    pub writer_password_file: Option<FilePath>,
    /// A further user who inserts.
    pub user: Option<String>,
    /// File with that user's password.
    pub password_file: Option<FilePath>,
    /// TLS of the port; none: plain text.
    pub tls: Option<ClickHouseTlsSettings>,
}

/// `[clickhouse.tls]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClickHouseTlsSettings {
    certificate_file: FilePath,
    key_file: FilePath,
}

impl Default for ClickHouseSettings {
    fn default() -> Self {
        ClickHouseSettings {
            listen: Listen::Off,
            reader_password_file: None,
            writer_password_file: None,
            user: None,
            password_file: None,
            tls: None,
        }
    }
}

/// Variables with passwords, which are no keys: secrets do not belong into the file.
pub const PASSWORD_VARIABLES: &[&str] = &[
    "LASTWORDS_CLICKHOUSE_PASSWORD",
    "LASTWORDS_CLICKHOUSE_READER_PASSWORD",
    "LASTWORDS_CLICKHOUSE_WRITER_PASSWORD",
];

/// Name of the user who reads.
pub const READER: &str = "reader";
/// Name of the user who inserts.
pub const WRITER: &str = "writer";

/// The port, and passwords that somebody chose. Where nobody did, one is made at the first start.
#[derive(Clone, Default)]
pub struct ClickHouseConfig {
    /// Where `up` listens.
    pub listen: Option<SocketAddr>,
    /// The reader's password.
    pub reader_password: Option<String>,
    /// The writer's.
    pub writer_password: Option<String>,
    /// A further writer, by name and password.
    pub named: Option<(String, String)>,
    /// Certificate and key; none: plain text.
    pub tls: Option<TlsFiles>,
}

impl std::fmt::Debug for ClickHouseConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClickHouseConfig")
            .field("listen", &self.listen)
            .field("named", &self.named.as_ref().map(|(name, _)| name))
            .finish_non_exhaustive()
    }
}

impl ClickHouseConfig {
    /// Reads certificate and key of the port; none: it speaks plain text.
    ///
    /// # Errors
    /// The key whose file cannot be used.
    pub(super) fn load_tls(&self) -> Result<Option<Arc<ServerTls>>, Invalid> {
        let Some(files) = &self.tls else { return Ok(None) };
        let loaded = ServerTls::load(files.clone()).map_err(|error| {
            let key = match error.path() {
                Some(path) if path == files.key_file => "clickhouse.tls.key_file",
                _ => "clickhouse.tls.certificate_file",
            };
            Invalid::new(key, &error)
        })?;
        Ok(Some(Arc::new(loaded)))
    }
}

impl ClickHouseSettings {
    pub(super) fn check(
        &self,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ClickHouseConfig, Invalid> {
        let chosen = |name: &str, file: &Option<FilePath>| match file {
            Some(path) => password(&format!("clickhouse.{name}_file"), &path.0).map(Some),
            None => {
                let variable = format!("LASTWORDS_CLICKHOUSE_{}", name.to_uppercase());
                Ok(environment(&variable).filter(|password| !password.is_empty()))
            }
        };
        let named = chosen("password", &self.password_file)?;
        Ok(ClickHouseConfig {
            listen: self.listen.address(),
            reader_password: chosen("reader_password", &self.reader_password_file)?,
            writer_password: chosen("writer_password", &self.writer_password_file)?,
            named: named_writer("clickhouse.user", self.user.clone(), named)?,
            tls: self.tls.as_ref().map(|tls| TlsFiles {
                certificate_file: tls.certificate_file.0.clone(),
                key_file: tls.key_file.0.clone(),
                client_ca_file: None,
            }),
        })
    }
}

/// A writer under a name of one's own.
///
/// # Errors
/// Where the name is another's, or there is no password.
pub fn named_writer(
    key: &str,
    user: Option<String>,
    password: Option<String>,
) -> Result<Option<(String, String)>, Invalid> {
    const NAME: &str = "a name other than reader and writer, who are there by themselves";
    match (user, password) {
        (Some(user), _) if [READER, WRITER].contains(&user.as_str()) => {
            Err(Invalid::wanted(key, NAME, &user))
        }
        (Some(user), None) => {
            let wanted = "a password for this user, too (a password file; nobody comes in without one)";
            Err(Invalid::wanted(key, wanted, &user))
        }
        (Some(user), Some(password)) => Ok(Some((user, password))),
        // What ClickHouse's clients take where no name is given.
        (None, Some(password)) => Ok(Some(("default".to_owned(), password))),
        (None, None) => Ok(None),
    }
}
