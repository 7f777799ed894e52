//! Log files and counters with planted panics go in; the question finds exactly those that follow a saturation.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use lastwords_e2e::{
    fleet::{ELSEWHERE, Import, PANICS, SATURATIONS, write_week},
    program::{Ended, count, number, run, sql},
};
use serde_json::Value;
use tempfile::TempDir;

struct Week {
    folder: TempDir,
    imports: Vec<Import>,
}

impl Week {
    fn imported() -> (Week, Vec<Value>) {
        let folder = tempfile::tempdir().unwrap();
        let imports = write_week(folder.path());
        let week = Week { folder, imports };
        let added = week.imports.iter().map(|import| week.import(import)).collect();
        (week, added)
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn import(&self, import: &Import) -> Value {
        let data = self.data();
        let mut arguments = vec!["import", "--format", "json", "--data", data.to_str().unwrap()];
        arguments.extend(import.arguments.iter().map(String::as_str));
        arguments.push(import.file.to_str().unwrap());
        run(arguments).expect(0).json()
    }

    fn ask(&self, more: &[&str]) -> Ended {
        let data = self.data();
        let mut arguments = vec!["query", "--data", data.to_str().unwrap()];
        arguments.extend(more);
        run(arguments)
    }

    fn answer(&self, question: &str) -> Value {
        let ended = self.ask(&["--format", "json", question]);
        assert!(ended.code <= 1, "{question}\n{}", ended.stderr);
        let answer = ended.json();
        assert_eq!(ended.code, i32::from(number(&answer, "matched") == 0), "{question}");
        answer
    }
}

fn planted(which: usize) -> u64 {
    PANICS.iter().filter(|panic| panic.matches[which]).count() as u64
}

#[test]
fn the_question_finds_exactly_the_planted_matches() {
    let (week, added) = Week::imported();
    let sum = |key: &str| added.iter().map(|added| number(added, key)).sum::<u64>();

    // What the imports said is what is stored.
    let panics = PANICS.len() as u64 + 1;
    assert_eq!(sum("quarantined"), 0);
    // The first two are counters, which are no log records.
    let of_logs: u64 = added[2..].iter().map(|added| number(added, "records")).sum();
    assert_eq!(of_logs, count(&week.data(), "logs"));
    assert_eq!(sum("events"), count(&week.data(), "events FINAL"));
    assert_eq!(count(&week.data(), "events FINAL WHERE Class = 'kernel.panic'"), panics);
    assert_eq!(
        count(&week.data(), "events FINAL WHERE startsWith(Class, 'network.saturation')"),
        SATURATIONS
    );
    assert_eq!(count(&week.data(), "events FINAL"), panics + SATURATIONS);
    for (import, added) in week.imports.iter().zip(&added) {
        let text = std::fs::read(&import.file).unwrap();
        assert_eq!(number(added, "bytes"), text.len() as u64, "{}", import.file.display());
        let lines = text.iter().filter(|&&byte| byte == b'\n').count() as u64;
        assert_eq!(number(added, "lines"), lines, "{}", import.file.display());
    }

    let cases = [
        ("panics within 5 minutes of network saturation", planted(0)),
        ("panics within 5m after network saturation", planted(1)),
        ("panics within 300s before network saturation on the same host", planted(2)),
        ("kernel.panic within 5m of network.saturation.nic on the same host", planted(0)),
        ("panics within 5 minutes of network saturation anywhere", planted(0) + 1),
        ("panics within 1 hour of network saturation", PANICS.len() as u64 - 1),
        ("network saturation within 5 minutes of panics", planted(0)),
        ("panics within 5 minutes of oom kills", 0),
    ];
    for (question, matched) in cases {
        let answer = week.answer(question);
        assert_eq!(number(&answer, "matched"), matched, "{question}: {answer:#}");
        let anchors = if question.starts_with("network") { SATURATIONS } else { panics };
        assert_eq!(number(&answer, "anchors"), anchors, "{question}");
        assert_eq!(answer["matches"].as_array().unwrap().len() as u64, matched, "{question}");
    }
    assert_eq!((ELSEWHERE.day, ELSEWHERE.second), (0, 54_420));
    answer_keeps_the_contract(&week.answer("panics within 5 minutes of network saturation"));
    limit_shortens_the_list(&week);
    ranges_leave_out_what_lies_outside(&week);
    sql_prints_rows(&week);
    errors_point_at_the_word(&week);
    words_of_operators_are_understood(&week);
    formats_for_people(&week);
}

/// As they are typed, against the same question in the words of the grammar.
fn words_of_operators_are_understood(week: &Week) {
    let all = week.answer("panics");
    let one = &all["matches"][0];
    let host = one["host"].as_str().unwrap();
    let zone = ["--time-zone", "UTC"];
    let ask = |question: &str| week.ask(&[&zone[..], &["--format", "json", question]].concat()).json();
    let of_host = number(&ask(&format!("panics on host {host}")), "matched");
    assert!(of_host > 0);
    let hours: Vec<u64> = serde_json::from_value(ask("panics")["hour_of_day"].clone()).unwrap();
    let night = hours[22] + hours[23] + hours[..6].iter().sum::<u64>();
    for (typed, matched) in [
        (format!("show me all panics on {host}?"), of_host),
        (format!("how many panics on {}", host.to_uppercase()), of_host),
        (format!("panics not on {host}"), number(&all, "matched") - of_host),
        ("panics at night".to_owned(), night),
        ("panics between 14:00 and 16:00".to_owned(), hours[14] + hours[15]),
    ] {
        let answer = ask(&typed);
        assert_eq!(number(&answer, "matched"), matched, "{typed}: {}", answer["sentence"]);
    }
    let days = ask("panics by day");
    let counted = days["by"]["groups"].as_array().unwrap();
    assert_eq!(counted.iter().map(|day| number(day, "matched")).sum::<u64>(), number(&all, "matched"));
    let last = ask("last 2 panics");
    let starts: Vec<&str> =
        last["matches"].as_array().unwrap().iter().map(|one| one["start"].as_str().unwrap()).collect();
    let latest = all["matches"].as_array().unwrap().iter().map(|one| one["start"].as_str().unwrap()).max();
    assert!(starts.len() == 2 && starts[0] >= starts[1] && Some(starts[0]) == latest, "{starts:?}");
    let unknown = week.ask(&["panics on nosuchmachine"]);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("There is no host or guest called \"nosuchmachine\"."),
        "{}",
        unknown.stderr
    );
}

fn answer_keeps_the_contract(answer: &Value) {
    let object = answer.as_object().unwrap();
    for key in [
        "question",
        "anchors",
        "matched",
        "expected_by_chance",
        "lift",
        "p_value",
        "chance",
        "sentence",
        "matches",
        "lag_histogram",
        "hour_of_day",
    ] {
        assert!(object.contains_key(key), "the answer lacks {key}: {answer:#}");
    }
    assert_eq!(answer["question"], "panics within 5 minutes of network saturation");
    let chance = answer["chance"].as_object().unwrap();
    for key in ["basis", "p_day", "p_host", "p_local", "expected_local"] {
        assert!(chance.contains_key(key), "chance lacks {key}: {answer:#}");
    }
    assert!(["day", "host", "local", "none"].contains(&chance["basis"].as_str().unwrap()));
    let p_value = &answer["p_value"];
    assert!(p_value.is_null() || (0.0..=1.0).contains(&p_value.as_f64().unwrap()), "{p_value}");

    let hours: Vec<u64> =
        answer["hour_of_day"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    assert_eq!(hours.len(), 24);
    assert_eq!(hours[14], 1, "{hours:?}");
    assert_eq!(hours[15], planted(0) - 1, "{hours:?}");
    assert_eq!(hours.iter().sum::<u64>(), planted(0));
    let histogram = answer["lag_histogram"].as_array().unwrap();
    assert!(histogram.iter().all(|bin| bin["from_seconds"].is_number() && bin["to_seconds"].is_number()));
    assert_eq!(histogram.iter().map(|bin| number(bin, "count")).sum::<u64>(), planted(0));

    // The first planted panic, to the letter.
    let first = &answer["matches"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["start"].as_str().unwrap().starts_with("2026-11-09T15:05:00"));
    let first = first.unwrap_or_else(|| panic!("no match on Monday: {answer:#}"));
    assert_eq!(first["class"], "kernel.panic");
    assert_eq!(first["host"], "hv01");
    assert_eq!(first["guest"], "db01");
    assert!(first["title"].as_str().unwrap().contains("Attempted to kill init"), "{first:#}");
    let partners = first["partners"].as_array().unwrap();
    assert_eq!(partners.len(), 1);
    let partner = &partners[0];
    assert_eq!(partner["class"], "network.saturation.nic");
    assert_eq!(partner["start"], "2026-11-09T15:00:00.000000000Z");
    assert_eq!(partner["end"], "2026-11-09T15:20:00.000000000Z");
    assert_eq!(partner["host"], "hv01");
    assert!((partner["lag_seconds"].as_f64().unwrap() - 300.0).abs() < 1.0, "{partner:#}");
}

fn limit_shortens_the_list(week: &Week) {
    let question = "panics within 5 minutes of network saturation";
    let answer = week.ask(&["--format", "json", "--limit", "2", question]).expect(0).json();
    assert_eq!(answer["matches"].as_array().unwrap().len(), 2);
    assert_eq!(number(&answer, "matched"), planted(0));
    assert_eq!(answer["truncated"], true);
}

fn ranges_leave_out_what_lies_outside(week: &Week) {
    let cases = [
        ("panics within 5 minutes of network saturation since 2026-11-12", 2),
        ("panics within 5 minutes of network saturation between 2026-11-09 and 2026-11-10", 1),
        ("panics within 5 minutes of network saturation since 2026-11-30", 0),
    ];
    for (question, matched) in cases {
        assert_eq!(number(&week.answer(question), "matched"), matched, "{question}");
    }
}

fn sql_prints_rows(week: &Week) {
    let rows = sql(
        &week.data(),
        "SELECT Host, Guest, count() AS panics FROM events FINAL WHERE Class = 'kernel.panic' \
         GROUP BY Host, Guest ORDER BY Host",
    );
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["Host"], &rows[0]["Guest"]), (&"hv01".into(), &"db01".into()));
    assert_eq!(number(&rows[0], "panics"), PANICS.len() as u64);
    assert_eq!(number(&rows[1], "panics"), 1);

    let nothing = "SELECT Body FROM logs WHERE Host = 'nobody'";
    for format in ["jsonl", "json", "csv", "table"] {
        let _ = week.ask(&["--format", format, nothing]).expect(1);
        let _ = week.ask(&["--format", format, "SELECT Body FROM logs LIMIT 1"]).expect(0);
    }
    let with = week.ask(&["--format", "jsonl", "with 3 as three select three"]).expect(0).json_lines();
    assert_eq!(number(&with[0], "three"), 3);
}

fn errors_point_at_the_word(week: &Week) {
    let wrong = week.ask(&["panics within 5 minutes fo network saturation"]).expect(2);
    let lines: Vec<&str> = wrong.stderr.lines().collect();
    let question = lines.iter().position(|line| line.contains("minutes fo")).unwrap();
    let caret = lines
        .iter()
        .position(|line| line.contains('^'))
        .unwrap_or_else(|| panic!("no caret:\n{}", wrong.stderr));
    let at = lines[caret].find('^').unwrap();
    assert!(lines[caret - 1][at..].starts_with("fo network"), "{}", wrong.stderr);
    assert!(question < caret);
    assert!(wrong.stderr.contains("Did you mean of?"), "no suggestion:\n{}", wrong.stderr);
    // A word that can mean but one is mended, and it is said.
    let mended = week.answer("panics within 5 minutes of network saturatoin");
    assert_eq!(number(&mended, "matched"), planted(0));
    assert_eq!(mended["notes"][0], "saturatoin is taken as saturation.");

    for text in ["panics within of network saturation", "", "SELECT FROM WHERE", "SELECT 1; SELECT 2"] {
        let _ = week.ask(&[text]).expect(2);
    }
    let before = count(&week.data(), "logs");
    for text in [
        "SELECT * FROM file('/etc/passwd')",
        "SELECT * FROM url('http://127.0.0.1:1/')",
        "WITH x AS (SELECT 1) INSERT INTO logs SELECT 1",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT name FROM system.users",
    ] {
        let ended = week.ask(&[text]);
        assert!(ended.code >= 2, "{text} gave {}:\n{}", ended.code, ended.stdout);
        assert!(ended.stdout.is_empty(), "{text} printed {}", ended.stdout);
    }
    assert_eq!(count(&week.data(), "logs"), before);
}

fn formats_for_people(week: &Week) {
    let question = "panics within 5 minutes of network saturation";
    let table = week.ask(&["--format", "table", question]).expect(0).stdout;
    let sentence = format!("{} of {} panics", planted(0), PANICS.len() + 1);
    assert!(table.contains(&sentence), "no sentence with {sentence:?}:\n{table}");
    assert!(table.contains("db01") && table.contains("hv01"), "{table}");
    let lines = week.ask(&["--format", "jsonl", question]).expect(0).json_lines();
    assert_eq!(lines.len() as u64, planted(0));
    let csv = week.ask(&["--format", "csv", question]).expect(0).stdout;
    assert!(csv.starts_with("class,start,end,host,guest,title,"), "{csv}");
    assert_eq!(csv.lines().count() as u64, planted(0) + 1);
}
