//! `[ship]`: where batches are sent to.

use std::net::SocketAddr;

use lastwords_config::{FilePath, Invalid};
use lastwords_runtime::{
    address::{carries_secrets, redacted},
    tls::is_server_name,
};
use serde::{Deserialize, Serialize};

use crate::uplink::{IdentityFiles, TlsError, TlsOptions, Uplink};

/// `[ship]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShipSettings {
    /// The ingester's address, gRPC.
    pub ingester: Option<String>,
    /// An ingester's unix socket, instead.
    pub socket: Option<FilePath>,
    /// TLS to the ingester; none: plain text.
    pub tls: Option<ShipTlsSettings>,
    /// Where `/metrics`, `/healthz` and `/readyz` of the shipper are served, or `off`.
    pub listen: Option<String>,
}

/// `[ship.tls]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShipTlsSettings {
    /// The CA of the ingester's certificate.
    pub ca_file: FilePath,
    /// This host's certificate.
    pub certificate_file: Option<FilePath>,
    /// Its key.
    pub key_file: Option<FilePath>,
    /// The name in the ingester's certificate; none: the host in `ingester`.
    pub server_name: Option<String>,
}

const INGESTER: &str = "ship.ingester";

/// Where a shipper serves what it tells about itself.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:4321";
const OFF: &str = "off";

impl ShipSettings {
    /// Where the shipper's own status is served; none: nowhere.
    ///
    /// # Errors
    /// Where the address cannot be used.
    pub fn check_listen(&self) -> Result<Option<SocketAddr>, Invalid> {
        let text = self.listen.as_deref().unwrap_or(DEFAULT_LISTEN);
        if text == OFF {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| Invalid::wanted("ship.listen", "ADDRESS:PORT or off", text))
    }

    /// Where to send to; none: nowhere. Reads no file.
    ///
    /// # Errors
    /// The key whose value cannot be used.
    pub fn check(&self) -> Result<Option<Uplink>, Invalid> {
        let tls = self.tls_options()?;
        let wanted = |wanted: &str, found: &str| Err(Invalid::wanted(INGESTER, wanted, found));
        let ingester = match (&self.ingester, &self.socket) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(Invalid::new("ship.socket", "wanted either ingester or socket, found both"));
            }
            (None, Some(_)) if tls.is_some() => {
                return Err(Invalid::new("ship.tls", "wanted ingester with it: a socket has no TLS"));
            }
            (None, Some(socket)) => return Ok(Some(Uplink::Unix(socket.0.clone()))),
            (Some(ingester), None) => ingester.clone(),
        };
        if carries_secrets(&ingester) {
            let message = format!(
                "wanted an address without user, password and parameters, found {:?}: a shipper shows who it is by a \
                 certificate, see [ship.tls]",
                redacted(&ingester)
            );
            return Err(Invalid::new(INGESTER, message));
        }
        match tls {
            Some(_) if !ingester.starts_with("https://") => {
                wanted("https://HOST:PORT, as there is [ship.tls]", &ingester)
            }
            Some(tls) => Ok(Some(Uplink::GrpcTls(ingester, tls))),
            None if ingester.starts_with("https://") => {
                wanted("http://HOST:PORT, as there is no [ship.tls]", &ingester)
            }
            None if !ingester.starts_with("http://") => {
                wanted("http://HOST:PORT (or https:// and [ship.tls])", &ingester)
            }
            None => Ok(Some(Uplink::Grpc(ingester))),
        }
    }

    /// How TLS to the ingester is spoken, whatever its address is and wherever that is said. Reads no file.
    ///
    /// # Errors
    /// The key whose value cannot be used.
    pub fn tls_options(&self) -> Result<Option<TlsOptions>, Invalid> {
        self.tls.as_ref().map(ShipTlsSettings::check).transpose()
    }

    /// Reads certificates and key once, so that what is wrong with them is named by the key.
    ///
    /// # Errors
    /// The key whose file cannot be used.
    pub fn check_files(&self) -> Result<(), Invalid> {
        match &self.tls {
            None => Ok(()),
            Some(tls) => tls.check()?.load().map(|_| ()).map_err(|error| tls.invalid(&error)),
        }
    }
}

impl ShipTlsSettings {
    fn check(&self) -> Result<TlsOptions, Invalid> {
        let identity = match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => {
                Some(IdentityFiles { certificate_file: certificate.0.clone(), key_file: key.0.clone() })
            }
            (None, None) => None,
            (Some(_), None) => {
                return Err(Invalid::new("ship.tls.certificate_file", "wanted key_file, too, found none"));
            }
            (None, Some(_)) => {
                return Err(Invalid::new("ship.tls.key_file", "wanted certificate_file, too, found none"));
            }
        };
        if let Some(name) = self.server_name.as_deref().filter(|name| !is_server_name(name)) {
            return Err(Invalid::wanted("ship.tls.server_name", "a DNS name or an IP address", name));
        }
        Ok(TlsOptions { ca_file: self.ca_file.0.clone(), identity, server_name: self.server_name.clone() })
    }

    fn invalid(&self, error: &TlsError) -> Invalid {
        let key = match error {
            TlsError::Ca(_) => "ca_file",
            TlsError::Identity(error) => match &self.key_file {
                Some(key) if key.0 == error.path() => "key_file",
                _ => "certificate_file",
            },
        };
        Invalid::new(format!("ship.tls.{key}"), error)
    }
}
