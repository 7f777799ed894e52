//! One generation of a file that is followed: open until everything in it is acknowledged, whatever becomes of
//! its name.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{
    content::Content,
    identity::{FileState, Fingerprint},
};
use crate::{
    form::{Dater, Ending},
    plan::Voice,
};

/// A file that is followed.
#[derive(Debug)]
pub struct Followed {
    /// What the plan knows of it, and up to where it was read.
    pub state: FileState,
    /// Its bytes.
    pub content: Content,
    /// For whom it speaks.
    pub voice: Voice,
    /// Dates its lines.
    pub dater: Dater,
    /// Its size when it was last looked at.
    pub size: u64,
    /// When it was last written, as the file system says; UTC nanoseconds.
    modified_ns: i64,
    /// When its size last changed, UTC nanoseconds.
    pub changed_ns: i64,
    /// It may have grown since it was last looked at.
    pub touched: bool,
    /// Its path means another file now, or none: nobody begins anything new in it.
    pub left: bool,
    /// Its name is gone altogether: only we hold it.
    pub deleted: bool,
    /// Nothing will be added: it was truncated or is a finished copy. What is left is read to the end.
    pub finished: bool,
}

/// How long lines wait for company, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A group for its next line.
    pub group_ns: i64,
    /// A partial line for its rest.
    pub partial_ns: i64,
}

/// What is known of a path.
#[derive(Debug)]
pub struct Seen {
    /// The open file.
    pub file: File,
    /// Device.
    pub device: u64,
    /// Inode.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
}

/// Opens a path and says what it is.
///
/// # Errors
/// Where it cannot be opened.
pub fn look(path: &Path) -> io::Result<Seen> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok(Seen { device: metadata.dev(), inode: metadata.ino(), size: metadata.size(), file })
}

impl Followed {
    /// Takes up a generation.
    pub fn new(state: FileState, content: Content, voice: Voice, now_ns: i64) -> Followed {
        let dater = Dater::new(&voice, Some(state.stamp));
        Followed {
            state,
            content,
            voice,
            dater,
            size: 0,
            modified_ns: 0,
            changed_ns: now_ns,
            touched: true,
            left: false,
            deleted: false,
            finished: false,
        }
    }

    /// Looks at its size. False: it was truncated or written anew; what is here is another generation now.
    ///
    /// # Errors
    /// Where that cannot be found out.
    pub fn look(&mut self, now_ns: i64) -> io::Result<bool> {
        let Some(file) = self.content.plain() else {
            // A gzipped file is finished: it is read to its end.
            self.finished = true;
            self.size = u64::MAX;
            return Ok(true);
        };
        let metadata = file.metadata()?;
        self.deleted = metadata.nlink() == 0;
        let size = metadata.size();
        if size < self.state.position {
            return Ok(false);
        }
        self.modified_ns =
            metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        if size != self.size {
            self.size = size;
            self.changed_ns = now_ns;
        }
        Ok(true)
    }

    /// What changes when it is written to: a file that is written anew may have the size that it had.
    pub fn written(&self) -> (u64, i64) {
        (self.size, self.modified_ns)
    }

    /// Looks at its size and its name without judging its content; that comes before it is read.
    pub fn refresh(&mut self, now_ns: i64) {
        let Some(metadata) = self.content.plain().and_then(|file| file.metadata().ok()) else { return };
        self.deleted = metadata.nlink() == 0;
        // The time of writing stays as it was, so that the next look compares the content.
        if metadata.size() > self.size {
            self.size = metadata.size();
            self.modified_ns = 0;
            self.changed_ns = now_ns;
        }
    }

    /// Whether what was read of it before is still what it holds.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn is_itself(&mut self) -> io::Result<bool> {
        self.content.is(&self.state.identity, self.state.position)
    }

    /// Whether there may be bytes to read.
    pub fn has_more(&self) -> bool {
        self.size > self.state.position
    }

    /// What is done with lines at the end of what there is now.
    pub fn ending(&self, now_ns: i64, patience: Patience) -> Ending {
        let quiet_ns = now_ns.saturating_sub(self.changed_ns);
        if self.finished || quiet_ns >= patience.partial_ns {
            Ending::All
        } else if quiet_ns >= patience.group_ns {
            Ending::Groups
        } else {
            Ending::Open
        }
    }

    /// The identity after `read` was taken, which ends at the new position.
    pub fn identity_after(&mut self, read: &[u8]) -> io::Result<Fingerprint> {
        let known = self.state.identity;
        let head = if usize::from(known.head_length) < super::identity::HEAD_BYTES_MAX {
            if self.state.position == 0 {
                Fingerprint::of(read)
            } else {
                Fingerprint::of(&self.content.head()?)
            }
        } else {
            known
        };
        Ok(head.with_tail(read))
    }
}

/// Finds the content of a generation that the plan knows: under its path; under another name in the same folder, by
/// inode; in a copy or a gzipped copy whose name begins alike, by content. The path where it is, and whether what was
/// found is the generation itself and not a copy.
pub fn locate(state: &FileState) -> Option<(PathBuf, Content, bool)> {
    let path = Path::new(&state.path);
    let itself = |path: &Path| {
        let seen = look(path).ok().filter(|seen| (seen.device, seen.inode) == (state.device, state.inode))?;
        let mut content = Content::open(seen.file).ok()?;
        // It was empty when it was last seen, so that only its inode tells; a copy's inode may be that one, used again.
        if state.identity.head_length == 0 && content.plain().is_none() {
            return None;
        }
        content.is(&state.identity, state.position).ok()?.then_some(content)
    };
    if let Some(content) = itself(path) {
        return Some((path.to_owned(), content, true));
    }
    let folder = path.parent()?;
    let siblings: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    let by_inode = siblings.iter().filter(|sibling| {
        fs::metadata(sibling).is_ok_and(|found| (found.dev(), found.ino()) == (state.device, state.inode))
    });
    for sibling in by_inode {
        if let Some(content) = itself(sibling) {
            return Some((sibling.clone(), content, true));
        }
    }
    find_copy(state, path, &siblings).map(|(path, content)| (path, content, false))
}

/// A copy that log rotation made: `app.log.1`, `app.log-20261120.gz`. Content that is empty so far has no copy.
pub fn find_copy(state: &FileState, path: &Path, siblings: &[PathBuf]) -> Option<(PathBuf, Content)> {
    siblings.iter().find_map(|sibling| Some((sibling.clone(), as_copy(state, path, sibling)?)))
}

/// The content of `sibling` where it is a copy of a generation that was last seen at `path`: its name is that one's
/// with something behind, and it goes on as that one did.
pub fn as_copy(state: &FileState, path: &Path, sibling: &Path) -> Option<Content> {
    let (name, other) = (path.file_name()?.to_str()?, sibling.file_name()?.to_str()?);
    // A copy may be renamed and copied in its turn: `app.log.1`, `app.log.2.gz`.
    let named_alike = std::iter::once(name)
        .chain(stems(name))
        .any(|stem| other.len() > stem.len() && other.starts_with(stem));
    if state.position == 0 || other == name || !named_alike {
        return None;
    }
    let mut content = Content::open(File::open(sibling).ok()?).ok()?;
    content.is(&state.identity, state.position).ok()?.then_some(content)
}

/// The names that a file may have had before log rotation gave it this one, longest first: `app.log` for `app.log.1`,
/// `app.log-20261120.gz`.
pub fn stems(name: &str) -> impl Iterator<Item = &str> {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let counts = |rest: &str| {
        rest.starts_with(|first: char| first.is_ascii_digit())
            && rest.chars().all(|other| other.is_ascii_digit() || "-_.T:".contains(other))
    };
    name.rmatch_indices(['.', '-']).filter_map(move |(at, _)| {
        let (stem, rest) = (name.get(..at)?, name.get(at + 1..)?);
        (!stem.is_empty() && counts(rest)).then_some(stem)
    })
}

#[cfg(test)]
mod tests {
    use super::stems;

    #[test]
    fn rotated_names_tell_the_names_before() {
        let cases: [(&str, &[&str]); 7] = [
            ("app.log", &[]),
            ("app.log.1", &["app.log"]),
            ("app.log.2.gz", &["app.log"]),
            ("app.log-20261120.gz", &["app.log"]),
            ("app.log-2026-11-20", &["app.log-2026-11", "app.log-2026", "app.log"]),
            ("node1.1", &["node1"]),
            (".1", &[]),
        ];
        for (name, expected) in cases {
            assert_eq!(stems(name).collect::<Vec<_>>(), expected, "{name}");
        }
    }
}
