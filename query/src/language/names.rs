//! What classes are called, and which name a misspelt one is nearest to.

use std::collections::BTreeMap;

/// Names of classes: the dotted ones, their parents, and those that people use.
#[derive(Debug, Clone, Default)]
pub struct Names {
    class_of: BTreeMap<String, String>,
}

impl Names {
    /// From pairs of a name and its class. Every class and every parent of one is a name as well.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Names {
        let mut names = Names::default();
        for (name, class) in pairs {
            names.add(class);
            names.class_of.insert(name.to_ascii_lowercase(), class.to_owned());
        }
        names
    }

    /// Adds a class and its parents, under their dotted names.
    pub fn add(&mut self, class: &str) {
        let ends = class.match_indices('.').map(|(at, _)| at).chain([class.len()]);
        for own in ends.filter_map(|end| class.get(..end)) {
            self.class_of.entry(own.to_ascii_lowercase()).or_insert_with(|| own.to_owned());
        }
    }

    /// The class that these words name; singular and plural are the same.
    pub fn class(&self, words: &str) -> Option<&str> {
        let spaced = words.replace('_', " ");
        let mut forms =
            vec![words.to_owned(), words.replace(' ', "_"), words.replace(' ', "."), spaced.clone()];
        for form in [words, &spaced] {
            forms.push(format!("{form}s"));
            forms.extend(form.strip_suffix('s').map(str::to_owned));
            forms.extend(form.strip_suffix("es").map(str::to_owned));
        }
        forms.iter().find_map(|form| self.class_of.get(form)).map(String::as_str)
    }

    /// All names.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.class_of.keys().map(String::as_str)
    }

    /// The name nearest to these words, if one is near enough to be meant.
    pub fn nearest(&self, words: &str) -> Option<&str> {
        nearest(words, self.all())
    }
}

/// The candidate with the fewest edits to make of `word`, if they are few enough in each of its words.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .filter_map(|candidate| Some((distance(word, candidate)?, candidate)))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits that make the one of the other, where they are at most a third of the letters of each of its words: "link flaps"
/// is not nearly "link ups". None where there are more.
pub(super) fn distance(a: &str, b: &str) -> Option<usize> {
    let close = |a: &str, b: &str| {
        let letters = a.chars().count();
        let allowed = (letters / 3).max(1);
        // Each letter more or less is an edit.
        let worth = b.chars().count().abs_diff(letters) <= allowed;
        worth.then(|| edits(a, b)).filter(|edits| *edits <= allowed)
    };
    let whole = close(a, b)?;
    let (words, others) = (a.split(' '), b.split(' '));
    if words.clone().count() == others.clone().count()
        && !words.zip(others).all(|(word, other)| close(word, other).is_some())
    {
        return None;
    }
    Some(whole)
}

/// Insertions, deletions, replacements and swaps of neighbours that make `b` of `a`.
#[allow(clippy::indexing_slicing, reason = "rows have one entry more than b has letters, and j runs over b")]
pub(super) fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1; b.len() + 1];
        for j in 0..b.len() {
            let mut least = (last[j] + usize::from(a[i] != b[j])).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            row[j + 1] = least;
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_with_swaps_as_one() {
        for (a, b, expected) in [
            ("", "", 0),
            ("panic", "", 5),
            ("panic", "panic", 0),
            ("panci", "panic", 1),
            ("saturatoin", "saturation", 1),
            ("oom kils", "oom kills", 1),
        ] {
            assert_eq!(edits(a, b), expected, "{a:?} {b:?}");
            assert_eq!(edits(b, a), expected, "{b:?} {a:?}");
        }
    }

    #[test]
    fn a_class_has_its_dotted_name_its_parents_and_plurals() {
        let names = Names::new([("panics", "kernel.panic"), ("network saturation", "network.saturation")]);
        for (words, class) in [
            ("panics", Some("kernel.panic")),
            ("panic", Some("kernel.panic")),
            ("kernel.panic", Some("kernel.panic")),
            ("kernel panic", Some("kernel.panic")),
            ("kernel", Some("kernel")),
            ("network saturations", Some("network.saturation")),
            ("panicked", None),
        ] {
            assert_eq!(names.class(words), class, "{words:?}");
        }
        assert_eq!(names.nearest("network saturatoin"), Some("network saturation"));
        assert_eq!(names.nearest("quiet evenings"), None);
        assert_eq!(distance("link flaps", "link ups"), None);
    }
}
