//! What may stand next in a question, for front ends that complete while one types.
//!
//! A candidate may stand where it does if the question up to it is understood, or breaks off at its end: so whatever the
//! parser learns is completed as well.

use std::ops::Range;

use serde::Serialize;

use super::{asker::Asker, error::SyntaxError, forms::parse, vocabulary::Vocabulary};

/// Candidates for the word under the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Completions {
    /// The bytes of the question that a candidate replaces: the word that has been begun.
    pub replace: Range<usize>,
    /// What may stand there.
    pub candidates: Vec<Candidate>,
}

/// Something that may stand next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// What to put there.
    pub text: String,
    /// What it is.
    pub kind: Kind,
    /// The class that a name stands for, or an example of a clause.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub help: String,
}

/// What a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A word of the language.
    Keyword,
    /// A saved set.
    Set,
    /// A class or one of its names.
    Class,
    /// A label of hosts.
    Label,
}

/// Clauses with an example of each.
const KEYWORDS: &[(&str, &str)] = &[
    ("what precedes", "what precedes panics within 15 minutes"),
    ("what distinguishes", "what distinguishes guests with panics"),
    ("guests", ""),
    ("hosts", "hosts silent for 5 minutes"),
    ("new messages", "new messages since 1 day ago"),
    ("messages", "messages on host hv01"),
    ("silent for", "hosts silent for 5 minutes"),
    ("with", ""),
    ("within", "within 5 minutes of network saturation"),
    ("not within", "not within 1 hour after deploys"),
    ("of", "at most so long between the two"),
    ("before", "the other follows"),
    ("after", "the other comes first"),
    ("before and after", "panics before and after 2026-11-20 12:00"),
    ("on the same host", "the host that ran the guest then"),
    ("on the same guest", ""),
    ("anywhere", ""),
    ("on host", "on host hv01 or hv02"),
    ("on guest", "on guest web07"),
    ("or", "on host hv01 or hv02"),
    ("and", "within 5m of oopses and not within 1h after deploys"),
    ("since", "since 7 days ago"),
    ("until", "until yesterday"),
    ("between", "between 2026-11-20 and 2026-11-27"),
    ("in the last", "in the last 7 days"),
    ("by hour of day", ""),
    ("by day of week", ""),
    ("by host", ""),
    ("by guest", ""),
    ("by class", ""),
    ("by day", "the asker's calendar days"),
    ("by week", ""),
    ("by month", ""),
    ("by title", "what happened, in a line"),
    ("today", ""),
    ("yesterday", ""),
    ("last night", "from 18:00 to 06:00"),
    ("this week", "from Monday"),
    ("last week", "Monday to Monday"),
    ("during", "during network saturation"),
    ("without", "without network saturation"),
    ("not on host", "not on host hv01"),
    ("not on guest", "not on guest web07"),
    ("on weekdays", ""),
    ("at night", "between 22:00 and 06:00"),
];

/// What may stand at `cursor`, a byte of the question; what comes after it is not looked at.
pub fn complete(question: &str, cursor: usize, vocabulary: &Vocabulary) -> Completions {
    let cursor =
        (0..=cursor.min(question.len())).rev().find(|at| question.is_char_boundary(*at)).unwrap_or(0);
    let before = question.get(..cursor).unwrap_or_default();
    let mut candidates: Vec<(usize, Candidate)> = Vec::new();
    for (text, kind, help) in everything(vocabulary) {
        // Names have several words, of which some may have been typed.
        let Some(begun) = longest_begun(before, &text) else { continue };
        let asked = format!("{}{text}", before.get(..begun).unwrap_or_default());
        if may_stand(&asked, vocabulary) && !candidates.iter().any(|(_, other)| other.text == text) {
            candidates.push((begun, Candidate { text, kind, help }));
        }
    }
    // The candidate that continues the most words is meant: after "network sat" nobody wants "since".
    let begun = candidates.iter().map(|(begun, _)| *begun).min().unwrap_or(cursor);
    candidates.retain(|(at, _)| *at == begun);
    let mut candidates: Vec<Candidate> = candidates.into_iter().map(|(_, candidate)| candidate).collect();
    candidates.sort_by(|a, b| (a.kind, &a.text).cmp(&(b.kind, &b.text)));
    Completions { replace: begun..cursor, candidates }
}

fn everything(vocabulary: &Vocabulary) -> Vec<(String, Kind, String)> {
    let keywords =
        KEYWORDS.iter().map(|(text, help)| ((*text).to_owned(), Kind::Keyword, (*help).to_owned()));
    let sets = vocabulary.sets.keys().map(|name| (name.clone(), Kind::Set, String::new()));
    let classes = vocabulary.names.all().map(|name| {
        let class = vocabulary.names.class(name).unwrap_or_default();
        (name.to_owned(), Kind::Class, if class == name { String::new() } else { class.to_owned() })
    });
    let labels = vocabulary.labels.iter().flat_map(|label| {
        ["on the same ", "on ", "by "].map(|before| (format!("{before}{label}"), Kind::Label, String::new()))
    });
    keywords.chain(sets).chain(classes).chain(labels).collect()
}

/// Where the longest end of `before` begins that `text` continues: at a word, or at the very end after a space.
fn longest_begun(before: &str, text: &str) -> Option<usize> {
    let starts = before.char_indices().filter(|(at, letter)| {
        !letter.is_whitespace()
            && before.get(..*at).is_some_and(|head| head.is_empty() || head.ends_with(char::is_whitespace))
    });
    let begins = |at: &usize| {
        let typed = before.get(*at..).unwrap_or_default();
        typed.len() <= text.len()
            && text.get(..typed.len()).is_some_and(|head| head.eq_ignore_ascii_case(typed))
    };
    let found = starts.map(|(at, _)| at).find(begins);
    let fresh = before.is_empty() || before.ends_with(char::is_whitespace);
    found.or_else(|| fresh.then_some(before.len()))
}

/// Whether a question may begin like this.
fn may_stand(asked: &str, vocabulary: &Vocabulary) -> bool {
    let asker = Asker { now_ns: 0, time_zone: jiff::tz::TimeZone::UTC };
    match parse(asked, vocabulary, &asker) {
        Ok(_) => true,
        Err(SyntaxError { place, .. }) => place.start >= asked.trim_end().len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::names::Names;

    fn texts(question: &str) -> (Range<usize>, Vec<String>) {
        let names = Names::new([("panics", "kernel.panic"), ("network saturation", "network.saturation")]);
        let mut vocabulary = Vocabulary::from(names);
        vocabulary.labels.insert("rack".into());
        vocabulary.save("deploys", "{Program = 'ansible'}").unwrap();
        let found = complete(question, question.len(), &vocabulary);
        (found.replace, found.candidates.into_iter().map(|candidate| candidate.text).collect())
    }

    #[test]
    fn what_may_stand_next_is_offered_and_nothing_else() {
        for (question, wanted, unwanted) in [
            ("", &["panics", "deploys", "what precedes", "hosts"][..], &["within", "since"][..]),
            ("pan", &["panics"], &["network saturation"]),
            (
                "panics ",
                &["within", "not within", "since", "before and after", "on rack", "by rack"],
                &["on the same host", "of", "panics"],
            ),
            ("panics within 5m ", &["of", "before", "after"], &["since", "panics"]),
            ("panics within 5m of network sat", &["network saturation"], &["since", "panics"]),
            (
                "panics within 5m of network saturation on the same ",
                &["on the same host", "on the same rack"],
                &["on host"],
            ),
            ("what precedes panics within 5m ", &["on the same host", "since"], &["by host"]),
            ("hosts ", &["silent for"], &["within"]),
        ] {
            let (_, found) = texts(question);
            for text in wanted {
                assert!(found.iter().any(|one| one == text), "{question:?} lacks {text:?}: {found:?}");
            }
            for text in unwanted {
                assert!(!found.iter().any(|one| one == text), "{question:?} offers {text:?}");
            }
        }
        assert_eq!(texts("panics within 5m of network sat").0, 20..31);
    }
}
