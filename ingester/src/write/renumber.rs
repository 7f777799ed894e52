//! A batch that came under a number under which another is stored, where nobody can be told any more to send it again:
//! it is stored under the same number of an epoch of its own. That follows from its content, so that whoever meets the
//! same batch again comes to the same epoch, and finds it stored.

use lastwords_record::BatchId;
use xxhash_rust::xxh3::Xxh3;

use super::prepared::Prepared;

/// Epochs of shippers are nanoseconds since 1970, which do not reach this bit before 2262.
const RENUMBERED: u64 = 1 << 63;

impl Prepared {
    /// Gives it the epoch of its own.
    pub(crate) fn renumber(&mut self) {
        let content = self.content();
        let id = match self {
            Prepared::Opened(batch, ..) => &mut batch.header.id,
            Prepared::Aside(aside) => &mut aside.id,
        };
        if id.epoch & RENUMBERED != 0 {
            return;
        }
        let mut hash = Xxh3::new();
        hash.update(&id.epoch.to_le_bytes());
        hash.update(&content.to_le_bytes());
        id.epoch = hash.digest() | RENUMBERED;
    }
}

impl Prepared {
    /// Gives it this identity, if it is that of an epoch of its own under its number.
    pub(crate) fn renumber_to(&mut self, wanted: &BatchId) {
        let Prepared::Opened(batch, ..) = self else { return };
        let id = &mut batch.header.id;
        let own = BatchId { epoch: wanted.epoch, ..*id };
        if wanted.epoch & RENUMBERED != 0 && own == *wanted {
            *id = own;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use lastwords_record::ShipperId;

    use super::*;
    use crate::write::Aside;

    fn batch(sequence: u64, content: &'static [u8]) -> Prepared {
        let id = BatchId { shipper: ShipperId([7; 16]), epoch: 1_700_000_000_000_000_000, sequence };
        Prepared::Aside(Aside {
            id,
            envelope: Bytes::from_static(content),
            reason: String::new(),
            sealed_ns: 0,
        })
    }

    #[test]
    fn equal_contents_come_to_equal_epochs_and_others_to_others() {
        let renumbered = |content| {
            let mut batch = batch(5, content);
            batch.renumber();
            let once = batch.id();
            batch.renumber();
            assert_eq!(batch.id(), once, "what has an epoch of its own keeps it");
            once
        };
        assert_eq!(renumbered(b"one"), renumbered(b"one"));
        assert_ne!(renumbered(b"one"), renumbered(b"two"));
        assert_eq!(renumbered(b"one").sequence, 5);
        assert_ne!(renumbered(b"one").epoch, batch(5, b"one").id().epoch);
    }
}
