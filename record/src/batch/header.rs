//! The envelope and its header: what may be known of a batch without opening it.

use bytes::Bytes;
use lastwords_proto::v1;
use prost::Message;
use xxhash_rust::xxh3::xxh3_64;

use super::{BatchId, Clock, ShipperId};
use crate::{
    Guest, Host,
    limits::{BATCH_BODY_BYTES_MAX, ENVELOPE_BYTES_MAX, HEADER_BYTES_MAX},
};

/// The version that this build seals: 1.1. Since 1.1 a shipper's identity may be of version 2, and a builder keeps to
/// the bounds of days and of what rows become; the envelope is that of 1.0.
pub const FORMAT_VERSION: u32 = 0x0001_0001;

pub(super) const MAGIC: &[u8; 4] = b"LWB1";

/// How the body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// zstd at this level.
    Zstd(i32),
}

impl Compression {
    /// What a shipper uses unless told otherwise: on access logs 0.13 wire bytes a raw byte at level 1.
    pub const DEFAULT: Compression = Compression::Zstd(1);
}

/// What an ingester knows of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Major in the upper 16 bits, minor in the lower.
    pub format_version: u32,
    /// Shipper, epoch, sequence.
    pub id: BatchId,
    /// When it was sealed, UTC nanoseconds by the shipper's clock.
    pub sealed_time_ns: i64,
    /// What the shipper knew of its clock.
    pub clock: Clock,
    /// Hosts that the batch speaks for.
    pub hosts: Vec<Host>,
    /// Guests that the batch speaks for.
    pub guests: Vec<Guest>,
    /// How the body is compressed (the level is not written: 0).
    pub compression: Compression,
    /// Bytes of the body before compression.
    pub body_bytes: u32,
    /// Rows of the sections.
    pub records: u32,
    /// Rows of the sections.
    pub samples: u32,
    /// Rows of the sections.
    pub events: u32,
    /// Rows of the sections.
    pub placements: u32,
}

/// Why an envelope is not admitted or not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The bytes are no envelope, or no longer what was sealed.
    #[error("the batch is damaged: {0}")]
    Damaged(&'static str),
    /// Sealed by a newer program.
    #[error(
        "the batch has format version {}.{}, this program opens up to {}.x: it must be updated",
        found >> 16, found & 0xffff, newest >> 16
    )]
    Version {
        /// The batch's.
        found: u32,
        /// The newest that is known here.
        newest: u32,
    },
    /// Larger than a batch may be.
    #[error("the batch has {found} bytes, at most {max} are admitted")]
    TooLarge {
        /// The batch's.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// Its rows would be larger than a batch's rows may be.
    #[error(
        "the batch's rows would become {found} bytes, at most {max} are admitted: its rows repeat long texts by their index"
    )]
    Grows {
        /// The batch's.
        found: usize,
        /// The limit.
        max: usize,
    },
}

impl Header {
    /// Reads the header alone. Allocates nothing that the limits don't bound; the body is not looked at.
    ///
    /// # Errors
    /// Where the envelope is damaged before its body, of an unknown major version, or too large.
    pub fn peek(envelope: &[u8]) -> Result<Header, OpenError> {
        split(envelope).map(|(header, _, _)| header)
    }

    /// Reads the header and checks the body's hash, without opening the body.
    ///
    /// # Errors
    /// As [`Header::peek`], and where the body is not what was sealed.
    pub fn verify(envelope: &[u8]) -> Result<Header, OpenError> {
        let (header, hash, body) = split(envelope)?;
        if xxh3_64(body) != hash {
            return Err(OpenError::Damaged("the body's hash is another one"));
        }
        Ok(header)
    }

    pub(super) fn write_envelope(&self, body: &[u8]) -> Bytes {
        let header = v1::BatchHeader {
            format_version: self.format_version,
            shipper: self.id.shipper.0.to_vec(),
            epoch: self.id.epoch,
            sequence: self.id.sequence,
            sealed_time_ns: self.sealed_time_ns,
            clock_offset_ns: self.clock.offset_ns,
            clock_uncertainty_ns: self.clock.uncertainty_ns,
            hosts: self.hosts.iter().map(host_to_wire).collect(),
            guests: self.guests.iter().map(guest_to_wire).collect(),
            compression: match self.compression {
                Compression::None => v1::Compression::None,
                Compression::Zstd(_) => v1::Compression::Zstd,
            }
            .into(),
            body_bytes: self.body_bytes,
            body_hash: xxh3_64(body),
            records: self.records,
            samples: self.samples,
            events: self.events,
            placements: self.placements,
        };
        let length = header.encoded_len();
        let mut envelope = Vec::with_capacity(MAGIC.len() + 4 + length + body.len());
        envelope.extend_from_slice(MAGIC);
        envelope.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        header.encode_raw(&mut envelope);
        envelope.extend_from_slice(body);
        envelope.into()
    }
}

/// Header, hash of the body, body.
pub(super) fn split(envelope: &[u8]) -> Result<(Header, u64, &[u8]), OpenError> {
    if envelope.len() > ENVELOPE_BYTES_MAX {
        return Err(OpenError::TooLarge { found: envelope.len(), max: ENVELOPE_BYTES_MAX });
    }
    let rest = envelope.strip_prefix(MAGIC).ok_or(OpenError::Damaged("it does not begin with LWB1"))?;
    let (length, rest) =
        rest.split_first_chunk::<4>().ok_or(OpenError::Damaged("it ends within its header"))?;
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > HEADER_BYTES_MAX {
        return Err(OpenError::Damaged("its header is too long"));
    }
    let (header, body) =
        rest.split_at_checked(length).ok_or(OpenError::Damaged("it ends within its header"))?;
    let wire =
        v1::BatchHeader::decode(header).map_err(|_| OpenError::Damaged("its header is no protobuf"))?;
    if wire.format_version >> 16 != FORMAT_VERSION >> 16 {
        return Err(OpenError::Version { found: wire.format_version, newest: FORMAT_VERSION });
    }
    if wire.body_bytes as usize > BATCH_BODY_BYTES_MAX {
        return Err(OpenError::TooLarge { found: wire.body_bytes as usize, max: BATCH_BODY_BYTES_MAX });
    }
    let hash = wire.body_hash;
    Ok((from_wire(wire)?, hash, body))
}

fn from_wire(wire: v1::BatchHeader) -> Result<Header, OpenError> {
    let shipper: [u8; 16] =
        wire.shipper.try_into().map_err(|_| OpenError::Damaged("its shipper is not 16 bytes long"))?;
    if wire.sequence == 0 {
        return Err(OpenError::Damaged("its number is 0"));
    }
    let compression = match v1::Compression::try_from(wire.compression) {
        Ok(v1::Compression::None) => Compression::None,
        Ok(v1::Compression::Zstd) => Compression::Zstd(0),
        Err(_) => return Err(OpenError::Damaged("its compression is unknown")),
    };
    Ok(Header {
        format_version: wire.format_version,
        id: BatchId { shipper: ShipperId(shipper), epoch: wire.epoch, sequence: wire.sequence },
        sealed_time_ns: wire.sealed_time_ns,
        clock: Clock { offset_ns: wire.clock_offset_ns, uncertainty_ns: wire.clock_uncertainty_ns },
        hosts: wire
            .hosts
            .into_iter()
            .map(|host| Host { name: host.name, machine_id: host.machine_id })
            .collect(),
        guests: wire.guests.into_iter().map(|guest| Guest { name: guest.name, uuid: guest.uuid }).collect(),
        compression,
        body_bytes: wire.body_bytes,
        records: wire.records,
        samples: wire.samples,
        events: wire.events,
        placements: wire.placements,
    })
}

fn host_to_wire(host: &Host) -> v1::Host {
    v1::Host { name: host.name.clone(), machine_id: host.machine_id.clone() }
}

fn guest_to_wire(guest: &Guest) -> v1::Guest {
    v1::Guest { name: guest.name.clone(), uuid: guest.uuid.clone() }
}
