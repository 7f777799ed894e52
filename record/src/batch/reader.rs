//! From the wire's body to a batch: every length, index and count is checked.

use std::cell::Cell;

use lastwords_proto::v1;

use super::{Batch, Header, OpenError, Records};
use crate::{
    Guest, Host, Origin, Placement, Sample, ShipperEvent, Source,
    limits::{BATCH_BODY_BYTES_MAX, BATCH_RECORDS_MAX},
};

/// The batch of a decoded body.
pub(super) fn batch(header: Header, wire: v1::BatchBody) -> Result<Batch, OpenError> {
    let reader = Reader { header: &header, dictionary: &wire.dictionary, copied_bytes: Cell::new(0) };
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

/// Checks indices and lengths while it turns wire types into the domain's.
struct Reader<'a> {
    header: &'a Header,
    dictionary: &'a [String],
    /// Bytes of names copied out of the header and the dictionary so far.
    copied_bytes: Cell<usize>,
}

const COLUMN: OpenError = OpenError::Damaged("a column has another length than its section");
const INDEX: OpenError = OpenError::Damaged("an index points outside its table");
const COPIES: OpenError = OpenError::Damaged("its rows repeat more names than a batch has room for");
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
                .map(|(key, value)| Ok((self.owned(*key)?, self.owned(*value)?)))
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
                metric: self.owned(number(&wire.metric)?)?,
                device: self.owned(number(&wire.device)?)?,
                direction: self.owned(number(&wire.direction)?)?,
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
            guest: self.known_guest(wire.guest)?,
            start_ns: wire.start_ns,
            end_ns: wire.end_ns,
            attributes,
        })
    }

    fn word(&self, index: u32) -> Result<&str, OpenError> {
        self.dictionary.get(index as usize).map(String::as_str).ok_or(INDEX)
    }

    fn owned(&self, index: u32) -> Result<String, OpenError> {
        let word = self.word(index)?;
        self.count(word.len())?;
        Ok(word.to_owned())
    }

    fn host(&self, index: u32) -> Result<Host, OpenError> {
        let host = self.header.hosts.get(index as usize).ok_or(INDEX)?;
        self.count(host.name.len() + host.machine_id.len())?;
        Ok(host.clone())
    }

    /// 0: the host itself.
    fn guest(&self, index: u32) -> Result<Option<Guest>, OpenError> {
        index.checked_sub(1).map(|index| self.known_guest(index)).transpose()
    }

    fn known_guest(&self, index: u32) -> Result<Guest, OpenError> {
        let guest = self.header.guests.get(index as usize).ok_or(INDEX)?;
        self.count(guest.name.len() + guest.uuid.len())?;
        Ok(guest.clone())
    }

    /// A row that refers to a long name by an index is small in the body and large in memory. The builder counts
    /// each name where it repeats, so that copies never come to more than a body may have.
    fn count(&self, bytes: usize) -> Result<(), OpenError> {
        let copied_bytes = self.copied_bytes.get().saturating_add(bytes);
        self.copied_bytes.set(copied_bytes);
        if copied_bytes > BATCH_BODY_BYTES_MAX { Err(COPIES) } else { Ok(()) }
    }
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
