//! What stands in a plan: entries and their bytes. Pure.
//!
//! ```text
//! plan   = "LWPLAN01" entry*
//! entry  = text_length blob_length text blob hash
//! text_length, blob_length = u32, little endian
//! text   = an `Entry` as JSON: small, and readable in an emergency
//! blob   = the sealed bytes of a batch that cannot be formed again; empty for all other entries
//! hash   = u64, little endian: xxh3-64 of everything before it in the entry
//! ```
//!
//! An entry counts as broken where
//! - the file ends within it, or its hash is another one, or its lengths are beyond [`ENTRY_BYTES_MAX`],
//! - its text is no `Entry`,
//! - a blob stands beside an entry that has none, or is missing.

use lastwords_record::{
    Clock, Guest, Host, Origin, Source,
    encoding::Encoding,
    stamp::{StampState, boots::Boot},
};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    form::shaping::Shaping,
    source::{fingerprint::Fingerprint, identity::FileState, trace::Trace},
    stamp_memory::Memory,
};

/// The first bytes of a plan; the digits are the format's version.
pub const MAGIC: &[u8; 8] = b"LWPLAN01";
/// Bytes of an entry, at most.
pub const ENTRY_BYTES_MAX: usize = 4 << 20;

/// One step of the shipper's memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The first entry: who, and in which incarnation.
    Began {
        /// The shipper's identity, hexadecimal.
        shipper: String,
        /// The epoch.
        epoch: u64,
        /// The number that the next batch gets.
        next_sequence: u64,
        /// The id that the next file gets.
        next_file: u64,
        /// What an import is about; empty for a shipper.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        subject: String,
        /// The machine and folder that the epoch belongs to; empty where that is not known.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        home: String,
    },
    /// What is known of a file now.
    File(FileState),
    /// A file is done with.
    Forget {
        /// Its id.
        file: u64,
    },
    /// Where a feed goes on.
    Stream {
        /// The feed's name.
        name: String,
        /// Its cursor.
        cursor: Vec<u8>,
    },
    /// What a batch is made of. A second entry of the same number takes the place of the first.
    Batch(Planned),
    /// All batches up to this number are durable on the other side, or rejected.
    Acknowledged {
        /// The number.
        through: u64,
    },
    /// This one batch will never be taken.
    Rejected {
        /// Its number.
        sequence: u64,
    },
    /// The other side holds another content under this number: the batch goes out under another one, in a new epoch.
    Refused {
        /// Its number.
        sequence: u64,
    },
    /// No new batch gets a number of this epoch: a new one begins once nothing is under way.
    EpochOver {
        /// Why, for people.
        why: String,
    },
}

/// A batch that is planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Its number.
    pub sequence: u64,
    /// When it was sealed, UTC nanoseconds.
    pub sealed_time_ns: i64,
    /// What was known of the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ns: Option<i64>,
    /// Half the round trip of that measurement.
    #[serde(default)]
    pub clock_uncertainty_ns: u64,
    /// Its content's bytes are this entry's blob: it cannot be formed again.
    #[serde(default)]
    pub sealed: bool,
    /// The rest of its feed is in the batches behind it: without them it never was, and its number was not used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
    /// Where feeds go on after this batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursors: Vec<(String, Vec<u8>)>,
    /// For whom the extents speak.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voices: Vec<Voice>,
    /// What it is formed from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extents: Vec<Extent>,
}

impl Planned {
    /// The clock as a batch carries it.
    pub fn clock(&self) -> Clock {
        Clock { offset_ns: self.clock_offset_ns, uncertainty_ns: self.clock_uncertainty_ns }
    }
}

/// A stretch of a file that gives rows, and all that decides them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Extent {
    /// The file's id.
    pub file: u64,
    /// First byte.
    pub start: u64,
    /// The byte after the last.
    pub end: u64,
    /// xxh3-64 of the bytes.
    pub hash: u64,
    /// Index into the batch's voices.
    pub voice: usize,
    /// When it was read, UTC nanoseconds.
    pub observed_ns: i64,
    /// What the stamper remembered before it.
    #[serde(with = "Memory")]
    pub stamp_before: StampState,
    /// And after it.
    #[serde(with = "Memory")]
    pub stamp_after: StampState,
    /// The file's identity after it.
    pub identity: Fingerprint,
    /// What it was, piece by piece; empty for imports.
    #[serde(default, skip_serializing_if = "Trace::is_empty")]
    pub trace: Trace,
    /// xxh3-128 of all bytes of the content up to `end`, hexadecimal; imports only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
}

/// For whom a file speaks, and by which rules its lines are dated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voice {
    /// Name and machine-id of the host.
    pub host: (String, String),
    /// Name and UUID of the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<(String, String)>,
    /// The kind of source.
    pub source: Source,
    /// Attributes of all records.
    pub attributes: Vec<(String, String)>,
    /// Zone of times that name none, as the time zone database calls it.
    pub time_zone: String,
    /// Year of the first line, for times that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<i16>,
    /// When the file was last written, for a finished file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_ns: Option<i64>,
    /// When the kernel started, for a file whose lines have its clock alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "boots")]
    pub boots: Vec<Boot>,
    /// How the text is written.
    #[serde(default, skip_serializing_if = "Encoding::is_bytes")]
    pub encoding: Encoding,
    /// By which rules lines become rows ([`FORMING`](crate::form::FORMING)); 0: as the first programs did.
    #[serde(default)]
    pub forming: u8,
    /// What is done to lines before they are records.
    #[serde(default, skip_serializing_if = "Shaping::is_empty")]
    pub shaping: Shaping,
}

impl Voice {
    /// As a batch takes it.
    pub fn origin(&self) -> Origin {
        Origin {
            host: Host { name: self.host.0.clone(), machine_id: self.host.1.clone() },
            guest: self.guest.as_ref().map(|(name, uuid)| Guest { name: name.clone(), uuid: uuid.clone() }),
            source: self.source,
            attributes: self.attributes.clone(),
        }
    }
}

/// Boots as pairs: the start, and whether the file's age alone tells it.
mod boots {
    use lastwords_record::stamp::boots::Boot;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(boots: &[Boot], serializer: S) -> Result<S::Ok, S::Error> {
        let pairs: Vec<(i64, bool)> = boots.iter().map(|boot| (boot.start_ns, boot.by_age)).collect();
        pairs.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Boot>, D::Error> {
        let pairs = Vec::<(i64, bool)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().map(|(start_ns, by_age)| Boot { start_ns, by_age }).collect())
    }
}

/// Why bytes are no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The bytes end within it.
    #[error("an entry ends beyond the file")]
    Short,
    /// Damaged.
    #[error("an entry's {0}")]
    Damaged(&'static str),
}

/// Appends an entry's bytes.
pub fn encode(entry: &Entry, blob: &[u8], out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&u32::try_from(blob.len()).unwrap_or(u32::MAX).to_le_bytes());
    serde_json::to_writer(&mut *out, entry)?;
    let text_length = out.len() - start - 8;
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&u32::try_from(text_length).unwrap_or(u32::MAX).to_le_bytes());
    }
    out.extend_from_slice(blob);
    let hash = xxh3_64(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&hash.to_le_bytes());
    Ok(())
}

/// Reads the entry at the beginning of `bytes`: it, its blob, its length.
///
/// # Errors
/// Where it is broken.
pub fn decode(bytes: &[u8]) -> Result<(Entry, &[u8], usize), Broken> {
    let (text_length, rest) = bytes.split_first_chunk::<4>().ok_or(Broken::Short)?;
    let (blob_length, rest) = rest.split_first_chunk::<4>().ok_or(Broken::Short)?;
    let (text_length, blob_length) =
        (u32::from_le_bytes(*text_length) as usize, u32::from_le_bytes(*blob_length) as usize);
    if text_length == 0 || text_length.saturating_add(blob_length) > ENTRY_BYTES_MAX {
        return Err(Broken::Damaged("lengths are impossible"));
    }
    let (text, rest) = rest.split_at_checked(text_length).ok_or(Broken::Short)?;
    let (blob, rest) = rest.split_at_checked(blob_length).ok_or(Broken::Short)?;
    let hash = rest.first_chunk::<8>().ok_or(Broken::Short)?;
    let hashed = bytes.get(..8 + text_length + blob_length).unwrap_or_default();
    if xxh3_64(hashed) != u64::from_le_bytes(*hash) {
        return Err(Broken::Damaged("hash is another one"));
    }
    let entry: Entry = serde_json::from_slice(text).map_err(|_| Broken::Damaged("text is not understood"))?;
    if matches!(&entry, Entry::Batch(planned) if planned.sealed) == blob.is_empty() {
        return Err(Broken::Damaged("blob is missing or too much"));
    }
    Ok((entry, blob, hashed.len() + 8))
}
