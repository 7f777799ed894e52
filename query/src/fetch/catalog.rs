//! What the store knows of hosts and guests; fetched again only when it has changed.

use std::sync::Arc;

use lastwords_store::{
    Store,
    select::{Attributes, read_guests, read_hosts, read_placement, read_placement_version},
};

use crate::{
    catalog::{Catalog, Configured, Known},
    context::compute,
    correlate::placement::Placement,
    error::AskError,
    language::Vocabulary,
    options::AskOptions,
};

/// What is known now.
pub(crate) async fn fetch_known(store: &Store, options: &AskOptions) -> Result<Known, AskError> {
    fetch(store, &options.catalog, options.configured()).await
}

/// What is known, or was a moment ago: it is never waited for where anything is known.
pub(crate) async fn latest_known(store: &Store, options: &AskOptions) -> Result<Known, AskError> {
    let configured = options.configured();
    match options.catalog.latest(&configured) {
        Some((known, true)) => Ok(known),
        Some((known, false)) => {
            let (store, catalog) = (store.clone(), Arc::clone(&options.catalog));
            tokio::spawn(async move {
                if let Err(error) = fetch(&store, &catalog, configured).await {
                    tracing::debug!(%error, "names to complete are not refreshed");
                }
            });
            Ok(known)
        }
        None => fetch(store, &options.catalog, configured).await,
    }
}

async fn fetch(store: &Store, catalog: &Catalog, configured: Configured) -> Result<Known, AskError> {
    let version = read_placement_version(store).await?;
    if let Some(known) = catalog.at_version(&configured, &version) {
        return Ok(known);
    }
    let _alone = catalog.fetching.lock().await;
    // Perhaps somebody else has fetched it meanwhile.
    let version = read_placement_version(store).await?;
    if let Some(known) = catalog.at_version(&configured, &version) {
        return Ok(known);
    }
    let stays = read_placement(store, Attributes::OfHosts).await?;
    let hosts = read_hosts(store).await?;
    let known = {
        let configured = configured.clone();
        compute(move || Known::new(&configured, stays, hosts)).await?
    };
    catalog.keep(configured, version, known.clone());
    Ok(known)
}

/// What may be named, with the hosts and guests that are in the store now.
pub(crate) async fn with_new_names(store: &Store, vocabulary: &Vocabulary) -> Result<Vocabulary, AskError> {
    let (hosts, guests) = (read_hosts(store).await?, read_guests(store).await?);
    let mut vocabulary = vocabulary.clone();
    vocabulary.hosts.extend(hosts);
    vocabulary.guests.extend(guests);
    Ok(vocabulary)
}

/// Fetches placement with the attributes of guests as well.
pub(crate) async fn fetch_placement_whole(
    store: &Store,
    options: &AskOptions,
) -> Result<Placement, AskError> {
    let stays = read_placement(store, Attributes::OfAll).await?;
    let labels = Arc::clone(&options.labels);
    compute(move || Placement::new(stays, labels)).await
}
