//! Which files may be generations of one another, by their names and folders. That says where to look; contents decide.

use std::{
    fs,
    os::unix::fs::DirEntryExt as _,
    path::{Path, PathBuf},
};

/// Endings of compressed files.
const PACKED: [&str; 6] = [".gz", ".zst", ".xz", ".bz2", ".lz4", ".Z"];
/// What programs and people call an earlier generation, beside numbers and dates.
const EARLIER: [&str; 7] = ["old", "bak", "prev", "previous", "last", "orig", "save"];
/// Entries of folders that are looked through for a file that is not where it was.
const ENTRIES_MAX: usize = 20_000;

/// The names that a file may have had before it was rotated, longest first: `app.log` for `app.log.1`,
/// `app.log-20261120.gz`, `app.log.old`, `app-20261120.log`.
pub fn stems(name: &str) -> impl Iterator<Item = String> {
    let name = PACKED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let behind = marked(name).map(str::to_owned);
    // logrotate's `extension` leaves the ending where it is.
    let (base, ending) = match name.rsplit_once('.') {
        Some((base, ending)) if !is_mark(ending) => (base, Some(ending)),
        _ => ("", None),
    };
    let before = marked(base).filter_map(move |stem| ending.map(|ending| format!("{stem}.{ending}")));
    behind.chain(before)
}

/// What stands before each mark of rotation at the end of a name.
fn marked(name: &str) -> impl Iterator<Item = &str> {
    let name = name.strip_suffix('~').unwrap_or(name);
    name.rmatch_indices(['.', '-', '_']).filter_map(move |(at, _)| {
        let (stem, rest) = (name.get(..at)?, name.get(at + 1..)?);
        (!stem.is_empty() && is_mark(rest)).then_some(stem)
    })
}

/// Whether a part of a name is what rotation adds: a number, a date, a word for what is over.
fn is_mark(part: &str) -> bool {
    let counts = part.starts_with(|first: char| first.is_ascii_digit())
        && part.chars().all(|other| other.is_ascii_digit() || "-_.T:".contains(other));
    counts || EARLIER.contains(&part)
}

/// Whether two files may be generations of one another: one name is the other's with a mark of rotation, or both are of a
/// third one.
pub fn are_kin(first: &str, second: &str) -> bool {
    let others: Vec<String> = roots(second).collect();
    roots(first).any(|root| others.contains(&root))
}

/// A name, and those that it may have had before: files are kin where they have one of them in common.
pub fn roots(name: &str) -> impl Iterator<Item = String> {
    std::iter::once(name.to_owned()).chain(stems(name))
}

/// Whether what stands at two paths may be generations of one another.
pub fn are_kin_at(first: &Path, second: &Path) -> bool {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    matches!((name(first), name(second)), (Some(first), Some(second)) if are_kin(&first, &second))
}

/// Whether a file may be an earlier generation, or a copy of one, of what stands or stood at another path.
pub fn may_be_earlier(file: &Path, than: &Path) -> bool {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let (Some(file), Some(than)) = (name(file), name(than)) else { return false };
    file != than && are_kin(&file, &than) && !stems(&than).any(|stem| stem == file)
}

/// The same, where the folders say so, too: it lies beside that path, or in a folder within its folder.
pub fn may_be_earlier_near(file: &Path, than: &Path) -> bool {
    let is_near =
        |folder: &Path| than.parent().is_some_and(|other| folder == other || folder.parent() == Some(other));
    file.parent().is_some_and(is_near) && may_be_earlier(file, than)
}

/// A file that is not where it was.
#[derive(Debug, Clone, Copy)]
pub struct Missing<'a> {
    /// Where it was.
    pub path: &'a Path,
    /// Its inode there.
    pub inode: u64,
}

impl Missing<'_> {
    /// Paths at which it may be now, its own among them: files in its folder, in the folders within it and in those
    /// beside it that have its inode or a name akin to its own; those with its inode first, then the longer names.
    pub fn whereabouts(&self) -> Vec<PathBuf> {
        let Some(folder) = self.path.parent() else { return Vec::new() };
        let mut left = ENTRIES_MAX;
        let mut found = Vec::new();
        let within = self.look_into(folder, &mut left, &mut found);
        let beside = folder.parent().filter(|above| above.parent().is_some());
        let beside =
            beside.map(|above| self.look_into(above, &mut left, &mut Vec::new())).unwrap_or_default();
        for folder in within.into_iter().chain(beside.into_iter().filter(|beside| beside != folder)) {
            self.look_into(&folder, &mut left, &mut found);
        }
        found.sort_by_key(|(has_inode, path)| (!*has_inode, std::cmp::Reverse(path.as_os_str().len())));
        found.into_iter().map(|(_, path)| path).collect()
    }

    /// Adds candidates of one folder; gives the folders in it.
    fn look_into(&self, folder: &Path, left: &mut usize, found: &mut Vec<(bool, PathBuf)>) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if *left == 0 {
                break;
            }
            *left -= 1;
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    let (path, has_inode) = (entry.path(), entry.ino() == self.inode);
                    if has_inode || are_kin_at(self.path, &path) {
                        found.push((has_inode, path));
                    }
                }
                _ => {}
            }
        }
        folders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_names_tell_the_names_before() {
        let cases: [(&str, &[&str]); 12] = [
            ("app.log", &[]),
            ("app.log.1", &["app.log"]),
            ("app.log.2.gz", &["app.log"]),
            ("app.log.2.zst", &["app.log"]),
            ("app.log-20261120.gz", &["app.log"]),
            ("app.log-2026-11-20", &["app.log-2026-11", "app.log-2026", "app.log"]),
            ("app.log.old", &["app.log"]),
            ("app-20261120.log", &["app.log"]),
            ("app.3.log.gz", &["app.log"]),
            ("node1.1", &["node1"]),
            ("app.log~", &[]),
            (".1", &[]),
        ];
        for (name, expected) in cases {
            assert_eq!(stems(name).collect::<Vec<_>>(), expected, "{name}");
        }
    }

    #[test]
    fn a_name_that_only_begins_alike_is_no_kin() {
        for (first, second, expected) in [
            ("app.log", "app.log.1", true),
            ("app.log.2", "app.log.3.gz", true),
            ("app.log.1", "app-20261120.log", true),
            ("worker", "workers", false),
            ("app.log", "app.log.txt", false),
            ("a.log", "b.log", false),
        ] {
            assert_eq!(are_kin(first, second), expected, "{first} {second}");
            assert_eq!(are_kin(second, first), expected, "{second} {first}");
        }
    }

    #[test]
    fn what_has_a_rotated_files_first_name_is_newer() {
        let earlier = |file: &str, than: &str| may_be_earlier(Path::new(file), Path::new(than));
        assert!(earlier("/log/a.log.1", "/log/a.log") && earlier("/log/a.log.2.gz", "/log/a.log.1"));
        assert!(earlier("/log/job-10", "/log/job-1"));
        let near = |file: &str, than: &str| may_be_earlier_near(Path::new(file), Path::new(than));
        assert!(near("/log/a.log.1", "/log/a.log") && near("/log/old/a.log.1", "/log/a.log"));
        assert!(!near("/other/a.log.1", "/log/a.log"));
        assert!(!earlier("/log/a.log", "/log/a.log.1") && !earlier("/log/a.log", "/log/a.log"));
    }

    #[test]
    fn a_file_is_looked_for_within_its_folder_and_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for path in [
            "logs/a.log",
            "logs/a.log.1",
            "logs/old/a.log.2",
            "kept/a.log.3",
            "kept/b.log",
            "far/off/a.log.4",
        ] {
            fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            fs::write(at(path), path).unwrap();
        }
        use std::os::unix::fs::MetadataExt as _;
        let inode = fs::metadata(at("kept/b.log")).unwrap().ino();
        let mut found = Missing { path: &at("logs/a.log"), inode }.whereabouts();
        assert_eq!(found.remove(0), at("kept/b.log"));
        found.sort();
        assert_eq!(found, ["kept/a.log.3", "logs/a.log", "logs/a.log.1", "logs/old/a.log.2"].map(at));
    }
}
