//! What a question may name beside the language's own words.

use std::collections::{BTreeMap, BTreeSet};

use super::{Members, Names};

/// Names of classes, saved sets and labels.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// What classes are called.
    pub names: Names,
    /// Saved sets by their names; a saved set goes before a class of the same name.
    pub sets: BTreeMap<String, Members>,
    /// Labels of hosts, such as `rack`.
    pub labels: BTreeSet<String>,
}

impl From<Names> for Vocabulary {
    fn from(names: Names) -> Vocabulary {
        Vocabulary { names, ..Vocabulary::default() }
    }
}
