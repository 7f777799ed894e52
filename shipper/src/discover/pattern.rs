//! Globs over absolute paths.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

/// A glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Glob(String),
    AnyFolders,
}

/// Why a text is no glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It does not begin with `/`.
    #[error("'{0}' is no absolute path: write it with a leading /")]
    Relative(String),
    /// `**` beside other text.
    #[error("'{0}': ** stands for folders and must be a segment of its own, as in /var/log/**/*.log")]
    Doubled(String),
    /// A `[` without `]`.
    #[error("'{0}': a [ is not closed")]
    Bracket(String),
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Pattern, PatternError> {
        let Some(path) = text.strip_prefix('/') else { return Err(PatternError::Relative(text.to_owned())) };
        let segments = path.split('/').filter(|segment| !segment.is_empty()).map(|segment| {
            if segment == "**" {
                Ok(Segment::AnyFolders)
            } else if segment.contains("**") {
                Err(PatternError::Doubled(text.to_owned()))
            } else if segment.contains('[') && !brackets_close(segment) {
                Err(PatternError::Bracket(text.to_owned()))
            } else if segment.contains(['*', '?', '[']) {
                Ok(Segment::Glob(segment.to_owned()))
            } else {
                Ok(Segment::Literal(segment.to_owned()))
            }
        });
        Ok(Pattern { text: text.to_owned(), segments: segments.collect::<Result<_, _>>()? })
    }
}

fn brackets_close(segment: &str) -> bool {
    let mut rest = segment;
    while let Some(open) = rest.find('[') {
        // The first character within may be a `]`.
        let inner = rest.get(open + 1..).unwrap_or_default();
        let first = inner.chars().next().map_or(0, char::len_utf8);
        let Some(close) = inner.get(first..).and_then(|inner| inner.find(']')) else { return false };
        rest = inner.get(first + close + 1..).unwrap_or_default();
    }
    true
}

impl Pattern {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a path is meant.
    pub fn matches(&self, path: &Path) -> bool {
        let names: Vec<&OsStr> = path.iter().skip(1).collect();
        segments_match(&self.segments, &names)
    }

    /// Finds the files that are meant, and the folders that were looked into. What cannot be read is left out.
    pub fn walk(&self, files: &mut Vec<PathBuf>, folders: &mut Vec<PathBuf>) {
        walk(Path::new("/"), &self.segments, files, folders);
    }
}

fn segments_match(segments: &[Segment], names: &[&OsStr]) -> bool {
    match (segments.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((Segment::AnyFolders, rest)), _) => {
            (0..=names.len()).any(|skipped| segments_match(rest, names.get(skipped..).unwrap_or_default()))
        }
        (Some((segment, rest)), Some((name, names))) => segment.matches(name) && segments_match(rest, names),
        _ => false,
    }
}

fn walk(folder: &Path, segments: &[Segment], files: &mut Vec<PathBuf>, folders: &mut Vec<PathBuf>) {
    match segments.split_first() {
        None => {}
        Some((Segment::Literal(name), [])) => {
            folders.push(folder.to_owned());
            let path = folder.join(name);
            if path.is_file() {
                files.push(path);
            }
        }
        Some((Segment::Literal(name), rest)) => walk(&folder.join(name), rest, files, folders),
        Some((Segment::AnyFolders, rest)) => {
            walk(folder, rest, files, folders);
            for entry in entries(folder).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
                walk(&entry.path(), segments, files, folders);
            }
            folders.push(folder.to_owned());
        }
        Some((glob, rest)) => {
            folders.push(folder.to_owned());
            for entry in entries(folder).filter(|entry| glob.matches(&entry.file_name())) {
                let path = entry.path();
                if rest.is_empty() && path.is_file() {
                    files.push(path);
                } else if !rest.is_empty() && path.is_dir() {
                    walk(&path, rest, files, folders);
                }
            }
        }
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = fs::DirEntry> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

impl Segment {
    fn matches(&self, name: &OsStr) -> bool {
        match self {
            Segment::AnyFolders => true,
            Segment::Literal(literal) => literal.as_bytes() == name.as_bytes(),
            Segment::Glob(glob) => glob_matches(glob.as_bytes(), name.as_bytes()),
        }
    }
}

/// Whether a name is meant by a glob: greedy, with one place to go back to, hence linear in practice.
fn glob_matches(glob: &[u8], name: &[u8]) -> bool {
    let (mut glob_rest, mut name_rest) = (glob, name);
    let mut back: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = glob_rest {
            back = Some((rest, name_rest));
            glob_rest = rest;
        } else if glob_rest.is_empty() && name_rest.is_empty() {
            return true;
        } else if let Some((glob, name)) = one_matches(glob_rest, name_rest) {
            (glob_rest, name_rest) = (glob, name);
        } else {
            // The last `*` takes one byte more.
            let Some((glob, [_, name @ ..])) = back else { return false };
            back = Some((glob, name));
            (glob_rest, name_rest) = (glob, name);
        }
    }
}

fn one_matches<'g, 'n>(glob: &'g [u8], name: &'n [u8]) -> Option<(&'g [u8], &'n [u8])> {
    let (byte, name) = name.split_first()?;
    match glob {
        [b'?', rest @ ..] => Some((rest, name)),
        [b'[', rest @ ..] => {
            let close = 1 + memchr::memchr(b']', rest.get(1..)?)?;
            let (mut set, after) = (rest.get(..close)?, rest.get(close + 1..)?);
            let mut found = false;
            while let Some((first, others)) = set.split_first() {
                if let [b'-', last, others @ ..] = others {
                    found |= (first..=last).contains(&byte);
                    set = others;
                } else {
                    found |= first == byte;
                    set = others;
                }
            }
            found.then_some((after, name))
        }
        [literal, rest @ ..] if literal == byte => Some((rest, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_meant_or_not() {
        let cases = [
            ("/var/log/*.log", "/var/log/a.log", true),
            ("/var/log/*.log", "/var/log/b/a.log", false),
            ("/var/log/*.log", "/var/log/a.log.1", false),
            ("/var/log/**/*.log", "/var/log/a.log", true),
            ("/var/log/**/*.log", "/var/log/b/c/a.log", true),
            ("/var/log/journal/**", "/var/log/journal/x/y.journal", true),
            ("/var/log/syslog", "/var/log/syslog", true),
            ("/var/log/app.?", "/var/log/app.1", true),
            ("/var/log/app.?", "/var/log/app.10", false),
            ("/var/log/app.[0-9a]", "/var/log/app.7", true),
            ("/var/log/app.[0-9a]", "/var/log/app.a", true),
            ("/var/log/app.[0-9a]", "/var/log/app.b", false),
            ("/a/*x*y*", "/a/1x2x3y4", true),
            ("/a/*x*y", "/a/xyx", false),
        ];
        for (glob, path, expected) in cases {
            let pattern: Pattern = glob.parse().unwrap();
            assert_eq!(pattern.matches(Path::new(path)), expected, "{glob} {path}");
        }
    }

    #[test]
    fn what_is_no_glob_says_why() {
        for (text, expected) in [
            ("var/log/*", PatternError::Relative("var/log/*".into())),
            ("/var/**.log", PatternError::Doubled("/var/**.log".into())),
            ("/var/[a", PatternError::Bracket("/var/[a".into())),
        ] {
            assert_eq!(text.parse::<Pattern>(), Err(expected));
        }
    }

    #[test]
    fn files_are_found_in_folders_and_the_folders_told() {
        let root = tempfile::tempdir().unwrap();
        for path in ["a.log", "b/c.log", "b/d/e.log", "b/f.txt"] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let pattern: Pattern = format!("{}/**/*.log", root.path().display()).parse().unwrap();
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        pattern.walk(&mut files, &mut folders);
        files.sort();
        assert_eq!(files, ["a.log", "b/c.log", "b/d/e.log"].map(|path| root.path().join(path)));
        assert!(folders.contains(&root.path().join("b/d")));
    }
}
