//! A certificate's chain and its key.

use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};

use super::{CertificateError, Leaf, PemError, PemFile, provider};

/// Why a certificate and a key cannot be used together.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// One of the files.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The certificate.
    #[error("{path}: {source}")]
    Certificate {
        /// Which file.
        path: std::path::PathBuf,
        /// What is wrong.
        source: CertificateError,
    },
    /// They are not of one pair, or of a kind that is not known.
    #[error("{key}: wanted the key of the certificate in {certificate}, found {found}")]
    Pair {
        /// The certificate's file.
        certificate: std::path::PathBuf,
        /// The key's file.
        key: std::path::PathBuf,
        /// What is wrong.
        found: String,
    },
}

impl IdentityError {
    /// The file that has to be changed.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        match self {
            IdentityError::Pem(error) => error.path(),
            IdentityError::Certificate { path, .. } => path,
            IdentityError::Pair { key, .. } => key,
        }
    }
}

/// A chain, its key, and what the first certificate says.
pub type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, Leaf);

/// Reads a chain and its key and makes sure that they belong together.
///
/// # Errors
/// Where either cannot be read, or they do not.
pub fn check_pair(certificate: &PemFile, key: &PemFile) -> Result<Pair, IdentityError> {
    let (chain, secret) = (certificate.certificates()?, key.key()?);
    let pair = |found: String| IdentityError::Pair {
        certificate: certificate.path().to_owned(),
        key: key.path().to_owned(),
        found,
    };
    let first = chain.first().ok_or_else(|| pair("no certificate".to_owned()))?;
    let leaf = Leaf::read(first)
        .map_err(|source| IdentityError::Certificate { path: certificate.path().to_owned(), source })?;
    CertifiedKey::from_der(chain.clone(), secret.clone_key(), &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => pair("another one's".to_owned()),
        other => pair(other.to_string()),
    })?;
    Ok((chain, secret, leaf))
}
