//! The bytes of a file, plain or compressed, by position.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Seek as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;
use rustix::fs::OFlags;

use super::fingerprint::{Fingerprint, HEAD_BYTES_MAX};

/// An open file's content. A file that was renamed or deleted is still there.
#[derive(Debug)]
pub enum Content {
    /// As it is.
    Plain(File),
    /// Decompressed while reading.
    Packed(Box<Packed>),
    /// Closed for now, for want of descriptors: there is nothing to read.
    Parked,
}

/// A compressed file, read forward; going back begins anew.
pub struct Packed {
    file: File,
    format: Format,
    decoder: Box<dyn Read + Send>,
    position: u64,
}

/// How a file is compressed, as its first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Gzip,
    Zstd,
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const PACKED_BUFFER_BYTES: usize = 64 * 1024;

/// Opens a regular file. Whatever else has a name in a folder of logs is left alone: opening a pipe waits for its writer,
/// and is noticed by it.
///
/// # Errors
/// Where it is none, or cannot be opened.
pub fn open_file(path: &Path) -> io::Result<File> {
    let no_file = || io::Error::new(io::ErrorKind::InvalidInput, "is no regular file");
    if !fs::metadata(path)?.is_file() {
        return Err(no_file());
    }
    // It may have become a pipe meanwhile.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(no_file()) }
}

impl Content {
    /// The content of a file; compressed where its first bytes say so.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn open(file: File) -> io::Result<Content> {
        let mut magic = [0; 4];
        let length = file.read_at(&mut magic, 0)?;
        let found = magic.get(..length).unwrap_or_default();
        let format = if found.starts_with(&GZIP_MAGIC) {
            Format::Gzip
        } else if found.starts_with(&ZSTD_MAGIC) {
            Format::Zstd
        } else {
            return Ok(Content::Plain(file));
        };
        Ok(Content::Packed(Box::new(Packed::new(file, format)?)))
    }

    /// The content of the regular file at a path.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    pub fn open_path(path: &Path) -> io::Result<Content> {
        Content::open(open_file(path)?)
    }

    /// As [`Content::read_at`], where a content that ends before `position` counts as having nothing there.
    ///
    /// # Errors
    /// Where it cannot be read or decompressed.
    pub fn read_some(&mut self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self.read_at(position, buffer) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            read => read,
        }
    }

    /// Fills the buffer from `position` on, as far as there is content; how many bytes.
    ///
    /// # Errors
    /// Where it cannot be read or decompressed.
    pub fn read_at(&mut self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Content::Packed(packed) = self {
            packed.go_to(position)?;
        }
        let mut length = 0;
        while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
            let read = match self {
                Content::Plain(file) => file.read_at(rest, position + length as u64),
                Content::Packed(packed) => packed.read(rest),
                Content::Parked => return Err(io::ErrorKind::NotFound.into()),
            };
            match read {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(length)
    }

    /// The bytes by which it is recognised.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn head(&mut self) -> io::Result<Vec<u8>> {
        let mut head = vec![0; HEAD_BYTES_MAX];
        let length = self.read_at(0, &mut head)?;
        head.truncate(length);
        Ok(head)
    }

    /// Whether this content begins, and goes on up to `position`, as the fingerprint says.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn is(&mut self, identity: &Fingerprint, position: u64) -> io::Result<bool> {
        if !identity.matches(&self.head()?) {
            return Ok(false);
        }
        let length = u64::from(identity.tail_length);
        let Some(start) = position.checked_sub(length) else { return Ok(false) };
        let mut tail = vec![0; identity.tail_length.into()];
        let read = self.read_some(start, &mut tail)?;
        Ok(read == tail.len() && identity.matches_tail(&tail))
    }

    /// The file, where its size is the content's.
    pub fn plain(&self) -> Option<&File> {
        match self {
            Content::Plain(file) => Some(file),
            Content::Packed(_) | Content::Parked => None,
        }
    }
}

impl Packed {
    fn new(file: File, format: Format) -> io::Result<Packed> {
        let mut again = file.try_clone()?;
        again.rewind()?;
        let reader = BufReader::with_capacity(PACKED_BUFFER_BYTES, again);
        let decoder: Box<dyn Read + Send> = match format {
            Format::Gzip => Box::new(MultiGzDecoder::new(reader)),
            Format::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(reader)?),
        };
        Ok(Packed { file, format, decoder, position: 0 })
    }

    fn go_to(&mut self, position: u64) -> io::Result<()> {
        if position < self.position {
            *self = Packed::new(self.file.try_clone()?, self.format)?;
        }
        let skipped = position - self.position;
        let found = io::copy(&mut self.by_ref().take(skipped), &mut io::sink())?;
        if found < skipped {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the content is shorter than what was read of it before",
            ));
        }
        Ok(())
    }

    /// Reads to the end; an error where it is cut off, as one that is still being compressed is.
    ///
    /// # Errors
    /// Where it cannot be decompressed whole.
    pub fn check(&mut self) -> io::Result<()> {
        self.go_to(0)?;
        io::copy(self, &mut io::sink()).map(drop)
    }
}

impl Read for Packed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packed")
            .field("format", &self.format)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
