//! Templates one byte at a time: what the fast way has to give.

use super::bounds::BODY_BYTES_MAX;

/// Bytes of an address or a path that are looked at to tell that it is one.
const RUN_BYTES_MAX: usize = 256;

const TEXT: &[u8] = "⟨text⟩".as_bytes();
const UUID: &[u8] = "⟨uuid⟩".as_bytes();
const ADDRESS: &[u8] = "⟨addr⟩".as_bytes();
const PATH: &[u8] = "⟨path⟩".as_bytes();
const NUMBER: &[u8] = "⟨n⟩".as_bytes();

/// Something that differs from one time to the next, by its places from where it was looked for.
struct Masked {
    /// What stands before it stays.
    from: usize,
    /// What stands for it.
    mask: &'static [u8],
    /// Where it ends.
    to: usize,
    /// Up to here everything has been looked at.
    length: usize,
}

/// Calls for each piece of the template, in order. What is not masked is handed on in as long pieces as there are.
pub fn pieces(body: &[u8], mut each: impl FnMut(&[u8])) {
    let body = body.get(..body.len().min(BODY_BYTES_MAX)).unwrap_or(body).trim_ascii();
    let of = |at: usize| body.get(at).map_or(0, |byte| class(*byte));
    // Where what is to be handed on as it is begins.
    let mut plain = 0;
    let mut at = 0;
    let mut before = SPACE;
    while let Some(&byte) = body.get(at) {
        let is = class(byte);
        if byte == b' ' && of(at + 1) & SPACE == 0 {
            (at, before) = (at + 1, is);
            continue;
        }
        let rest = body.get(at..).unwrap_or_default();
        // Runs are looked at as a whole where they begin; within them words are.
        let begins_run = is & RUN != 0 && before & RUN == 0;
        let mut masked = None;
        let mut taken = 1;
        if is & WORD != 0 {
            let (length, holds) = word_length(rest);
            taken = length;
            // A run of one word is that word, as is one that ends with a sign.
            if begins_run && of(at + length) & RUN != 0 && of(at + length + 1) & RUN != 0 {
                masked = whole(rest);
            }
            if masked.is_none() && holds & DIGIT != 0 {
                masked = number(rest, length);
            }
        } else if is & SPACE != 0 {
            let length = count(rest, |byte| class(byte) & SPACE != 0);
            masked = Some(Masked { from: 0, mask: b" ", to: length, length });
        } else if begins_run
            && of(at + 1) & RUN != 0
            && let Some(run) = whole(rest)
        {
            masked = Some(run);
        } else if matches!(byte, b'-' | b'+') && before & WORD == 0 && of(at + 1) & DIGIT != 0 {
            // A sign in front of a number.
            masked = Some(Masked { from: 0, mask: b"", to: 1, length: 1 });
        } else if matches!(byte, b'"' | b'\'') && before & WORD == 0 {
            masked = quoted(rest);
        }
        if let Some(Masked { from, mask, to, length }) = masked {
            each(body.get(plain..at + from).unwrap_or_default());
            each(mask);
            (taken, plain) = (length, at + to);
        }
        at += taken;
        before = of(at - 1);
    }
    each(body.get(plain..).unwrap_or_default());
}

fn count(text: &[u8], mut wanted: impl FnMut(u8) -> bool) -> usize {
    text.iter().position(|byte| !wanted(*byte)).unwrap_or(text.len())
}

/// The length of the word at the beginning, and what of all kinds it holds.
fn word_length(rest: &[u8]) -> (usize, u8) {
    let mut holds = 0;
    let length = count(rest, |byte| {
        let is = class(byte);
        holds |= is;
        is & WORD != 0
    });
    // What ends the word is no digit.
    (length, holds)
}

/// What stands in quotation marks.
fn quoted(rest: &[u8]) -> Option<Masked> {
    let mark = *rest.first()?;
    let within = memchr::memchr(mark, rest.get(1..)?).filter(|within| *within > 0)?;
    let masked = Masked { from: 1, mask: TEXT, to: within + 1, length: within + 2 };
    rest.get(within + 2).is_none_or(|behind| !is_word(*behind)).then_some(masked)
}

/// What a run of letters, digits and joining signs is as a whole.
fn whole(rest: &[u8]) -> Option<Masked> {
    let (mut slashes, mut joints, mut bytes, mut length) = (0, 0, 0, 0);
    for byte in rest.iter().take(RUN_BYTES_MAX) {
        let is = class(*byte);
        if is & RUN == 0 {
            break;
        }
        bytes += 1;
        slashes += usize::from(*byte == b'/');
        if is & WORD != 0 || *byte == b'/' {
            // What ends a sentence or a clause is not of it.
            length = bytes;
        } else {
            joints += 1;
        }
    }
    let run = rest.get(..length)?;
    let of = |mask, length| Some(Masked { from: 0, mask, to: length, length });
    if joints >= 2 && is_uuid(run) {
        of(UUID, length)
    } else if joints >= 2 && is_address(run) {
        of(ADDRESS, length)
    } else if slashes >= 2 || (slashes == 1 && length > 1 && run.first() == Some(&b'/')) {
        of(PATH, if bytes == RUN_BYTES_MAX { count(rest, is_run) } else { length })
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

fn is_address(run: &[u8]) -> bool {
    if !run.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'/' | b'-')) {
        return false;
    }
    let of = |sign: u8| run.iter().filter(|byte| **byte == sign).count();
    let (dots, colons, dashes) = (of(b'.'), of(b':'), of(b'-'));
    let has_letters = run.iter().any(u8::is_ascii_alphabetic);
    let is_ipv4 = dots == 3 && colons <= 1 && dashes == 0 && !has_letters;
    let is_ipv6 = dashes == 0 && (colons >= 6 || memchr::memmem::find(run, b"::").is_some());
    let is_mac = (colons == 5 && dashes == 0 || dashes == 5 && colons == 0)
        && run.split(|byte| matches!(byte, b':' | b'-')).all(|group| group.len() == 2);
    let is_bus = (1..=2).contains(&colons)
        && dots == 1
        && dashes == 0
        && run
            .split(|byte| *byte == b':')
            .rev()
            .take(1)
            .all(|last| last.len() == 4 && last.get(2) == Some(&b'.'));
    is_ipv4 || is_ipv6 || is_mac || is_bus
}

/// A word that is a number, or the digits at the end of a name, which count things; with the numbers joined to them.
fn number(rest: &[u8], length: usize) -> Option<Masked> {
    let word = rest.get(..length)?;
    let from = if is_number(word) {
        0
    } else {
        word.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1)
    };
    let to = length + joined(rest.get(length..).unwrap_or_default());
    (from < length).then_some(Masked { from, mask: NUMBER, to, length: to })
}

/// The length of numbers that are joined to one by signs.
fn joined(rest: &[u8]) -> usize {
    let mut length = 0;
    while let Some(more) = rest.get(length..) {
        let next = more.get(1..).unwrap_or_default();
        let word = next.get(..count(next, is_word)).unwrap_or_default();
        if !more.first().is_some_and(|sign| b".,:-/+".contains(sign)) || !is_number(word) {
            break;
        }
        length += 1 + word.len();
    }
    length
}

/// Decimal, with a unit of up to three letters; base 16 behind 0x, with a leading digit, or from eight digits on.
fn is_number(word: &[u8]) -> bool {
    let decimal = count(word, |byte| byte.is_ascii_digit());
    let unit = word.get(decimal..).unwrap_or_default();
    let is_hex = || unit.iter().all(u8::is_ascii_hexdigit);
    if decimal == 0 {
        return word.len() >= 8 && is_hex() && word.iter().any(u8::is_ascii_digit);
    }
    (unit.len() <= 3 && unit.iter().all(u8::is_ascii_alphabetic))
        || is_hex()
        || (matches!(unit.first(), Some(b'x' | b'X')) && unit.iter().skip(1).all(u8::is_ascii_hexdigit))
}

const WORD: u8 = 1;
const DIGIT: u8 = 2;
const RUN: u8 = 4;
const SPACE: u8 = 8;

/// The kinds that a byte is of: words are letters, digits, `_` and, beyond ASCII, letters of some script; runs have
/// joining signs as well.
#[allow(clippy::indexing_slicing, reason = "a byte is an index of it")]
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    loop {
        classes[byte as usize] = match byte {
            b'0'..=b'9' => WORD | RUN | DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => WORD | RUN,
            b'.' | b':' | b'-' | b'/' => RUN,
            _ if byte.is_ascii_whitespace() => SPACE,
            _ => 0,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}

fn is_word(byte: u8) -> bool {
    class(byte) & WORD != 0
}

fn is_run(byte: u8) -> bool {
    class(byte) & RUN != 0
}
