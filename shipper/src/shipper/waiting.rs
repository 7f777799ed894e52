//! Files whose generation is not clear yet, and how long they have been so.

use std::{collections::HashMap, path::Path};

use crate::moment::Moment;

/// A file whose generation is wanted.
pub(super) struct Stranger<'a> {
    pub path: &'a Path,
    pub device: u64,
    pub inode: u64,
    /// A rule means it under this name: it is read for itself where it is nobody's copy.
    pub is_meant: bool,
}

/// Files whose generation is not clear yet.
#[derive(Debug, Default)]
pub(super) struct Waiting(HashMap<(u64, u64), (u64, i64)>);

impl Waiting {
    /// How long a file has had its size, as far as was looked.
    pub(super) fn since(&mut self, stranger: &Stranger<'_>, size: u64, now: Moment) -> i64 {
        let known = self.0.entry((stranger.device, stranger.inode)).or_insert((size, now.steady_ns));
        if known.0 != size {
            *known = (size, now.steady_ns);
        }
        now.steady_ns - known.1
    }

    pub(super) fn forget(&mut self, stranger: &Stranger<'_>) {
        self.0.remove(&(stranger.device, stranger.inode));
    }
}
