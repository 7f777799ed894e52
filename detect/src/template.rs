//! The template of a message: its text with everything masked that differs from one time to the next. Nothing is learnt
//! and nothing is kept, so that the same message has the same template on every machine, today and in a year.
//!
//! Masked are, the widest form first:
//!
//! - what stands in quotation marks: `⟨text⟩`,
//! - universally unique identifiers: `⟨uuid⟩`,
//! - addresses of networks (IPv4, IPv6, MAC) and places on buses (`0000:01:00.0`): `⟨addr⟩`,
//! - paths and URLs, which begin with `/` or hold two of them: `⟨path⟩`,
//! - numbers, in base 16 too, with a sign or a unit, and several of them joined by signs (`1.5`, `0-3,5`, `15:02:11`): `⟨n⟩`,
//! - digits at the end of a name, which count things (`eth0`, `sda1`): `⟨n⟩`.
//!
//! Spaces in a row are one.

use xxhash_rust::xxh3::Xxh3;

/// Bytes of a message that its template looks at.
pub const BODY_BYTES_MAX: usize = 4096;

/// Bytes of an address or a path that are looked at to tell that it is one.
const RUN_BYTES_MAX: usize = 256;

/// The fingerprint of a message's template: equal for messages that differ only in what is masked. Nothing is allocated.
pub fn template(body: &[u8]) -> u64 {
    let mut gathered = Gathered { bytes: [0; GATHERED_BYTES], length: 0, hash: None };
    pieces(body, |piece| gathered.push(piece));
    gathered.digest()
}

/// The template itself, for people.
pub fn text(body: &[u8]) -> String {
    let mut text = Vec::new();
    pieces(body, |piece| text.extend_from_slice(piece));
    String::from_utf8_lossy(&text).into_owned()
}

/// The fingerprint of a record: of its program and its first line, without what syslog, consoles and the kernel put in
/// front, which differs between machines and sources. Never 0.
pub fn of_record(body: &[u8], program: &str) -> u64 {
    let of_program = xxhash_rust::xxh3::xxh3_64(program.as_bytes());
    (template(message(body, program.as_bytes())) ^ of_program).max(1)
}

/// As [`of_record`], for people.
pub fn text_of_record(body: &[u8], program: &str) -> String {
    let text = text(message(body, program.as_bytes()));
    if program.is_empty() { text } else { format!("{program}: {text}") }
}

/// How far into a line a program's name is looked for.
const PREFIX_BYTES_MAX: usize = 128;
/// Bytes of a bracket in front of a message: a date, a clock, a caller.
const BRACKET_BYTES_MAX: usize = 40;
const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
/// `Nov 20 15:02:11 `
const DATE_BYTES: usize = 16;

/// The first line's message, behind dates, names and clocks.
fn message<'a>(body: &'a [u8], program: &[u8]) -> &'a [u8] {
    let end = memchr::memchr(b'\n', body).unwrap_or(body.len());
    let line = body.get(..end.min(BODY_BYTES_MAX)).unwrap_or(body);
    let mut rest = behind_program(line, program).unwrap_or_else(|| behind_date(line));
    while let Some(inner) = rest.trim_ascii_start().strip_prefix(b"[") {
        let Some(close) =
            memchr::memchr(b']', inner.get(..BRACKET_BYTES_MAX.min(inner.len())).unwrap_or_default())
        else {
            break;
        };
        let (content, behind) = inner.split_at(close);
        let content = content.trim_ascii();
        let content = content.strip_prefix(b"T").or(content.strip_prefix(b"C")).unwrap_or(content);
        let counts = |byte: &u8| {
            byte.is_ascii_digit() || matches!(byte, b'.' | b':' | b'-' | b' ' | b'+' | b'T' | b'Z')
        };
        if content.is_empty() || !content.iter().all(counts) {
            break;
        }
        rest = behind.get(1..).unwrap_or_default();
    }
    rest
}

/// What follows a date as syslog writes it and the name of the host: `Nov 20 15:02:11 hv01 `, `2026-11-20T15:02:11Z hv01 `.
/// The kernel's own tag is left out as well: consoles do not have it.
fn behind_date(line: &[u8]) -> &[u8] {
    let digits = |range: std::ops::Range<usize>| {
        line.get(range).is_some_and(|bytes| bytes.iter().all(u8::is_ascii_digit))
    };
    let short = MONTHS.iter().any(|month| line.starts_with(month)) && line.get(9) == Some(&b':');
    let long = digits(0..4) && digits(5..7) && digits(8..10) && line.get(10) == Some(&b'T');
    let dated = if short {
        line.get(DATE_BYTES..)
    } else if long {
        memchr::memchr(b' ', line.get(..BRACKET_BYTES_MAX.min(line.len())).unwrap_or_default())
            .and_then(|space| line.get(space + 1..))
    } else {
        None
    };
    let Some(dated) = dated else { return line };
    // The host's name is followed by a tag; what has none is a message at once.
    let words = memchr::memchr(b' ', dated).and_then(|space| {
        let behind = dated.get(space + 1..)?;
        let tag = behind.get(..memchr::memchr(b' ', behind).unwrap_or(behind.len()))?;
        tag.ends_with(b":").then_some(behind)
    });
    let behind = words.unwrap_or(dated);
    behind.strip_prefix(b"kernel:").unwrap_or(behind)
}

/// What follows `program:` or `program[123]:`.
fn behind_program<'a>(line: &'a [u8], program: &[u8]) -> Option<&'a [u8]> {
    if program.is_empty() {
        return None;
    }
    let at = memchr::memmem::find(line.get(..PREFIX_BYTES_MAX.min(line.len()))?, program)?;
    let mut behind = line.get(at + program.len()..)?;
    if let Some(inner) = behind.strip_prefix(b"[") {
        let close = memchr::memchr(b']', inner.get(..BRACKET_BYTES_MAX.min(inner.len()))?)?;
        behind = inner.get(close + 1..)?;
    }
    behind.strip_prefix(b":")
}

const GATHERED_BYTES: usize = 512;

/// Pieces on their way into a hash, which takes many small ones slowly; most templates are hashed at once.
struct Gathered {
    bytes: [u8; GATHERED_BYTES],
    length: usize,
    /// What came before them.
    hash: Option<Box<Xxh3>>,
}

impl Gathered {
    fn push(&mut self, piece: &[u8]) {
        let end = self.length + piece.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(piece);
            self.length = end;
            return;
        }
        let hash = self.hash.get_or_insert_default();
        hash.update(self.bytes.get(..self.length).unwrap_or_default());
        hash.update(piece);
        self.length = 0;
    }

    fn digest(mut self) -> u64 {
        let rest = self.bytes.get(..self.length).unwrap_or_default();
        match &mut self.hash {
            None => xxhash_rust::xxh3::xxh3_64(rest),
            Some(hash) => {
                hash.update(rest);
                hash.digest()
            }
        }
    }
}

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
fn pieces(body: &[u8], mut each: impl FnMut(&[u8])) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_differs_is_masked() {
        for (body, expected) in [
            (
                "Accepted publickey for root from 192.0.2.7 port 52144 ssh2",
                "Accepted publickey for root from ⟨addr⟩ port ⟨n⟩ ssh⟨n⟩",
            ),
            ("Started Session 12 of user root.", "Started Session ⟨n⟩ of user root."),
            (
                "unable to handle page fault for address: ffff888012345678",
                "unable to handle page fault for address: ⟨n⟩",
            ),
            ("eth0: link down; sda1, sda2", "eth⟨n⟩: link down; sda⟨n⟩, sda⟨n⟩"),
            ("domain 4dea22b3-1d52-d8f3-2516-782e98ab3fa0 is gone", "domain ⟨uuid⟩ is gone"),
            ("ixgbe 0000:01:00.0: Reset adapter", "ixgbe ⟨addr⟩: Reset adapter"),
            ("cannot open /var/lib/x/y.db: no such file", "cannot open ⟨path⟩: no such file"),
            ("GET https://example.org/a?b=1", "GET ⟨path⟩?b=⟨n⟩"),
            ("cannot open \"my file\": it's gone", "cannot open \"⟨text⟩\": it's gone"),
            ("took 1.532 s, then 12ms; -3 and 0x1f", "took ⟨n⟩ s, then ⟨n⟩; ⟨n⟩ and ⟨n⟩"),
            ("cpus 0-3,5 at 15:02:11", "cpus ⟨n⟩ at ⟨n⟩"),
            ("from 52:54:00:12:34:56 to fe80::1", "from ⟨addr⟩ to ⟨addr⟩"),
            ("I/O error, dev sda, read/write", "I/O error, dev sda, read/write"),
            ("kworker/0:1H and kworker/12:3", "kworker/⟨n⟩ and kworker/⟨n⟩"),
            ("  two   spaces \n", "two spaces"),
            ("feed deadbeef cafe", "feed deadbeef cafe"),
            ("", ""),
        ] {
            assert_eq!(text(body.as_bytes()), expected, "{body}");
        }
    }

    fn word_of_letters() -> impl Strategy<Value = String> {
        "[g-z]{1,9}"
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_fingerprint_is_the_templates(body in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut whole = Vec::new();
            pieces(&body, |piece| whole.extend_from_slice(piece));
            prop_assert_eq!(template(&body), xxhash_rust::xxh3::xxh3_64(&whole));
        }

        #[test]
        fn other_values_make_no_other_template(
            words in prop::collection::vec(word_of_letters(), 1..8),
            one in prop::collection::vec((any::<u32>(), any::<u64>(), any::<[u8; 4]>()), 8),
            other in prop::collection::vec((any::<u32>(), any::<u64>(), any::<[u8; 4]>()), 8),
        ) {
            let message = |values: &[(u32, u64, [u8; 4])]| {
                words.iter().zip(values).map(|(word, (number, address, [a, b, c, d]))| {
                    format!("{word} {number} ({word}{number}) at {address:#x} from {a}.{b}.{c}.{d}:{number}, /{word}/{number}\n")
                }).collect::<String>()
            };
            prop_assert_eq!(template(message(&one).as_bytes()), template(message(&other).as_bytes()));
        }

        #[test]
        fn other_words_make_another_template(
            words in prop::collection::vec(word_of_letters(), 1..8),
            place in any::<prop::sample::Index>(),
            number in any::<u32>(),
        ) {
            let message = |words: &[String]| format!("{} {number}", words.join(" "));
            let mut others = words.clone();
            let place = place.index(others.len());
            others[place].push('y');
            prop_assert_ne!(template(message(&words).as_bytes()), template(message(&others).as_bytes()));
        }
    }

    #[test]
    fn what_stands_in_front_of_a_message_is_no_part_of_its_template() {
        let same = [
            ("Nov 20 15:02:11 hv01 kernel: [   12.345678] nf_conntrack: table full", "kernel"),
            ("2026-11-20T15:02:11.5+01:00 hv02 kernel: [99.000001] nf_conntrack: table full", "kernel"),
            ("[2026-11-20 15:02:11] [   12.345678][  T123] nf_conntrack: table full", "kernel"),
            ("nf_conntrack: table full\nand another line", "kernel"),
        ];
        for (body, program) in same {
            assert_eq!(
                text_of_record(body.as_bytes(), program),
                "kernel: nf_conntrack: table full",
                "{body}"
            );
            assert_eq!(of_record(body.as_bytes(), program), of_record(b"nf_conntrack: table full", "kernel"));
        }
        for (body, program, expected) in [
            ("Nov 20 15:02:11 hv01 sshd[811]: Accepted key for root", "sshd", "sshd: Accepted key for root"),
            ("Jan  2 03:04:05 something else", "", "something else"),
            ("Jan  2 03:04:05 hv01 sshd[811]: Accepted key", "", "sshd[⟨n⟩]: Accepted key"),
            (
                "2026-11-20T15:02:11.5+01:00 hv02 kernel: [99.000001] loop: module loaded",
                "",
                "loop: module loaded",
            ),
            ("[   12.345678] loop: module loaded", "", "loop: module loaded"),
            ("[error] 12 lost", "", "[error] ⟨n⟩ lost"),
            ("", "", ""),
        ] {
            assert_eq!(text_of_record(body.as_bytes(), program), expected);
        }
        assert_ne!(of_record(b"started", "nginx"), of_record(b"started", "sshd"));
    }
}
