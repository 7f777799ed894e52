//! The template of a message: its text with everything masked that differs from one time to the next. The same message
//! has the same template on every machine, since nothing is learnt and nothing is kept: what a word is masked as depends
//! on the word alone.
//!
//! A text is cut into runs of letters, digits and `_`, with `.`, `:`, `-`, `/`, `@`, `+` and `=` between them. Masked are, from
//! the widest form to the narrowest:
//!
//! - a universally unique identifier: `⟨uuid⟩`, an address of the network (IPv4, IPv6, MAC, with port or length): `⟨addr⟩`,
//!   a place on a bus (`0000:01:00.0`): `⟨addr⟩`,
//! - a path with at least two `/`, or that begins with one: `⟨path⟩`,
//! - what stands between quotation marks: `⟨text⟩`,
//! - numbers, also with a sign, a fraction, a unit or in base 16 (from 0x, or eight digits on): `⟨n⟩`,
//! - digits at the end of a name (`eth0`, `sda1`, `kworker/0`), which count things: `⟨n⟩`.
//!
//! Spaces in a row count as one, and a sequence of masks of the same kind as one mask.

use xxhash_rust::xxh3::Xxh3;

/// Bytes of a message that its template looks at.
pub const BODY_BYTES_MAX: usize = 4096;

/// The fingerprint of a message's template: equal for messages that differ only in what is masked, anywhere and always.
/// Nothing is allocated.
pub fn template(body: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    // Few and small pieces are gathered before they are hashed.
    let mut gathered = Gathered { bytes: [0; GATHERED_BYTES], length: 0 };
    pieces(body, |piece| gathered.push(&mut hash, piece));
    gathered.flush(&mut hash);
    hash.digest()
}

/// The template itself, for people.
pub fn text(body: &[u8]) -> String {
    let mut text = Vec::new();
    pieces(body, |piece| text.extend_from_slice(piece));
    String::from_utf8_lossy(&text).into_owned()
}

const GATHERED_BYTES: usize = 256;

/// Bytes on their way into a hash.
struct Gathered {
    bytes: [u8; GATHERED_BYTES],
    length: usize,
}

impl Gathered {
    fn push(&mut self, hash: &mut Xxh3, piece: &[u8]) {
        if self.length + piece.len() > GATHERED_BYTES {
            self.flush(hash);
        }
        match self.bytes.get_mut(self.length..self.length + piece.len()) {
            Some(place) => {
                place.copy_from_slice(piece);
                self.length += piece.len();
            }
            None => hash.update(piece),
        }
    }

    fn flush(&mut self, hash: &mut Xxh3) {
        hash.update(self.bytes.get(..self.length).unwrap_or_default());
        self.length = 0;
    }
}

/// What a piece of text is masked as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mask {
    Uuid,
    Address,
    Path,
    Text,
    Number,
}

impl Mask {
    fn sign(self) -> &'static [u8] {
        match self {
            Mask::Uuid => "⟨uuid⟩",
            Mask::Address => "⟨addr⟩",
            Mask::Path => "⟨path⟩",
            Mask::Text => "⟨text⟩",
            Mask::Number => "⟨n⟩",
        }
        .as_bytes()
    }
}

/// Calls for each piece of the template, in order.
fn pieces(body: &[u8], mut each: impl FnMut(&[u8])) {
    let body = body.get(..body.len().min(BODY_BYTES_MAX)).unwrap_or(body).trim_ascii();
    let mut at = 0;
    let mut masked = None;
    while let Some(byte) = body.get(at) {
        let rest = body.get(at..).unwrap_or_default();
        if byte.is_ascii_whitespace() {
            at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            each(b" ");
            continue;
        }
        if let Some(length) = quoted(body, at) {
            each(rest.get(..1).unwrap_or_default());
            each(Mask::Text.sign());
            each(rest.get(length - 1..length).unwrap_or_default());
            (at, masked) = (at + length, None);
            continue;
        }
        if !is_word(*byte) && *byte != b'/' {
            // A comma between masks does not end their sequence.
            if *byte != b',' {
                masked = None;
            }
            each(rest.get(..1).unwrap_or_default());
            at += 1;
            continue;
        }
        let run = rest.get(..rest.iter().take_while(|byte| is_run(**byte)).count()).unwrap_or_default();
        let run = trimmed(run);
        if let Some(mask) = whole(run) {
            each(mask.sign());
            (at, masked) = (at + run.len(), Some(mask));
            continue;
        }
        let word = rest.get(..rest.iter().take_while(|byte| is_word(**byte)).count().max(1)).unwrap_or_default();
        masked = of_word(word, masked, &mut each);
        at += word.len();
    }
}

/// The length of what stands in quotation marks from a place on, marks included. An apostrophe within a word is none.
fn quoted(body: &[u8], at: usize) -> Option<usize> {
    let mark = *body.get(at).filter(|byte| matches!(byte, b'"' | b'\''))?;
    if at.checked_sub(1).and_then(|before| body.get(before)).is_some_and(|before| is_word(*before)) {
        return None;
    }
    let within = memchr::memchr(mark, body.get(at + 1..)?)?;
    let behind = body.get(at + within + 2);
    (within > 0 && behind.is_none_or(|behind| !is_word(*behind))).then_some(within + 2)
}

/// A run of signs without what ends a sentence.
fn trimmed(run: &[u8]) -> &[u8] {
    let length = run.iter().rposition(|byte| is_word(*byte) || *byte == b'/').map_or(run.len(), |last| last + 1);
    run.get(..length).unwrap_or(run)
}

/// What a whole run is.
fn whole(run: &[u8]) -> Option<Mask> {
    if is_uuid(run) {
        Some(Mask::Uuid)
    } else if is_address(run) {
        Some(Mask::Address)
    } else if is_path(run) {
        Some(Mask::Path)
    } else {
        None
    }
}

fn is_uuid(run: &[u8]) -> bool {
    run.len() == 36
        && run.iter().enumerate().all(|(place, byte)| {
            if matches!(place, 8 | 13 | 18 | 23) { *byte == b'-' } else { byte.is_ascii_hexdigit() }
        })
}

/// IPv4 with port or length, IPv6 and MAC addresses, places on buses: groups of digits between dots and colons.
fn is_address(run: &[u8]) -> bool {
    let digits = run.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'/' | b'-'));
    let count = |sign: u8| run.iter().filter(|byte| **byte == sign).count();
    let (dots, colons) = (count(b'.'), count(b':'));
    let decimal = || run.iter().all(|byte| !byte.is_ascii_alphabetic());
    let groups_of_two = || {
        run.split(|byte| matches!(byte, b':' | b'-')).all(|group| group.len() == 2) && (colons == 5 || count(b'-') == 5)
    };
    digits
        && ((dots == 3 && colons <= 1 && decimal() && run.first().is_some_and(u8::is_ascii_digit))
            || (colons >= 2 && run.first() != Some(&b'/') && count(b'-') == 0)
            || groups_of_two())
}

fn is_path(run: &[u8]) -> bool {
    let slashes = run.iter().filter(|byte| **byte == b'/').count();
    let begins = run.first() == Some(&b'/');
    (begins && run.len() > 1) || (slashes >= 2 && !run.contains(&b'='))
}

/// Takes a word without signs: what is a number is masked, and the digits at a name's end.
fn of_word(word: &[u8], masked: Option<Mask>, each: &mut impl FnMut(&[u8])) -> Option<Mask> {
    if is_number(word) {
        // `1.5`, `1:2`, `-3`: one number, not two.
        if masked != Some(Mask::Number) {
            each(Mask::Number.sign());
        }
        return Some(Mask::Number);
    }
    let name = word.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1);
    let (name, digits) = word.split_at(name);
    each(name);
    if digits.is_empty() {
        return None;
    }
    each(Mask::Number.sign());
    Some(Mask::Number)
}

/// Decimal with a unit of up to three letters, or base 16.
fn is_number(word: &[u8]) -> bool {
    let decimal = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unit = word.get(decimal..).unwrap_or_default();
    let has_unit = unit.len() <= 3 && unit.iter().all(u8::is_ascii_alphabetic);
    let base_16 = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    (decimal > 0 && has_unit)
        || word.strip_prefix(b"0x").or_else(|| word.strip_prefix(b"0X")).is_some_and(base_16)
        || (word.len() >= 8 && base_16(word) && word.iter().any(u8::is_ascii_digit))
        || (decimal > 0 && base_16(word))
}

/// What words are made of. Bytes beyond ASCII are letters of some script.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// What whole runs are made of.
fn is_run(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'.' | b':' | b'-' | b'/' | b'@' | b'+' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_masked() {
        for (body, expected) in [
            ("Accepted publickey for root from 192.0.2.7 port 52144 ssh2", "Accepted publickey for root from ⟨addr⟩ port ⟨n⟩ ssh⟨n⟩"),
            ("Started Session 12 of user root.", "Started Session ⟨n⟩ of user root."),
            ("BUG: unable to handle page fault for address: ffff888012345678", "BUG: unable to handle page fault for address: ⟨n⟩"),
            ("eth0: link down", "eth⟨n⟩: link down"),
            ("domain 4dea22b3-1d52-d8f3-2516-782e98ab3fa0 is gone", "domain ⟨uuid⟩ is gone"),
            ("ixgbe 0000:01:00.0: Reset adapter", "ixgbe ⟨addr⟩: Reset adapter"),
            ("cannot open /var/lib/x/y.db: no such file", "cannot open ⟨path⟩: no such file"),
            ("cannot open \"my file\": it's gone", "cannot open \"⟨text⟩\": it's gone"),
            ("took 1.532 s, 12ms, 0x1f", "took ⟨n⟩.⟨n⟩ s, ⟨n⟩, ⟨n⟩"),
            ("from 52:54:00:12:34:56 to fe80::1", "from ⟨addr⟩ to ⟨addr⟩"),
            ("  two   spaces ", "two spaces"),
            ("read/write failed", "read/write failed"),
            ("", ""),
        ] {
            assert_eq!(text(body.as_bytes()), expected, "{body}");
        }
    }
}
