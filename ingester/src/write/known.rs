//! A batch whose number is stored already: is it the same one? A shipper that was set back to an earlier state, or two
//! that are clones of each other, give one number to several contents. What is the same is acknowledged without an
//! insert; what is not must be refused, as it would be lost without a word.

use std::time::Duration;

use lastwords_record::{Batch, BatchId, Compression};
use lastwords_store::{QueryError, Store};

use super::block::envelope_hash;
use crate::queue::Incoming;

/// Whether what came under a number that is stored is what is stored. Asks the store until it answers.
pub async fn is_same(store: &Store, id: &BatchId, incoming: Incoming) -> bool {
    let mut pause = Duration::from_millis(50);
    let stored = loop {
        match stored_content(store, id).await {
            Ok(stored) => break stored,
            Err(error) => tracing::warn!(%error, "the store does not say what it holds; asking again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    };
    // Older programs did not write it down, and what is gone cannot be compared.
    let Some(stored) = stored.filter(|content| *content != 0) else { return true };
    let same = tokio::task::spawn_blocking(move || has_content(incoming, stored)).await;
    // What cannot be opened without breaking the program is not compared.
    same.unwrap_or(true)
}

/// The content that the ledger has for a number.
async fn stored_content(store: &Store, id: &BatchId) -> Result<Option<u64>, QueryError> {
    #[derive(serde::Deserialize)]
    struct Row {
        content: u64,
    }
    let BatchId { shipper, epoch, sequence } = id;
    let rows: Vec<Row> = store
        .rows(&format!(
            "SELECT Content AS content FROM batches \
             WHERE Shipper = unhex('{shipper}') AND Epoch = {epoch} AND Sequence = {sequence} LIMIT 1"
        ))
        .await?;
    Ok(rows.first().map(|row| row.content))
}

/// Whether a batch has a content: that of its rows where it was stored, that of its envelope where it was set aside.
fn has_content(incoming: Incoming, stored: u64) -> bool {
    match incoming {
        Incoming::Sealed(envelope) => {
            envelope_hash(&envelope) == stored
                || Batch::open(&envelope).is_ok_and(|batch| batch.content_hash() == stored)
        }
        Incoming::Opened(batch) => {
            batch.content_hash() == stored
                || batch.seal(Compression::DEFAULT).is_ok_and(|envelope| envelope_hash(&envelope) == stored)
        }
    }
}
