//! Certificates, keys and trust as both ends of a TLS connection use them: rustls with ring.
//!
//! 1. [`pem`]: files are read, and keys that others can read are refused.
//! 2. [`certificate`]: whom a certificate names, and until when it is valid.
//! 3. [`identity`]: chain and key that belong together.
//!
//! The ingester's side stands in `ingester/src/tls.rs`, the shipper's in `shipper/src/uplink/tls.rs`.

pub mod certificate;
pub mod identity;
pub mod pem;

use std::sync::Arc;

use rustls::{
    crypto::{CryptoProvider, ring},
    pki_types::ServerName,
};

pub use certificate::{CertificateError, Leaf};
pub use identity::{IdentityError, check_pair};
pub use pem::{PemError, PemFile};

/// The cryptography that is used, whatever else is in the process.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Whether a certificate can be for such a name: a DNS name or an IP address.
#[must_use]
pub fn is_server_name(name: &str) -> bool {
    ServerName::try_from(name).is_ok()
}
