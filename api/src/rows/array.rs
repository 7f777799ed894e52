//! One JSON array out of lines of objects, which come in pieces.

use bytes::Bytes;

/// The array so far.
#[derive(Debug, Default)]
pub(super) struct Array {
    opened: bool,
    /// An object has ended; whether another follows is not known yet.
    between: bool,
}

impl Array {
    /// Takes a piece of the lines.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Bytes {
        let mut text = Vec::with_capacity(chunk.len() + 16);
        for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
            if !self.opened {
                text.extend_from_slice(b"[\n");
                self.opened = true;
            }
            if std::mem::take(&mut self.between) {
                text.extend_from_slice(b",\n");
            }
            let object = piece.strip_suffix(b"\n");
            self.between = object.is_some();
            text.extend_from_slice(object.unwrap_or(piece));
        }
        text.into()
    }

    /// What ends it.
    pub(super) fn finish(&mut self) -> Bytes {
        Bytes::from_static(if self.opened { b"\n]\n" } else { b"[\n]\n" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_objects_become_one_array_however_they_are_cut() {
        for lines in ["", "{\"a\":1}\n", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n"] {
            for size in 1..12 {
                let mut array = Array::default();
                let mut text = Vec::new();
                lines.as_bytes().chunks(size).for_each(|chunk| text.extend_from_slice(&array.push(chunk)));
                text.extend_from_slice(&array.finish());
                let document: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
                assert_eq!(document.len(), lines.lines().count(), "{size}: {lines}");
            }
        }
    }
}
