//! `lastwords detect`: the events of one file, as lines of JSON.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{io::Write as _, path::PathBuf};

use lastwords_e2e::program::{run, run_with_input};

fn recording(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../lastwords/src/demo/recordings").join(name)
}

#[test]
fn a_recorded_guests_death_is_found_with_its_lines() {
    let file = recording("sysrq.console");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let found = run(["detect", "--format", "jsonl", file.to_str().unwrap()]).expect(0).json_lines();
    let panics: Vec<_> = found.iter().filter(|event| event["class"] == "kernel.panic").collect();
    assert_eq!(panics.len(), 1, "{found:#?}");
    for event in &found {
        let keys: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
        for key in ["class", "title", "function", "start_line", "end_line", "fingerprint", "severity"]
            .into_iter()
            .chain(["rule", "cause", "attributes"])
        {
            assert!(keys.contains(&key), "{key} is missing in {event}");
        }
        assert_eq!(keys.len(), 10, "{keys:?}");
        let (start, end) = (event["start_line"].as_u64().unwrap(), event["end_line"].as_u64().unwrap());
        assert!(1 <= start && start <= end && end <= lines.len() as u64, "{event}");
        assert_ne!(event["severity"], "info");
    }
    let told = &panics[0]["attributes"];
    assert!(told["kernel"].as_str().is_some_and(|kernel| kernel.starts_with("6.")), "{told}");
    assert!(told["trace"].as_str().is_some_and(|trace| trace.contains("sysrq_handle_crash")), "{told}");
    let line = usize::try_from(panics[0]["start_line"].as_u64().unwrap()).unwrap();
    assert!(lines[line - 1].contains("Kernel panic - not syncing"), "line {line}: {}", lines[line - 1]);
}

#[test]
fn standard_input_and_gzip_give_the_same() {
    let text = std::fs::read(recording("oom.console")).unwrap();
    let from_file =
        run(["detect", "--format", "jsonl", recording("oom.console").to_str().unwrap()]).expect(0).stdout;
    assert_eq!(run_with_input(["detect", "--format", "jsonl", "-"], &text).expect(0).stdout, from_file);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&text).unwrap();
    let packed = gzip.finish().unwrap();
    assert_eq!(run_with_input(["detect", "--format", "jsonl", "-"], &packed).expect(0).stdout, from_file);
    // In a pipe, JSON lines are what is printed anyway.
    assert_eq!(run_with_input(["detect", "-"], &text).expect(0).stdout, from_file);
}

#[test]
fn nothing_found_is_told_apart_from_failure() {
    let _ = run_with_input(["detect", "-"], b"Nov 20 15:02:11 hv01 sshd[1]: session opened\n").expect(1);
    let _ = run_with_input(["detect", "-"], b"").expect(1);
    let _ = run(["detect", "/nowhere/x.log"]).expect(3);
    let _ = run(["detect"]).expect(2);
}
