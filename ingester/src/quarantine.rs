//! Poison is set aside: a batch that cannot be opened, or that the store refuses for good, goes to the `quarantine`
//! table with the reason, its number counts as stored, and the stream goes on.

use bytes::Bytes;
use lastwords_record::{Batch, BatchId, Compression};

/// A batch that is set aside.
#[derive(Debug, Clone)]
pub struct Aside {
    /// The batch.
    pub id: BatchId,
    /// The bytes as they came, or sealed anew where it came open; empty where it cannot even be sealed.
    pub envelope: Bytes,
    /// Why, for people.
    pub reason: String,
    /// When it was sealed, as far as known.
    pub sealed_ns: i64,
}

impl Aside {
    /// Sets a batch aside that could be opened.
    pub fn opened(batch: &Batch, reason: String) -> Aside {
        let (id, sealed_ns) = (batch.header.id, batch.header.sealed_time_ns);
        match batch.seal(Compression::DEFAULT) {
            Ok(envelope) => Aside { id, envelope, reason, sealed_ns },
            Err(error) => {
                Aside { id, envelope: Bytes::new(), reason: format!("{reason}; {error}"), sealed_ns }
            }
        }
    }
}
