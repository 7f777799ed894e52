//! Files that take names from each other in a circle: the strongly connected parts of the arrows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::arrows::Arrows;

/// Each circle's files.
#[must_use]
pub fn find(arrows: &Arrows) -> Vec<BTreeSet<PathBuf>> {
    let mut reached: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for (from, to) in arrows.keys() {
        reached.entry(from).or_default().insert(to);
    }
    // Crates have some dozens of files: whoever can be reached is written down for each.
    loop {
        let mut is_complete = true;
        for file in reached.keys().copied().collect::<Vec<_>>() {
            let onwards: BTreeSet<&Path> = reached
                .get(file)
                .into_iter()
                .flatten()
                .filter_map(|next| reached.get(next))
                .flatten()
                .copied()
                .collect();
            let own = reached.entry(file).or_default();
            let before = own.len();
            own.extend(onwards);
            is_complete &= own.len() == before;
        }
        if is_complete {
            break;
        }
    }
    let mutual = |a: &Path, b: &Path| {
        reached.get(a).is_some_and(|from| from.contains(b))
            && reached.get(b).is_some_and(|from| from.contains(a))
    };
    let mut circles: BTreeSet<BTreeSet<PathBuf>> = BTreeSet::new();
    for file in reached.keys() {
        let circle: BTreeSet<PathBuf> =
            reached.keys().filter(|other| mutual(file, other)).map(|other| other.to_path_buf()).collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// A circle for people: its files, and which names tie them.
#[must_use]
pub fn describe(circle: &BTreeSet<PathBuf>, arrows: &Arrows) -> String {
    let mut text = format!("{} files take names from each other in a circle:\n", circle.len());
    for ((from, to), names) in arrows {
        if circle.contains(from) && circle.contains(to) {
            let names = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            // A String takes whatever is written to it.
            let _ = writeln!(text, "  {} -> {}: {names}", from.display(), to.display());
        }
    }
    text
}
