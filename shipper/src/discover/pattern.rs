//! Globs over absolute paths.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use globset::{GlobBuilder, GlobMatcher};

/// No glob is longer.
const GLOB_BYTES_MAX: usize = 4096;

/// A glob. Two are equal where they are written alike.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone)]
enum Segment {
    Literal(String),
    Glob(GlobMatcher),
    AnyFolders,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// Why a text is no glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It does not begin with `/`.
    #[error("'{0}' is no absolute path: write it with a leading /")]
    Relative(String),
    /// `**` beside other text.
    #[error("'{0}': ** stands for folders and must be a segment of its own, as in /var/log/**/*.log")]
    Doubled(String),
    /// It is too long.
    #[error("wanted a glob of at most {GLOB_BYTES_MAX} bytes, found {0}")]
    Long(usize),
    /// A part of it is no glob.
    #[error("'{text}': the part '{segment}' is no glob: {why}; what stands in [] or {{}} has no /")]
    Segment {
        /// The whole.
        text: String,
        /// The part.
        segment: String,
        /// Why.
        why: String,
    },
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Pattern, PatternError> {
        if text.len() > GLOB_BYTES_MAX {
            return Err(PatternError::Long(text.len()));
        }
        let Some(path) = text.strip_prefix('/') else { return Err(PatternError::Relative(text.to_owned())) };
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        let segments = segments.map(|segment| Segment::parse(segment, text)).collect::<Result<_, _>>()?;
        Ok(Pattern { text: text.to_owned(), segments })
    }
}

impl Segment {
    fn parse(segment: &str, text: &str) -> Result<Segment, PatternError> {
        if segment == "**" {
            return Ok(Segment::AnyFolders);
        }
        if segment.contains("**") {
            return Err(PatternError::Doubled(text.to_owned()));
        }
        if !segment.contains(['*', '?', '[', ']', '{', '}', '\\']) {
            return Ok(Segment::Literal(segment.to_owned()));
        }
        // The name `app.log` has `app.log{,.1}`, too.
        let glob = GlobBuilder::new(segment).literal_separator(true).empty_alternates(true).build();
        let glob = glob.map_err(|error| PatternError::Segment {
            text: text.to_owned(),
            segment: segment.to_owned(),
            why: error.kind().to_string(),
        })?;
        Ok(Segment::Glob(glob.compile_matcher()))
    }

    fn matches(&self, name: &OsStr) -> bool {
        match self {
            Segment::AnyFolders => true,
            Segment::Literal(literal) => literal.as_bytes() == name.as_bytes(),
            Segment::Glob(glob) => glob.is_match(Path::new(name)),
        }
    }
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

    /// Finds the files that are meant, and the folders that were looked into.
    pub fn walk(&self, walked: &mut Walked) {
        walk(Path::new("/"), &self.segments, walked);
    }
}

/// What globs have led to.
#[derive(Debug, Default)]
pub struct Walked {
    /// Files.
    pub files: Vec<PathBuf>,
    /// Folders that were looked into.
    pub folders: Vec<PathBuf>,
    /// What may not be looked into.
    pub refused: Vec<Refused>,
}

/// What is there and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub why: String,
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

fn walk(folder: &Path, segments: &[Segment], walked: &mut Walked) {
    match segments.split_first() {
        None => {}
        Some((Segment::Literal(name), [])) => {
            walked.folders.push(folder.to_owned());
            let path = folder.join(name);
            match fs::metadata(&path) {
                Ok(found) if found.is_file() => walked.files.push(path),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    walked.refuse(folder, &error)
                }
                _ => {}
            }
        }
        Some((Segment::Literal(name), rest)) => walk(&folder.join(name), rest, walked),
        Some((Segment::AnyFolders, rest)) => {
            walk(folder, rest, walked);
            let entries = walked.entries(folder);
            for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
                walk(&entry.path(), segments, walked);
            }
            walked.folders.push(folder.to_owned());
        }
        Some((glob, rest)) => {
            walked.folders.push(folder.to_owned());
            let entries = walked.entries(folder);
            for entry in entries.filter(|entry| glob.matches(&entry.file_name())) {
                let path = entry.path();
                let Ok(kind) = entry.file_type() else { continue };
                let (is_file, is_dir) = match kind.is_symlink() {
                    true => (path.is_file(), path.is_dir()),
                    false => (kind.is_file(), kind.is_dir()),
                };
                if rest.is_empty() && is_file {
                    walked.files.push(path);
                } else if !rest.is_empty() && is_dir {
                    walk(&path, rest, walked);
                }
            }
        }
    }
}

impl Walked {
    fn entries(&mut self, folder: &Path) -> impl Iterator<Item = fs::DirEntry> + use<> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => Some(entries),
            Err(error) => {
                // What is not there may come.
                let is_absent =
                    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
                if !is_absent {
                    self.refuse(folder, &error);
                }
                None
            }
        };
        entries.into_iter().flatten().flatten()
    }

    fn refuse(&mut self, path: &Path, error: &io::Error) {
        if self.refused.iter().all(|refused| refused.path != path) {
            self.refused.push(Refused { path: path.to_owned(), why: error.to_string() });
        }
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
            ("/var/log/app[!0-9].log", "/var/log/appx.log", true),
            ("/var/log/app[!0-9].log", "/var/log/app7.log", false),
            ("/var/log/app[^0-9].log", "/var/log/app7.log", false),
            ("/srv/{web,db}/*.{log,txt}", "/srv/web/a.log", true),
            ("/srv/{web,db}/*.{log,txt}", "/srv/db/a.txt", true),
            ("/srv/{web,db}/*.{log,txt}", "/srv/mail/a.log", false),
            ("/srv/{web,db}/*.{log,txt}", "/srv/web/a.gz", false),
            ("/var/log/app.log{,.1}", "/var/log/app.log", true),
            ("/var/log/app.log{,.1}", "/var/log/app.log.1", true),
            ("/var/log/app.log{,.1}", "/var/log/app.log.2", false),
            ("/var/log/{web*,db[0-9]}.log", "/var/log/web07.log", true),
            ("/var/log/{web*,db[0-9]}.log", "/var/log/dbx.log", false),
            (r"/var/log/\[x\].log", "/var/log/[x].log", true),
            ("/var/log/[[]x].log", "/var/log/[x].log", true),
            ("/var/log/[]a].log", "/var/log/].log", true),
            ("/var/log/a b+c(1).log", "/var/log/a b+c(1).log", true),
            ("/var/log/*+(1).log", "/var/log/a+(1).log", true),
            ("/var/log/ä?.log", "/var/log/äx.log", true),
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
        ] {
            assert_eq!(text.parse::<Pattern>(), Err(expected));
        }
        for (text, expected) in [
            ("/var/[a", "'/var/[a': the part '[a' is no glob: unclosed character class"),
            ("/var/{a,b", "'/var/{a,b': the part '{a,b' is no glob: unclosed alternate group"),
            (
                "/var/{a/b,c}/*.log",
                "'/var/{a/b,c}/*.log': the part '{a' is no glob: unclosed alternate group",
            ),
            ("/var/[z-a]", "'/var/[z-a]': the part '[z-a]' is no glob: invalid range"),
            ("/var/a}", "'/var/a}': the part 'a}' is no glob: unopened alternate group"),
        ] {
            let found = text.parse::<Pattern>().unwrap_err().to_string();
            assert!(found.starts_with(expected), "{text}: {found}");
        }
        assert_eq!(format!("/{}", "a".repeat(5000)).parse::<Pattern>(), Err(PatternError::Long(5001)));
    }

    #[test]
    fn names_that_are_no_text_are_meant_by_globs_too() {
        let pattern: Pattern = "/var/log/*.log".parse().unwrap();
        assert!(pattern.matches(Path::new(OsStr::from_bytes(b"/var/log/\xff\xfe.log"))));
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
        let mut walked = Walked::default();
        pattern.walk(&mut walked);
        walked.files.sort();
        assert_eq!(walked.files, ["a.log", "b/c.log", "b/d/e.log"].map(|path| root.path().join(path)));
        assert!(walked.folders.contains(&root.path().join("b/d")) && walked.refused.is_empty());
    }
}
