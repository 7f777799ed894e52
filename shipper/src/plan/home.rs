//! The place that an epoch belongs to: what a copy of the state does not share with it. Two machines that send under one
//! epoch give the same numbers to different batches.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    time::UNIX_EPOCH,
};

use xxhash_rust::xxh3::xxh3_64;

/// What names the machine and the folder of a lock file. A copy of the folder has files of its own; a clone of the machine
/// has another product UUID, or other network cards.
pub(super) fn find(lock: &File) -> String {
    let Ok(metadata) = lock.metadata() else { return String::new() };
    let created = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let file = format!("{}/{}", metadata.ino(), created.unwrap_or_default().as_nanos());
    let product = fs::read_to_string("/sys/class/dmi/id/product_uuid").unwrap_or_default();
    let mut cards: Vec<String> = fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten()
        // Bridges and tunnels come and go.
        .filter(|entry| entry.path().join("device").exists())
        .filter_map(|entry| fs::read_to_string(entry.path().join("address")).ok())
        .collect();
    cards.sort();
    let hash = xxh3_64([product.trim(), &cards.join(" ")].join("/").as_bytes());
    format!("{file}/{hash:016x}")
}
