//! Reports in the formats of kernels, architectures and ages, behind every prefix that logs put in front of a line.
//! Cases are data (`formats/*.txt`): a line `### name`, a line `=> class function` for each event that is expected (`-`
//! where none is to blame; behind it what its attributes must say, and `cause=N`), and the log.
#![allow(clippy::expect_used, clippy::panic, reason = "in a test file helpers assert, too")]

use lastwords_detect::{Detector, LogFound};

const CASES: &[&str] = &[
    include_str!("formats/oops.txt"),
    include_str!("formats/warnings.txt"),
    include_str!("formats/stalls.txt"),
    include_str!("formats/memory.txt"),
    include_str!("formats/xen.txt"),
    include_str!("formats/toolstacks.txt"),
];

struct Case<'a> {
    name: &'a str,
    /// Class, function, and what the attributes must say.
    events: Vec<Vec<&'a str>>,
    lines: Vec<&'a str>,
}

fn cases() -> Vec<Case<'static>> {
    let mut cases = Vec::new();
    for text in CASES {
        for part in text.split("\n### ").skip(1) {
            let mut lines = part.lines();
            let name = lines.next().expect("a name");
            let (events, lines): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with("=> "));
            let events = events.iter().map(|event| event.split_whitespace().skip(1).collect()).collect();
            cases.push(Case { name, events, lines });
        }
    }
    cases
}

/// What logs put in front of a kernel's line.
const PREFIXES: &[&str] = &[
    "",
    "[  100.000001] ",
    "[  100.000001][  T123] ",
    "[  100.000001] [   C1] ",
    "<4>[  100.000001] ",
    "[Thu Nov 20 15:02:11 2026] ",
    "[  +0.000012] ",
    "kern  :warn  : [  100.000001] ",
    "[2026-11-20 15:02:11] ",
    "[2026-11-20 15:02:11] [  100.000001] ",
    "Nov 20 15:02:11 hv01 kernel: ",
    "Nov 20 15:02:11 hv01 kernel: [  100.000001] ",
    "2026-11-20T15:02:11.123456+00:00 hv01 kernel: [  100.000001][  T123] ",
    "2026-11-20T15:02:11,123456+00:00 ",
    "<4>1 2026-11-20T15:02:11.123456Z hv01 kernel - - - ",
    "[  100.000001] hv01 kernel: ",
    "4,1234,100000001,-;",
    "4,1234,100000001,-,caller=T123;",
    "\u{1b}[32m[  100.000001] \u{1b}[0m\u{1b}[31m",
    "\u{1b}[0;1;31m",
];

/// The events as a case writes them.
fn told<'a>(events: &'a [LogFound], wanted: &[Vec<&str>]) -> Vec<Vec<String>> {
    let of_event = |(number, event): (usize, &'a LogFound)| {
        let mut words = vec![event.class.clone(), event.function.clone().unwrap_or_else(|| "-".to_owned())];
        for word in wanted.get(number).into_iter().flatten().skip(2) {
            let (key, _) = word.split_once('=').expect("key=value");
            let value = match key {
                "cause" => event.cause.map(|cause| cause.to_string()),
                "severity" => Some(event.severity.as_str().to_owned()),
                "lines" => Some(format!("{}-{}", event.start_line, event.end_line)),
                _ => event.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()),
            };
            words.push(format!("{key}={}", value.unwrap_or_default().replace([' ', '\n'], ",")));
        }
        words
    };
    events.iter().enumerate().map(of_event).collect()
}

#[test]
fn reports_of_every_format_are_told_behind_every_prefix() {
    let detector = Detector::built_in();
    let mut wrong = Vec::new();
    for case in cases() {
        let has_own_prefix =
            case.lines.iter().any(|line| line.starts_with(['[', '(']) && line.contains("] ["))
                || case.name.contains("(as it is)");
        let prefixes = if has_own_prefix { &PREFIXES[..1] } else { PREFIXES };
        for (prefix, end) in prefixes.iter().flat_map(|prefix| [(prefix, "\n"), (prefix, "\r\n")]) {
            let log: String = case.lines.iter().map(|line| format!("{prefix}{line}{end}")).collect();
            let found = told(&detector.scan_log(log.as_bytes(), false), &case.events);
            if found != case.events {
                wrong.push(format!(
                    "{} behind {prefix:?}:\n  wanted {:?}\n  found  {found:?}",
                    case.name, case.events
                ));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn reports_that_are_cut_off_are_found_wherever_the_cut_is() {
    let detector = Detector::built_in();
    for case in cases().iter().filter(|case| case.events.len() == 1) {
        let header = case.lines.join("\n");
        for lines in 1..case.lines.len() {
            let cut = case.lines.get(..lines).expect("within").join("\n");
            let found = detector.scan_log(cut.as_bytes(), false);
            assert!(found.len() <= 1, "{}, cut after {lines} lines: {found:?}\n{header}", case.name);
        }
    }
}

#[test]
fn what_only_looks_like_a_crash_raises_nothing() {
    let detector = Detector::built_in();
    let mut loud = Vec::new();
    for line in include_str!("formats/quiet.txt").lines() {
        for event in detector.scan_log(line.as_bytes(), false) {
            loud.push(format!("{}: {line}", event.rule));
        }
    }
    assert!(loud.is_empty(), "{loud:#?}");
}
