//! What is understood and what is refused, as people read it. `LASTWORDS_BLESS=1` writes the files anew; read them then.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{fmt::Write as _, path::Path};

use jiff::{Timestamp, tz::TimeZone};
use lastwords_query::language::{Asker, Members, Names, Question, Set, SyntaxError, parse};

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
    parse(question, &names.into(), &Asker { now_ns, time_zone: TimeZone::get("Europe/Berlin").unwrap() })
}

fn set(set: &Set) -> String {
    match &set.members {
        Members::Class(class) => format!("class {class}"),
        Members::Text(text) => format!("text {text:?}"),
        Members::Predicate(sql) => format!("condition {sql}"),
    }
}

fn instant(time_ns: Option<i64>, without: &str) -> String {
    time_ns.map_or(without.to_owned(), |time_ns| {
        Timestamp::from_nanosecond(i128::from(time_ns)).unwrap().to_string()
    })
}

fn form(question: &Question) -> String {
    let Question::Matches(question) = question else { return format!("{question:?}") };
    let mut form = set(&question.anchors);
    for near in &question.conditions {
        let seconds = near.within_ns as f64 / 1e9;
        write!(form, "\n{:?} {seconds} s: {}\n{:?}", near.relation, set(&near.partners), near.scope).unwrap();
    }
    if question.bounds.from_ns.is_some() || question.bounds.to_ns.is_some() {
        write!(
            form,
            "\n{} .. {}",
            instant(question.bounds.from_ns, "first"),
            instant(question.bounds.to_ns, "last")
        )
        .unwrap();
    }
    if let Some(by) = question.by {
        write!(form, "\nby {by:?}").unwrap();
    }
    form
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
