//! What the store knows of hosts and guests: table `placement`.

use std::collections::HashMap;

use lastwords_record::FOUND_BY;
use lastwords_store::{QueryError, Store};

use crate::{chance::OPEN, correlate::placement::Placement, options::Attributes};

/// Fetches `placement`, whole or without attributes of guests, which are most of it.
pub(crate) async fn placement(
    store: &Store,
    labels: &HashMap<String, Attributes>,
    with_attributes: bool,
) -> Result<Placement, QueryError> {
    let attributes = if with_attributes {
        "Attributes".to_owned()
    } else {
        format!("mapFilter((name, _) -> Guest = '' OR name = '{FOUND_BY}', Attributes)")
    };
    let sql = format!(
        "SELECT Host AS host, Guest AS guest, lower(toString(GuestUuid)) AS uuid, toUnixTimestamp64Nano(Start) AS start_ns, \
         ifNull(toUnixTimestamp64Nano(End), {OPEN}) AS end_ns, {attributes} AS attributes \
         FROM placement FINAL ORDER BY Guest, GuestUuid, Start, Host"
    );
    Ok(Placement::new(store.rows(&sql).await?, labels.clone()))
}
