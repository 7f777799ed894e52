//! Of which kinds the bytes of a text are, a bit each: found out for many bytes at once, so that what is plain is passed
//! over without a look at its bytes.

use super::bounds::BODY_BYTES_MAX;

/// Bytes of a block, one for each bit.
const BLOCK_BYTES: usize = 64;
/// Blocks of the longest text, and an empty one that ends it.
const BLOCKS: usize = BODY_BYTES_MAX / BLOCK_BYTES + 1;
/// Blocks of most texts: to empty all costs as much as a short text's template.
const BLOCKS_OF_MOST: usize = 5;

/// The kinds of 64 bytes; the first one's bits are the lowest.
#[derive(Debug, Clone, Copy, Default)]
pub struct Block {
    word: u64,
    run: u64,
    quote: u64,
    notable: u64,
}

impl Block {
    /// Letters, digits, `_` and, beyond ASCII, letters of some script.
    pub fn word(&self) -> u64 {
        self.word
    }

    /// The same and the signs that join words: `.`, `:`, `-`, `/`.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Quotation marks.
    pub fn quote(&self) -> u64 {
        self.quote
    }

    /// Where something may have to be masked: digits, joining signs with something behind them, quotation marks, spaces
    /// behind spaces, control characters.
    pub fn notable(&self) -> u64 {
        self.notable
    }
}

/// Where a text's kinds are kept.
pub struct Room {
    few: [Block; BLOCKS_OF_MOST],
    many: Option<[Block; BLOCKS]>,
}

impl Room {
    pub fn new() -> Self {
        Room { few: [Block::default(); BLOCKS_OF_MOST], many: None }
    }
}

/// The kinds of a text's bytes. What stands behind the text is of no kind.
pub struct Kinds<'a> {
    /// The last one is empty.
    blocks: &'a [Block],
}

impl<'a> Kinds<'a> {
    /// Of a text of at most [`BODY_BYTES_MAX`] bytes.
    pub fn of(text: &[u8], room: &'a mut Room) -> Self {
        let count = text.len().div_ceil(BLOCK_BYTES) + 1;
        let room = match count {
            ..=BLOCKS_OF_MOST => room.few.as_mut_slice(),
            _ => room.many.insert([Block::default(); BLOCKS]).as_mut_slice(),
        };
        look(text, room);
        Kinds { blocks: room.get(..count).unwrap_or_default() }
    }

    /// The first byte of a kind from there on.
    #[inline]
    pub fn next(&self, kind: impl Fn(&Block) -> u64, from: usize) -> Option<usize> {
        let mut index = from / BLOCK_BYTES;
        let mut bits = kind(self.blocks.get(index)?) & (u64::MAX << (from % BLOCK_BYTES));
        while bits == 0 {
            index += 1;
            bits = kind(self.blocks.get(index)?);
        }
        Some(index * BLOCK_BYTES + bits.trailing_zeros() as usize)
    }

    /// Where the bytes of a kind end that stand from there on.
    #[inline]
    pub fn end(&self, kind: impl Fn(&Block) -> u64, from: usize) -> usize {
        let mut index = from / BLOCK_BYTES;
        let mut within = u64::MAX << (from % BLOCK_BYTES);
        while let Some(block) = self.blocks.get(index) {
            let others = within & !kind(block);
            if others != 0 {
                return index * BLOCK_BYTES + others.trailing_zeros() as usize;
            }
            (index, within) = (index + 1, u64::MAX);
        }
        index * BLOCK_BYTES
    }

    /// Where the bytes of a kind begin that stand right before `to`; some place before `since` where that is before it.
    #[inline]
    pub fn begin(&self, kind: impl Fn(&Block) -> u64, to: usize, since: usize) -> usize {
        let mut index = to / BLOCK_BYTES;
        let mut within = !(u64::MAX << (to % BLOCK_BYTES));
        loop {
            let first = index * BLOCK_BYTES;
            let others = within & !self.blocks.get(index).map_or(0, &kind);
            if others != 0 {
                return first + others.ilog2() as usize + 1;
            }
            if first == 0 || first < since {
                return first;
            }
            (index, within) = (index - 1, u64::MAX);
        }
    }

    /// Whether the byte there is of a kind.
    #[inline]
    pub fn is(&self, kind: impl Fn(&Block) -> u64, at: usize) -> bool {
        self.blocks.get(at / BLOCK_BYTES).is_some_and(|block| kind(block) >> (at % BLOCK_BYTES) & 1 != 0)
    }
}

/// Fills blocks with the kinds of a text.
fn look(text: &[u8], blocks: &mut [Block]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: this processor has what it needs.
        return unsafe { vectors::look(text, blocks) };
    }
    look_with(text, blocks, Raw::one_by_one);
}

/// What the bytes of a block tell by themselves.
#[derive(Debug, Default, PartialEq, Eq)]
struct Raw {
    word: u64,
    run: u64,
    blank: u64,
    quote: u64,
    /// Digits, quotation marks, and the control characters among which all other spaces are.
    notable: u64,
}

#[inline(always)]
fn look_with(text: &[u8], blocks: &mut [Block], raw: impl Fn(&[u8; BLOCK_BYTES]) -> Raw) {
    let (whole, rest) = text.as_chunks::<BLOCK_BYTES>();
    let mut last = [0; BLOCK_BYTES];
    if let Some(place) = last.get_mut(..rest.len()) {
        place.copy_from_slice(rest);
    }
    let mut blank_before = 0;
    let mut blocks = blocks.iter_mut();
    let mut before: Option<&mut Block> = None;
    for bytes in whole.iter().chain(std::iter::once(&last)) {
        let Raw { word, run, blank, quote, notable } = raw(bytes);
        // A sign at the end of the block before joins what this one begins with.
        if let Some(before) = before {
            before.notable |= (before.run & !before.word) & run << 63;
        }
        let joint = (run & !word) & run >> 1;
        let not_first_blank = blank & (blank << 1 | blank_before >> 63);
        blank_before = blank;
        before = blocks.next().map(|block| {
            *block = Block { word, run, quote, notable: notable | joint | not_first_blank };
            block
        });
    }
}

impl Raw {
    fn one_by_one(bytes: &[u8; BLOCK_BYTES]) -> Raw {
        let mut raw = Raw::default();
        for (place, byte) in bytes.iter().enumerate() {
            let bit = 1 << place;
            match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => raw.word |= bit,
                b'.' | b':' | b'-' | b'/' => raw.run |= bit,
                b' ' => raw.blank |= bit,
                b'"' | b'\'' => raw.quote |= bit,
                _ => {}
            }
            if matches!(byte, b'0'..=b'9' | b'"' | b'\'' | b'\t'..=b'\r') {
                raw.notable |= bit;
            }
        }
        raw.run |= raw.word;
        raw
    }
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::{
        __m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8,
        _mm256_or_si256, _mm256_set1_epi8, _mm256_sub_epi8,
    };

    use super::{BLOCK_BYTES, Block, Raw, look_with};

    #[target_feature(enable = "avx2")]
    pub fn look(text: &[u8], blocks: &mut [Block]) {
        look_with(text, blocks, |bytes| raw(bytes));
    }

    /// Not a part of its caller: the compiler would draw what is done with the bits into the vectors, and take those to
    /// pieces for it.
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    fn raw(bytes: &[u8; BLOCK_BYTES]) -> Raw {
        let all = |byte: u8| _mm256_set1_epi8(byte.cast_signed());
        let is = |bytes: __m256i, byte: u8| _mm256_cmpeq_epi8(bytes, all(byte));
        let is_in = |bytes: __m256i, first: u8, last: u8| {
            let above = _mm256_sub_epi8(bytes, all(first));
            _mm256_cmpeq_epi8(_mm256_min_epu8(above, all(last - first)), above)
        };
        let either = |one: __m256i, other: __m256i| _mm256_or_si256(one, other);
        let mut raw = Raw::default();
        for (half, bytes) in bytes.as_chunks::<32>().0.iter().enumerate() {
            // SAFETY: it reads the array's 32 bytes, wherever they lie.
            let bytes = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
            // The highest bit of each byte, which those beyond ASCII have themselves.
            let bits = |bytes: __m256i| u64::from(_mm256_movemask_epi8(bytes).cast_unsigned()) << (half * 32);
            let digit = is_in(bytes, b'0', b'9');
            let letter = is_in(either(bytes, all(b' ')), b'a', b'z');
            let word = either(either(digit, letter), either(is(bytes, b'_'), bytes));
            let quote = either(is(bytes, b'"'), is(bytes, b'\''));
            raw.word |= bits(word);
            // `-`, `.`, `/`, the digits, `:` in the order of their numbers
            raw.run |= bits(either(word, is_in(bytes, b'-', b':')));
            raw.blank |= bits(is(bytes, b' '));
            raw.quote |= bits(quote);
            raw.notable |= bits(either(digit, either(quote, is_in(bytes, b'\t', b'\r'))));
        }
        raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_tell_of_each_byte_what_a_look_at_it_tells() {
        for first in 0..=u8::MAX {
            for length in [0, 1, 63, 64, 65, 128, 200] {
                let text: Vec<u8> = (0..=u8::MAX)
                    .map(|place| first.wrapping_add(place.wrapping_mul(7)))
                    .take(length)
                    .collect();
                let (mut vectors, mut one_by_one) = ([Block::default(); 5], [Block::default(); 5]);
                look(&text, &mut vectors);
                look_with(&text, &mut one_by_one, Raw::one_by_one);
                let all = |block: Block| [block.word, block.run, block.quote, block.notable];
                assert_eq!(vectors.map(all), one_by_one.map(all), "{length} bytes from {first} on");
            }
        }
    }
}
