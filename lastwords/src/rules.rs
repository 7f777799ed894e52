//! Users' own rules files, which stand besides the built-in rules.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lastwords_detect::{Detector, rules};

/// The rules that a process uses.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    files: Vec<(PathBuf, String)>,
    /// None: the built-in ones alone, which are compiled only where they are needed.
    detector: Option<Arc<Detector>>,
}

impl Rules {
    /// These files, each a path and its text; none: the built-in rules alone.
    ///
    /// # Errors
    /// File, line, rule and key of what cannot be used.
    pub fn of(files: Vec<(PathBuf, String)>) -> Result<Rules, String> {
        if files.is_empty() {
            return Ok(Rules::default());
        }
        let detector = Arc::new(detector(&files)?);
        Ok(Rules { files, detector: Some(detector) })
    }

    /// These rules and more files'.
    ///
    /// # Errors
    /// As [`Rules::of`].
    pub fn and(&self, more: &[(PathBuf, String)]) -> Result<Rules, String> {
        if more.is_empty() {
            return Ok(self.clone());
        }
        Rules::of(self.files.iter().chain(more).cloned().collect())
    }

    /// The users' files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    /// What finds events by them.
    pub fn detector(&self) -> Arc<Detector> {
        self.detector.clone().unwrap_or_else(|| Arc::new(Detector::built_in()))
    }

    /// Classes of the users' rules; they lie in the tree of classes and may be below its leaves.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.detector.iter().flat_map(|detector| detector.rules().iter().map(|rule| &*rule.class))
    }
}

/// Reads rules files: each text with its path.
///
/// # Errors
/// The file that cannot be read.
pub fn read(paths: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, String> {
    paths
        .iter()
        .map(|path| match std::fs::read_to_string(path) {
            Ok(text) => Ok((path.clone(), text)),
            Err(error) => Err(format!("the rules file {} cannot be read: {error}", path.display())),
        })
        .collect()
}

/// A detector with these rules files besides the built-in rules.
///
/// # Errors
/// File, line, rule and key of what cannot be used.
pub fn detector(files: &[(PathBuf, String)]) -> Result<Detector, String> {
    for (path, text) in files {
        rules::parse(text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let texts: Vec<&str> = files.iter().map(|(_, text)| text.as_str()).collect();
    Detector::with_rules(&texts).map_err(|error| {
        let names: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
        format!("{}: {error}", names.join(", "))
    })
}
