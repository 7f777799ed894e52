//! Whatever is asked: a question whose canonical words mean the same, or an error within the text; never a panic.
//! `scripts/fuzz 60 question`.
#![no_main]

use std::sync::LazyLock;

use lastwords_query::language::{Asker, Vocabulary, complete, parse};

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let mut vocabulary = lastwords_query::vocabulary().clone();
    vocabulary.labels.insert("rack".to_owned());
    vocabulary
});

libfuzzer_sys::fuzz_target!(|text: &str| {
    let asker = Asker { now_ns: 1_796_000_000_000_000_000, time_zone: jiff::tz::TimeZone::UTC };
    let vocabulary: &Vocabulary = &VOCABULARY;
    match parse(text, vocabulary, &asker) {
        Ok(question) => {
            let again = parse(&question.to_string(), vocabulary, &asker);
            assert_eq!(again.map(|again| again.to_string()), Ok(question.to_string()));
        }
        Err(error) => {
            assert!(error.question.get(error.place.clone()).is_some(), "{error:?}");
            let _ = error.to_string();
        }
    }
    // It parses once for each candidate, hundreds of times as much as the rest.
    if text.len().is_multiple_of(32) {
        let _ = complete(text, text.len() / 2, vocabulary);
    }
});
