//! Users' own rules files, which stand beside the built-in rules.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{Detector, RulesError, rules};

/// A rules file: where it is, and its text.
pub type RuleFile = (PathBuf, String);

/// Why users' rules files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleFilesError {
    /// A file cannot be read.
    #[error("the rules file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds what is no rule: line, rule and key.
    #[error("{}: {source}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RulesError,
    },
    /// Each file can be used alone, but not beside the others and the built-in rules.
    #[error("{}: {source}", names(paths))]
    Together {
        /// The files.
        paths: Vec<PathBuf>,
        /// What is wrong.
        source: RulesError,
    },
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The rules that a process uses: the built-in ones and those of users' files.
#[derive(Debug, Clone, Default)]
pub struct RuleFiles {
    files: Vec<RuleFile>,
    /// None: the built-in ones alone, which are compiled only where they are needed.
    detector: Option<Arc<Detector>>,
}

impl RuleFiles {
    /// With these files; none: the built-in rules alone.
    ///
    /// # Errors
    /// File, line, rule and key of what cannot be used.
    pub fn new(files: Vec<RuleFile>) -> Result<RuleFiles, RuleFilesError> {
        if files.is_empty() {
            return Ok(RuleFiles::default());
        }
        let detector = Arc::new(compile(&files)?);
        Ok(RuleFiles { files, detector: Some(detector) })
    }

    /// With more files.
    ///
    /// # Errors
    /// As [`RuleFiles::new`].
    pub fn and(&self, more: &[RuleFile]) -> Result<RuleFiles, RuleFilesError> {
        if more.is_empty() {
            return Ok(self.clone());
        }
        RuleFiles::new(self.files.iter().chain(more).cloned().collect())
    }

    /// Where the users' files are.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    /// What finds events by these rules.
    pub fn detector(&self) -> Arc<Detector> {
        self.detector.clone().unwrap_or_else(|| Arc::new(Detector::built_in()))
    }

    /// Classes of the users' rules; they lie in the tree of classes and may be below its leaves.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.detector.iter().flat_map(|detector| detector.rules().iter().map(|rule| &*rule.class))
    }
}

/// Reads rules files.
///
/// # Errors
/// The file that cannot be read.
pub fn read(paths: &[PathBuf]) -> Result<Vec<RuleFile>, RuleFilesError> {
    let read = |path: &PathBuf| match std::fs::read_to_string(path) {
        Ok(text) => Ok((path.clone(), text)),
        Err(source) => Err(RuleFilesError::Unreadable { path: path.clone(), source }),
    };
    paths.iter().map(read).collect()
}

/// A detector with these files' rules beside the built-in ones.
///
/// # Errors
/// File, line, rule and key of what cannot be used.
pub fn compile(files: &[RuleFile]) -> Result<Detector, RuleFilesError> {
    for (path, text) in files {
        rules::parse(text).map_err(|source| RuleFilesError::Wrong { path: path.clone(), source })?;
    }
    let texts: Vec<&str> = files.iter().map(|(_, text)| text.as_str()).collect();
    Detector::with_rules(&texts).map_err(|source| {
        let paths = files.iter().map(|(path, _)| path.clone()).collect();
        RuleFilesError::Together { paths, source }
    })
}
