//! Where the store is that a command works on.

use anyhow::{Context as _, bail};
use hyper::Uri;
use lastwords_api::{Server, Service};
use lastwords_runtime::address::{carries_secrets, redacted};
use lastwords_store::Store;

use crate::{
    config::Config,
    outcome::UsageError,
    pipeline::{Access, OpenStore, PATIENCE},
};

/// Where a store is.
pub enum Place {
    /// The server of `[store]`.
    Remote(Box<Store>),
    /// A data folder that is ours now.
    Here(Box<OpenStore>),
    /// A running `up`.
    There(Server),
}

/// What is asked where a store is.
pub enum Asked<'a> {
    /// The store is at hand.
    Service(Box<Service>),
    /// Another process has it.
    Server(&'a Server),
}

impl Place {
    /// What is asked there.
    #[must_use]
    pub fn asked(&self, config: &Config) -> Asked<'_> {
        let store = match self {
            Place::Remote(store) => store,
            Place::Here(open) => &open.store,
            Place::There(server) => return Asked::Server(server),
        };
        let service = Service::new(Store::clone(store), config.known.clone(), config.rules.clone());
        Asked::Service(Box::new(service))
    }

    /// The data folder where one was named with `--data`, else the server of `[store]`, else the data folder.
    ///
    /// # Errors
    /// Where there is none, the server does not answer, or somebody else holds the folder and does not end.
    pub async fn of(config: &Config, data_named: bool, purpose: &str) -> anyhow::Result<Place> {
        if let Some(remote) = &config.store
            && !data_named
        {
            let store = Store::remote(remote)?;
            let looked = store.contents().await;
            looked.with_context(|| format!("the store at {}", remote.urls.join(", ")))?;
            return Ok(Place::Remote(Box::new(store)));
        }
        if !config.data.root().exists() {
            bail!(
                "there is no data folder {}: name one with --data, or make one with `lastwords up` or `lastwords import`",
                config.data.root().display()
            );
        }
        if !(config.data.engine().exists() || config.data.lock_file().exists()) {
            bail!(
                "{} is no data folder: nothing was ever stored there, and nothing was made in it; name another with --data, \
                 or make one with `lastwords up` or `lastwords import`",
                config.data.root().display()
            );
        }
        let socket = config.data.query_socket();
        Ok(match Access::take(config, purpose, &socket, PATIENCE).await? {
            Access::Here(open) => Place::Here(open),
            Access::There => Place::There(Server::Socket(socket)),
        })
    }
}

/// Reads `http://HOST[:PORT]`.
///
/// # Errors
/// A usage error that says what was wanted.
pub fn server(text: &str) -> Result<Server, UsageError> {
    if carries_secrets(text) {
        return Err(UsageError(format!(
            "--server: wanted a URL without user, password and parameters, found {:?}: the HTTP API asks for none",
            redacted(text)
        )));
    }
    let wanted =
        || UsageError(format!("--server: wanted a URL such as http://127.0.0.1:8640, found {text:?}"));
    let uri: Uri = text.parse().map_err(|_| wanted())?;
    match (uri.scheme_str(), uri.host(), uri.path()) {
        (Some("http"), Some(_), "" | "/") => Ok(Server::Url(uri)),
        _ => Err(wanted()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_without_a_password() {
        for good in ["http://127.0.0.1:8640", "http://hv01", "http://[::1]:8640/"] {
            assert!(server(good).is_ok(), "{good}");
        }
        for wrong in [
            "https://hv01:8640",
            "hv01:8640",
            "http://",
            "http://hv01:8640/api",
            "http://user:hunter2@hv01:8640",
            "user:hunter2@hv01",
            "http://hv01?password=hunter2",
        ] {
            let error = server(wrong).unwrap_err().to_string();
            assert!(error.starts_with("--server: wanted a URL"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
