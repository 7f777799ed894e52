//! Whatever text comes as a rules file: an error or rules that can be tried; never a panic.
//! `cargo +nightly fuzz run rules -- -max_total_time=60` in `detect/`.
#![no_main]

use lastwords_detect::{Detector, check, rules};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(rules) = rules::parse(text) else { return };
    if rules.is_empty() {
        return;
    }
    let Ok(detector) = Detector::with_only(&[text]) else { return };
    for rule in &rules {
        let _ = check::examples(&detector, rule);
    }
    let _ =
        detector.scan_log(b"[    1.000000] Kernel panic - not syncing: x\n[    1.000000] f+0x1/0x2\n", true);
});
