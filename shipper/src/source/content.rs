//! The bytes of a file, plain or compressed, by position.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    sync::Arc,
};

use rustix::fs::OFlags;

use super::{
    fingerprint::{Fingerprint, HEAD_BYTES_MAX},
    packed::{Format, MAGIC_BYTES, Packed, Reopen},
};

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
        let mut magic = [0; MAGIC_BYTES];
        let length = file.read_at(&mut magic, 0)?;
        let Some(format) = Format::of(magic.get(..length).unwrap_or_default()) else {
            return Ok(Content::Plain(file));
        };
        let file = Arc::new(file);
        Content::read_forward(Arc::new(move || {
            format.decoder(Box::new(Forward { file: Arc::clone(&file), position: 0 }))
        }))
    }

    /// A content that can only be read forward, and begun anew.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn read_forward(reopen: Reopen) -> io::Result<Content> {
        Ok(Content::Packed(Box::new(Packed::new(reopen)?)))
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
        match self.read_readable(position, buffer) {
            (length, Ok(())) => Ok(length),
            (_, Err(error)) => Err(error),
        }
    }

    /// As [`Content::read_at`], and what was read before an error with it.
    pub fn read_readable(&mut self, position: u64, buffer: &mut [u8]) -> (usize, io::Result<()>) {
        if let Content::Packed(packed) = self
            && let Err(error) = packed.go_to(position)
        {
            return (0, Err(error));
        }
        let mut length = 0;
        while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
            let read = match self {
                Content::Plain(file) => file.read_at(rest, position + length as u64),
                Content::Packed(packed) => packed.read(rest),
                Content::Parked => Err(io::ErrorKind::NotFound.into()),
            };
            match read {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (length, Err(error)),
            }
        }
        (length, Ok(()))
    }

    /// What reads it from its beginning on, as often as is wanted.
    ///
    /// # Errors
    /// Where its descriptor cannot be duplicated, or it is closed.
    pub fn reopen(&self) -> io::Result<Reopen> {
        match self {
            Content::Plain(file) => {
                let file = Arc::new(file.try_clone()?);
                Ok(Arc::new(move || Ok(Box::new(Forward { file: Arc::clone(&file), position: 0 }))))
            }
            Content::Packed(packed) => Ok(packed.reopen()),
            Content::Parked => Err(io::ErrorKind::NotFound.into()),
        }
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

/// A file that is read forward, whatever place others have in it.
struct Forward {
    file: Arc<File>,
    position: u64,
}

impl Read for Forward {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}
