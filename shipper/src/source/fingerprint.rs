//! What a content is recognised by: its first bytes, and the last ones that were read.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes at a file's beginning that identify it.
pub const HEAD_BYTES_MAX: usize = 1024;

/// What a content is recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fingerprint {
    /// How many of the first bytes are hashed.
    pub head_length: u16,
    /// Their xxh3-64.
    pub head_hash: u64,
    /// How many of the last bytes that were read are hashed.
    pub tail_length: u16,
    /// Their xxh3-64.
    pub tail_hash: u64,
}

impl Fingerprint {
    /// The fingerprint of a content that begins with these bytes.
    pub fn of(beginning: &[u8]) -> Fingerprint {
        let head = beginning.get(..HEAD_BYTES_MAX).unwrap_or(beginning);
        Fingerprint { head_length: short(head), head_hash: xxh3_64(head), ..Fingerprint::default() }
    }

    /// The same content, read up to the end of these bytes.
    pub fn with_tail(self, read: &[u8]) -> Fingerprint {
        let tail = read.get(read.len().saturating_sub(HEAD_BYTES_MAX)..).unwrap_or_default();
        Fingerprint { tail_length: short(tail), tail_hash: xxh3_64(tail), ..self }
    }

    /// Whether what stands before the place up to which was read is what was read last.
    pub fn matches_tail(&self, before: &[u8]) -> bool {
        let start = before.len().checked_sub(self.tail_length.into());
        start
            .and_then(|start| before.get(start..))
            .is_some_and(|tail| tail.is_empty() || xxh3_64(tail) == self.tail_hash)
    }

    /// Whether a content that begins with these bytes may be the one.
    pub fn matches(&self, beginning: &[u8]) -> bool {
        let head = beginning.get(..usize::from(self.head_length));
        head.is_some_and(|head| head.is_empty() || xxh3_64(head) == self.head_hash)
    }
}

fn short(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_content_that_grew_is_still_recognised_and_another_is_not() {
        let cases: [(&[u8], &[u8], bool); 6] = [
            (b"", b"anything", true),
            (b"abc\n", b"abc\n", true),
            (b"abc\n", b"abc\nmore\n", true),
            (b"abc\n", b"abd\nmore\n", false),
            (b"abc\n", b"ab", false),
            (b"abc\n", b"", false),
        ];
        for (known, now, expected) in cases {
            assert_eq!(Fingerprint::of(known).matches(now), expected, "{known:?} {now:?}");
        }
        let long = vec![b'x'; 5_000];
        assert!(Fingerprint::of(&long).matches(&long[..HEAD_BYTES_MAX]));
    }
}
