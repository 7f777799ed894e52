//! Grouping of consoles of kernels that really crashed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test file helpers assert, too")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use lastwords_record::{
    frame::Lines,
    group::{Grouper, Verdict},
};

/// The folder of the corpora, or of what stands beside it; none where it is missing, which fails under CI.
fn corpora() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora");
    let corpora = std::env::var_os("LASTWORDS_CORPORA").map_or(beside, PathBuf::from);
    if corpora.is_dir() {
        return Some(corpora);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no corpora at {}: set LASTWORDS_CORPORA to their folder",
        corpora.display()
    );
    println!("skipped: corpus not found");
    None
}

/// Lines with a stack's frame that are in a group, and that are in none; the number of groups.
fn count(text: &[u8]) -> (usize, usize, usize) {
    let (mut inside, mut outside, mut groups) = (0, 0, 0);
    let mut grouper = Grouper::new();
    for line in Lines::new(text) {
        let verdict = grouper.push(line.text);
        groups += usize::from(verdict == Verdict::Begins);
        let line = String::from_utf8_lossy(line.text);
        if line.contains("+0x") && line.contains("/0x") {
            let out = matches!(verdict, Verdict::Alone | Verdict::Between);
            *(if out { &mut outside } else { &mut inside }) += 1;
        }
    }
    (inside, outside, groups)
}

#[test]
fn stacks_stay_together_on_consoles_where_programs_write_at_the_same_time() {
    let Some(corpora) = corpora() else { return };
    let (mut inside, mut outside, mut logs, mut single) = (0, 0, 0, 0);
    for entry in fs::read_dir(corpora.join("syzkaller/linux/report")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let Some((labels, log)) = text.split_once("\n\n") else { continue };
        let log = log.split("\nREPORT:\n").next().unwrap();
        let (in_groups, in_none, groups) = count(format!("{log}\n").as_bytes());
        if !labels.contains("TITLE: ") || in_groups + in_none == 0 {
            continue;
        }
        inside += in_groups;
        outside += in_none;
        logs += 1;
        single += usize::from(groups == 1);
    }
    assert!(logs > 300, "only {logs} logs were found");
    // The rest are floods of other lines in the middle of a stack, and logs that begin within one.
    assert!(outside * 100 < inside * 4, "{outside} frames in no group, {inside} in one");
    assert!(single * 100 >= logs * 95, "{single} of {logs} logs have one group");
}

#[test]
fn real_boots_and_deaths_of_guests_make_one_group_for_each_death() {
    // Guests that were crashed for the demo.
    let consoles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lastwords/src/demo/recordings");
    for (console, expected) in [
        ("ext4", 1),
        ("hung", 1),
        ("init", 1),
        ("off", 0),
        ("oom", 1),
        ("oomkill", 1),
        ("reboot", 0),
        ("sysrq", 1),
    ] {
        let path = consoles.join(format!("{console}.console"));
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (_, outside, groups) = count(&text);
        assert_eq!((outside, groups), (0, expected), "{console}");
    }
}
