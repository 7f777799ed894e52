//! Generations by the names that they may have had, so that a new file is compared with few of many.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use crate::source::{followed::Followed, kin::roots};

/// Which generations a file may have to do with.
#[derive(Debug, Default)]
pub(super) struct Kinship {
    by_root: HashMap<String, Vec<u64>>,
    /// Those that are not where they were.
    left: Vec<u64>,
}

impl Kinship {
    pub(super) fn of(by_id: &BTreeMap<u64, Followed>) -> Kinship {
        let mut kinship = Kinship::default();
        for (id, followed) in by_id {
            kinship.add(*id, Path::new(&followed.state.path));
            if followed.left {
                kinship.left.push(*id);
            }
        }
        kinship
    }

    pub(super) fn add(&mut self, id: u64, path: &Path) {
        for root in path.file_name().and_then(|name| name.to_str()).into_iter().flat_map(roots) {
            self.by_root.entry(root).or_default().push(id);
        }
    }

    /// Those whose names are akin to a file's, and those that are not where they were; in their order.
    pub(super) fn candidates(&self, path: &Path) -> Vec<u64> {
        let name = path.file_name().and_then(|name| name.to_str());
        let akin = name.into_iter().flat_map(roots).filter_map(|root| self.by_root.get(&root)).flatten();
        let mut ids: Vec<u64> = akin.chain(&self.left).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
