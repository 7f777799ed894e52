//! Whatever is asked: a question whose canonical words mean the same, or an error within the text; never a panic.
//! `cargo +nightly fuzz run question -- -max_total_time=60` in `query/`.
#![no_main]

use lastwords_query::language::{Asker, Vocabulary, complete, parse};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let asker = Asker { now_ns: 1_796_000_000_000_000_000, time_zone: jiff::tz::TimeZone::UTC };
    let mut vocabulary: Vocabulary = lastwords_query::vocabulary().clone();
    vocabulary.labels.insert("rack".to_owned());
    match parse(text, &vocabulary, &asker) {
        Ok(question) => {
            let again = parse(&question.to_string(), &vocabulary, &asker);
            assert_eq!(again.map(|again| again.to_string()), Ok(question.to_string()));
        }
        Err(error) => {
            assert!(error.question.get(error.place.clone()).is_some(), "{error:?}");
            let _ = error.to_string();
        }
    }
    let _ = complete(text, text.len() / 2, &vocabulary);
});
