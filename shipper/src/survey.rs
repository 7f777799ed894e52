//! What is meant to be collected and is not: globs without a file, files and folders that cannot be read.

use std::path::Path;

use crate::{
    config::{DEFAULT_CONSOLES, DEFAULT_FILES, FileRule, ShipperConfig},
    discover::{Refused, Walked},
    source::content,
    status::Notice,
};

/// Files that are opened to see whether they can be.
const OPENED_MAX: usize = 20_000;

/// What is meant and not collected.
#[derive(Debug, Default)]
pub struct Survey {
    /// Files that are meant.
    pub files: usize,
    /// Globs that lead to no file.
    pub unmatched: Vec<String>,
    /// Files and folders that cannot be read.
    pub refused: Vec<Refused>,
}

impl Survey {
    /// Looks at every file that is meant.
    pub fn of(config: &ShipperConfig) -> Survey {
        let mut survey = Survey::default();
        for rule in &config.files {
            let mut walked = Walked::default();
            survey.unmatched.extend(walk(rule, &mut walked));
            walked.files.retain(|path| !rule.excludes(path));
            survey.files += walked.files.len();
            survey.refused.append(&mut walked.refused);
            for path in walked.files.into_iter().take(OPENED_MAX) {
                if let Err(error) = content::open_file(&path) {
                    survey.refused.push(Refused { path, why: error.to_string() });
                }
            }
        }
        survey
    }
}

/// Goes where a rule's globs lead; gives those that lead to no file and were written by somebody.
pub(crate) fn walk(rule: &FileRule, walked: &mut Walked) -> Vec<String> {
    let mut unmatched = Vec::new();
    for pattern in &rule.patterns {
        let before = (walked.files.len(), walked.refused.len());
        pattern.walk(walked);
        let is_usual =
            DEFAULT_FILES.contains(&pattern.as_str()) || DEFAULT_CONSOLES.contains(&pattern.as_str());
        if before == (walked.files.len(), walked.refused.len()) && !is_usual {
            unmatched.push(pattern.as_str().to_owned());
        }
    }
    unmatched
}

/// Of a glob that leads to no file.
pub(crate) fn unmatched_notice(glob: &str) -> Notice {
    Notice::new(
        glob,
        format!("no file is meant by {glob}"),
        "check collect.files and collect.file, or create the file; it is read once it is there",
    )
}

/// Of a file or folder that cannot be read.
pub(crate) fn refused_notice(path: &Path, why: &str) -> Notice {
    let path = path.display();
    Notice::new(
        path.to_string(),
        format!("{path} cannot be read: {why}"),
        "give the shipper's user the right to read it (setfacl -m u:USER:rX, or a group), or exclude it",
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use lastwords_record::{Host, Source};

    use super::*;

    #[test]
    fn globs_without_a_file_are_named_unless_they_are_the_usual_ones() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| format!("{}/{name}", folder.path().display());
        fs::write(at("a.log"), "x").unwrap();
        let mut config = ShipperConfig::new(Host::default(), folder.path().join("state"));
        let globs = [at("*.log"), at("none/*.log"), at("b.log"), DEFAULT_CONSOLES[0].to_owned()];
        config.files = vec![FileRule::new(Source::File, &globs, &[], "UTC").unwrap()];
        let survey = Survey::of(&config);
        assert_eq!((survey.files, survey.unmatched), (1, vec![at("none/*.log"), at("b.log")]));
    }
}
