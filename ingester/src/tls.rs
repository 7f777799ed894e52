//! The ingester's certificate, key and trust. Files that change are taken without a restart; where a new one cannot be
//! used, the old one stays, and the log says so once.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::SystemTime,
};

use lastwords_runtime::{
    metrics::look,
    tls::{CertificateError, IdentityError, PemError, PemFile, certificate, check_pair, provider},
};
use rustls::{
    ServerConfig,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

/// From so few days on, the log warns.
const WARN_DAYS: i64 = 14;

/// Where certificate, key and trust are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The ingester's certificate, followed by its intermediates, in PEM.
    pub certificate_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
    /// The CA of the shippers' certificates; none: shippers need no certificate, and each may speak for any host.
    pub client_ca_file: Option<PathBuf>,
}

/// Why files cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Certificate and key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The CA's certificates.
    #[error("{path}: {source}")]
    Ca {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: CertificateError,
    },
    /// A new certificate that has ended already.
    #[error("{path}: wanted a certificate that is valid, found one that ended {days} days ago")]
    Expired {
        /// Which file.
        path: PathBuf,
        /// How long ago.
        days: i64,
    },
    /// The library does not take them.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl TlsError {
    /// Which file, where it is one.
    #[must_use]
    pub fn path(&self) -> Option<&std::path::Path> {
        match self {
            TlsError::Pem(error) => Some(error.path()),
            TlsError::Identity(error) => Some(error.path()),
            TlsError::Ca { path, .. } | TlsError::Expired { path, .. } => Some(path),
            TlsError::Setup(_) => None,
        }
    }
}

/// When a file's certificate ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// `certificate` or `client_ca`, as the configuration calls the file (without `_file`).
    pub which: &'static str,
    /// The earliest end in that file: UTC seconds.
    pub not_after_s: i64,
}

/// What came of a look at the files.
#[derive(Debug)]
pub enum Looked {
    /// They are as they were.
    Unchanged,
    /// New connections use what is in them now.
    Replaced,
    /// They have changed and cannot be used.
    Kept(TlsError),
}

/// The ingester's side of TLS.
#[derive(Debug)]
pub struct ServerTls {
    files: TlsFiles,
    /// Held only for moments: connections ask for what is in use while files are read.
    state: Mutex<State>,
    /// Held by whoever reads the files.
    looking: Mutex<()>,
}

#[derive(Debug)]
struct State {
    current: Current,
    /// What was last said about files that cannot be used.
    complaint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Contents {
    certificate: PemFile,
    key: PemFile,
    client_ca: Option<PemFile>,
}

#[derive(Debug, Clone)]
struct Current {
    contents: Contents,
    config: Arc<ServerConfig>,
    expiries: Vec<Expiry>,
    /// Cancelled when another CA takes this one's place: what it vouched for ends.
    trust: CancellationToken,
}

impl ServerTls {
    /// Reads the files. A certificate that has ended is taken: shippers will refuse it, and a new one is taken as soon
    /// as it is there.
    ///
    /// # Errors
    /// Where they cannot be used.
    pub fn load(files: TlsFiles) -> Result<ServerTls, TlsError> {
        let contents = Contents::read(&files)?;
        let current = Current::build(contents, CancellationToken::new())?;
        let this = ServerTls {
            files,
            state: Mutex::new(State { current, complaint: None }),
            looking: Mutex::default(),
        };
        this.warn_of_ends();
        Ok(this)
    }

    /// Whether shippers need a certificate.
    #[must_use]
    pub fn is_mutual(&self) -> bool {
        self.files.client_ca_file.is_some()
    }

    /// Looks whether the files have changed, and takes what is in them. Files that their file system says are unchanged
    /// are not read. While one looks, others go on with what is in use. Blocks the thread as long as the files do.
    pub fn refresh(&self) -> Looked {
        let _looking = match self.looking.try_lock() {
            Ok(looking) => looking,
            Err(TryLockError::Poisoned(broken)) => broken.into_inner(),
            Err(TryLockError::WouldBlock) => return Looked::Unchanged,
        };
        let current = self.lock().current.clone();
        if current.contents.are_unchanged() {
            return Looked::Unchanged;
        }
        match renewed(&self.files, &current) {
            Ok(next) => self.replace(next),
            Err(error) => {
                let said = error.to_string();
                let mut state = self.lock();
                if state.complaint.as_ref() == Some(&said) {
                    return Looked::Unchanged;
                }
                state.complaint = Some(said);
                drop(state);
                tracing::error!(%error, "the certificate files have changed and cannot be used; the old ones stay in use");
                Looked::Kept(error)
            }
        }
    }

    fn replace(&self, next: Current) -> Looked {
        let mut state = self.lock();
        state.complaint = None;
        let former = std::mem::replace(&mut state.current, next);
        let is_other = state.current.contents != former.contents;
        if state.current.contents.client_ca != former.contents.client_ca {
            former.trust.cancel();
        }
        drop(state);
        if !is_other {
            return Looked::Unchanged;
        }
        tracing::info!(
            certificate = %self.files.certificate_file.display(),
            "the certificate files have changed; new connections use them"
        );
        self.warn_of_ends();
        Looked::Replaced
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a new connection uses, and what ends it when the CA changes.
    pub(crate) fn current(&self) -> (Arc<ServerConfig>, CancellationToken) {
        let state = self.lock();
        (Arc::clone(&state.current.config), state.current.trust.clone())
    }

    /// What a new connection of HTTP/1.1 uses: the same files, for another listener.
    #[must_use]
    pub fn for_http(&self) -> Arc<ServerConfig> {
        let (config, _) = self.current();
        let mut config = ServerConfig::clone(&config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// When what is in use ends.
    #[must_use]
    pub fn expiries(&self) -> Vec<Expiry> {
        self.lock().current.expiries.clone()
    }

    /// The days that are left, in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        let expiries = self.expiries();
        look(move |looked| {
            let days = |expiry: &Expiry| certificate::days_left(expiry.not_after_s, SystemTime::now());
            let files: Vec<_> =
                expiries.iter().map(|expiry| ([("file", expiry.which)], days(expiry))).collect();
            looked.gauges(
                "lastwords_ingester_certificate_days_left",
                "Whole days until the first certificate in the file ends; negative once it has.",
                files.iter().map(|(labels, days)| (&labels[..], *days)),
            );
        })
    }

    fn warn_of_ends(&self) {
        for expiry in self.expiries() {
            let days = certificate::days_left(expiry.not_after_s, SystemTime::now());
            if days < WARN_DAYS {
                tracing::warn!(
                    file = expiry.which,
                    days,
                    "a certificate ends soon, or has ended; put a new one in its place"
                );
            }
        }
    }
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Contents, PemError> {
        Ok(Contents {
            certificate: PemFile::read(&files.certificate_file)?,
            key: PemFile::read_key(&files.key_file)?,
            client_ca: files.client_ca_file.as_deref().map(PemFile::read).transpose()?,
        })
    }

    /// Whether nothing has changed since they were read, as far as that can be told without reading them.
    fn are_unchanged(&self) -> bool {
        let mut files =
            [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten();
        files.all(PemFile::is_unchanged)
    }
}

/// What is in the files now.
fn renewed(files: &TlsFiles, current: &Current) -> Result<Current, TlsError> {
    let contents = Contents::read(files)?;
    if contents == current.contents {
        // Read anew, they need not be read again.
        return Ok(Current { contents, ..current.clone() });
    }
    let trust = if contents.client_ca == current.contents.client_ca {
        current.trust.clone()
    } else {
        CancellationToken::new()
    };
    let next = Current::build(contents, trust)?;
    for expiry in &next.expiries {
        let days = certificate::days_left(expiry.not_after_s, SystemTime::now());
        if expiry.which == CERTIFICATE && days < 0 {
            return Err(TlsError::Expired { path: files.certificate_file.clone(), days: -days });
        }
    }
    Ok(next)
}

const CERTIFICATE: &str = "certificate";
const CLIENT_CA: &str = "client_ca";

impl Current {
    fn build(contents: Contents, trust: CancellationToken) -> Result<Current, TlsError> {
        let setup = |error: &dyn ToString| TlsError::Setup(error.to_string());
        let (chain, key, leaf) = check_pair(&contents.certificate, &contents.key)?;
        let mut expiries = vec![Expiry { which: CERTIFICATE, not_after_s: leaf.not_after_s }];
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| setup(&error))?;
        let builder = match &contents.client_ca {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let end = certificate::earliest_end_s(&file.certificates()?)
                    .map_err(|source| TlsError::Ca { path: file.path().to_owned(), source })?;
                expiries.extend(end.map(|not_after_s| Expiry { which: CLIENT_CA, not_after_s }));
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(file.roots()?), provider())
                        .build()
                        .map_err(|error| setup(&error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| setup(&error))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A resumed session is not verified again: it would outlive its certificate, and the CA.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Current { contents, config: Arc::new(config), expiries, trust })
    }
}

#[cfg(test)]
mod tests;
