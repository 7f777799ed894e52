//! The language of questions on text that nobody meant as a question.

#![allow(clippy::unwrap_used, reason = "in a test file helpers assert, too")]

use std::sync::LazyLock;

use jiff::tz::TimeZone;
use lastwords_query::language::{Asker, Question, Vocabulary, complete, parse};
use proptest::prelude::*;

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let mut vocabulary = lastwords_query::vocabulary().clone();
    vocabulary.labels.insert("rack".to_owned());
    vocabulary.save("deploys", "{Program = 'ansible'}").unwrap();
    vocabulary
});

fn asker() -> Asker {
    Asker { now_ns: 1_796_000_000_000_000_000, time_zone: TimeZone::get("Europe/Berlin").unwrap() }
}

/// Understood, with canonical words that mean the same; or refused within the text.
fn holds(text: &str) -> Option<Question> {
    match parse(text, &VOCABULARY, &asker()) {
        Ok(question) => {
            let words = question.to_string();
            let again = parse(&words, &VOCABULARY, &asker()).map(|again| again.to_string());
            assert_eq!(again.as_ref(), Ok(&words), "{text:?}");
            Some(question)
        }
        Err(error) => {
            assert!(error.question.get(error.place.clone()).is_some(), "{text:?}: {error:?}");
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

/// The language's own words in any order, and what may stand between them.
fn word() -> impl Strategy<Value = String> {
    let own = prop::sample::select(vec![
        "panics",
        "kernel",
        "oom kills",
        "deploys",
        "rack",
        "host",
        "guest",
        "hosts",
        "guests",
        "what",
        "precedes",
        "distinguishes",
        "with",
        "silent",
        "for",
        "new",
        "messages",
        "within",
        "not",
        "and",
        "or",
        "of",
        "before",
        "after",
        "on",
        "the same",
        "anywhere",
        "since",
        "until",
        "between",
        "in the last",
        "by",
        "hour of day",
        "5m",
        "1 hour",
        "2026-11-20",
        "15:00",
        "yesterday",
        "7 days ago",
        "hv01",
        "\"a b\"",
        "{Row = 1}",
        "\"",
        "{",
        "}",
        "?",
    ]);
    prop_oneof![20 => own.prop_map(str::to_owned), 1 => any::<String>()]
}

/// Clauses that fit together most of the time.
fn question() -> impl Strategy<Value = String> {
    let set = prop::sample::select(vec![
        "panics",
        "\"x\\\" y\"",
        "{Row = 1}",
        "oom kills",
        "deploys",
        "kernel.oops",
    ]);
    let length = prop::sample::select(vec!["5m", "1h30m", "250 ms", "2 days", "an hour", "0s"]);
    let scope =
        prop::sample::select(vec!["", "anywhere", "on the same guest", "on the same rack", "on same host"]);
    let near =
        (any::<bool>(), length, prop::sample::select(vec!["of", "before", "after"]), set.clone(), scope)
            .prop_map(|(not, length, relation, set, scope)| {
                format!("{}within {length} {relation} {set} {scope}", if not { "not " } else { "" })
            });
    let place =
        prop::sample::select(vec!["", "on host hv01", "on rack b7 or \"b 8\"", "on guest web07 or x"]);
    let when = prop::sample::select(vec![
        "",
        "since yesterday",
        "until today",
        "between 2026-11-19 and 2026-11-20 12:00",
    ]);
    let by = prop::sample::select(vec!["", "by hour of day", "by rack", "by class"]);
    (set, prop::collection::vec(near, 0..4), place, when, by)
        .prop_map(|(set, near, place, when, by)| format!("{set} {} {place} {when} {by}", near.join(" ")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_understood_or_refused(text in any::<String>(), at in any::<prop::sample::Index>()) {
        holds(&text);
        let _ = complete(&text, at.index(text.len() + 1), &VOCABULARY);
    }

    #[test]
    fn any_words_are_understood_or_refused(words in prop::collection::vec(word(), 0..14)) {
        holds(&words.join(" "));
    }

    #[test]
    fn clauses_that_fit_are_understood(text in question()) {
        prop_assert!(holds(&text).is_some(), "{}", text);
    }
}

#[test]
fn what_is_very_long_or_deeply_nested_is_refused() {
    for text in [
        "{".repeat(9_999),
        format!("{{{}1{}}}", "(".repeat(4_900), ")".repeat(4_900)),
        format!("{{{}{}}}", "{".repeat(4_900), "}".repeat(4_900)),
        "\"".repeat(9_999),
        "panics ".repeat(1_400),
        format!("panics {}", "within 5m of panics ".repeat(490)),
        format!("panics on host {}", "a or ".repeat(1_900)),
        "a".repeat(9_999),
        "é".repeat(4_999),
        "x".repeat(1 << 20),
    ] {
        let _ = holds(&text);
    }
    assert!(holds(&format!("panics {}", "within 5m of panics ".repeat(16))).is_some());
    assert!(holds(&format!("panics {}", "within 5m of panics ".repeat(17))).is_none());
    assert!(holds(&"x".repeat(1 << 20)).is_none());
}
