//! The built-in rules against their own examples.
#![allow(clippy::expect_used, reason = "tests end by panicking")]

use std::collections::HashSet;

use lastwords_detect::{ClassNames, Detector, check, rules};

#[test]
fn every_rule_finds_its_examples_and_leaves_its_counterexamples() {
    let detector = Detector::built_in();
    for rule in detector.rules() {
        let failures: Vec<String> =
            check::examples(&detector, rule).iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "rule {}: {failures:?}", rule.id);
        let is_of_kernel = rule.programs.iter().any(|program| program == "kernel");
        for example in rule.examples.iter().filter(|example| is_of_kernel && !has_prefix(example)) {
            for line in [
                format!("[   12.345678] {}", example.trim_start()),
                format!("[   12.345678][ T3615] {example}"),
                format!("Nov 20 15:02:11 hv01 kernel: [   12.345678] {example}"),
            ] {
                let found = detector.scan_log(line.as_bytes(), true);
                let rules: Vec<&str> = found.iter().map(|event| event.rule.as_str()).collect();
                assert_eq!(rules, [rule.id.as_str()], "{line}");
                assert!(
                    found.iter().all(|event| !event.title.contains('{')),
                    "a capture is missing in {found:?}"
                );
            }
        }
    }
}

/// Whether a line says itself who said it.
fn has_prefix(line: &str) -> bool {
    line.split(' ').take(5).any(|word| word.ends_with("]:") || word.ends_with("kernel:"))
        || line.starts_with("20")
}

#[test]
fn titles_have_no_holes() {
    let detector = Detector::built_in();
    for rule in detector.rules() {
        for example in &rule.examples {
            for event in detector.scan_log(example.as_bytes(), true) {
                let title = &event.title;
                assert!(!title.contains(['{', '}']) && title.trim() == title, "rule {}: {title:?}", rule.id);
            }
        }
    }
}

/// What monitoring repeats, what commands quote and what people write about it is no event.
#[test]
fn a_line_that_others_repeat_raises_nothing() {
    let detector = Detector::built_in();
    let mut loud = Vec::new();
    for rule in detector.rules() {
        for example in &rule.examples {
            for line in [
                format!("Nov 20 15:02:11 hv01 zabbix_agentd[4711]: {example}"),
                format!("2026-11-20T15:02:11.123456+00:00 hv01 nagios: {example}"),
                format!("Nov 20 15:02:11 hv01 postfix/cleanup[4711]: warning: header Subject: {example}"),
                format!(
                    "Nov 20 15:02:11 hv01 sudo:    ops : TTY=pts/0 ; PWD=/root ; COMMAND=/bin/grep {example}"
                ),
                format!(
                    "Nov 20 15:02:11 hv01 CRON[4711]: (root) CMD (grep -c '{example}' /var/log/kern.log)"
                ),
                format!(
                    "Nov 20 15:02:11 hv01 kernel: [   12.345678] audit: type=1309 audit(1.1:1): argc=2 a0=\"grep\" a1=\"{example}\""
                ),
                format!("type=EXECVE msg=audit(1.1:1): argc=2 a0=\"grep\" a1=\"{example}\""),
            ] {
                let found = detector.scan_log(line.as_bytes(), false);
                loud.extend(found.iter().map(|event| format!("{} by {}", event.rule, line)));
            }
        }
    }
    assert!(loud.is_empty(), "{} lines: {:#?}", loud.len(), loud.get(..loud.len().min(40)));
}

#[test]
fn every_rule_has_its_own_name_and_a_class_of_the_tree() {
    let mut seen = HashSet::new();
    for rule in Detector::built_in().rules() {
        assert!(seen.insert(rule.id.clone()), "two rules are named {}", rule.id);
        assert!(
            ClassNames.is_known(&rule.class),
            "rule {}: class {} is not in the tree",
            rule.id,
            rule.class
        );
    }
}

#[test]
fn rules_that_cannot_be_used_say_why() {
    for (text, why) in [
        ("[[rule]]\nid = 1", "the rules are not as expected"),
        (
            "[[rule]]\nid='a'\nclass='disk'\nseverity='bad'\nliterals=['abc']\ntitle='t'",
            "line 1, rule a, severity: bad is unknown",
        ),
        (
            "[[rule]]\nid='a'\nclass='disk'\nseverity='error'\nliterals=['ab']\ntitle='t'",
            "rule a, literals: wanted at least one text of at least 3 bytes",
        ),
        (
            "[[rule]]\nid='a'\nclass='disk'\nseverity='error'\nliterals=['abc']\npattern='('\ntitle='t'",
            "not a regular expression",
        ),
    ] {
        let error = Detector::with_rules(&[text]).expect_err("the rules are wrong");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_user_s_rule_makes_events() {
    let own = "[[rule]]\nid='own'\nclass='guest.crash'\nseverity='error'\nliterals=['flux capacitor']\npattern='.*capacitor (?P<which>\\w+) burnt'\ntitle='{which} burnt'";
    let detector = Detector::with_rules(&[own]).expect("the rule is right");
    let found = detector.scan_log(b"a\nthe flux capacitor k3 burnt\n", false);
    let told: Vec<_> = found.iter().map(|event| (event.title.as_str(), event.start_line)).collect();
    assert_eq!(told, [("k3 burnt", 2)]);
}

#[test]
fn the_rule_in_the_documentation_works() {
    let documentation = include_str!("../../docs/detection.md");
    let example = documentation
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("an example");
    let detector = Detector::with_rules(&[example]).expect("the rule is right");
    for rule in rules::parse(example).expect("the rule is right") {
        assert_eq!(check::examples(&detector, &rule), [], "{}", rule.id);
    }
}
