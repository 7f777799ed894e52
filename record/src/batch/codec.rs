//! The batch as columns in memory, and its way into bytes and back.

use std::cell::RefCell;

use bytes::Bytes;
use lastwords_proto::v1;
use prost::Message;

use super::{Compression, Header, OpenError, header};
use crate::{
    Guest, Host, Origin, Placement, Sample, ShipperEvent, Source, TimeBasis,
    limits::{BATCH_BODY_BYTES_MAX, BATCH_RECORDS_MAX, ENVELOPE_BYTES_MAX, HEADER_BYTES_MAX},
};

/// An open batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// What an ingester knows of it.
    pub header: Header,
    /// Strings that records refer to; index 0 is the empty string.
    pub dictionary: Vec<String>,
    /// Log records.
    pub records: Records,
    /// Numeric readings.
    pub samples: Vec<Sample>,
    /// Events that the shipper recognised.
    pub events: Vec<ShipperEvent>,
    /// Which host ran which guest.
    pub placements: Vec<Placement>,
}

/// Columns of equal length, one value a record. `severity`, `program`, `time_basis` and `attribute_end` are empty
/// where every value would be 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records {
    /// Where records come from.
    pub origins: Vec<Origin>,
    /// Index into `origins`.
    pub origin: Vec<u32>,
    /// The records' own times, UTC nanoseconds.
    pub time_ns: Vec<i64>,
    /// When they were read, UTC nanoseconds.
    pub observed_ns: Vec<i64>,
    /// Where each body ends in `text`; it begins where the one before ends.
    pub text_end: Vec<u32>,
    /// All bodies.
    pub text: Bytes,
    /// OpenTelemetry severity numbers.
    pub severity: Vec<u8>,
    /// Index into the dictionary.
    pub program: Vec<u32>,
    /// See [`TimeBasis`].
    pub time_basis: Vec<u8>,
    /// Where each record's attributes end in `attribute_key` and `attribute_value`.
    pub attribute_end: Vec<u32>,
    /// Index into the dictionary.
    pub attribute_key: Vec<u32>,
    /// Index into the dictionary.
    pub attribute_value: Vec<u32>,
}

impl Records {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.origin.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.origin.is_empty()
    }

    /// A record's body; empty where there is no such record.
    pub fn body(&self, row: usize) -> &[u8] {
        self.text.get(range(&self.text_end, row)).unwrap_or_default()
    }

    /// How a record's time was found.
    pub fn time_basis(&self, row: usize) -> TimeBasis {
        self.time_basis.get(row).map_or(TimeBasis::Observed, |byte| TimeBasis::from_byte(*byte))
    }

    /// A record's attributes, by the batch's dictionary.
    pub fn attributes<'a>(
        &'a self,
        row: usize,
        dictionary: &'a [String],
    ) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        let word = |index: &u32| dictionary.get(*index as usize).map_or("", String::as_str);
        let range = range(&self.attribute_end, row);
        let keys = self.attribute_key.get(range.clone()).unwrap_or_default();
        let values = self.attribute_value.get(range).unwrap_or_default();
        keys.iter().zip(values).map(move |(key, value)| (word(key), word(value)))
    }
}

fn range(ends: &[u32], row: usize) -> std::ops::Range<usize> {
    let end = |row: usize| ends.get(row).map_or(0, |end| *end as usize);
    let start = row.checked_sub(1).map_or(0, end);
    start..end(row).max(start)
}

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
        let wire = v1::BatchBody::decode(body).map_err(|_| OpenError::Damaged("the body is no protobuf"))?;
        Batch::from_wire(header, wire)
    }

    fn to_wire(&self) -> v1::BatchBody {
        // Samples' and origins' names go into the dictionary behind the records' own words.
        let mut words = Words { entries: self.dictionary.clone() };
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

    fn from_wire(header: Header, wire: v1::BatchBody) -> Result<Batch, OpenError> {
        let reader = Reader { header: &header, dictionary: &wire.dictionary };
        let records = wire.records.map_or(Ok(Records::default()), |records| reader.records(records))?;
        let samples = wire.samples.map_or(Ok(Vec::new()), |samples| reader.samples(&samples))?;
        let events = wire.events.unwrap_or_default().events.into_iter().map(|event| reader.event(event));
        let events = events.collect::<Result<Vec<_>, _>>()?;
        let placements = wire.placements.unwrap_or_default().placements.into_iter();
        let placements = placements.map(|one| reader.placement(one)).collect::<Result<Vec<_>, _>>()?;
        let counts = [
            (header.records, records.len()),
            (header.samples, samples.len()),
            (header.events, events.len()),
            (header.placements, placements.len()),
        ];
        if counts.iter().any(|(claimed, found)| *claimed as usize != *found) {
            return Err(OpenError::Damaged("it has other rows than its header says"));
        }
        Ok(Batch { dictionary: wire.dictionary, records, samples, events, placements, header })
    }
}

/// A dictionary that grows while the body is written; few words, looked up by comparing.
struct Words {
    entries: Vec<String>,
}

impl Words {
    fn index(&mut self, word: &str) -> u32 {
        position(&self.entries, word).unwrap_or_else(|| {
            self.entries.push(word.to_owned());
            u32::try_from(self.entries.len() - 1).unwrap_or(0)
        })
    }
}

fn position<T, U: ?Sized>(from: &[T], wanted: &U) -> Option<u32>
where
    T: PartialEq<U>,
{
    from.iter().position(|one| one == wanted).and_then(|index| u32::try_from(index).ok())
}

/// Checks indices and lengths while it turns wire types into the domain's.
struct Reader<'a> {
    header: &'a Header,
    dictionary: &'a [String],
}

const COLUMN: OpenError = OpenError::Damaged("a column has another length than its section");
const INDEX: OpenError = OpenError::Damaged("an index points outside its table");
const TEXT: OpenError = OpenError::Damaged("the texts' lengths do not add up to the text");

impl Reader<'_> {
    fn records(&self, wire: v1::Records) -> Result<Records, OpenError> {
        let count = wire.origin.len();
        if count > BATCH_RECORDS_MAX {
            return Err(OpenError::TooLarge { found: count, max: BATCH_RECORDS_MAX });
        }
        let whole = [wire.time_delta_ns.len(), wire.observed_delta_ns.len(), wire.text_length.len()];
        let sparse =
            [wire.severity.len(), wire.program.len(), wire.time_basis.len(), wire.attribute_count.len()];
        let attributes = wire.attribute_key.len();
        if whole.iter().any(|length| *length != count)
            || sparse.iter().any(|length| *length != count && *length != 0)
            || wire.attribute_value.len() != attributes
        {
            return Err(COLUMN);
        }
        let words = self.dictionary.len();
        let outside = |indices: &[u32], length: usize| indices.iter().any(|index| *index as usize >= length);
        if outside(&wire.origin, wire.origins.len())
            || outside(&wire.program, words)
            || outside(&wire.attribute_key, words)
            || outside(&wire.attribute_value, words)
        {
            return Err(INDEX);
        }
        let text_end = ends(&wire.text_length, wire.text.len()).ok_or(TEXT)?;
        let attribute_end = ends(&wire.attribute_count, attributes).ok_or(COLUMN)?;
        Ok(Records {
            origins: wire.origins.iter().map(|origin| self.origin(origin)).collect::<Result<_, _>>()?,
            origin: wire.origin,
            time_ns: sums(&wire.time_delta_ns, self.header.sealed_time_ns),
            observed_ns: sums(&wire.observed_delta_ns, self.header.sealed_time_ns),
            text_end,
            text: wire.text,
            severity: wire.severity,
            program: wire.program,
            time_basis: wire.time_basis,
            attribute_end,
            attribute_key: wire.attribute_key,
            attribute_value: wire.attribute_value,
        })
    }

    fn origin(&self, wire: &v1::Origin) -> Result<Origin, OpenError> {
        if wire.attribute_keys.len() != wire.attribute_values.len() {
            return Err(COLUMN);
        }
        let attributes = wire.attribute_keys.iter().zip(&wire.attribute_values);
        Ok(Origin {
            host: self.host(wire.host)?,
            guest: self.guest(wire.guest)?,
            source: self
                .word(wire.source)?
                .parse::<Source>()
                .map_err(|_| OpenError::Damaged("an origin's source is unknown"))?,
            attributes: attributes
                .map(|(key, value)| Ok((self.word(*key)?.to_owned(), self.word(*value)?.to_owned())))
                .collect::<Result<_, OpenError>>()?,
        })
    }

    fn samples(&self, wire: &v1::Samples) -> Result<Vec<Sample>, OpenError> {
        let count = wire.time_delta_ns.len();
        let columns = [
            wire.interval_ms.len(),
            wire.host.len(),
            wire.guest.len(),
            wire.metric.len(),
            wire.device.len(),
            wire.direction.len(),
            wire.minimum.len(),
            wire.mean.len(),
            wire.maximum.len(),
        ];
        if columns.iter().any(|length| *length != count) {
            return Err(COLUMN);
        }
        let times = sums(&wire.time_delta_ns, self.header.sealed_time_ns);
        let row = |(row, time_ns): (usize, i64)| {
            let number = |column: &[u32]| column.get(row).copied().ok_or(COLUMN);
            let reading = |column: &[f64]| column.get(row).copied().ok_or(COLUMN);
            Ok(Sample {
                time_ns,
                interval_ms: number(&wire.interval_ms)?,
                host: self.host(number(&wire.host)?)?,
                guest: self.guest(number(&wire.guest)?)?,
                metric: self.word(number(&wire.metric)?)?.to_owned(),
                device: self.word(number(&wire.device)?)?.to_owned(),
                direction: self.word(number(&wire.direction)?)?.to_owned(),
                minimum: reading(&wire.minimum)?,
                mean: reading(&wire.mean)?,
                maximum: reading(&wire.maximum)?,
            })
        };
        times.into_iter().enumerate().map(row).collect()
    }

    fn event(&self, wire: v1::Event) -> Result<ShipperEvent, OpenError> {
        let mut attributes: Vec<_> = wire.attributes.into_iter().collect();
        attributes.sort();
        Ok(ShipperEvent {
            class: wire.class,
            start_ns: wire.start_ns,
            end_ns: wire.end_ns,
            host: self.host(wire.host)?,
            guest: self.guest(wire.guest)?,
            title: wire.title,
            severity: wire
                .severity
                .parse()
                .map_err(|_| OpenError::Damaged("an event's severity is unknown"))?,
            key: wire.key,
            attributes,
        })
    }

    fn placement(&self, wire: v1::Placement) -> Result<Placement, OpenError> {
        let mut attributes: Vec<_> = wire.attributes.into_iter().collect();
        attributes.sort();
        Ok(Placement {
            host: self.host(wire.host)?,
            guest: self.header.guests.get(wire.guest as usize).cloned().ok_or(INDEX)?,
            start_ns: wire.start_ns,
            end_ns: wire.end_ns,
            attributes,
        })
    }

    fn word(&self, index: u32) -> Result<&str, OpenError> {
        self.dictionary.get(index as usize).map(String::as_str).ok_or(INDEX)
    }

    fn host(&self, index: u32) -> Result<Host, OpenError> {
        self.header.hosts.get(index as usize).cloned().ok_or(INDEX)
    }

    fn guest(&self, index: u32) -> Result<Option<Guest>, OpenError> {
        match index.checked_sub(1) {
            None => Ok(None),
            Some(index) => self.header.guests.get(index as usize).cloned().map(Some).ok_or(INDEX),
        }
    }
}

fn deltas(values: &[i64], first: i64) -> Vec<i64> {
    let mut before = first;
    values.iter().map(|value| value.wrapping_sub(std::mem::replace(&mut before, *value))).collect()
}

fn sums(deltas: &[i64], first: i64) -> Vec<i64> {
    let mut value = first;
    deltas
        .iter()
        .map(|delta| {
            value = value.wrapping_add(*delta);
            value
        })
        .collect()
}

fn steps(ends: &[u32]) -> Vec<u32> {
    let mut before = 0;
    ends.iter().map(|end| end.saturating_sub(std::mem::replace(&mut before, *end))).collect()
}

/// Running sums of lengths; none where they do not add up to `total` (an empty column adds up to nothing).
fn ends(lengths: &[u32], total: usize) -> Option<Vec<u32>> {
    let mut end = 0_u32;
    let ends: Option<Vec<u32>> = lengths
        .iter()
        .map(|length| {
            end = end.checked_add(*length)?;
            Some(end)
        })
        .collect();
    ends.filter(|_| end as usize == total)
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
