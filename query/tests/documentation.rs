//! What the documentation says can be asked, can be asked.

#![allow(clippy::unwrap_used, reason = "in a test file helpers assert, too")]

use std::path::Path;

use jiff::tz::TimeZone;
use lastwords_query::language::{Asker, parse};

#[test]
fn every_example_is_understood() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/questions.md")).unwrap();
    let mut vocabulary = lastwords_query::vocabulary().clone();
    vocabulary.labels.extend(["rack".to_owned(), "zone".to_owned()]);
    vocabulary.hosts.extend(["hv01".to_owned(), "hv02".to_owned()]);
    vocabulary.guests.insert("web07".to_owned());
    vocabulary.save("deploys", "{Program = 'ansible' and Body LIKE '%deploy%'}").unwrap();
    let asker = Asker { now_ns: 1_796_000_000_000_000_000, time_zone: TimeZone::UTC };
    let mut questions = Vec::new();
    for block in text.split("```question\n").skip(1) {
        questions.extend(block.split("```").next().unwrap().lines());
    }
    assert!(questions.len() >= 20, "{questions:?}");
    for question in questions {
        let understood = parse(question, &vocabulary, &asker);
        assert!(understood.is_ok(), "{question}: {understood:?}");
    }
}
