//! What changes in folders, as inotify tells. It only saves time: a slow rescan finds what it misses.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

/// Watches folders.
#[derive(Debug)]
pub struct Watch {
    inotify: OwnedFd,
    folders: HashMap<i32, PathBuf>,
    /// Folders that are watched already.
    watched: HashSet<PathBuf>,
}

/// What has changed since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files that were written to.
    pub written: Vec<PathBuf>,
    /// Names came, went or changed (or too much happened to be told): look at everything again.
    pub names: bool,
}

impl Watch {
    /// Nothing is watched yet.
    ///
    /// # Errors
    /// Where the system has no inotify left for us.
    pub fn new() -> std::io::Result<Watch> {
        Ok(Watch {
            inotify: inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?,
            folders: HashMap::new(),
            watched: HashSet::new(),
        })
    }

    /// Watches these folders; those that are watched already stay so. Gives those that cannot be watched.
    pub fn add(&mut self, folders: &[PathBuf]) -> Vec<(PathBuf, io::Error)> {
        let flags = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR;
        let mut unwatched = Vec::new();
        for folder in folders.iter().filter(|folder| !self.watched.contains(*folder)).collect::<Vec<_>>() {
            match inotify::add_watch(&self.inotify, folder.as_path(), flags) {
                Ok(watch) => {
                    self.folders.insert(watch, folder.clone());
                    self.watched.insert(folder.clone());
                }
                // One that is not there, or may not be read, is told by who looks into it.
                Err(error) if is_none(error) => {}
                Err(error) => unwatched.push((folder.clone(), error.into())),
            }
        }
        unwatched
    }

    /// What has changed; does not wait.
    pub fn changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(self.inotify.as_fd(), &mut buffer);
        while let Ok(event) = reader.next() {
            let flags = event.events();
            if flags != ReadFlags::MODIFY {
                changes.names = true;
                if flags.intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT)
                    && let Some(folder) = self.folders.remove(&event.wd())
                {
                    // A folder of this name may come again.
                    self.watched.remove(&folder);
                }
                continue;
            }
            if let (Some(folder), Some(name)) = (self.folders.get(&event.wd()), event.file_name()) {
                let path = folder.join(Path::new(OsStr::from_bytes(name.to_bytes())));
                if changes.written.last() != Some(&path) {
                    changes.written.push(path);
                }
            }
        }
        changes
    }
}

fn is_none(error: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::ACCESS)
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn writing_and_renaming_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a.log"), folder.path().join("b.log"));
        fs::write(&path, "").unwrap();
        let mut watch = Watch::new().unwrap();
        assert!(watch.add(&[folder.path().to_owned(), folder.path().join("none")]).is_empty());
        assert_eq!(watch.changes(), Changes::default());
        fs::write(&path, "line\n").unwrap();
        assert!(watch.changes().written.contains(&path));
        fs::rename(&path, &other).unwrap();
        assert!(watch.changes().names);
    }
}
