//! A batch as a message: its envelope untouched, keyed by its shipper, with headers that any tool can show.

use lastwords_record::{Header, ShipperId, batch::FORMAT_VERSION};
use rdkafka::message::{Header as MessageHeader, OwnedHeaders};
use xxhash_rust::xxh3::xxh3_64;

/// The partition of a shipper. Ours and not a library's, so that it never changes.
pub fn partition_of(shipper: &ShipperId, partitions: i32) -> i32 {
    let count = u64::try_from(partitions).unwrap_or(1).max(1);
    i32::try_from(xxh3_64(&shipper.0) % count).unwrap_or(0)
}

/// Headers for people and tools; nothing is read from them.
pub fn headers(header: &Header) -> OwnedHeaders {
    let text = [
        ("format", format!("{}.{}", FORMAT_VERSION >> 16, FORMAT_VERSION & 0xffff)),
        ("shipper", header.id.shipper.to_string()),
        ("epoch", header.id.epoch.to_string()),
        ("sequence", header.id.sequence.to_string()),
        ("records", header.records.to_string()),
    ];
    text.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(MessageHeader { key, value: Some(value) })
    })
}

/// The identity of a message that is no batch at all, so that it can be set aside once.
pub fn foreign(topic: &str, partition: i32, offset: i64) -> lastwords_record::BatchId {
    let hash = xxhash_rust::xxh3::xxh3_128(format!("{topic}/{partition}").as_bytes());
    lastwords_record::BatchId {
        shipper: ShipperId(hash.to_be_bytes()),
        epoch: 0,
        sequence: u64::try_from(offset).unwrap_or(0).saturating_add(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shipper_stays_on_its_partition() {
        let partition = |byte, partitions| partition_of(&ShipperId([byte; 16]), partitions);
        // These must never change: a shipper's batches would be on two partitions.
        assert_eq!([partition(1, 12), partition(2, 12), partition(3, 12), partition(3, 5)], [10, 10, 6, 2]);
        let spread: std::collections::HashSet<i32> = (0..100).map(|byte| partition(byte, 12)).collect();
        assert_eq!(spread.len(), 12);
        assert!((0..100).all(|byte| (0..12).contains(&partition(byte, 12))));
    }
}
