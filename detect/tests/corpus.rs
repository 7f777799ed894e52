//! The detector against labelled logs of real crashes and against message shapes.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests end by panicking and tell why they are skipped"
)]

use std::{fs, path::PathBuf};

use lastwords_detect::{Detector, Found, LogFound, Provenance, is_under};
use lastwords_record::{
    Severity, Source,
    group::{Gatherer, Grouper, Verdict},
};
use regex::{Captures, Regex, bytes};

/// The corpora; none where they are not there, which fails where everything must be checked.
fn corpora() -> Option<PathBuf> {
    let path = std::env::var_os("LASTWORDS_CORPORA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora")),
        PathBuf::from,
    );
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: corpus not found");
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "no corpora at {}: set LASTWORDS_CORPORA",
        path.display()
    );
    None
}

/// A labelled log: its title, where it is a crash, and the log itself.
fn labelled(bytes: &[u8]) -> (Option<String>, Vec<u8>) {
    let text: &[u8] = bytes;
    let (head, log) = match memchr::memmem::find(text, b"\n\n") {
        _ if text.starts_with(b"\n") => (&text[..0], &text[1..]),
        Some(at) => (&text[..at], &text[at + 2..]),
        None => (text, &text[..0]),
    };
    let title = String::from_utf8_lossy(head)
        .lines()
        .find_map(|line| line.strip_prefix("TITLE: ").map(str::to_owned));
    let end = memchr::memmem::find(log, b"\nREPORT:\n").unwrap_or(log.len());
    (title, log[..end].to_vec())
}

fn is_crash(event: &Told) -> bool {
    ["kernel.", "memory.", "xen."].iter().any(|root| event.class.starts_with(root))
}

/// Of how many a number is a share.
#[derive(Default)]
struct Share {
    right: u32,
    asked: u32,
}

impl Share {
    fn count(&mut self, right: bool) {
        self.asked += 1;
        self.right += u32::from(right);
    }

    fn percent(&self) -> f64 {
        100.0 * f64::from(self.right) / f64::from(self.asked)
    }
}

/// How a set of labelled logs was judged.
#[derive(Default)]
struct Score {
    found: Share,
    classed: Share,
    blamed: Share,
    corrupted: Share,
    negatives: u32,
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} crashes: found {:.2} %, class {:.2} %, function {:.2} %, corrupted or whole as labelled {:.2} %; {} without a crash",
            self.found.asked,
            self.found.percent(),
            self.classed.percent(),
            self.blamed.percent(),
            self.corrupted.percent(),
            self.negatives
        )
    }
}

/// Which half a log belongs to: rules were tuned on the first one alone, so that the second one tells whether they
/// understand the formats or fit the files.
fn half(name: &str) -> usize {
    usize::from(xxhash_rust::xxh3::xxh3_64(name.as_bytes()) % 2 == 1)
}

/// The events of a whole log.
fn of_log(detector: &Detector, log: &[u8]) -> Vec<Told> {
    detector
        .scan_log(log, false)
        .into_iter()
        .map(|LogFound { class, rule, function, attributes, .. }| Told { class, rule, function, attributes })
        .collect()
}

#[test]
fn crashes_of_the_corpus_are_found_and_classed() {
    let detector = Detector::built_in();
    judge("whole logs", |log| of_log(&detector, log));
}

#[test]
fn prefixes_of_lines_make_little_difference() {
    let detector = Detector::built_in();
    let syslog = bytes::Regex::new("(?m)^").expect("a pattern");
    judge("behind syslog's prefix", |log| {
        let log = syslog.replace_all(log, &b"Nov 20 15:02:11 hv01 kernel: "[..]);
        of_log(&detector, &log)
    });
    // Then nothing tells who printed a line.
    let kernel = bytes::Regex::new(r"(?m)^(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?").expect("a pattern");
    judge("without clocks and callers", |log| of_log(&detector, &kernel.replace_all(log, &b""[..])));
}

/// As they come into the store: lines grouped to records by the shipper.
#[test]
fn crashes_of_the_corpus_are_found_in_records() {
    let detector = Detector::built_in();
    judge("records", |log| {
        let (mut text, mut ends) = (Vec::new(), Vec::new());
        for record in records(log) {
            text.extend_from_slice(&record.join(&b'\n'));
            text.push(b'\n');
            ends.push(u32::try_from(text.len()).expect("small"));
        }
        let mut found = Vec::new();
        detector.scan(&text, &ends, |_| Provenance::of(Source::Console), &mut found);
        found
            .into_iter()
            .filter(|event| event.severity != Severity::Info)
            .map(|Found { class, rule, function, attributes, .. }| Told {
                class: class.to_string(),
                rule,
                function,
                attributes,
            })
            .collect()
    });
}

/// The lines of a log as a shipper groups them.
fn records(log: &[u8]) -> Vec<Vec<&[u8]>> {
    let (mut grouper, mut gatherer) = (Grouper::new(), Gatherer::default());
    let mut records = Vec::new();
    let finish = |gatherer: &mut Gatherer<_>, records: &mut Vec<Vec<_>>| {
        let (mut group, mut others) = (Vec::new(), Vec::new());
        gatherer.finish(&mut group, &mut others);
        records.extend(Some(group).filter(|group| !group.is_empty()));
        records.extend(others.into_iter().map(|line| vec![line]));
    };
    for line in log.split(|byte| *byte == b'\n') {
        let verdict = grouper.push(line);
        if matches!(verdict, Verdict::Alone | Verdict::Begins) {
            finish(&mut gatherer, &mut records);
        }
        match verdict {
            Verdict::Alone => records.push(vec![line]),
            verdict => gatherer.add(verdict, line),
        }
        if verdict == Verdict::Ends {
            finish(&mut gatherer, &mut records);
        }
    }
    finish(&mut gatherer, &mut records);
    records
}

/// What an event is judged by.
#[derive(Debug)]
struct Told {
    class: String,
    rule: String,
    function: Option<String>,
    attributes: Vec<(String, String)>,
}

fn judge(what: &str, detect: impl Fn(&[u8]) -> Vec<Told>) {
    let Some(corpora) = corpora() else { return };
    let classes: Vec<(Regex, String)> = fs::read_to_string(corpora.join("classes.tsv"))
        .expect("classes.tsv is readable")
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(pattern, class)| (Regex::new(pattern).expect("a pattern"), class.to_owned()))
        .collect();
    let ending = Regex::new(r" in (?:[^ ]*/ ?)?([\w.]+)$").expect("a pattern");
    // The first half, the second, both.
    let mut scores = [Score::default(), Score::default(), Score::default()];
    for entry in fs::read_dir(corpora.join("syzkaller/linux/report")).expect("the corpus is readable") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let told = std::env::var("LASTWORDS_CORPUS_HALF").is_ok_and(|told| told == half(&name).to_string());
        let bytes = fs::read(&path).expect("a readable log");
        let labelled_corrupted =
            bytes.split(|byte| *byte == b'\n').take(20).any(|line| line == b"CORRUPTED: Y");
        let (title, log) = labelled(&bytes);
        let events = detect(&log);
        let Some(title) = title else {
            scores[half(&name)].negatives += 1;
            scores[2].negatives += 1;
            assert!(events.is_empty(), "{name}: an event where nothing happened: {:?}", events[0]);
            continue;
        };
        let class =
            classes.iter().find(|(pattern, _)| pattern.is_match(&title)).map(|(_, class)| class.as_str());
        if class == Some("-") {
            continue;
        }
        let crashes: Vec<&Told> = events.iter().filter(|event| is_crash(event)).collect();
        let right: Vec<&Told> = crashes
            .iter()
            .copied()
            .filter(|event| class.is_none_or(|class| is_under(&event.class, class)))
            .collect();
        let function =
            ending.captures(&title).map(|name| name[1].to_owned()).filter(|name| name != "corrupted");
        let blames = |function: &String| right.iter().any(|event| event.function.as_ref() == Some(function));
        let corrupted =
            crashes.first().is_some_and(|first| first.attributes.iter().any(|(name, _)| name == "corrupted"));
        for score in [half(&name), 2] {
            let score = &mut scores[score];
            score.found.count(!crashes.is_empty());
            if class.is_some() {
                score.classed.count(!right.is_empty());
            }
            if let Some(function) = &function {
                score.blamed.count(blames(function));
            }
            score.corrupted.count(corrupted == labelled_corrupted);
        }
        if told {
            if function.as_ref().is_some_and(|function| !blames(function)) || right.is_empty() {
                let got: Vec<_> = crashes.iter().map(|event| (&event.rule, &event.function)).collect();
                println!("{name} | {title} | {got:?}");
            }
            if corrupted != labelled_corrupted {
                println!("{name} | {title} | labelled corrupted: {labelled_corrupted}, got: {corrupted}");
            }
        }
    }
    for (score, half) in scores.iter().zip(["first half", "second half", "both"]) {
        let what = format!("{what}, {half}");
        println!("{what}: {score}");
        assert!(score.found.percent() >= 99.0, "{what}: {score}");
        assert!(score.classed.percent() >= 98.0, "{what}: {score}");
        assert!(score.blamed.percent() >= 95.0, "{what}: {score}");
    }
    assert!(scores[2].found.asked > 300 && scores[2].negatives > 10, "the corpus is not whole");
}

/// A shape with values in place of what stands for them.
fn filled(shape: &str) -> String {
    let placeholder = Regex::new("<([a-z]+)>").expect("a pattern");
    let value = |found: &Captures<'_>| {
        match &found[1] {
            "n" | "line" | "pid" | "dom" => "3",
            "hex" | "addr" => "0xffff888012345678",
            "bdf" => "0000:01:00.0",
            "dev" | "bridge" => "eth0",
            "vif" => "vif3.0",
            "ip" => "192.0.2.7",
            "file" => "mm/slab.c",
            "dimm" => "CPU_SrcID#0_Ha#0_Chan#1_DIMM#0",
            "speed" => "10 Gbps",
            "kind" => "Undefined",
            "list" => "0-3",
            "ts" | "date" => "2026-11-20 15:02:11",
            "yn" => "n",
            "ver" => "4.17.2",
            _ => "web",
        }
        .to_owned()
    };
    placeholder.replace_all(shape, value).into_owned()
}

/// Shapes that are a report's further lines, or say how a line came here: no event by themselves.
const NO_EVENT: &[&str] = &[
    "linux.nmi_backtrace",
    "linux.oops.reboot",
    "transport.guest_console_prefix",
    "transport.wall",
    "xen.dump.banner",
    "xen.panic.reason.error_code",
    "xen.panic.reason.nmi_ctx",
    "xen.panic.rule",
];

#[test]
fn shapes_of_messages_are_found_and_benign_ones_raise_nothing() {
    let Some(corpora) = corpora() else { return };
    let signals = fs::read_to_string(corpora.join("signals.tsv")).expect("signals.tsv is readable");
    let detector = Detector::built_in();
    let mut missed = Vec::new();
    for (name, shape) in signals.lines().skip(1).filter_map(|line| line.split_once('\t')) {
        let line = filled(shape);
        let found = detector.scan_log(line.as_bytes(), true);
        if name.starts_with("benign.") || NO_EVENT.contains(&name) {
            assert!(found.is_empty(), "{name}: {line}: {found:?}");
        } else if found.is_empty() {
            missed.push(format!("{name}: {line}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
