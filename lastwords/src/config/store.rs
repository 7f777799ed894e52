//! `[store]`: the ClickHouse server that `write` stores into.

use std::time::Duration;

use lastwords_config::{FilePath, Invalid};
use lastwords_store::RemoteOptions;
use serde::{Deserialize, Serialize};

use super::secrets::{first_line, without_secrets};

/// `[store]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreSettings {
    /// ClickHouse's HTTP interface; none: the engine in the data folder.
    pub url: Option<Urls>,
    /// Who writes.
    pub user: String,
    /// File whose first line is the password.
    pub password_file: Option<FilePath>,
    /// Who signs the server's certificates; none: what the system trusts.
    pub ca_file: Option<FilePath>,
    /// The database.
    pub database: String,
    /// A cluster's name.
    pub cluster: Option<String>,
    /// The shard that takes the inserts.
    pub shard: u32,
    /// How long a connection is waited for.
    pub connect_timeout_seconds: u64,
    /// How long an answer is waited for.
    pub answer_timeout_seconds: u64,
}

/// One address or a list of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "wanted an address such as \"http://HOST:8123\" or a list of them")]
pub enum Urls {
    /// One; in a variable several, separated by commas.
    One(String),
    /// Several of the same store.
    Several(Vec<String>),
}

/// The password, where there is no file.
pub const PASSWORD_VARIABLE: &str = "LASTWORDS_STORE_PASSWORD";

impl Default for StoreSettings {
    fn default() -> Self {
        let options = RemoteOptions::new(Vec::<String>::new());
        StoreSettings {
            url: None,
            user: options.user,
            password_file: None,
            ca_file: None,
            database: options.database,
            cluster: None,
            shard: options.shard,
            connect_timeout_seconds: options.connect_timeout.as_secs(),
            answer_timeout_seconds: options.answer_timeout.as_secs(),
        }
    }
}

impl StoreSettings {
    /// None where no server is named: the store is the engine in the data folder.
    pub(super) fn check(
        &self,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<RemoteOptions>, Invalid> {
        let Some(urls) = self.urls()? else { return Ok(None) };
        let key = |name: &str| format!("store.{name}");
        let wanted = |name: &str, wanted, found: &str| Err(Invalid::wanted(key(name), wanted, found));
        let mut options = RemoteOptions::new(urls);
        options.password = match &self.password_file {
            Some(path) => first_line(&path.0).map_err(|error| {
                let found = format!("{}: {error}", path.0.display());
                Invalid::wanted(key("password_file"), "a file that can be read", &found)
            })?,
            None => environment(PASSWORD_VARIABLE).unwrap_or_default(),
        };
        if let Some(path) = &self.ca_file
            && let Err(error) = std::fs::File::open(&path.0)
        {
            let found = format!("{}: {error}", path.0.display());
            return wanted("ca_file", "a file of PEM certificates that can be read", &found);
        }
        if !is_name(&self.database, "_") {
            return wanted("database", "a name of letters, digits and _", &self.database);
        }
        if let Some(cluster) = self.cluster.as_ref().filter(|cluster| !is_cluster_name(cluster)) {
            return wanted("cluster", "a cluster's name of letters, digits, _, - and .", cluster);
        }
        for (name, number) in [
            ("shard", u64::from(self.shard)),
            ("connect_timeout_seconds", self.connect_timeout_seconds),
            ("answer_timeout_seconds", self.answer_timeout_seconds),
        ] {
            if number == 0 {
                return Err(Invalid::new(key(name), "wanted 1 or more, found 0"));
            }
        }
        options.ca_file = self.ca_file.as_ref().map(|path| path.0.clone());
        options.user.clone_from(&self.user);
        options.database.clone_from(&self.database);
        options.cluster.clone_from(&self.cluster);
        options.shard = self.shard;
        options.connect_timeout = Duration::from_secs(self.connect_timeout_seconds);
        options.answer_timeout = Duration::from_secs(self.answer_timeout_seconds);
        Ok(Some(options))
    }

    fn urls(&self) -> Result<Option<Vec<String>>, Invalid> {
        const URL: &str = "the address of ClickHouse's HTTP interface, http://HOST:8123 or https://HOST:8443, or a \
                           list of them";
        let urls = match &self.url {
            None => return Ok(None),
            // The environment has no lists.
            Some(Urls::One(urls)) => urls.split(',').map(|url| url.trim().to_owned()).collect(),
            Some(Urls::Several(urls)) => urls.clone(),
        };
        without_secrets(
            "store.url",
            &urls.join(","),
            "name the user in store.user, and put the password into the file of store.password_file or into \
             LASTWORDS_STORE_PASSWORD",
        )?;
        if urls.is_empty() {
            return Err(Invalid::wanted("store.url", URL, "[]"));
        }
        for url in &urls {
            let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
            if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
                return Err(Invalid::wanted("store.url", URL, url));
            }
        }
        Ok(Some(urls))
    }
}

/// Whether a cluster can have this name.
pub fn is_cluster_name(text: &str) -> bool {
    is_name(text, "_-.")
}

/// Whether this can be a name in ClickHouse's statements, and in a path of Keeper.
fn is_name(text: &str, further: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || further.contains(letter))
}
