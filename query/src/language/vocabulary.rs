//! What a question may name beside the language's own words.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::{
    names::{Names, distance, nearest},
    question::Members,
};

/// So many near names are offered.
const NEAR_NAMES: usize = 3;

/// Names of classes, saved sets, labels and places.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// What classes are called.
    pub names: Names,
    /// Saved sets by their names in lower case; a saved set goes before a class of the same name.
    pub sets: BTreeMap<String, Members>,
    /// Labels of hosts, such as `rack`.
    pub labels: BTreeSet<String>,
    /// Names of hosts; with none of them and no guests, every name is taken as it is.
    pub hosts: BTreeSet<String>,
    /// Names of guests.
    pub guests: BTreeSet<String>,
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

    /// Whether it is known which hosts and guests there are.
    pub(super) fn has_places(&self) -> bool {
        !(self.hosts.is_empty() && self.guests.is_empty())
    }

    /// A guest's name as it is written.
    pub(super) fn guest(&self, word: &str) -> Option<&str> {
        one_like(&self.guests, word)
    }

    /// The host of this name, or those that a pattern with `*` stands for.
    pub(super) fn hosts_like(&self, word: &str, is_pattern: bool) -> Vec<String> {
        all_like(&self.hosts, word, is_pattern)
    }

    /// The guest of this name, or those that a pattern with `*` stands for.
    pub(super) fn guests_like(&self, word: &str, is_pattern: bool) -> Vec<String> {
        all_like(&self.guests, word, is_pattern)
    }

    /// Names of hosts, guests or both that are near a word, the nearest first.
    pub(super) fn near_names(&self, word: &str, hosts: bool, guests: bool) -> Vec<&str> {
        let hosts = self.hosts.iter().filter(|_| hosts);
        let names = hosts.chain(self.guests.iter().filter(|_| guests)).map(String::as_str);
        let word = word.to_ascii_lowercase();
        let mut near: Vec<(usize, &str)> =
            names.filter_map(|name| Some((distance(&word, name)?, name))).collect();
        near.sort_unstable();
        near.truncate(NEAR_NAMES);
        near.into_iter().map(|(_, name)| name).collect()
    }

    /// A label as it is written, whatever its case in the question.
    pub fn label(&self, word: &str) -> Option<&str> {
        self.labels.iter().find(|label| label.eq_ignore_ascii_case(word)).map(String::as_str)
    }
}

fn one_like<'a>(names: &'a BTreeSet<String>, word: &str) -> Option<&'a str> {
    let found = names.get(word).or_else(|| names.iter().find(|name| name.eq_ignore_ascii_case(word)));
    found.map(String::as_str)
}

fn all_like(names: &BTreeSet<String>, word: &str, is_pattern: bool) -> Vec<String> {
    if !is_pattern {
        return one_like(names, word).map(str::to_owned).into_iter().collect();
    }
    names.iter().filter(|name| fits(word, name)).cloned().collect()
}

/// Whether a name fits a pattern in which `*` stands for any letters, whatever their case.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name, expected) in [
            ("hv0*", "hv01", true),
            ("HV0*", "hv0", true),
            ("*web*", "my-web-7", true),
            ("w*b*7", "web07", true),
            ("hv0*", "xhv01", false),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
