//! The demo finds what was planted in its story, and nothing that was not.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use lastwords_e2e::program::run;

/// The number behind some words.
fn number(text: &str, before: &str) -> u64 {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("{before:?} is not in {text}")).1;
    rest.trim_start().split(|letter: char| !letter.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn what_was_planted_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    let demo = run(["demo", "--data", &data, "--seed", "3", "--until", "2026-11-20"]).expect(0);
    let (panics, near) = (number(&demo.stdout, "Planted in the story:"), number(&demo.stdout, "panics, "));
    assert!(panics > 20 && near > 15, "{}", demo.stdout);
    let ask = |question: &str| {
        let zone = ["--time-zone", "Europe/Berlin", "--format", "json"];
        run([&["query", "--data", &data], &zone[..], &[question]].concat()).expect(0).json()
    };
    let answer = ask("panics within 5 minutes of network saturation");
    assert_eq!((answer["anchors"].as_u64(), answer["matched"].as_u64()), (Some(panics), Some(near)));
    assert_eq!(answer["chance"]["verdict"], "follows", "{}", answer["sentence"]);

    let precedes = ask("what precedes panics within 15 minutes");
    let claimed: Vec<&str> = precedes["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["claimed"] == true)
        .map(|row| row["what"].as_str().unwrap())
        .collect();
    assert_eq!(claimed.first(), Some(&"network.saturation.nic"), "{precedes:#}");
    // What the recorded guests really said before they died, and none of the story's decoys.
    let recorded = ["sysrq: Trigger a crash", "filesystem.error", "loop: module loaded"];
    assert!(claimed.iter().skip(1).all(|what| recorded.contains(what)), "{claimed:?}");

    let distinguishes = ask("what distinguishes guests with panics");
    let first = &distinguishes["rows"][0];
    assert!(first["trait"].as_str().unwrap().starts_with("memory_mib"), "{distinguishes:#}");
    assert!(distinguishes["matched"].as_u64().unwrap() >= 1, "{}", distinguishes["sentence"]);
    let claimed = distinguishes["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["q"].as_f64().is_some_and(|q| q <= 0.05));
    assert!(
        claimed.into_iter().all(|row| row["trait"].as_str().unwrap().starts_with("memory_mib")),
        "no decoy: {distinguishes:#}"
    );
}
