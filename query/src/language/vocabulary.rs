//! What a question may name beside the language's own words.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::{
    names::{Names, nearest},
    question::Members,
};

/// Names of classes, saved sets and labels.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// What classes are called.
    pub names: Names,
    /// Saved sets by their names in lower case; a saved set goes before a class of the same name.
    pub sets: BTreeMap<String, Members>,
    /// Labels of hosts, such as `rack`.
    pub labels: BTreeSet<String>,
}

impl Vocabulary {
    /// What these words name.
    pub fn members(&self, words: &str) -> Option<Members> {
        let saved = self.sets.get(words).cloned();
        saved.or_else(|| self.names.class(words).map(|class| Members::Class(class.to_owned())))
    }

    /// Everything that a set may be called.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.sets.keys().map(String::as_str).chain(self.names.all())
    }

    /// The name nearest to these words, if one is near enough to be meant.
    pub fn nearest(&self, words: &str) -> Option<&str> {
        nearest(words, self.all())
    }

    /// A label as it is written, whatever its case in the question.
    pub fn label(&self, word: &str) -> Option<&str> {
        self.labels.iter().find(|label| label.eq_ignore_ascii_case(word)).map(String::as_str)
    }
}

impl From<Names> for Vocabulary {
    fn from(names: Names) -> Vocabulary {
        Vocabulary { names, ..Vocabulary::default() }
    }
}

/// What classes are called in questions, whatever is configured.
pub fn built_in() -> &'static Vocabulary {
    static VOCABULARY: LazyLock<Vocabulary> =
        LazyLock::new(|| Names::new(lastwords_detect::ClassNames.names()).into());
    &VOCABULARY
}
