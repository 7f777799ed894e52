//! A batch's way into bytes and back.

use std::{cell::RefCell, collections::HashMap};

use bytes::Bytes;
use lastwords_proto::v1;
use prost::Message;

use super::{Batch, Compression, Header, OpenError, header, reader, survey};
use crate::{
    Guest, Host, Placement, ShipperEvent,
    limits::{BATCH_BODY_BYTES_MAX, BATCH_STORED_BYTES_MAX, ENVELOPE_BYTES_MAX, HEADER_BYTES_MAX},
};

/// Why a batch cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Larger than an envelope may be: it speaks for too many hosts and guests, or was not made by a builder.
    #[error("the batch would have {found} bytes, at most {max} are admitted")]
    TooLarge {
        /// What it would have.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// The compressor failed.
    #[error("the batch cannot be compressed: {0}")]
    Compress(String),
}

thread_local! {
    // A compressor's tables are larger than a batch: one for each thread, kept.
    static COMPRESSOR: RefCell<Option<(i32, zstd::bulk::Compressor<'static>)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

impl Batch {
    /// Closes the batch into the bytes that travel.
    ///
    /// # Errors
    /// Where the envelope would be too large, or the compressor fails.
    pub fn seal(&self, compression: Compression) -> Result<Bytes, SealError> {
        let body = self.to_wire().encode_to_vec();
        if body.len() > BATCH_BODY_BYTES_MAX {
            return Err(SealError::TooLarge { found: body.len(), max: BATCH_BODY_BYTES_MAX });
        }
        let header = Header {
            compression,
            body_bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
            ..self.header.clone()
        };
        let envelope = match compression {
            Compression::None => header.write_envelope(&body),
            Compression::Zstd(level) => header.write_envelope(&compress(&body, level)?),
        };
        if envelope.len() > ENVELOPE_BYTES_MAX {
            return Err(SealError::TooLarge { found: envelope.len(), max: ENVELOPE_BYTES_MAX });
        }
        if Header::peek(&envelope).is_err() {
            return Err(SealError::TooLarge { found: envelope.len(), max: HEADER_BYTES_MAX });
        }
        Ok(envelope)
    }

    /// Opens an envelope. The text is not copied out of the decompressed body.
    ///
    /// # Errors
    /// Where the envelope is damaged, of an unknown major version, or too large.
    pub fn open(envelope: &Bytes) -> Result<Batch, OpenError> {
        Batch::open_within(envelope, BATCH_STORED_BYTES_MAX)
    }

    /// Opens an envelope whose rows may become so many bytes; so many may be allocated for it, too.
    ///
    /// # Errors
    /// As [`Batch::open`].
    pub fn open_within(envelope: &Bytes, stored_bytes_max: usize) -> Result<Batch, OpenError> {
        let (header, hash, body) = header::split(envelope)?;
        if xxhash_rust::xxh3::xxh3_64(body) != hash {
            return Err(OpenError::Damaged("the body's hash is another one"));
        }
        let body = match header.compression {
            Compression::None => envelope.slice_ref(body),
            Compression::Zstd(_) => decompress(body, header.body_bytes as usize)?.into(),
        };
        if body.len() != header.body_bytes as usize {
            return Err(OpenError::Damaged("the body has another length than its header says"));
        }
        let within = |found: usize| match found > stored_bytes_max {
            true => Err(OpenError::Grows { found, max: stored_bytes_max }),
            false => Ok(()),
        };
        within(survey::memory_bytes(&body)?)?;
        let wire = v1::BatchBody::decode(body).map_err(|_| OpenError::Damaged("the body is no protobuf"))?;
        let batch = reader::batch(header, wire)?;
        within(batch.stored_bytes())?;
        Ok(batch)
    }

    fn to_wire(&self) -> v1::BatchBody {
        // Samples' and origins' names go into the dictionary behind the records' own words.
        let mut words = Words { entries: self.dictionary.clone(), appended: HashMap::new() };
        if words.entries.is_empty() {
            words.entries.push(String::new());
        }
        let records = (!self.records.is_empty()).then(|| self.records_to_wire(&mut words));
        let samples = (!self.samples.is_empty()).then(|| self.samples_to_wire(&mut words));
        let events = (!self.events.is_empty()).then(|| v1::Events {
            events: self.events.iter().map(|event| self.event_to_wire(event)).collect(),
        });
        let placements = (!self.placements.is_empty()).then(|| v1::Placements {
            placements: self.placements.iter().map(|placement| self.placement_to_wire(placement)).collect(),
        });
        v1::BatchBody { dictionary: words.entries, records, samples, events, placements }
    }

    fn records_to_wire(&self, words: &mut Words) -> v1::Records {
        let records = &self.records;
        v1::Records {
            origins: records
                .origins
                .iter()
                .map(|origin| v1::Origin {
                    host: self.host_index(&origin.host),
                    guest: self.guest_index(origin.guest.as_ref()),
                    source: words.index(origin.source.as_str()),
                    attribute_keys: origin.attributes.iter().map(|(key, _)| words.index(key)).collect(),
                    attribute_values: origin.attributes.iter().map(|(_, value)| words.index(value)).collect(),
                })
                .collect(),
            origin: records.origin.clone(),
            time_delta_ns: deltas(&records.time_ns, self.header.sealed_time_ns),
            observed_delta_ns: deltas(&records.observed_ns, self.header.sealed_time_ns),
            text_length: steps(&records.text_end),
            text: records.text.clone(),
            severity: records.severity.clone(),
            program: records.program.clone(),
            time_basis: records.time_basis.clone(),
            attribute_count: steps(&records.attribute_end),
            attribute_key: records.attribute_key.clone(),
            attribute_value: records.attribute_value.clone(),
        }
    }

    fn samples_to_wire(&self, words: &mut Words) -> v1::Samples {
        let mut wire = v1::Samples::default();
        let mut before = self.header.sealed_time_ns;
        for sample in &self.samples {
            wire.time_delta_ns.push(sample.time_ns.wrapping_sub(before));
            before = sample.time_ns;
            wire.interval_ms.push(sample.interval_ms);
            wire.host.push(self.host_index(&sample.host));
            wire.guest.push(self.guest_index(sample.guest.as_ref()));
            wire.metric.push(words.index(&sample.metric));
            wire.device.push(words.index(&sample.device));
            wire.direction.push(words.index(&sample.direction));
            wire.minimum.push(sample.minimum);
            wire.mean.push(sample.mean);
            wire.maximum.push(sample.maximum);
        }
        wire
    }

    fn event_to_wire(&self, event: &ShipperEvent) -> v1::Event {
        v1::Event {
            class: event.class.clone(),
            start_ns: event.start_ns,
            end_ns: event.end_ns,
            host: self.host_index(&event.host),
            guest: self.guest_index(event.guest.as_ref()),
            title: event.title.clone(),
            severity: event.severity.as_str().to_owned(),
            key: event.key.clone(),
            attributes: event.attributes.iter().cloned().collect(),
        }
    }

    fn placement_to_wire(&self, placement: &Placement) -> v1::Placement {
        v1::Placement {
            host: self.host_index(&placement.host),
            guest: self.guest_index(Some(&placement.guest)).saturating_sub(1),
            start_ns: placement.start_ns,
            end_ns: placement.end_ns,
            attributes: placement.attributes.iter().cloned().collect(),
        }
    }

    fn host_index(&self, host: &Host) -> u32 {
        position(&self.header.hosts, host).unwrap_or(0)
    }

    fn guest_index(&self, guest: Option<&Guest>) -> u32 {
        guest.and_then(|guest| position(&self.header.guests, guest)).map_or(0, |index| index + 1)
    }
}

/// A dictionary that grows while the body is written. What is appended is found by its hash; the words of records
/// in front of it are not looked through, as they may be very many.
struct Words {
    entries: Vec<String>,
    appended: HashMap<String, u32>,
}

impl Words {
    fn index(&mut self, word: &str) -> u32 {
        if word.is_empty() {
            return 0;
        }
        if let Some(index) = self.appended.get(word) {
            return *index;
        }
        let index = u32::try_from(self.entries.len()).unwrap_or(0);
        self.entries.push(word.to_owned());
        self.appended.insert(word.to_owned(), index);
        index
    }
}

fn position<T, U: ?Sized>(from: &[T], wanted: &U) -> Option<u32>
where
    T: PartialEq<U>,
{
    from.iter().position(|one| one == wanted).and_then(|index| u32::try_from(index).ok())
}

fn deltas(values: &[i64], first: i64) -> Vec<i64> {
    let mut before = first;
    values.iter().map(|value| value.wrapping_sub(std::mem::replace(&mut before, *value))).collect()
}

fn steps(ends: &[u32]) -> Vec<u32> {
    let mut before = 0;
    ends.iter().map(|end| end.saturating_sub(std::mem::replace(&mut before, *end))).collect()
}

fn compress(body: &[u8], level: i32) -> Result<Vec<u8>, SealError> {
    let failed = |error: std::io::Error| SealError::Compress(error.to_string());
    COMPRESSOR.with_borrow_mut(|slot| {
        let compressor = match slot {
            Some((kept, compressor)) if *kept == level => compressor,
            _ => &mut slot.insert((level, zstd::bulk::Compressor::new(level).map_err(failed)?)).1,
        };
        compressor.compress(body).map_err(failed)
    })
}

/// Never writes more than `bytes`, whatever the frame claims.
fn decompress(body: &[u8], bytes: usize) -> Result<Vec<u8>, OpenError> {
    let failed = |_: std::io::Error| OpenError::Damaged("the body does not decompress");
    DECOMPRESSOR.with_borrow_mut(|slot| {
        let decompressor = match slot {
            Some(decompressor) => decompressor,
            None => slot.insert(zstd::bulk::Decompressor::new().map_err(failed)?),
        };
        decompressor.decompress(body, bytes).map_err(failed)
    })
}
