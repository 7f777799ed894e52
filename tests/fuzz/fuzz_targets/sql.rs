//! Whatever a user sends as SQL: a refusal that points into the text, or a text that is read back as the same tree and
//! names no function and no table that is on no list; never a panic. `scripts/fuzz 60 sql`.
#![no_main]

use lastwords_store::confine::{Audience, Policy, confine, confine_predicate, is_canonical};

libfuzzer_sys::fuzz_target!(|text: &str| {
    for audience in [Audience::Asker, Audience::Port] {
        let policy = Policy { database: "lastwords", audience };
        match confine(text, &policy) {
            Ok(confined) => {
                assert!(is_canonical(&confined.text), "{text}\n{}", confined.text);
            }
            Err(refusal) => {
                assert!(text.get(refusal.place.clone()).is_some(), "{refusal:?}");
                let _ = refusal.pointing_into(text);
            }
        }
        match confine_predicate(text, &policy) {
            // In brackets it is one value, whatever stands around it.
            Ok(condition) => assert!(is_canonical(&format!("SELECT {condition}")), "{text}\n{condition}"),
            Err(refusal) => assert!(text.get(refusal.place.clone()).is_some(), "{refusal:?}"),
        }
    }
});
