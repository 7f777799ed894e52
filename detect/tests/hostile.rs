//! Text that is made to take long: each would take hours if work grew with the square of the text.
#![allow(clippy::expect_used, clippy::panic, reason = "in a test file helpers assert, too")]

use std::{sync::mpsc, thread, time::Duration};

use lastwords_detect::{Detector, LogFound};

/// What reading takes when work grows with the text is below a second: this only turns a hanging test into a failing one.
const PATIENCE: Duration = Duration::from_secs(120);

fn scan(what: &'static str, text: impl FnOnce() -> Vec<u8>) -> Vec<LogFound> {
    let text = text();
    let (done, waiting) = mpsc::channel();
    thread::spawn(move || done.send(Detector::built_in().scan_log(&text, true)));
    waiting.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{what}: {error}"))
}

fn repeated(text: &str, bytes: usize) -> Vec<u8> {
    text.as_bytes().repeat(bytes / text.len() + 1)
}

const MEGABYTE: usize = 1 << 20;

#[test]
fn one_line_of_a_hundred_megabytes() {
    for (what, piece) in [
        ("nothing", "x"),
        ("first lines", "BUG: unable to handle kernel "),
        ("clocks", "[    1.234567] "),
        ("stems of words that are looked for", "Kernel panic - not synchronous "),
    ] {
        let found = scan(what, || {
            [repeated(piece, 100 * MEGABYTE), b"\nKernel panic - not syncing: x\n".to_vec()].concat()
        });
        assert_eq!(
            found.last().map(|event| (event.class.as_str(), event.start_line)),
            Some(("kernel.panic", 2)),
            "{what}"
        );
    }
}

#[test]
fn a_million_frames() {
    let frames = || repeated(" f+0x1/0x2\n", 11 * 1_000_000);
    let found =
        scan("frames", || [b"BUG: unable to handle page fault\nCall Trace:\n".to_vec(), frames()].concat());
    assert_eq!(found.len(), 1);
    let found = scan("frames and headers", || {
        let mut text = Vec::new();
        for task in 0..2000 {
            text.extend_from_slice(
                format!("[    1.000000][ T{task}] BUG: KASAN: use-after-free in f+0x1/0x2\n").as_bytes(),
            );
        }
        text.extend(frames());
        text
    });
    assert_eq!(found.len(), 2000);
}

#[test]
fn brackets_within_brackets() {
    for bracket in ["[", "]", "[<", "(", "[ 1.2", "<1", "{", " at: ", " from ", "+0x"] {
        let found = scan("brackets", || {
            let nested = bracket.repeat(10_000);
            format!("{nested} BUG: unable to handle kernel\nBUG: KASAN: {nested}\nCall Trace:\n{nested}\nat: {nested} f+0x1/0x2\n")
                .repeat(200)
                .into_bytes()
        });
        assert!(found.len() <= 400, "{bracket}: {}", found.len());
    }
}

#[test]
fn many_reports_whose_lines_are_each_other_s() {
    // Each report's end is looked for among reports of other tasks.
    let found = scan("tasks", || {
        (0..100_000)
            .map(|task| format!("[    1.000000][ T{task}] WARNING: fs/x.c:1 at f+0x1/0x2, CPU#0\n"))
            .collect::<String>()
            .into_bytes()
    });
    assert_eq!(found.len(), 100_000);
    let found = scan("panics of Xen", || repeated("(XEN) Panic on CPU 3:\n(XEN) x\n", 4 * MEGABYTE));
    assert!(!found.is_empty());
    let found = scan("details", || repeated("Oops: 0002 [#1] SMP\n", 4 * MEGABYTE));
    assert!(!found.is_empty());
    let found =
        scan("boots", || repeated("Linux version 6.1\nKernel panic - not syncing: x\n", 4 * MEGABYTE));
    assert!(!found.is_empty());
}
