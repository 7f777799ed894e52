//! What was read of a content, as checksums of its pieces: enough to say, of bytes that are found later, up to where
//! they are the same. Pure.
//!
//! A piece ends where a line ends. Near the place up to which was read there is one for each line; further back they
//! are joined, so that a piece is no longer than a quarter of its distance from that place. CRC-32 is used because the
//! sums of two neighbours give the sum of both without reading either again.

use std::io;

use serde::{Deserialize, Serialize};

/// Lines at the end of a stretch, and of a trace, that keep a piece of their own.
const FINE_PIECES: usize = 32;
/// Pieces of a trace at which neighbours are joined.
const PIECES_MAX: usize = 96;
/// A piece is at most this part of its distance from the end.
const COARSENESS: u8 = 4;
/// Bytes that are read to compare a content; of longer ones the latest are.
const COMPARED_BYTES_MAX: u64 = 8 << 20;
/// Bytes in a row that have to agree where not everything is compared.
const CONVINCING_BYTES: u64 = 4096;
const BUFFER_BYTES: usize = 64 * 1024;

/// Length and checksum of a piece; without a checksum nothing is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Piece(u64, Option<u32>);

/// What was read of a content from its beginning on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trace(Vec<Piece>);

impl Trace {
    /// The trace of these bytes.
    pub fn of_bytes(bytes: &[u8]) -> Trace {
        let mut ends = vec![bytes.len()];
        while let Some(end) = ends.last().copied().filter(|end| *end > 0) {
            let behind = bytes.len() - end;
            let least = if ends.len() <= FINE_PIECES { 1 } else { (behind / usize::from(COARSENESS)).max(1) };
            let searched = bytes.get(..end.saturating_sub(least)).unwrap_or_default();
            ends.push(memchr::memrchr(b'\n', searched).map_or(0, |place| place + 1));
        }
        ends.reverse();
        let pieces = ends.windows(2).filter_map(|ends| match ends {
            [start, end] => bytes.get(*start..*end),
            _ => None,
        });
        Trace(pieces.map(|piece| Piece(piece.len() as u64, Some(crc32fast::hash(piece)))).collect())
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that it covers.
    pub fn length(&self) -> u64 {
        self.0.iter().map(|piece| piece.0).sum()
    }

    /// Adds what was read from `position` on. What was read before and is not covered stays unknown.
    pub fn append(&mut self, position: u64, read: &Trace) {
        self.cut(position);
        self.0.extend_from_slice(&read.0);
        if self.0.len() > PIECES_MAX {
            self.join();
        }
    }

    /// Forgets what lies behind `position`, and covers exactly what lies before it.
    pub fn cut(&mut self, position: u64) {
        let mut length = self.length();
        while length > position
            && let Some(Piece(piece, _)) = self.0.pop()
        {
            length -= piece;
        }
        if length < position {
            self.0.push(Piece(position - length, None));
        }
    }

    /// Joins neighbours that are far from the end.
    fn join(&mut self) {
        let total = self.length();
        let fine = self.0.len().saturating_sub(FINE_PIECES);
        let mut joined: Vec<Piece> = Vec::with_capacity(PIECES_MAX);
        let mut end = 0;
        for (place, piece) in self.0.iter().enumerate() {
            end += piece.0;
            let allowed = (total - end) / u64::from(COARSENESS);
            match joined.last_mut() {
                Some(last) if place < fine && last.0 + piece.0 <= allowed => *last = last.and(*piece),
                _ => joined.push(*piece),
            }
        }
        // Unknown stretches and long lines in between: what is oldest gives way.
        while joined.len() > PIECES_MAX {
            let second = joined.remove(1);
            if let Some(first) = joined.first_mut() {
                *first = first.and(second);
            }
        }
        self.0 = joined;
    }

    /// Up to where a content is what was read: the end of the last piece that agrees, with all before it. `read_at`
    /// fills a buffer from a position on, as far as there is content. Of what is longer than 8 MiB the latest pieces
    /// are compared.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn agreed(&self, mut read_at: impl FnMut(u64, &mut [u8]) -> io::Result<usize>) -> io::Result<u64> {
        let mut ends = Vec::with_capacity(self.0.len());
        let mut total = 0;
        for piece in &self.0 {
            total += piece.0;
            ends.push(total);
        }
        let first = ends.partition_point(|end| total - end > COMPARED_BYTES_MAX);
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut convinced = 0;
        let mut agreed = 0;
        for (piece, end) in self.0.iter().zip(&ends).skip(first) {
            // What was joined long ago may be far too long to be read.
            let known = piece.1.filter(|_| piece.0 <= COMPARED_BYTES_MAX);
            let same = match known {
                Some(sum) => piece_sum(&mut read_at, end - piece.0, piece.0, &mut buffer)? == Some(sum),
                None => piece_is_there(&mut read_at, *end)?,
            };
            if same {
                convinced += if known.is_some() { piece.0 } else { 0 };
                agreed = *end;
            } else {
                break;
            }
        }
        Ok(if first == 0 || convinced >= CONVINCING_BYTES { agreed } else { 0 })
    }
}

impl Piece {
    /// This piece and the one behind it as one.
    fn and(self, next: Piece) -> Piece {
        let sum = self.1.zip(next.1).map(|(first, second)| {
            let mut joined = crc32fast::Hasher::new_with_initial_len(first, self.0);
            joined.combine(&crc32fast::Hasher::new_with_initial_len(second, next.0));
            joined.finalize()
        });
        Piece(self.0 + next.0, sum)
    }
}

/// The checksum of a stretch; none where the content ends before it does.
fn piece_sum(
    read_at: &mut impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
    start: u64,
    length: u64,
    buffer: &mut [u8],
) -> io::Result<Option<u32>> {
    let (mut sum, mut done) = (crc32fast::Hasher::new(), 0);
    while done < length {
        let wanted = usize::try_from(length - done).unwrap_or(usize::MAX).min(buffer.len());
        let Some(room) = buffer.get_mut(..wanted) else { return Ok(None) };
        if read_at(start + done, room)? < wanted {
            return Ok(None);
        }
        sum.update(room);
        done += wanted as u64;
    }
    Ok(Some(sum.finalize()))
}

fn piece_is_there(
    read_at: &mut impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
    end: u64,
) -> io::Result<bool> {
    Ok(end == 0 || read_at(end - 1, &mut [0])? == 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agreed(trace: &Trace, content: &[u8]) -> u64 {
        let read = |position: u64, buffer: &mut [u8]| {
            let rest = content.get(usize::try_from(position).unwrap()..).unwrap_or_default();
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
            Ok(length)
        };
        trace.agreed(read).unwrap()
    }

    fn text(lines: usize) -> Vec<u8> {
        (0..lines).flat_map(|line| format!("line {line} of a log\n").into_bytes()).collect()
    }

    fn read_in_stretches(content: &[u8], stretches: &[usize]) -> Trace {
        let (mut trace, mut position) = (Trace::default(), 0);
        for length in stretches.iter().chain(&[usize::MAX]) {
            let rest = &content[position..];
            let end = rest.len().min(*length);
            trace.append(position as u64, &Trace::of_bytes(&rest[..end]));
            position += end;
        }
        trace
    }

    proptest! {
        #[test]
        fn however_it_was_read_the_same_content_agrees_and_another_departs_where_it_differs(
            lines in 1_usize..3_000,
            stretches in prop::collection::vec(1_usize..3_000, 0..300),
            at in any::<prop::sample::Index>(),
        ) {
            let content = text(lines);
            let trace = read_in_stretches(&content, &stretches);
            prop_assert_eq!(trace.length(), content.len() as u64);
            prop_assert!(trace.0.len() <= PIECES_MAX + 2 * FINE_PIECES + 40);
            prop_assert_eq!(agreed(&trace, &content), content.len() as u64);
            let at = at.index(content.len());
            let mut other = content.clone();
            other[at] ^= 1;
            let found = agreed(&trace, &other);
            prop_assert!(found <= at as u64);
            // A piece is a line, or a quarter of its distance from the end.
            let allowed = 40 + (content.len() - at) as u64 / 2;
            prop_assert!(at as u64 - found <= allowed, "{} of {}: {}", at, content.len(), found);
            prop_assert!(agreed(&trace, &content[..at]) <= at as u64);
        }
    }

    #[test]
    fn lines_at_the_end_are_told_apart_one_by_one() {
        let content = text(5_000);
        let trace = Trace::of_bytes(&content);
        let line = b"line 4999 of a log\n".len();
        for lost in [1, 7, 20] {
            let end = content.len() - lost * line;
            let other = [&content[..end], b"what was written after the boot\n"].concat();
            assert_eq!(agreed(&trace, &other), end as u64, "{lost} lines");
        }
    }

    #[test]
    fn what_is_cut_away_is_forgotten_and_what_is_not_covered_stays_unknown() {
        let content = text(10);
        let mut trace = Trace::of_bytes(&content);
        let half = b"line 0 of a log\n".len() as u64 * 5;
        trace.cut(half);
        assert_eq!(trace, Trace::of_bytes(&content[..80]));
        trace.append(half + 3, &Trace::of_bytes(b"more\n"));
        assert_eq!((trace.length(), trace.0[5]), (half + 8, Piece(3, None)));
        assert_eq!(agreed(&trace, &[&content[..80], b"???more\n"].concat()), half + 8);
        let json = serde_json::to_string(&Trace::of_bytes(b"a\nb")).unwrap();
        assert_eq!(serde_json::from_str::<Trace>(&json).unwrap(), Trace::of_bytes(b"a\nb"));
    }
}
