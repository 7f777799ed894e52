//! Generations that are read to their end.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use crate::source::identity::FileState;

/// They stay known as long as they, or a copy, exist.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) states: BTreeMap<u64, FileState>,
    /// What was looked into already: device, inode, size and time of writing, and which generation it is.
    pub(super) checked: HashMap<(u64, u64, u64, i64), u64>,
    /// Since when one is not found any more. A folder that is read while names change may hide one for a moment.
    pub(super) missed: BTreeMap<u64, i64>,
}

impl Done {
    pub(super) fn insert(&mut self, state: FileState) {
        self.states.insert(state.id, state);
    }

    pub(super) fn with_path(&self, path: &Path) -> impl Iterator<Item = &FileState> {
        self.states.values().filter(move |state| Path::new(&state.path) == path)
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.states.remove(&id);
        self.checked.retain(|_, checked| *checked != id);
    }
}
