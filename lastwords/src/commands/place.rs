//! Where the store is that a command works on.

use anyhow::{Context as _, bail};
use lastwords_store::Store;

use crate::{
    config::Config,
    http::client::Server,
    pipeline::{Access, Contents, OpenStore, PATIENCE},
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

impl Place {
    /// The data folder where one was named with `--data`, else the server of `[store]`, else the data folder.
    ///
    /// # Errors
    /// Where there is none, the server does not answer, or somebody else holds the folder and does not end.
    pub async fn of(config: &Config, data_named: bool, purpose: &str) -> anyhow::Result<Place> {
        if let Some(remote) = &config.store
            && !data_named
        {
            let store = Store::remote(remote)?;
            let looked = Contents::of(&store).await;
            looked.with_context(|| format!("the store at {}", remote.urls.join(", ")))?;
            return Ok(Place::Remote(Box::new(store)));
        }
        if !config.data.root().exists() {
            bail!(
                "there is no data folder {}: name one with --data, or make one with `lastwords up` or `lastwords import`",
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
