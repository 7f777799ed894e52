//! A content's bytes in their order: one buffer, slices into it, the hash of what was taken.

use std::io::{self, Read as _};

use xxhash_rust::xxh3::Xxh3;

use super::inputs::Bytes;

const BUFFER_BYTES: usize = 2 << 20;

/// Reads forward.
pub(super) struct Stream {
    bytes: Bytes,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the content of the first byte that was not taken.
    position: u64,
    /// Nothing comes after what is in the buffer.
    ended: bool,
    /// What stands behind the last line end is a line.
    is_whole: bool,
    /// Why nothing more can be read, where that is not the content's end.
    broken: Option<io::Error>,
    hash: Xxh3,
}

impl Stream {
    /// Goes on at a position, with the hash of everything before it.
    pub(super) fn new(bytes: Bytes, position: u64, hash: Xxh3, is_whole: bool) -> Stream {
        let buffer = vec![0; BUFFER_BYTES];
        Stream { bytes, buffer, start: 0, end: 0, position, ended: false, is_whole, broken: None, hash }
    }

    /// Reads on until the buffer holds at least half of what it can, or the end. A file that cannot be read any further ends
    /// there: see [`Stream::broken`].
    pub(super) fn fill(&mut self) -> io::Result<()> {
        if self.ended || self.end - self.start >= BUFFER_BYTES / 2 {
            return Ok(());
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let next = self.position + self.end as u64;
        while let Some(room) = self.buffer.get_mut(self.end..).filter(|room| !room.is_empty()) {
            let read = match &mut self.bytes {
                Bytes::File(content) => {
                    let (read, outcome) = content.read_readable(next, room);
                    self.broken = self.broken.take().or(outcome.err());
                    read
                }
                Bytes::Pipe(pipe) => pipe.read(room)?,
            };
            self.end += read;
            let whole = matches!(self.bytes, Bytes::File(_));
            self.ended = read == 0 || self.broken.is_some() || (whole && self.end < BUFFER_BYTES);
            if self.ended || whole {
                break;
            }
        }
        Ok(())
    }

    /// What was read and not taken.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether nothing comes after [`Stream::bytes`].
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Whether what stands behind the last line end is a line.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole && self.broken.is_none()
    }

    /// Why nothing more can be read, where that is not the content's end.
    pub(super) fn broken(&mut self) -> Option<io::Error> {
        self.broken.take()
    }

    /// The position of the first of [`Stream::bytes`].
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Takes bytes off the front.
    pub(super) fn take(&mut self, length: usize) {
        self.hash.update(self.buffer.get(self.start..self.start + length).unwrap_or_default());
        self.start += length;
        self.position += length as u64;
    }

    /// Goes to the content's beginning; before anything was read.
    pub(super) fn rewind(&mut self) {
        self.position = 0;
        self.hash = Xxh3::new();
    }

    /// The hash of all bytes before [`Stream::position`].
    pub(super) fn hash(&self) -> &Xxh3 {
        &self.hash
    }
}
