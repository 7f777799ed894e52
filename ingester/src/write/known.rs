//! A batch whose number is stored already: is it the same one? A shipper that was set back to an earlier state, or two
//! that are clones of each other, give one number to several contents. What is the same is acknowledged without an
//! insert; what is not must never be dropped, as it would be lost without a word.
//!
//! What is stored is read by chunks of numbers and kept for a while: whoever sends many known batches again costs a
//! query for some thousands of them.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use lastwords_record::{Batch, BatchId, Compression, ShipperId};
use lastwords_runtime::Backoff;
use lastwords_store::{CHUNK, Store, StoredContent};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::{attempt::PAUSES, envelope::envelope_hash, prepared::Prepared};
use crate::{
    metrics::Counters,
    queue::{Incoming, Written},
};

/// Chunks whose contents are kept: 16 bytes a number, and what a map takes.
const CHUNKS_MAX: usize = 32;

/// Numbers of one shipper and epoch with the same quotient.
type ChunkKey = (ShipperId, u64, u64);

/// What the store has for numbers that were asked for lately.
#[derive(Debug)]
pub(crate) struct KnownContents {
    store: Store,
    chunks: HashMap<ChunkKey, HashMap<u64, StoredContent>>,
    /// Those that were read first, first.
    order: VecDeque<ChunkKey>,
}

impl KnownContents {
    pub(crate) fn new(store: Store) -> KnownContents {
        KnownContents { store, chunks: HashMap::new(), order: VecDeque::new() }
    }

    /// What is stored under a number that the ledger knows. Asks the store until it answers. None: nothing is.
    pub(crate) async fn stored(&mut self, id: &BatchId) -> Option<StoredContent> {
        let key = (id.shipper, id.epoch, id.sequence / CHUNK);
        if let Some(content) = self.chunks.get(&key).and_then(|chunk| chunk.get(&id.sequence)) {
            return Some(*content);
        }
        // From this number on: those before it have been asked for, or are not.
        let last = (id.sequence / CHUNK).saturating_mul(CHUNK).saturating_add(CHUNK - 1);
        let mut backoff = Backoff::new(PAUSES);
        let contents = loop {
            match self.store.stored_contents(id, last).await {
                Ok(contents) => break contents,
                Err(error) => tracing::warn!(%error, "the store does not say what it holds; asking again"),
            }
            backoff.wait().await;
        };
        if !self.chunks.contains_key(&key) {
            self.order.push_back(key);
            if self.order.len() > CHUNKS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.chunks.remove(&oldest);
            }
        }
        let chunk = self.chunks.entry(key).or_default();
        chunk.extend(contents);
        chunk.get(&id.sequence).copied()
    }

    /// Whether an opened batch is what is stored under its number. What is not there cannot be compared: the ledger is
    /// believed.
    pub(crate) async fn is_same(&mut self, prepared: &Prepared) -> bool {
        self.stored(&prepared.id()).await.is_none_or(|stored| prepared_is(prepared, stored))
    }
}

/// A batch whose number is stored, and who waits for the answer.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub id: BatchId,
    pub incoming: Incoming,
    pub reply: oneshot::Sender<Written>,
    /// Given back with the answer.
    pub room: OwnedSemaphorePermit,
}

/// Answers for known batches, one after the other, by whether they are the same, until nobody asks any more.
pub(crate) async fn answer(
    store: Store,
    counters: Arc<Counters>,
    mut comparisons: mpsc::UnboundedReceiver<Comparison>,
) {
    let mut known = KnownContents::new(store);
    while let Some(Comparison { id, incoming, reply, room }) = comparisons.recv().await {
        let is_same = match known.stored(&id).await {
            None => true,
            Some(stored) => {
                let compared = tokio::task::spawn_blocking(move || incoming_is(incoming, stored));
                // What cannot be opened without breaking the program is not compared.
                compared.await.unwrap_or(true)
            }
        };
        if !is_same {
            counters.conflicting_batches.inc();
            tracing::warn!(batch = %id, "another batch is stored under this number: the shipper's state was set back or copied, or two machines send under one name");
        }
        drop(room);
        // Whoever sent it may be gone.
        let _ = reply.send(Written { conflicting: !is_same, ..Written::default() });
    }
}

/// Whether a hash is what is stored.
fn is(hash: u64, stored: StoredContent) -> bool {
    match stored {
        StoredContent::Hash(content) => content == hash,
        StoredContent::Folded(bits) => u64::from(bits) == hash & 0xffff,
        // Older programs did not write it down.
        StoredContent::Unknown => true,
    }
}

fn incoming_is(incoming: Incoming, stored: StoredContent) -> bool {
    match incoming {
        Incoming::Sealed(envelope) => sealed_is(&envelope, stored),
        Incoming::Opened(batch) => opened_is(&batch, stored),
    }
}

/// The same of a batch that has been looked at.
pub(crate) fn prepared_is(prepared: &Prepared, stored: StoredContent) -> bool {
    match prepared {
        Prepared::Opened(batch, ..) => opened_is(batch, stored),
        Prepared::Aside(aside) => sealed_is(&aside.envelope, stored),
    }
}

/// A stored content is that of its rows where it was stored, that of its envelope where it was set aside.
fn sealed_is(envelope: &Bytes, stored: StoredContent) -> bool {
    is(envelope_hash(envelope), stored)
        || Batch::open(envelope).is_ok_and(|batch| is(batch.content_hash(), stored))
}

fn opened_is(batch: &Batch, stored: StoredContent) -> bool {
    is(batch.content_hash(), stored)
        || batch.seal(Compression::DEFAULT).is_ok_and(|envelope| is(envelope_hash(&envelope), stored))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_number_is_compared_by_what_is_left_of_its_content() {
        for (stored, wanted) in [
            (StoredContent::Hash(0x1234_5678), true),
            (StoredContent::Hash(0x0234_5678), false),
            (StoredContent::Folded(0x5678), true),
            (StoredContent::Folded(0x5679), false),
            (StoredContent::Unknown, true),
        ] {
            assert_eq!(is(0x1234_5678, stored), wanted, "{stored:?}");
        }
    }
}
