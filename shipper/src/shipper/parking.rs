//! More files than descriptors: those that were read to their end and have been quiet for longest are closed, and opened
//! again once they change. What is closed is known by its inode and, when it is opened again, by its content.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use super::registry::Files;
use crate::source::{content::Content, followed::Followed};

/// Files that are closed at once where one more is wanted.
const CLOSED_TOGETHER: usize = 16;

impl Files {
    /// Whether there is a descriptor for one more file; closes what can be closed.
    pub(super) fn has_descriptor(&mut self) -> bool {
        if self.by_id.len() < self.open_max {
            return true;
        }
        let open = self.by_id.values().filter(|followed| !followed.is_parked()).count();
        if open < self.open_max {
            return true;
        }
        let mut idle: Vec<(i64, u64)> = self
            .by_id
            .iter()
            .filter(|(_, followed)| followed.may_park())
            .map(|(id, followed)| (followed.changed_ns, *id))
            .collect();
        idle.sort_unstable();
        for (_, id) in idle.iter().take(CLOSED_TOGETHER) {
            if let Some(followed) = self.by_id.get_mut(id) {
                followed.content = Content::Parked;
            }
        }
        if !self.is_crowded && !idle.is_empty() {
            tracing::warn!(
                open_max = self.open_max,
                "more files are followed than may be open: those that are quiet are closed meanwhile. Raise the limit of descriptors (LimitNOFILE=)"
            );
        }
        self.is_crowded = true;
        !idle.is_empty()
    }

    /// Opens a parked file again because of what was read of it before.
    pub(super) fn unpark(&mut self, id: u64) {
        let Some(followed) = self.by_id.get_mut(&id).filter(|followed| followed.is_parked()) else { return };
        let path = Path::new(&followed.state.path).to_owned();
        if fs::metadata(&path).is_ok_and(|metadata| metadata.ino() == followed.state.inode)
            && let Ok(content) = Content::open_path(&path)
        {
            followed.content = content;
            followed.suspect = true;
        }
    }

    /// Opens a parked file again where it has changed, or looks at it in passing. False: there is nothing to look at now.
    pub(super) fn wake(&mut self, id: u64) -> bool {
        let Some(followed) = self.by_id.get(&id).filter(|followed| followed.is_parked()) else { return true };
        let path = Path::new(&followed.state.path).to_owned();
        let Ok(metadata) = fs::metadata(&path) else { return false };
        if metadata.ino() != followed.state.inode || followed.is_unchanged(&metadata) {
            return false;
        }
        if !self.has_descriptor() {
            return false;
        }
        let Some(followed) = self.by_id.get_mut(&id) else { return false };
        match Content::open_path(&path) {
            Ok(content) => followed.content = content,
            Err(error) => {
                tracing::debug!(file = %path.display(), %error, "cannot be opened again yet");
                return false;
            }
        }
        followed.suspect = true;
        true
    }
}

impl Followed {
    pub(super) fn is_parked(&self) -> bool {
        matches!(self.content, Content::Parked)
    }

    fn may_park(&self) -> bool {
        let is_quiet = !self.has_more() && !self.suspect && !self.touched;
        let is_there = !self.left && !self.deleted && !self.finished;
        self.content.plain().is_some() && is_quiet && is_there
    }
}
