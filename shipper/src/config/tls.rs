//! `[uplink.tls]`: the files are read once while the configuration is checked, so that an error names the key.

use std::path::PathBuf;

use lastwords_runtime::tls::is_server_name;
use serde::Deserialize;
use toml::Spanned;

use super::{ConfigError, Place};
use crate::uplink::{IdentityFiles, TlsError, TlsOptions};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    ca_file: Spanned<PathBuf>,
    certificate_file: Option<Spanned<PathBuf>>,
    key_file: Option<Spanned<PathBuf>>,
    server_name: Option<Spanned<String>>,
}

pub(super) fn check(place: &Place<'_>, raw: &RawTls) -> Result<TlsOptions, ConfigError> {
    let identity = match (&raw.certificate_file, &raw.key_file) {
        (Some(certificate), Some(key)) => Some(IdentityFiles {
            certificate_file: certificate.get_ref().clone(),
            key_file: key.get_ref().clone(),
        }),
        (None, None) => None,
        (Some(certificate), None) => {
            let message = "wanted key_file, too, found none";
            return Err(place.wrong("uplink.tls.certificate_file", certificate, message));
        }
        (None, Some(key)) => {
            let message = "wanted certificate_file, too, found none";
            return Err(place.wrong("uplink.tls.key_file", key, message));
        }
    };
    if let Some(name) = &raw.server_name
        && !is_server_name(name.get_ref())
    {
        let message = format!("wanted a DNS name or an IP address, found '{}'", name.get_ref());
        return Err(place.wrong("uplink.tls.server_name", name, message));
    }
    let options = TlsOptions {
        ca_file: raw.ca_file.get_ref().clone(),
        identity,
        server_name: raw.server_name.as_ref().map(|name| name.get_ref().clone()),
    };
    options.load().map_err(|error| {
        let (key, value) = match &error {
            TlsError::Ca(_) => ("ca_file", &raw.ca_file),
            TlsError::Identity(error) => {
                let key = raw.key_file.as_ref().filter(|key| key.get_ref() == error.path());
                match (key, &raw.certificate_file) {
                    (Some(key), _) => ("key_file", key),
                    (None, Some(certificate)) => ("certificate_file", certificate),
                    (None, None) => ("ca_file", &raw.ca_file),
                }
            }
        };
        place.wrong(&format!("uplink.tls.{key}"), value, error)
    })?;
    Ok(options)
}
