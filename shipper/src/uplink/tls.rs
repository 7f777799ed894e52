//! The shipper's side of TLS. Its files are read at every new connection, so that a renewed certificate needs no
//! restart; where they cannot be used then, those of the connection before are.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use lastwords_runtime::tls::{IdentityError, Leaf, PemError, PemFile, check_pair};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// From so few days on, the log warns.
const WARN_DAYS: i64 = 14;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Whom to trust, and what to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// The CA of the ingesters' certificates.
    pub ca_file: PathBuf,
    /// This host's certificate and its key; none: the ingester does not want one.
    pub identity: Option<IdentityFiles>,
    /// The name that the ingester's certificate has to have; none: the host in its address.
    pub server_name: Option<String>,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The certificate, followed by its intermediates, in PEM.
    pub certificate_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
}

impl IdentityFiles {
    fn read(&self) -> Result<(PemFile, PemFile, Leaf), IdentityError> {
        let certificate = PemFile::read(&self.certificate_file)?;
        let key = PemFile::read_key(&self.key_file)?;
        let (_, _, leaf) = check_pair(&certificate, &key)?;
        Ok((certificate, key, leaf))
    }
}

/// Why files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The CA.
    #[error(transparent)]
    Ca(PemError),
    /// The certificate and its key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl TlsOptions {
    /// When this host's certificate ends, in UTC seconds; none: it has none.
    ///
    /// # Errors
    /// Where the files cannot be used.
    pub fn not_after_s(&self) -> Result<Option<i64>, TlsError> {
        self.load()?;
        Ok(self.identity.as_ref().map(IdentityFiles::read).transpose()?.map(|read| read.2.not_after_s))
    }

    /// Reads the files.
    ///
    /// # Errors
    /// Where they cannot be used.
    pub fn load(&self) -> Result<ClientTlsConfig, TlsError> {
        let ca = PemFile::read(&self.ca_file).map_err(TlsError::Ca)?;
        ca.roots().map_err(TlsError::Ca)?;
        let mut config = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(ca.bytes()))
            .timeout(HANDSHAKE_TIMEOUT);
        if let Some(files) = &self.identity {
            let (certificate, key, leaf) = files.read()?;
            let days = leaf.days_left(SystemTime::now());
            if days < WARN_DAYS {
                let file = files.certificate_file.display();
                tracing::warn!(%file, days, "this host's certificate ends soon, or has ended; put a new one in its place");
            }
            config = config.identity(Identity::from_pem(certificate.bytes(), key.bytes()));
        }
        if let Some(name) = &self.server_name {
            config = config.domain_name(name.clone());
        }
        Ok(config)
    }
}

/// What connections use.
#[derive(Debug)]
pub(super) struct ClientTls {
    options: TlsOptions,
    current: Option<ClientTlsConfig>,
}

impl ClientTls {
    pub(super) fn new(options: TlsOptions) -> ClientTls {
        ClientTls { options, current: None }
    }

    /// What the next connection uses.
    pub(super) fn next(&mut self) -> Result<ClientTlsConfig, TlsError> {
        match (self.options.load(), &self.current) {
            (Ok(config), _) => {
                self.current = Some(config.clone());
                Ok(config)
            }
            (Err(error), Some(before)) => {
                tracing::error!(%error, "the certificate files cannot be used; those of the connection before stay in use");
                Ok(before.clone())
            }
            (Err(error), None) => Err(error),
        }
    }
}
