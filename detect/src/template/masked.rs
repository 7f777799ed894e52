//! What of a text differs from one time to the next, and what stands for it.

use super::{
    bounds::BODY_BYTES_MAX,
    kinds::{Block, Kinds, Room},
};

/// Bytes of an address or a path that are looked at to tell that it is one.
const RUN_BYTES_MAX: usize = 256;

/// What stands for something that is masked: at most so many bytes, which are copied whatever its length is.
#[derive(Debug)]
pub struct Mask {
    pub bytes: [u8; MASK_BYTES_MAX],
    pub length: usize,
}

pub const MASK_BYTES_MAX: usize = 16;

impl Mask {
    const fn of(text: &str) -> Mask {
        let mut bytes = [0; MASK_BYTES_MAX];
        let (place, _) = bytes.split_at_mut(text.len());
        place.copy_from_slice(text.as_bytes());
        Mask { bytes, length: text.len() }
    }
}

const NOTHING: Mask = Mask::of("");
const SPACE: Mask = Mask::of(" ");
/// With the mark behind it.
const TEXT: Mask = Mask::of("⟨text⟩\"");
const TEXT_IN_SINGLE_MARKS: Mask = Mask::of("⟨text⟩'");
const UUID: Mask = Mask::of("⟨uuid⟩");
const ADDRESS: Mask = Mask::of("⟨addr⟩");
const PATH: Mask = Mask::of("⟨path⟩");
const NUMBER: Mask = Mask::of("⟨n⟩");

/// Takes the pieces of a template, in order.
pub trait Pieces {
    /// The first `length` bytes of `rest` as they are, and then the mask.
    fn push(&mut self, rest: &[u8], length: usize, mask: &'static Mask);
}

/// Hands the pieces of the template on.
pub fn pieces(body: &[u8], out: &mut impl Pieces) {
    let body = body.get(..body.len().min(BODY_BYTES_MAX)).unwrap_or(body).trim_ascii();
    let mut room = Room::new();
    let kinds = Kinds::of(body, &mut room);
    Masker { body, kinds, plain: 0, out }.run();
}

/// What a look at a notable byte has shown.
enum Look {
    /// Nothing: up to here all is plain.
    Plain(usize),
    /// What stands before `from` stays; up to `to` the mask stands for what is there.
    Masked { from: usize, mask: &'static Mask, to: usize },
}

/// Goes from one notable byte to the next; whatever lies between them is plain.
struct Masker<'a, Out> {
    body: &'a [u8],
    kinds: Kinds<'a>,
    /// Where what is to be handed on as it is begins.
    plain: usize,
    out: &'a mut Out,
}

impl<Out: Pieces> Masker<'_, Out> {
    fn run(mut self) {
        // Before it everything has been looked at.
        let mut at = 0;
        while let Some(place) = self.kinds.next(Block::notable, at) {
            let look = match self.byte(place) {
                b'"' | b'\'' => self.quoted(place),
                b'\t'..=b' ' => self.spaces(place),
                _ => self.in_run(place, at),
            };
            at = match look {
                Look::Plain(to) => to,
                Look::Masked { from, mask, to } => {
                    self.mask(from, mask, to);
                    to
                }
            };
        }
        self.mask(self.body.len(), &NOTHING, self.body.len());
    }

    #[inline]
    fn mask(&mut self, from: usize, mask: &'static Mask, to: usize) {
        let rest = self.body.get(self.plain..).unwrap_or_default();
        self.out.push(rest, from - self.plain, mask);
        self.plain = to;
    }

    fn byte(&self, at: usize) -> u8 {
        self.body.get(at).copied().unwrap_or_default()
    }

    /// A digit, or a sign with something behind it. Runs are looked at as a whole where they begin; within them words are.
    #[inline]
    fn in_run(&mut self, place: usize, since: usize) -> Look {
        // A word begins, too, where a run was cut that is too long.
        let word = self.kinds.begin(Block::word, place, self.plain).max(self.plain);
        let end = self.kinds.end(Block::word, place);
        let run = match word {
            1.. if self.kinds.is(Block::run, word - 1) => self.kinds.begin(Block::run, word, since),
            _ => word,
        };
        if run >= since {
            self.leave_sign_out(run);
            // A run of one word is that word, as is one that ends with a sign.
            let is_joined = self.kinds.is(Block::run, end) && self.kinds.is(Block::run, end + 1);
            if is_joined && let Some((mask, to)) = self.whole(run) {
                return Look::Masked { from: run, mask, to };
            }
        }
        if end == place {
            return Look::Plain(place + 1);
        }
        self.leave_sign_out(word);
        match self.number(word, end) {
            Some((from, to)) => Look::Masked { from, mask: &NUMBER, to },
            None => Look::Plain(end),
        }
    }

    /// A sign in front of a number is of it.
    #[inline]
    fn leave_sign_out(&mut self, number: usize) {
        if number > self.plain
            && let sign = number - 1
            && matches!(self.byte(sign), b'-' | b'+')
            && self.byte(number).is_ascii_digit()
            && (sign == 0 || !self.kinds.is(Block::word, sign - 1))
        {
            self.mask(sign, &NOTHING, number);
        }
    }

    fn spaces(&self, place: usize) -> Look {
        let is_space = |byte: &u8| byte.is_ascii_whitespace();
        let (before, behind) = self.body.split_at_checked(place).unwrap_or_default();
        let length = behind.iter().take_while(|byte| is_space(byte)).count();
        // Other control characters are none.
        if length == 0 {
            return Look::Plain(place + 1);
        }
        let from = place - before.iter().rev().take_while(|byte| is_space(byte)).count();
        Look::Masked { from, mask: &SPACE, to: place + length }
    }

    /// What stands in quotation marks.
    fn quoted(&self, place: usize) -> Look {
        let (mark, from) = (self.byte(place), place + 1);
        if place > 0 && self.kinds.is(Block::word, place - 1) {
            return Look::Plain(from);
        }
        let mut end = self.kinds.next(Block::quote, from);
        while let Some(other) = end.filter(|end| self.byte(*end) != mark) {
            end = self.kinds.next(Block::quote, other + 1);
        }
        match end {
            Some(end) if end > from && !self.kinds.is(Block::word, end + 1) => {
                let mask = if mark == b'"' { &TEXT } else { &TEXT_IN_SINGLE_MARKS };
                Look::Masked { from, mask, to: end + 1 }
            }
            _ => Look::Plain(from),
        }
    }

    /// What a run of letters, digits and joining signs is as a whole, and where it ends.
    fn whole(&self, begin: usize) -> Option<(&'static Mask, usize)> {
        let end = self.kinds.end(Block::run, begin);
        let is_cut = end - begin >= RUN_BYTES_MAX;
        let seen = self.body.get(begin..end.min(begin + RUN_BYTES_MAX))?;
        // What ends a sentence or a clause is not of it.
        let last = seen.iter().rposition(|byte| !matches!(byte, b'.' | b':' | b'-'))?;
        let run = seen.get(..=last)?;
        let signs = Signs::of(run);
        let to = begin + run.len();
        if signs.dashes == 4 && is_uuid(run) {
            Some((&UUID, to))
        } else if is_address(run, &signs) {
            Some((&ADDRESS, to))
        } else if signs.slashes >= 2 || (signs.slashes == 1 && run.len() > 1 && run.first() == Some(&b'/')) {
            Some((&PATH, if is_cut { end } else { to }))
        } else {
            None
        }
    }

    /// A word that is a number, or the digits at the end of a name, which count things; with the numbers joined to them.
    fn number(&self, begin: usize, end: usize) -> Option<(usize, usize)> {
        let word = self.body.get(begin..end)?;
        let from = if is_number(word) {
            0
        } else {
            word.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1)
        };
        (from < word.len()).then(|| (begin + from, self.joined(end)))
    }

    /// Where numbers end that are joined to one by signs.
    fn joined(&self, mut end: usize) -> usize {
        while matches!(self.byte(end), b'.' | b',' | b':' | b'-' | b'/' | b'+') {
            let word_end = self.kinds.end(Block::word, end + 1);
            if !self.body.get(end + 1..word_end).is_some_and(is_number) {
                break;
            }
            end = word_end;
        }
        end
    }
}

/// How many signs of each kind a run has.
struct Signs {
    dots: u16,
    colons: u16,
    dashes: u16,
    slashes: u16,
}

impl Signs {
    fn of(run: &[u8]) -> Signs {
        // All four numbers in one, each as wide as a run may be long.
        let all: u64 =
            run.iter().map(|byte| SIGN_OF.get(usize::from(*byte)).copied().unwrap_or_default()).sum();
        let [dots, colons, dashes, slashes] =
            [0, 16, 32, 48].map(|place| u16::try_from(all >> place & 0xffff).unwrap_or_default());
        Signs { dots, colons, dashes, slashes }
    }
}

/// One in the number of each sign's kind: a look into a table costs a third of telling the signs apart.
#[allow(clippy::indexing_slicing, reason = "a byte is an index of it")]
static SIGN_OF: [u64; 256] = {
    let mut numbers = [0; 256];
    numbers[b'.' as usize] = 1;
    numbers[b':' as usize] = 1 << 16;
    numbers[b'-' as usize] = 1 << 32;
    numbers[b'/' as usize] = 1 << 48;
    numbers
};

fn is_uuid(run: &[u8]) -> bool {
    run.len() == 36
        && run.iter().enumerate().all(|(place, byte)| {
            if matches!(place, 8 | 13 | 18 | 23) { *byte == b'-' } else { byte.is_ascii_hexdigit() }
        })
}

fn is_address(run: &[u8], signs: &Signs) -> bool {
    let Signs { dots, colons, dashes, slashes: _ } = *signs;
    // `.`, `/`, the digits, `:` in the order of their numbers
    let is_of_ipv4 = |byte: &u8| matches!(byte, b'.'..=b':');
    if dots == 3 && colons <= 1 && run.iter().all(is_of_ipv4) {
        return true;
    }
    // Everything else has two of these at least; most runs with so many signs hold something else that tells.
    let is_of_address = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'/' | b'-');
    if colons + dashes + dots < 2 || !run.iter().all(is_of_address) {
        return false;
    }
    let is_ipv6 = dashes == 0 && (colons >= 6 || run.windows(2).any(|two| two == b"::"));
    let is_mac = (colons == 5 && dashes == 0 || dashes == 5 && colons == 0)
        && run.split(|byte| matches!(byte, b':' | b'-')).all(|group| group.len() == 2);
    let last_group = || run.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    let is_bus = (1..=2).contains(&colons)
        && dots == 1
        && dashes == 0
        && last_group().len() == 4
        && last_group().get(2) == Some(&b'.');
    is_ipv6 || is_mac || is_bus
}

/// Decimal, with a unit of up to three letters; base 16 behind 0x, with a leading digit, or from eight digits on.
fn is_number(word: &[u8]) -> bool {
    let is_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    let decimal = word.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(word.len());
    if decimal == 0 {
        return word.len() >= 8 && is_hex(word) && word.iter().any(u8::is_ascii_digit);
    }
    match word.get(decimal..).unwrap_or_default() {
        [] => true,
        unit if unit.len() <= 3 && unit.iter().all(u8::is_ascii_alphabetic) => true,
        [b'x' | b'X', digits @ ..] | digits => is_hex(digits),
    }
}
