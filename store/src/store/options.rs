//! Where a store is and how it is spoken to, and why that cannot be.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// The database that holds every table, unless another is configured.
pub const DATABASE: &str = "lastwords";

/// Where a store is and how it is spoken to.
#[derive(Clone)]
pub struct RemoteOptions {
    /// HTTP addresses of the same store, the preferred one first: of one server, or of the replicas of one shard. What
    /// one of them has stored has to be seen through the others.
    pub urls: Vec<String>,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// The database that holds our tables.
    pub database: String,
    /// Certificates (PEM) that sign the servers' certificates; none: what the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Name of the cluster whose tables are Replicated and Distributed; none: a single server.
    pub cluster: Option<String>,
    /// The shard of the cluster that takes our inserts, from 1; the same for all writers of one topic.
    pub shard: u32,
    /// For name, TCP and TLS of a new connection together.
    pub connect_timeout: Duration,
    /// Longest silence while an answer is waited for. Inserts bring their own.
    pub answer_timeout: Duration,
    /// An address that failed is not asked for so long, unless all have failed.
    pub return_after: Duration,
}

impl RemoteOptions {
    /// The defaults for some addresses.
    pub fn new(urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        RemoteOptions {
            urls: urls.into_iter().map(Into::into).collect(),
            user: "default".to_owned(),
            password: String::new(),
            database: DATABASE.to_owned(),
            ca_file: None,
            cluster: None,
            shard: 1,
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(120),
            return_after: Duration::from_secs(30),
        }
    }
}

impl std::fmt::Debug for RemoteOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteOptions")
            .field("urls", &self.urls)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

/// Why options cannot be used.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum RemoteError {
    #[error("wanted at least one address of a ClickHouse server, http://HOST:8123")]
    NoUrl,
    #[error(
        "wanted the address of ClickHouse's HTTP interface, http://HOST:8123 or https://HOST:8443, found {0:?}"
    )]
    Url(String),
    #[error("the certificates {} cannot be read: {source}", path.display())]
    CaFile { path: PathBuf, source: std::io::Error },
    #[error("the certificates {} cannot be used: {reason}; wanted PEM certificates of authorities", path.display())]
    Ca { path: PathBuf, reason: String },
    #[error("no trusted certificates were found on this machine: install ca-certificates, or name a ca_file")]
    NoSystemTrust,
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}
