//! Texts with escapes, as JSON and Go write them, and which byte of the text comes from which of the line.

use std::borrow::Cow;

/// A text without its escapes; what has none is not copied.
pub(crate) fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', text) else { return Cow::Borrowed(text) };
    let mut plain = Vec::with_capacity(text.len());
    plain.extend_from_slice(text.get(..first).unwrap_or_default());
    let mut at = first;
    while let Some((piece, taken)) = piece(text.get(at..).unwrap_or_default()) {
        plain.extend_from_slice(piece.as_bytes());
        at += taken;
    }
    Cow::Owned(plain)
}

/// Where in a text with escapes the byte stands that is the `place`-th without them.
pub(super) fn place_of(text: &[u8], place: usize) -> usize {
    let (mut at, mut passed) = (0, 0);
    while let Some((piece, taken)) = piece(text.get(at..).unwrap_or_default()) {
        let length = piece.as_bytes().len();
        if passed + length > place {
            // Only plain bytes come several at a time.
            return at + if length == taken { place - passed } else { 0 };
        }
        (at, passed) = (at + taken, passed + length);
    }
    at
}

/// Bytes of a text without escapes.
enum Piece<'a> {
    Plain(&'a [u8]),
    Escaped([u8; 4], usize),
}

impl Piece<'_> {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Piece::Plain(bytes) => bytes,
            Piece::Escaped(bytes, length) => bytes.get(..*length).unwrap_or_default(),
        }
    }
}

/// The first piece of a text, and how many bytes it takes; none at the end. What is no escape stands for itself.
fn piece(text: &[u8]) -> Option<(Piece<'_>, usize)> {
    let end = memchr::memchr(b'\\', text).unwrap_or(text.len());
    if end > 0 {
        return Some((Piece::Plain(text.get(..end)?), end));
    }
    let one = |byte, taken| Some((Piece::Escaped([byte, 0, 0, 0], 1), taken));
    match text.get(1)? {
        b'n' => one(b'\n', 2),
        b't' => one(b'\t', 2),
        b'r' => one(b'\r', 2),
        b'b' => one(8, 2),
        b'f' => one(12, 2),
        b'a' => one(7, 2),
        b'v' => one(11, 2),
        byte @ (b'"' | b'\\' | b'/' | b'\'') => one(*byte, 2),
        b'x' => match hex(text.get(2..4)) {
            Some(code) => one(u8::try_from(code).ok()?, 4),
            None => one(b'\\', 1),
        },
        b'u' => Some(unicode(text)),
        _ => one(b'\\', 1),
    }
}

/// `\u00e9`, `\ud83d\ude00`. A half of a pair stands for nothing that could be shown.
fn unicode(text: &[u8]) -> (Piece<'_>, usize) {
    let Some(high) = hex(text.get(2..6)) else { return (Piece::Escaped([b'\\', 0, 0, 0], 1), 1) };
    let low = hex(text.get(8..12)).filter(|_| text.get(6..8) == Some(br"\u"));
    let (code, taken) = match low {
        Some(low @ 0xdc00..0xe000) if (0xd800..0xdc00).contains(&high) => {
            (0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12)
        }
        _ => (high, 6),
    };
    let mut bytes = [0; 4];
    let length = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut bytes).len();
    (Piece::Escaped(bytes, length), taken)
}

fn hex(digits: Option<&[u8]>) -> Option<u32> {
    digits?.iter().try_fold(0, |value, byte| Some(value * 16 + char::from(*byte).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_taken_off() {
        for (text, plain) in [
            (r"plain", "plain"),
            (r#"a \"b\" \\ \/\n"#, "a \"b\" \\ /\n"),
            (r"\u003cf\u003e \u00e9 \ud83d\ude00", "<f> é 😀"),
            (r"\x1b[0m\a", "\u{1b}[0m\u{7}"),
            (r"\ud83d alone", "\u{fffd} alone"),
            (r"\q \u12 \xzz", r"\q \u12 \xzz"),
        ] {
            assert_eq!(String::from_utf8_lossy(&unescape(text.as_bytes())), plain, "{text}");
        }
        // A text that was cut within an escape.
        assert_eq!(&*unescape(br"cut \"), b"cut ");
    }

    proptest! {
        #[test]
        fn every_byte_comes_from_a_place_in_the_line(
            parts in prop::collection::vec(prop::sample::select(vec!["a", "bc", r"\n", r#"\""#, r"\u00e9", r"\ud83d\ude00", r"\q", "é"]), 0..20),
        ) {
            let text = parts.concat();
            let plain = unescape(text.as_bytes());
            let mut before = 0;
            for place in 0..plain.len() {
                let at = place_of(text.as_bytes(), place);
                prop_assert!(at >= before && at < text.len());
                before = at;
                if plain[place].is_ascii_lowercase() {
                    prop_assert!(text.as_bytes()[at] == plain[place] || text.as_bytes()[at] == b'\\');
                }
            }
            prop_assert_eq!(place_of(text.as_bytes(), plain.len()), text.len());
        }
    }
}
