//! The members of a tar archive, each a content of its own.

use std::{
    io::{self, Read},
    sync::Arc,
};

use super::{
    ImportError,
    inputs::{Bytes, Opened},
};
use crate::source::{
    content::Content,
    fingerprint::HEAD_BYTES_MAX,
    packed::{Format, MAGIC_BYTES, Reopen},
};

/// Members of at most so many bytes are kept in memory while they are imported; longer ones are read again from the
/// archive, which takes longer.
const KEPT_BYTES_MAX: u64 = 32 << 20;
const SECOND_NS: i64 = 1_000_000_000;

/// Has each regular file of an archive taken in its order. Gives why the archive ends early, where it does.
pub(super) fn each(
    opened: Opened,
    mut take: impl FnMut(Opened) -> Result<(), ImportError>,
) -> Result<Option<io::Error>, ImportError> {
    let Bytes::File(content) = &opened.bytes else { return Ok(Some(io::ErrorKind::InvalidInput.into())) };
    let whole = match content.reopen() {
        Ok(whole) => whole,
        Err(error) => return Ok(Some(error)),
    };
    let mut archive = match whole() {
        Ok(reader) => tar::Archive::new(reader),
        Err(error) => return Ok(Some(error)),
    };
    let entries = match archive.entries() {
        Ok(entries) => entries,
        Err(error) => return Ok(Some(error)),
    };
    for entry in entries {
        let member = entry.and_then(|mut entry| {
            let kind = entry.header().entry_type();
            let is_file = kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse();
            if is_file && entry.size() > 0 {
                open(&opened.path, &whole, &mut entry).map(Some)
            } else {
                Ok(None)
            }
        });
        match member {
            Ok(Some(member)) => {
                let is_cut = !member.is_whole;
                take(member)?;
                if is_cut {
                    return Ok(Some(io::ErrorKind::UnexpectedEof.into()));
                }
            }
            Ok(None) => {}
            Err(error) => return Ok(Some(error)),
        }
    }
    Ok(None)
}

fn open(
    archive: &str,
    whole: &Reopen,
    entry: &mut tar::Entry<'_, Box<dyn Read + Send>>,
) -> io::Result<Opened> {
    let path = format!("{archive}/{}", String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./"));
    let modified_s = entry.header().mtime().ok().and_then(|seconds| i64::try_from(seconds).ok());
    let (start, size) = (entry.raw_file_position(), entry.size());
    let is_sparse = entry.header().entry_type().is_gnu_sparse();
    let mut is_whole = true;
    let reopen: Reopen = if size <= KEPT_BYTES_MAX {
        let mut bytes = Vec::new();
        let read = entry.read_to_end(&mut bytes);
        // An archive that is cut gives what is left of its last member.
        is_whole = read.is_ok() && bytes.len() as u64 == size;
        let bytes: Arc<[u8]> = bytes.into();
        Arc::new(move || Ok(Box::new(io::Cursor::new(Arc::clone(&bytes)))))
    } else if is_sparse {
        return Err(io::Error::other(format!("{path} is a sparse file of {size} bytes: unpack the archive")));
    } else {
        let whole = Arc::clone(whole);
        Arc::new(move || {
            let mut archive = whole()?;
            io::copy(&mut archive.by_ref().take(start), &mut io::sink())?;
            Ok(Box::new(archive.take(size)))
        })
    };
    let mut magic = Vec::new();
    reopen()?.take(MAGIC_BYTES as u64).read_to_end(&mut magic)?;
    let reopen: Reopen = match Format::of(&magic) {
        Some(format) => Arc::new(move || format.decoder(reopen()?)),
        None => reopen,
    };
    let mut content = Content::read_forward(reopen)?;
    let head = head_of(&mut content);
    Ok(Opened {
        path,
        file: None,
        bytes: Bytes::File(content),
        head,
        modified_ns: modified_s.and_then(|seconds| seconds.checked_mul(SECOND_NS)),
        is_whole,
    })
}

/// The first bytes, as far as they can be read.
fn head_of(content: &mut Content) -> Vec<u8> {
    let mut head = vec![0; HEAD_BYTES_MAX];
    let length = content.read_readable(0, &mut head).0;
    head.truncate(length);
    head
}
