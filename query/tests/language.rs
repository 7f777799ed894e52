//! What is understood and what is refused, as people read it. `LASTWORDS_BLESS=1` writes the files anew; read them then.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{fmt::Write as _, path::Path};

use jiff::{Timestamp, tz::TimeZone};
use lastwords_query::language::{
    Asker, Names, Question, SyntaxError, Understood, Vocabulary, built_in, parse, understand,
};

/// The questions of a file stand after `? `; below each is what comes of it, indented.
fn check(file: &str, said: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language").join(file);
    let expected = std::fs::read_to_string(&path).unwrap();
    let questions: Vec<String> = expected
        .lines()
        .filter_map(|line| line.strip_prefix("? "))
        .map(|text| text.replace("\\n", "\n"))
        .collect();
    assert!(questions.len() >= 25, "{file} has but {} questions", questions.len());
    let mut found = String::new();
    for question in &questions {
        writeln!(found, "? {}", question.replace('\n', "\\n")).unwrap();
        for line in said(question).lines() {
            writeln!(found, "{}", format!("    {line}").trim_end()).unwrap();
        }
        found.push('\n');
    }
    if std::env::var_os("LASTWORDS_BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    assert!(found == expected, "{file} says otherwise; found:\n{found}");
}

/// Thursday, 2026-11-26 12:00 in Berlin.
fn ask(question: &str) -> Result<Question, SyntaxError> {
    let names = Names::new([
        ("panics", "kernel.panic"),
        ("oopses", "kernel.oops"),
        ("network saturation", "network.saturation"),
        ("oom kills", "memory.oom_kill"),
        ("memory pressure", "memory.pressure"),
        ("balloon failures", "memory.balloon_failure"),
        ("deploys", "change.deploy"),
    ]);
    let now: Timestamp = "2026-11-26T11:00:00Z".parse().unwrap();
    let now_ns = i64::try_from(now.as_nanosecond()).unwrap();
    let mut vocabulary = Vocabulary::from(names);
    vocabulary.labels.extend(["rack".to_owned(), "zone".to_owned()]);
    vocabulary.save("reboots", "{Program = 'systemd' and Body like '%reboot%'}").unwrap();
    parse(question, &vocabulary, &Asker { now_ns, time_zone: TimeZone::get("Europe/Berlin").unwrap() })
}

/// The question in its canonical words; these mean the same.
fn form(question: &Question) -> String {
    let words = question.to_string();
    let again = ask(&words).unwrap_or_else(|error| panic!("{words}\n{error}"));
    assert_eq!(again.to_string(), words);
    words
}

#[test]
fn questions_mean_what_they_say() {
    check("understood.txt", |question| match ask(question) {
        Ok(question) => form(&question),
        Err(error) => panic!("{question}\n{error}"),
    });
}

#[test]
fn errors_point_at_the_word_and_say_what_would_do() {
    check("refused.txt", |question| match ask(question) {
        Ok(question) => panic!("understood as\n{}", form(&question)),
        Err(error) => error.to_string(),
    });
}

/// A fleet whose machines are known, and every class: as operators ask it.
fn ask_fleet(question: &str) -> Result<Understood, SyntaxError> {
    let now: Timestamp = "2026-11-26T11:00:00Z".parse().unwrap();
    let now_ns = i64::try_from(now.as_nanosecond()).unwrap();
    let mut vocabulary = Vocabulary { labels: ["rack".to_owned()].into(), ..built_in().clone() };
    vocabulary.hosts = (1..=12).map(|number| format!("hv{number:02}")).collect();
    vocabulary.guests = ["mail", "web", "db"]
        .iter()
        .flat_map(|kind| (1..=9).map(move |number| format!("{kind}{number:02}")))
        .collect();
    understand(question, &vocabulary, &Asker { now_ns, time_zone: TimeZone::get("Europe/Berlin").unwrap() })
}

#[test]
fn operators_words_mean_what_they_mean_by_them() {
    check("phrases.txt", |question| match ask_fleet(question) {
        Ok(Understood { question, notes }) => {
            let words = question.to_string();
            let again = ask_fleet(&words).unwrap_or_else(|error| panic!("{words}\n{error}"));
            assert_eq!(again.question.to_string(), words);
            [vec![words], notes.into_iter().map(|note| format!("- {note}")).collect()].concat().join("\n")
        }
        Err(error) => format!("refused: {error}"),
    });
}
