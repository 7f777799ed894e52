//! What a question may name beside the language's own words.

use std::collections::{BTreeMap, BTreeSet};

use super::{Asker, Members, Names, Question, SyntaxError, names::nearest, parser::parse};

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

    /// Adds a saved set: its definition is a class, one of its names, another saved set, quoted text or a predicate.
    ///
    /// # Errors
    /// Where the definition is no set.
    pub fn save(&mut self, name: &str, definition: &str) -> Result<(), SyntaxError> {
        let asker = Asker { now_ns: 0, time_zone: jiff::tz::TimeZone::UTC };
        let members = match parse(definition, self, &asker)? {
            Question::Matches(found)
                if found.conditions.is_empty()
                    && found.by.is_none()
                    && found.bounds == Default::default() =>
            {
                found.anchors.members
            }
            _ => {
                let message = "A saved set is a class, \"text\" or {condition}, and nothing more.";
                return Err(SyntaxError::new(definition, 0..definition.len(), message));
            }
        };
        self.sets.insert(name.to_ascii_lowercase(), members);
        Ok(())
    }
}

impl From<Names> for Vocabulary {
    fn from(names: Names) -> Vocabulary {
        Vocabulary { names, ..Vocabulary::default() }
    }
}
