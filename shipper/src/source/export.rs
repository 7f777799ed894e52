//! The journal's export format, as `journalctl --output=export` writes it: entries of fields, an empty line after
//! each. A field is `NAME=value\n`, or, where the value is not plain text, `NAME\n`, its length as 64-bit little
//! endian, the value and `\n`. Pure: cuts entries out of a buffer that grows.
//!
//! Source of the format: systemd's "Journal Export Formats".

/// One entry's fields, as slices into the buffer. A name may occur more than once.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    fields: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Entry<'a> {
    /// The first value of a field.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.iter().find(|(field, _)| *field == name.as_bytes()).map(|(_, value)| *value)
    }

    /// A field that is text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// A field that is a decimal number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// All fields in the order of the journal.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + '_ {
        self.fields.iter().copied()
    }
}

/// Why what stands in the buffer is no export format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// A field's length is beyond what an entry may take.
    #[error("a journal field claims {found} bytes; at most {max} are read")]
    TooLong {
        /// What the field claims.
        found: u64,
        /// The limit in force.
        max: usize,
    },
    /// The value of a binary field does not end with a line feed.
    #[error("a journal field does not end where its length says")]
    Misaligned,
}

/// A value longer than this is refused: the journal itself keeps fields below 768 MiB, but no message is that long.
pub const FIELD_BYTES_MAX: usize = 16 << 20;

/// Takes the first entry of a buffer. Gives it and the bytes that it takes, or none where the buffer holds no
/// whole entry yet.
///
/// # Errors
/// Where the buffer's beginning can never become an entry.
pub fn next_entry(buffer: &[u8]) -> Result<Option<(Entry<'_>, usize)>, ExportError> {
    let mut entry = Entry::default();
    let mut rest = buffer;
    loop {
        let Some(end) = memchr::memchr(b'\n', rest) else { return Ok(None) };
        let (line, after) = rest.split_at(end);
        let after = after.get(1..).unwrap_or_default();
        if line.is_empty() {
            if entry.fields.is_empty() {
                rest = after;
                continue;
            }
            return Ok(Some((entry, buffer.len() - after.len())));
        }
        if let Some(equals) = memchr::memchr(b'=', line) {
            let (name, value) = line.split_at(equals);
            entry.fields.push((name, value.get(1..).unwrap_or_default()));
            rest = after;
            continue;
        }
        let Some((length, value)) = after.split_first_chunk::<8>() else { return Ok(None) };
        let claimed = u64::from_le_bytes(*length);
        let length = usize::try_from(claimed)
            .ok()
            .filter(|length| *length <= FIELD_BYTES_MAX)
            .ok_or(ExportError::TooLong { found: claimed, max: FIELD_BYTES_MAX })?;
        let Some(end) = value.get(length) else { return Ok(None) };
        if *end != b'\n' {
            return Err(ExportError::Misaligned);
        }
        let (value, after) = value.split_at(length);
        entry.fields.push((line, value));
        rest = after.get(1..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(fields: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, value) in fields {
            bytes.extend(name.as_bytes());
            if value.contains(&b'\n') {
                bytes.push(b'\n');
                bytes.extend((value.len() as u64).to_le_bytes());
            } else {
                bytes.push(b'=');
            }
            bytes.extend(value);
            bytes.push(b'\n');
        }
        bytes.push(b'\n');
        bytes
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_no_part_of_it_is(
            fields in prop::collection::vec(("[A-Z_]{1,12}", prop::collection::vec(any::<u8>(), 0..40)), 1..6),
        ) {
            let bytes = encode(&fields);
            let (entry, length) = next_entry(&bytes).unwrap().unwrap();
            prop_assert_eq!(length, bytes.len());
            let read: Vec<_> = entry.fields().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
            let written: Vec<_> = fields.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone())).collect();
            prop_assert_eq!(read, written);
            for cut in 0..bytes.len() {
                prop_assert_eq!(next_entry(&bytes[..cut]), Ok(None), "cut at {}", cut);
            }
        }

        #[test]
        fn arbitrary_bytes_are_no_danger(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = next_entry(&bytes);
        }
    }

    #[test]
    fn a_length_beyond_all_reason_is_an_error() {
        let mut bytes = b"MESSAGE\n".to_vec();
        bytes.extend(u64::MAX.to_le_bytes());
        assert!(matches!(next_entry(&bytes), Err(ExportError::TooLong { .. })));
    }
}
