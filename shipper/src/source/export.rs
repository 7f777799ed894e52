//! The journal's export format, as `journalctl --output=export` writes it: entries of fields, an empty line after
//! each. A field is `NAME=value\n`, or, where the value is not plain text, `NAME\n`, its length as 64-bit little
//! endian, the value and `\n`. Pure: puts entries together from bytes as they come.
//!
//! Source of the format: systemd's "Journal Export Formats".

/// One entry's fields, as slices into the buffer. A name may occur more than once.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    fields: Vec<(&'a [u8], &'a [u8])>,
    /// Bytes of the message that were too many.
    pub cut_bytes: u64,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The value of a binary field does not end with a line feed.
    #[error("a journal field does not end where its length says")]
    Misaligned,
}

/// Bytes of a message, at most; what is longer is cut. The journal keeps fields below 768 MiB, but no message is that long.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Bytes of any other field that are kept: a core dump may stand in one.
pub const FIELD_BYTES_MAX: usize = 16 * 1024;
/// Fields of an entry that are kept.
pub const FIELDS_MAX: usize = 1024;
/// Bytes of a field's name, at most, as the journal has them.
const NAME_BYTES_MAX: usize = 64;
const MESSAGE: &[u8] = b"MESSAGE";

/// Collects one entry at a time from bytes as they come. It takes no more memory than the bounds allow, however long a
/// field claims to be: what is beyond is passed over.
#[derive(Debug, Default)]
pub struct EntryBuffer {
    /// Names and values, one behind the other.
    bytes: Vec<u8>,
    /// Where each field's name and value end.
    ends: Vec<(usize, usize)>,
    /// The line, or the name, that is being read.
    line: Vec<u8>,
    part: Part,
    /// Something of the entry was read.
    has_begun: bool,
    /// The field is one too many.
    is_dropped: bool,
    /// Bytes of the message that were passed over.
    cut_bytes: u64,
}

/// What is being read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A name up to its equals sign or its end.
    #[default]
    Name,
    /// A value up to the end of its line.
    Text,
    /// A length, of which so many bytes are there.
    Length([u8; 8], usize),
    /// A value of which so many bytes are still to come.
    Value(u64),
    /// The line feed behind a value.
    ValueEnd,
}

impl EntryBuffer {
    /// Takes bytes up to the end of an entry; how many, and whether an entry is complete.
    ///
    /// # Errors
    /// Where they are no export format.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(usize, bool), ExportError> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let (read, is_complete) = self.take(rest)?;
            taken += read;
            if is_complete {
                return Ok((taken, true));
            }
        }
        Ok((taken, false))
    }

    /// Takes the next part, or what there is of it.
    fn take(&mut self, rest: &[u8]) -> Result<(usize, bool), ExportError> {
        match self.part {
            Part::Name => Ok(self.take_name(rest)),
            Part::Text => {
                let end = memchr::memchr(b'\n', rest);
                self.keep(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
                if end.is_some() {
                    self.part = Part::Name;
                }
                Ok((end.map_or(rest.len(), |end| end + 1), false))
            }
            Part::Length(mut length, there) => {
                let read = rest.len().min(length.len() - there);
                if let (Some(place), Some(read)) = (length.get_mut(there..there + read), rest.get(..read)) {
                    place.copy_from_slice(read);
                }
                let is_there = there + read == length.len();
                let left = u64::from_le_bytes(length);
                self.part = match is_there {
                    false => Part::Length(length, there + read),
                    true if left == 0 => Part::ValueEnd,
                    true => Part::Value(left),
                };
                Ok((read, false))
            }
            Part::Value(left) => {
                let read = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                self.keep(rest.get(..read).unwrap_or_default());
                let left = left - read as u64;
                self.part = if left == 0 { Part::ValueEnd } else { Part::Value(left) };
                Ok((read, false))
            }
            Part::ValueEnd => {
                self.part = Part::Name;
                if rest.first() == Some(&b'\n') { Ok((1, false)) } else { Err(ExportError::Misaligned) }
            }
        }
    }

    fn take_name(&mut self, rest: &[u8]) -> (usize, bool) {
        let end = memchr::memchr2(b'=', b'\n', rest);
        let name = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let room = NAME_BYTES_MAX.saturating_sub(self.line.len()).min(name.len());
        self.line.extend_from_slice(name.get(..room).unwrap_or_default());
        let Some(end) = end else { return (rest.len(), false) };
        let is_empty = self.line.is_empty();
        let is_text = rest.get(end) == Some(&b'=');
        if is_empty && !is_text {
            // An empty line ends an entry; one before any field means nothing.
            return (end + 1, std::mem::take(&mut self.has_begun));
        }
        self.has_begun = true;
        self.is_dropped = self.ends.len() >= FIELDS_MAX;
        if !self.is_dropped {
            self.bytes.extend_from_slice(&self.line);
            self.ends.push((self.bytes.len(), self.bytes.len()));
        }
        self.line.clear();
        self.part = if is_text { Part::Text } else { Part::Length([0; 8], 0) };
        (end + 1, false)
    }

    /// Adds to the value of the last field, as far as it may grow.
    fn keep(&mut self, value: &[u8]) {
        if self.is_dropped {
            return;
        }
        let name_start =
            self.ends.len().checked_sub(2).and_then(|place| self.ends.get(place)).map_or(0, |ends| ends.1);
        let Some((name_end, value_end)) = self.ends.last_mut() else { return };
        let is_message = self.bytes.get(name_start..*name_end) == Some(MESSAGE);
        let max = if is_message { MESSAGE_BYTES_MAX } else { FIELD_BYTES_MAX };
        let room = max.saturating_sub(*value_end - *name_end).min(value.len());
        self.bytes.extend_from_slice(value.get(..room).unwrap_or_default());
        *value_end += room;
        if is_message {
            self.cut_bytes += (value.len() - room) as u64;
        }
    }

    /// Whether an entry has begun and is not complete.
    pub fn is_within(&self) -> bool {
        self.has_begun || !self.line.is_empty()
    }

    /// The entry that is complete.
    pub fn entry(&self) -> Entry<'_> {
        let mut start = 0;
        let fields = self.ends.iter().filter_map(|(name_end, value_end)| {
            let name = self.bytes.get(start..*name_end)?;
            start = *value_end;
            Some((name, self.bytes.get(*name_end..*value_end)?))
        });
        Entry { fields: fields.collect(), cut_bytes: self.cut_bytes }
    }

    /// Goes on to the next entry.
    pub fn clear(&mut self) {
        // One huge message must not hold its memory for ever.
        if self.bytes.capacity() > MESSAGE_BYTES_MAX / 16 {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.ends.clear();
        self.line.clear();
        (self.part, self.has_begun, self.cut_bytes) = (Part::Name, false, 0);
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
        fn what_was_written_is_read_however_it_arrives(
            entries in prop::collection::vec(
                prop::collection::vec(("[A-Z_]{1,12}", prop::collection::vec(any::<u8>(), 0..40)), 1..6),
                1..4,
            ),
            step in 1_usize..50,
        ) {
            let bytes: Vec<u8> = entries.iter().flat_map(|fields| encode(fields)).collect();
            let mut buffer = EntryBuffer::default();
            let mut found = Vec::new();
            let mut at = 0;
            while at < bytes.len() {
                let end = bytes.len().min(at + step);
                let (taken, is_complete) = buffer.push(&bytes[at..end]).unwrap();
                at += taken;
                if is_complete {
                    let fields = buffer.entry().fields().map(|(name, value)| {
                        (String::from_utf8_lossy(name).into_owned(), value.to_vec())
                    }).collect::<Vec<_>>();
                    found.push(fields);
                    buffer.clear();
                }
            }
            prop_assert!(!buffer.is_within());
            prop_assert_eq!(found, entries);
        }

        #[test]
        fn arbitrary_bytes_are_no_danger(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut buffer = EntryBuffer::default();
            let mut at = 0;
            while at < bytes.len() {
                match buffer.push(&bytes[at..]) {
                    Ok((taken, is_complete)) => {
                        at += taken;
                        if is_complete {
                            let _ = buffer.entry();
                            buffer.clear();
                        }
                    }
                    Err(_) => break,
                }
            }
        }
    }

    #[test]
    fn a_huge_field_is_cut_and_what_comes_behind_it_is_read() {
        let huge = vec![b'x'; MESSAGE_BYTES_MAX + 5];
        let mut binary = b"COREDUMP\n".to_vec();
        binary.extend((huge.len() as u64).to_le_bytes());
        binary.extend(&huge);
        let entry = [b"A=1\n", &binary[..], b"\nMESSAGE=", &huge, b"\nB=2\n\n"].concat();
        let mut buffer = EntryBuffer::default();
        assert_eq!(buffer.push(&entry), Ok((entry.len(), true)));
        let found = buffer.entry();
        assert_eq!((found.get("A"), found.get("B")), (Some(&b"1"[..]), Some(&b"2"[..])));
        assert_eq!(found.get("COREDUMP").unwrap().len(), FIELD_BYTES_MAX);
        assert_eq!((found.get("MESSAGE").unwrap().len(), found.cut_bytes), (MESSAGE_BYTES_MAX, 5));
        buffer.clear();
        assert!(buffer.bytes.capacity() < MESSAGE_BYTES_MAX);
    }

    #[test]
    fn a_value_that_is_longer_than_it_says_is_refused() {
        let entry = b"MESSAGE\n\x03\0\0\0\0\0\0\0abcd\n\n";
        assert_eq!(EntryBuffer::default().push(entry), Err(ExportError::Misaligned));
    }
}
