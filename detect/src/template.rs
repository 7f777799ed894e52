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

mod bounds;
mod kinds;
mod masked;
mod message;
#[cfg(test)]
mod reference;

use xxhash_rust::xxh3::Xxh3;

pub use bounds::BODY_BYTES_MAX;
use masked::{MASK_BYTES_MAX, Mask, Pieces, pieces};
use message::message;

/// The fingerprint of a message's template: equal for messages that differ only in what is masked. Nothing is allocated.
pub fn template(body: &[u8]) -> u64 {
    let mut gathered = Gathered { bytes: [0; GATHERED_BYTES], length: 0, hash: None };
    pieces(body, &mut gathered);
    gathered.digest()
}

/// The template itself, for people.
pub fn text(body: &[u8]) -> String {
    let mut text = Vec::new();
    pieces(body, &mut text);
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

impl Pieces for Vec<u8> {
    fn push(&mut self, rest: &[u8], length: usize, mask: &'static Mask) {
        self.extend_from_slice(rest.get(..length).unwrap_or_default());
        self.extend_from_slice(mask.bytes.get(..mask.length).unwrap_or_default());
    }
}

const GATHERED_BYTES: usize = 512;
/// Bytes that are copied at once, whether all of them are wanted or not: cheaper than a call that looks at their number.
const COPIED_BYTES: usize = 32;

/// Pieces on their way into a hash, which takes many small ones slowly; most templates are hashed at once.
struct Gathered {
    bytes: [u8; GATHERED_BYTES],
    length: usize,
    /// What came before them.
    hash: Option<Box<Xxh3>>,
}

impl Pieces for Gathered {
    #[inline]
    fn push(&mut self, rest: &[u8], length: usize, mask: &'static Mask) {
        if self.length + length + MASK_BYTES_MAX > GATHERED_BYTES {
            self.hash(rest.get(..length).unwrap_or_default());
        } else {
            let room = self.bytes.get_mut(self.length..).unwrap_or_default();
            if length <= COPIED_BYTES
                && let Some(from) = rest.first_chunk::<COPIED_BYTES>()
                && let Some(to) = room.first_chunk_mut()
            {
                *to = *from;
            } else if length > 0
                && let (Some(from), Some(to)) = (rest.get(..length), room.get_mut(..length))
            {
                to.copy_from_slice(from);
            }
            self.length += length;
        }
        if let Some(to) = self.bytes.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut) {
            *to = mask.bytes;
            self.length += mask.length;
        }
    }
}

impl Gathered {
    /// Makes room: hashes what was gathered, and what comes next.
    #[cold]
    fn hash(&mut self, piece: &[u8]) {
        let hash = self.hash.get_or_insert_default();
        hash.update(self.bytes.get(..self.length).unwrap_or_default());
        hash.update(piece);
        self.length = 0;
    }

    fn digest(&mut self) -> u64 {
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

    /// What texts are made of where something may be masked, in any order; now and then longer than a block of bytes.
    fn part() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            8 => prop::sample::select(b"0159afgzAFGZ_xX.:-/+,\"' \t\x0b()=".to_vec()).prop_map(|byte| vec![byte]),
            1 => any::<u8>().prop_map(|byte| vec![byte]),
            1 => prop::sample::select(vec![" ", "  ", "ä", "10.0.0.1", "fe80::1", "0x1f", "52:54:00:12:34:56", "/var/lib",
                "4dea22b3-1d52-d8f3-2516-782e98ab3fa0", "0000:01:00.0", "eth0", "-1", "12ms", "https://"])
                .prop_map(|text| text.as_bytes().to_vec()),
            1 => (prop::sample::select(b"a0:./ ".to_vec()), 1..300_usize).prop_map(|(byte, count)| vec![byte; count]),
            1 => "[0-9a-f:./-]{1,40}".prop_map(String::into_bytes),
            1 => "[a-z]{1,9}".prop_map(String::into_bytes),
        ]
    }

    fn word_of_letters() -> impl Strategy<Value = String> {
        "[g-z]{1,9}"
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_fingerprint_is_the_templates(body in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut whole = Vec::new();
            reference::pieces(&body, |piece| whole.extend_from_slice(piece));
            prop_assert_eq!(template(&body), xxhash_rust::xxh3::xxh3_64(&whole));
        }

        #[test]
        fn the_fast_way_gives_what_a_look_at_each_byte_gives(
            parts in prop::collection::vec(part(), 0..80),
            program in "[a-z]{0,3}",
        ) {
            let body = parts.concat();
            let (mut expected, mut found) = (Vec::new(), Vec::new());
            reference::pieces(&body, |piece| expected.extend_from_slice(piece));
            pieces(&body, &mut found);
            prop_assert_eq!(template(&body), xxhash_rust::xxh3::xxh3_64(&expected));
            prop_assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(&expected));
            // Nothing is kept from one to the next, and nothing depends on where a text lies.
            prop_assert_eq!(of_record(&body, &program), of_record(&[body.as_slice(), b"\nmore"].concat(), &program));
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
