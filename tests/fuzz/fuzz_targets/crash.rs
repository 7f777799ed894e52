//! Whatever bytes come as a log: events lie within it, in order, and each cause is an earlier one; never a panic.
//! `cargo +nightly fuzz run crash -- -max_total_time=60` in `detect/`; `-seed_inputs` with files of the corpus helps.
#![no_main]

use std::sync::LazyLock;

use lastwords_detect::Detector;

static DETECTOR: LazyLock<Detector> = LazyLock::new(Detector::built_in);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let lines = bytes.split(|byte| *byte == b'\n').count();
    let events = DETECTOR.scan_log(bytes, true);
    for (number, event) in events.iter().enumerate() {
        assert!(event.start_line >= 1 && event.start_line <= event.end_line && event.end_line <= lines);
        assert!(event.cause.is_none_or(|cause| cause < number));
    }
    assert!(events.is_sorted_by_key(|event| event.start_line));
});
