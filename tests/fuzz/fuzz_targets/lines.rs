//! Whatever bytes come as a log: framing, opening, grouping and dating never panic, and no byte of a line is lost.
#![no_main]

use lastwords_record::{
    envelope,
    frame::Lines,
    group::Grouper,
    stamp::{StampRules, Stamper},
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut grouper = Grouper::new();
    let rules =
        StampRules { time_zone: jiff::tz::TimeZone::UTC, year: None, modified_ns: None, boots: Vec::new() };
    let mut stamper = Stamper::new(rules);
    let mut lines = Lines::new(bytes);
    let mut end = 0;
    for line in lines.by_ref() {
        assert!(line.end > end && line.text.len() <= line.end - end);
        end = line.end;
        grouper.push(line.text);
        let opened = envelope::open(line.text);
        assert!((0..=opened.text.len()).all(|place| opened.place_in_line(place) <= line.text.len()));
        stamper.stamp(line.text, 0);
    }
    assert_eq!(end, lines.taken());
});
