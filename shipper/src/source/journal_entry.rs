//! An entry of the journal as records. Pure, but for the time at which it is read.

use lastwords_record::{TimeBasis, limits::RECORD_BYTES_MAX};

use super::{FedRecord, export::Entry, kernel_entry::severity_number};

/// Longer values are cut as an attribute; the message itself is not.
const ATTRIBUTE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of an entry's attributes together; further fields are left out.
const ATTRIBUTES_BYTES_MAX: usize = 48 * 1024;
/// Attributes of this size stand in every piece of a long message.
const SMALL_BYTES: usize = 8 * 1024;
/// Fields that become the record itself, or that differ from entry to entry and say nothing else.
const NOT_ATTRIBUTES: [&str; 6] = [
    "MESSAGE",
    "PRIORITY",
    "SYSLOG_IDENTIFIER",
    "SYSLOG_TIMESTAMP",
    "_SOURCE_REALTIME_TIMESTAMP",
    "_SOURCE_MONOTONIC_TIMESTAMP",
];

/// Whether an entry is the kernel's.
pub fn is_kernels(entry: &Entry<'_>) -> bool {
    entry.text("_TRANSPORT") == Some("kernel")
}

/// When the journal took an entry in, microseconds since 1970.
pub fn realtime_us(entry: &Entry<'_>) -> Option<u64> {
    entry.number("__REALTIME_TIMESTAMP")
}

/// The records of an entry that is read at `observed_ns`: one, or the pieces of a long message.
pub fn records(entry: &Entry<'_>, observed_ns: i64) -> Vec<FedRecord> {
    let written_us = entry.number("_SOURCE_REALTIME_TIMESTAMP").or_else(|| realtime_us(entry));
    let written_ns = written_us.and_then(|us| i64::try_from(us).ok()).and_then(|us| us.checked_mul(1_000));
    let named = entry.text("SYSLOG_IDENTIFIER").or_else(|| entry.text("_COMM")).unwrap_or_default();
    let attributes = attributes(entry);
    let is_small =
        attributes.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() <= SMALL_BYTES;
    // An entry may have several lines; the last line's end belongs to none.
    let body = entry.get("MESSAGE").map(|text| text.strip_suffix(b"\n").unwrap_or(text)).unwrap_or_default();
    let record = |body: &[u8], attributes| FedRecord {
        time_ns: written_ns.unwrap_or(observed_ns),
        observed_ns,
        body: body.to_vec(),
        severity: entry
            .number("PRIORITY")
            .and_then(|level| u8::try_from(level).ok())
            .map_or(0, severity_number),
        // What the kernel says is the kernel's, whatever it is called.
        program: if is_kernels(entry) { "kernel" } else { named }.to_owned(),
        time_basis: if written_ns.is_some() { TimeBasis::Journal } else { TimeBasis::Observed },
        attributes,
    };
    let mut pieces = body.chunks(RECORD_BYTES_MAX);
    let first = pieces.next().unwrap_or_default();
    let others: Vec<&[u8]> = pieces.collect();
    let repeated = if is_small { attributes.clone() } else { Vec::new() };
    let first = record(first, attributes);
    std::iter::once(first).chain(others.into_iter().map(|piece| record(piece, repeated.clone()))).collect()
}

fn attributes(entry: &Entry<'_>) -> Vec<(String, String)> {
    let mut left = ATTRIBUTES_BYTES_MAX;
    let fits = |(key, value): &(String, String)| {
        let bytes = key.len() + value.len();
        let fits = bytes <= left;
        left -= if fits { bytes } else { 0 };
        fits
    };
    entry.fields().filter_map(attribute).filter(fits).collect()
}

fn attribute((name, value): (&[u8], &[u8])) -> Option<(String, String)> {
    let name = std::str::from_utf8(name).ok()?;
    if name.starts_with("__") || NOT_ATTRIBUTES.contains(&name) {
        return None;
    }
    let value = value.get(..ATTRIBUTE_BYTES_MAX.min(value.len()))?;
    Some((name.to_owned(), String::from_utf8_lossy(value).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::export::EntryBuffer;

    fn found(text: &[u8]) -> Vec<FedRecord> {
        let mut buffer = EntryBuffer::default();
        assert!(buffer.push(text).unwrap().1);
        records(&buffer.entry(), 7)
    }

    #[test]
    fn a_long_message_comes_in_pieces_and_nothing_of_it_is_lost() {
        let message = "x".repeat(2 * RECORD_BYTES_MAX + 5);
        let rows = found(format!("_PID=7\nMESSAGE={message}\n\n").as_bytes());
        assert_eq!(
            rows.iter().map(|row| row.body.len()).collect::<Vec<_>>(),
            [RECORD_BYTES_MAX, RECORD_BYTES_MAX, 5]
        );
        assert!(rows.iter().all(|row| row.attributes == [("_PID".to_owned(), "7".to_owned())]));
    }

    #[test]
    fn an_entry_with_more_fields_than_a_record_may_have_keeps_the_first_of_them() {
        let fields: String = (0..200).map(|number| format!("F{number:03}={}\n", "v".repeat(1_000))).collect();
        let rows = found(format!("MESSAGE=many fields\n{fields}\n").as_bytes());
        assert_eq!((rows.len(), rows[0].body.as_slice()), (1, &b"many fields"[..]));
        let bytes: usize = rows[0].attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
        assert!(bytes <= ATTRIBUTES_BYTES_MAX && rows[0].attributes.len() > 40, "{bytes}");
    }
}
