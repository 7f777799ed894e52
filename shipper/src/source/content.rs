//! The bytes of a file, plain or gzipped, by position.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek as _},
    os::unix::fs::FileExt as _,
};

use flate2::bufread::MultiGzDecoder;

use super::identity::{Fingerprint, HEAD_BYTES_MAX};

/// An open file's content. A file that was renamed or deleted is still there.
#[derive(Debug)]
pub enum Content {
    /// As it is.
    Plain(File),
    /// Decompressed while reading.
    Gzip(Box<Gzip>),
}

/// A gzipped file, read forward; going back begins anew.
#[derive(Debug)]
pub struct Gzip {
    decoder: MultiGzDecoder<BufReader<File>>,
    position: u64,
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const GZIP_BUFFER_BYTES: usize = 64 * 1024;

impl Content {
    /// The content of a file; gzipped where its first bytes say so.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn open(file: File) -> io::Result<Content> {
        let mut magic = [0; 2];
        let gzipped = file.read_at(&mut magic, 0)? == 2 && magic == GZIP_MAGIC;
        if !gzipped {
            return Ok(Content::Plain(file));
        }
        Ok(Content::Gzip(Box::new(Gzip::new(file)?)))
    }

    /// Fills the buffer from `position` on, as far as there is content; how many bytes.
    ///
    /// # Errors
    /// Where it cannot be read or decompressed.
    pub fn read_at(&mut self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Content::Gzip(gzip) = self {
            gzip.go_to(position)?;
        }
        let mut length = 0;
        while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
            let read = match self {
                Content::Plain(file) => file.read_at(rest, position + length as u64),
                Content::Gzip(gzip) => gzip.read(rest),
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
        let read = self.read_at(start, &mut tail)?;
        Ok(read == tail.len() && identity.matches_tail(&tail))
    }

    /// The file, where its size is the content's.
    pub fn plain(&self) -> Option<&File> {
        match self {
            Content::Plain(file) => Some(file),
            Content::Gzip(_) => None,
        }
    }
}

impl Gzip {
    fn new(file: File) -> io::Result<Gzip> {
        let mut reader = BufReader::with_capacity(GZIP_BUFFER_BYTES, file);
        reader.rewind()?;
        Ok(Gzip { decoder: MultiGzDecoder::new(reader), position: 0 })
    }

    fn go_to(&mut self, position: u64) -> io::Result<()> {
        if position < self.position {
            *self = Gzip::new(self.decoder.get_ref().get_ref().try_clone()?)?;
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
}

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}
