//! `[clickhouse]`: the port for ClickHouse's clients, and who may use it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{ConfigError, Flags, file::ListenText, first_line, pick};

/// `[clickhouse]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawClickHouse {
    pub listen: Option<ListenText>,
    pub reader_password_file: Option<PathBuf>,
    pub writer_password_file: Option<PathBuf>,
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
}

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
}

impl std::fmt::Debug for ClickHouseConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClickHouseConfig")
            .field("listen", &self.listen)
            .field("named", &self.named.as_ref().map(|(name, _)| name))
            .finish_non_exhaustive()
    }
}

pub(super) fn resolve(
    raw: RawClickHouse,
    flags: &Flags,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<ClickHouseConfig, ConfigError> {
    let chosen = |key: &str, file: Option<&PathBuf>, variable: &str| match file {
        Some(path) => password(key, path).map(Some),
        None => Ok(environment(variable).filter(|password| !password.is_empty())),
    };
    let file = flags.clickhouse_password_file.as_ref().or(raw.password_file.as_ref());
    let named = chosen("clickhouse.password_file", file, "LASTWORDS_CLICKHOUSE_PASSWORD")?;
    let user = flags.clickhouse_user.clone().or(raw.user);
    Ok(ClickHouseConfig {
        listen: pick(flags.clickhouse_listen, raw.listen.map(|listen| listen.0), None),
        reader_password: chosen(
            "clickhouse.reader_password_file",
            raw.reader_password_file.as_ref(),
            "LASTWORDS_CLICKHOUSE_READER_PASSWORD",
        )?,
        writer_password: chosen(
            "clickhouse.writer_password_file",
            raw.writer_password_file.as_ref(),
            "LASTWORDS_CLICKHOUSE_WRITER_PASSWORD",
        )?,
        named: named_writer("clickhouse.user", user, named)?,
    })
}

/// A writer under a name of one's own.
///
/// # Errors
/// Where the name is another's, or there is no password.
pub fn named_writer(
    key: &str,
    user: Option<String>,
    password: Option<String>,
) -> Result<Option<(String, String)>, ConfigError> {
    const NAME: &str = "a name other than reader and writer, who are there by themselves";
    let value =
        |wanted, found: &str| ConfigError::Value { key: key.to_owned(), wanted, found: found.to_owned() };
    match (user, password) {
        (Some(user), _) if [READER, WRITER].contains(&user.as_str()) => Err(value(NAME, &user)),
        (Some(user), None) => {
            Err(value("a password for this user, too (a password file; nobody comes in without one)", &user))
        }
        (Some(user), Some(password)) => Ok(Some((user, password))),
        // What ClickHouse's clients take where no name is given.
        (None, Some(password)) => Ok(Some(("default".to_owned(), password))),
        (None, None) => Ok(None),
    }
}

/// The password in a file.
///
/// # Errors
/// Where it cannot be read, or its first line is empty.
pub fn password(key: &str, path: &Path) -> Result<String, ConfigError> {
    let password = first_line(path)?;
    if password.is_empty() {
        return Err(ConfigError::Value {
            key: key.to_owned(),
            wanted: "a file whose first line is a password",
            found: path.display().to_string(),
        });
    }
    Ok(password)
}
