//! Files, folders and standard input into contents that can be read.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use lastwords_runtime::now_ns;

use super::{
    ImportError, Input,
    kind::{self, Kind},
};
use crate::source::{content::Content, fingerprint::HEAD_BYTES_MAX, packed::Format};

/// A file that was written to so lately may be in the middle of a line.
const SETTLED_NS: i64 = 10_000_000_000;

/// One content, not opened yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    /// None: standard input.
    pub path: Option<PathBuf>,
    /// It was asked for by its own name, not found in a folder.
    pub is_named: bool,
}

/// A content that is open.
pub(super) struct Opened {
    /// For messages and the records' attributes; empty for standard input.
    pub path: String,
    /// The file that it is; none for what is within another content, or comes through a pipe.
    pub file: Option<PathBuf>,
    /// Where its bytes come from.
    pub bytes: Bytes,
    /// The first of them.
    pub head: Vec<u8>,
    /// When the file was last written, UTC nanoseconds.
    pub modified_ns: Option<i64>,
    /// Its end is there: what stands behind the last line end is a line.
    pub is_whole: bool,
}

/// Where bytes come from.
pub(super) enum Bytes {
    /// A file: any place, again and again.
    File(Content),
    /// A pipe: once. What was looked at already stands in front.
    Pipe(io::Chain<io::Cursor<Vec<u8>>, io::Stdin>),
}

/// All contents in order; a folder's files sorted by path.
pub(super) fn expand(inputs: &[Input]) -> Result<Vec<Pending>, ImportError> {
    let mut all = Vec::new();
    for input in inputs {
        match input {
            Input::Stdin => all.push(Pending { path: None, is_named: true }),
            Input::Path(path) => {
                let mut files = Vec::new();
                collect(path, &mut files).map_err(|source| read_error(path, source))?;
                files.sort();
                let is_named = files.first() == Some(path);
                all.extend(files.into_iter().map(|path| Pending { path: Some(path), is_named }));
            }
        }
    }
    Ok(all)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() || kind.is_file() {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}

/// Uncompressed bytes of all, where that is known without reading them.
pub(super) fn bytes_total(inputs: &[Pending]) -> Option<u64> {
    inputs
        .iter()
        .map(|input| {
            let path = input.path.as_ref()?;
            let is_packed = path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| {
                ["gz", "tgz", "zst", "xz", "txz", "bz2", "lz4", "journal"].contains(&ending)
            });
            fs::metadata(path).ok().filter(|_| !is_packed).map(|metadata| metadata.len())
        })
        .sum()
}

impl Pending {
    /// Opens it and looks at its first bytes.
    pub(super) fn open(self) -> Result<Opened, ImportError> {
        let Some(path) = self.path else {
            return stdin().map_err(|source| read_error(Path::new("-"), source));
        };
        let opened = || {
            let file = File::open(&path)?;
            let metadata = file.metadata()?;
            let mut content = Content::open(file)?;
            let head = content.head()?;
            let modified_ns = metadata
                .mtime()
                .checked_mul(1_000_000_000)
                .and_then(|ns| ns.checked_add(metadata.mtime_nsec()));
            // One that is being written may not have its last line's rest yet.
            let is_still = modified_ns.is_none_or(|modified_ns| now_ns() - modified_ns > SETTLED_NS);
            let is_whole = is_still || content.plain().is_none();
            Ok(Opened {
                path: path.to_string_lossy().into_owned(),
                file: Some(path.clone()),
                is_whole,
                bytes: Bytes::File(content),
                head,
                modified_ns,
            })
        };
        opened().map_err(|source| read_error(&path, source))
    }
}

fn stdin() -> io::Result<Opened> {
    let mut head = Vec::new();
    io::stdin().take(HEAD_BYTES_MAX as u64).read_to_end(&mut head)?;
    let bytes = Bytes::Pipe(io::Cursor::new(head.clone()).chain(io::stdin()));
    // A packed pipe is a file's content like any other once it lies on disk.
    if Format::of(&head).is_some() || kind::of_head(&head) == Kind::Archive {
        let mut content = Content::open(spool(bytes)?)?;
        return Ok(Opened {
            path: String::new(),
            file: None,
            head: content.head()?,
            bytes: Bytes::File(content),
            modified_ns: None,
            is_whole: true,
        });
    }
    Ok(Opened { path: String::new(), file: None, bytes, head, modified_ns: None, is_whole: true })
}

impl Opened {
    /// Makes it a content that can be read more than once: what is known already must be compared first.
    pub(super) fn rereadable(self) -> io::Result<Opened> {
        let bytes = match self.bytes {
            Bytes::File(content) => Bytes::File(content),
            pipe @ Bytes::Pipe(_) => Bytes::File(Content::open(spool(pipe)?)?),
        };
        Ok(Opened { bytes, ..self })
    }
}

/// Writes a pipe's bytes into a file without a name.
fn spool(bytes: Bytes) -> io::Result<File> {
    let Bytes::Pipe(mut pipe) = bytes else { return Err(io::ErrorKind::InvalidInput.into()) };
    let path = std::env::temp_dir().join(format!("lastwords-import-{}", std::process::id()));
    let mut file = File::options().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    io::copy(&mut pipe, &mut file)?;
    file.rewind()?;
    Ok(file)
}

pub(super) fn read_error(path: &Path, source: io::Error) -> ImportError {
    ImportError::Read { what: path.display().to_string(), source }
}
