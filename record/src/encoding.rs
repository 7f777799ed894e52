//! Texts that are written in UTF-16, into UTF-8. Pure; a place in what came out has its place in what was written.

/// How a file's text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Bytes, taken as they are.
    #[default]
    Bytes,
    /// UTF-16, the low byte first.
    Utf16Little,
    /// UTF-16, the high byte first.
    Utf16Big,
}

impl Encoding {
    /// As a byte order mark at the file's beginning says; none: there are too few bytes to tell.
    pub fn of(head: &[u8]) -> Option<Encoding> {
        match head {
            // UTF-32 begins so, too, and no text in UTF-16 goes on with a NUL.
            [0xff, 0xfe, 0, 0, ..] => Some(Encoding::Bytes),
            [0xff, 0xfe, _, _, ..] => Some(Encoding::Utf16Little),
            [0xfe, 0xff, ..] => Some(Encoding::Utf16Big),
            [0xff] | [0xfe] | [0xff, 0xfe] | [0xff, 0xfe, _] | [] => None,
            _ => Some(Encoding::Bytes),
        }
    }

    /// Whether it is the default.
    pub fn is_bytes(&self) -> bool {
        *self == Encoding::Bytes
    }

    fn unit(self, pair: [u8; 2]) -> u16 {
        match self {
            Encoding::Utf16Big => u16::from_be_bytes(pair),
            Encoding::Bytes | Encoding::Utf16Little => u16::from_le_bytes(pair),
        }
    }
}

const MARK: char = '\u{feff}';
const UNIT_BYTES: usize = 2;

/// A stretch of UTF-16 as UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The text, without a byte order mark at its beginning. What is no character is U+FFFD.
    pub text: String,
    mark_bytes: usize,
    /// Bytes at the end that are no whole character and count as taken with the last one.
    rest: usize,
}

/// Decodes a stretch that begins between two characters. `all`: nothing comes behind it, else half a character at its end
/// waits for its other half.
pub fn decode(encoding: Encoding, written: &[u8], all: bool) -> Decoded {
    let pairs = written.chunks_exact(UNIT_BYTES);
    let rest = if all { pairs.remainder().len() } else { 0 };
    let mut units: Vec<u16> =
        pairs.filter_map(|pair| pair.first_chunk()).map(|pair| encoding.unit(*pair)).collect();
    if !all && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
        units.pop();
    }
    let text: String =
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    match text.strip_prefix(MARK) {
        Some(behind) => Decoded { text: behind.to_owned(), mark_bytes: UNIT_BYTES, rest },
        None => Decoded { text, mark_bytes: 0, rest },
    }
}

impl Decoded {
    /// Bytes as they were written, of the first bytes of the text. A character that is cut counts.
    pub fn written_length(&self, text_length: usize) -> usize {
        if text_length == 0 && !self.text.is_empty() {
            return 0;
        }
        let units: usize = self
            .text
            .char_indices()
            .take_while(|(at, _)| *at < text_length)
            .map(|(_, letter)| letter.len_utf16())
            .sum();
        let rest = if text_length >= self.text.len() { self.rest } else { 0 };
        self.mark_bytes + units * UNIT_BYTES + rest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn little(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn a_byte_order_mark_tells_and_utf_32_is_not_taken_for_utf_16() {
        for (head, expected) in [
            (&b"\xff\xfea\0"[..], Some(Encoding::Utf16Little)),
            (b"\xfe\xff\0a", Some(Encoding::Utf16Big)),
            (b"\xff\xfe\0\0a\0\0\0", Some(Encoding::Bytes)),
            (b"\xff\xfe", None),
            (b"", None),
            (b"a", Some(Encoding::Bytes)),
            (b"\xef\xbb\xbftext", Some(Encoding::Bytes)),
        ] {
            assert_eq!(Encoding::of(head), expected, "{head:?}");
        }
    }

    #[test]
    fn half_a_character_waits_for_its_other_half() {
        let whole = little("\u{feff}ü𝄞\n");
        let cut = decode(Encoding::Utf16Little, &whole[..6], false);
        assert_eq!((cut.text.as_str(), cut.written_length(cut.text.len())), ("ü", 4));
        let all = decode(Encoding::Utf16Little, &whole[..7], true);
        assert_eq!((all.text.as_str(), all.written_length(all.text.len())), ("ü\u{fffd}", 7));
    }

    proptest! {
        #[test]
        fn the_same_text_comes_out_and_every_place_has_its_place(text in "[a-zü𝄞\n]{0,40}") {
            let written = little(&format!("\u{feff}{text}"));
            let decoded = decode(Encoding::Utf16Little, &written, false);
            prop_assert_eq!(&decoded.text, &text);
            prop_assert_eq!(decoded.written_length(text.len()), written.len());
            for (at, _) in text.char_indices().filter(|(at, _)| *at > 0) {
                let behind = decode(Encoding::Utf16Little, &written[decoded.written_length(at)..], false);
                prop_assert_eq!(&behind.text, &text[at..]);
            }
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            prop_assert_eq!(decode(Encoding::Utf16Big, &big, true).text, text);
        }

        #[test]
        fn arbitrary_bytes_are_taken_whole(bytes in prop::collection::vec(any::<u8>(), 1..60)) {
            let decoded = decode(Encoding::Utf16Little, &bytes, true);
            prop_assert_eq!(decoded.written_length(decoded.text.len()), bytes.len());
        }
    }
}
