use lastwords_record::{Batch, BatchBuilder, BatchId, Clock, ShipperId, Source};
use proptest::prelude::*;

use super::*;
use crate::plan::Voice;

fn voice() -> Voice {
    Voice {
        host: ("hv01".to_owned(), String::new()),
        guest: None,
        source: Source::File,
        attributes: Vec::new(),
        time_zone: "UTC".to_owned(),
        year: None,
        modified_ns: None,
        boots: Vec::new(),
        encoding: Encoding::Bytes,
        forming: FORMING,
        shaping: shaping::Shaping::default(),
    }
}

/// Forms stretches, each in the same batch; gives the batch.
fn form(stretches: &[(&[u8], Ending, StampState)]) -> (Batch, StampState) {
    let mut builder = BatchBuilder::new();
    let origin = builder.origin(&voice().origin());
    let mut memory = StampState::default();
    for (bytes, ending, before) in stretches {
        let mut dater = Dater::new(&voice(), Some(*before));
        let stretch = Stretch { bytes, ending: *ending, observed_ns: 7 };
        let formed = Former::default().form(&mut builder, origin, &mut dater, stretch);
        assert_eq!(formed.taken, bytes.len());
        memory = dater.memory();
    }
    let id = BatchId { shipper: ShipperId::of("a", "b"), epoch: 1, sequence: 1 };
    (builder.finish(id, 1, Clock::default()), memory)
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z ]{0,30}",
        2 => Just("2026-11-20T15:02:11Z app: text".to_owned()),
        1 => Just("[   12.0] BUG: kernel NULL pointer dereference, address: 0".to_owned()),
        2 => Just("[   12.0]  do_it+0x12/0x34".to_owned()),
        1 => Just("[   12.0] ---[ end trace 0000000000000000 ]---".to_owned()),
        1 => Just("Nov 20 15:02:11 hv01 kernel: Kernel panic - not syncing: x".to_owned()),
        1 => Just("Nov 20 15:02:11 hv01 kernel:  do_it+0x12/0x34".to_owned()),
        1 => Just("Nov 20 15:02:11 hv01 sshd[811]: Accepted key".to_owned()),
    ]
}

proptest! {
    /// What the plan rests on: whatever was taken at once, with whatever patience, is formed alike from its bytes.
    #[test]
    fn what_was_taken_is_formed_again_alike(
        lines in prop::collection::vec((line(), any::<bool>()), 1..60),
        cut in 0_usize..2_000,
        ending in prop::sample::select(vec![Ending::Open, Ending::Groups, Ending::All]),
    ) {
        let text: String = lines.iter().map(|(line, crlf)| format!("{line}{}", if *crlf { "\r\n" } else { "\n" })).collect();
        let bytes = text.as_bytes().get(..cut).unwrap_or(text.as_bytes());
        let mut builder = BatchBuilder::new();
        let origin = builder.origin(&voice().origin());
        let mut dater = Dater::new(&voice(), Some(StampState::default()));
        let formed = Former::default().form(&mut builder, origin, &mut dater, Stretch { bytes, ending, observed_ns: 7 });
        let id = BatchId { shipper: ShipperId::of("a", "b"), epoch: 1, sequence: 1 };
        let first = builder.finish(id, 1, Clock::default());
        if formed.taken > 0 {
            let (again, memory) = form(&[(&bytes[..formed.taken], Ending::All, StampState::default())]);
            prop_assert_eq!(first, again);
            prop_assert_eq!(memory, dater.memory());
        }
    }
}

/// The bodies of a text's records.
fn bodies(text: &str) -> Vec<String> {
    let (batch, _) = form(&[(text.as_bytes(), Ending::All, StampState::default())]);
    (0..batch.records.len())
        .map(|row| String::from_utf8_lossy(batch.records.body(row)).into_owned())
        .collect()
}

#[test]
fn lines_of_others_within_a_crash_are_records_of_their_own() {
    let (panic, frame) = (
        "Nov 20 15:02:11 hv01 kernel: Kernel panic - not syncing: x",
        "Nov 20 15:02:11 hv01 kernel:  f+0x1/0x2",
    );
    let (sshd, cron) =
        ("Nov 20 15:02:11 hv01 sshd[811]: Accepted key", "Nov 20 15:02:12 hv01 CRON[12]: (root) CMD (x)");
    for end in ["\n", "\r\n"] {
        let lines = [panic, sshd, frame, cron, frame, sshd, "Nov 20 19:02:11 hv01 kernel: eth0: up"];
        let text: String = lines.iter().map(|line| format!("{line}{end}")).collect();
        assert_eq!(bodies(&text), [&format!("{panic}\n{frame}\n{frame}"), sshd, cron, sshd, lines[6]]);
    }
}

#[test]
fn a_crash_that_does_not_fit_takes_its_neighbours_into_the_next_batch() {
    let line = "Nov 20 15:02:11 hv01 sshd[811]: Accepted key\n";
    let crash = "Nov 20 15:02:11 hv01 kernel: Kernel panic - not syncing: x\n".to_owned()
        + &format!("{line}Nov 20 15:02:11 hv01 kernel:  f+0x1/0x2\n").repeat(200);
    let filler = "x\n".repeat(lastwords_record::limits::BATCH_RECORDS_MAX - 100);
    let text = format!("{filler}{crash}");
    let mut builder = BatchBuilder::new();
    let origin = builder.origin(&voice().origin());
    let mut dater = Dater::new(&voice(), None);
    let stretch = |bytes| Stretch { bytes, ending: Ending::All, observed_ns: 7 };
    let first = Former::default().form(&mut builder, origin, &mut dater, stretch(text.as_bytes()));
    assert_eq!((first.full, first.taken), (true, filler.len()));
    let id = BatchId { shipper: ShipperId::of("a", "b"), epoch: 1, sequence: 1 };
    builder.finish(id, 1, Clock::default());
    let rest =
        Former::default().form(&mut builder, origin, &mut dater, stretch(&text.as_bytes()[first.taken..]));
    assert_eq!((rest.full, rest.taken, rest.lines, rest.records), (false, crash.len(), 401, 201));
}

#[test]
fn lines_of_many_days_are_no_crash_and_none_is_lost() {
    let days: String =
        (10..30).map(|day| format!("2026-11-{day}T15:02:11Z app says x\n [   12.0]  f+0x1/0x2\n")).collect();
    let text = format!("[   12.0] Kernel panic - not syncing: x\n{days}");
    let mut builder = BatchBuilder::new();
    let origin = builder.origin(&voice().origin());
    let mut dater = Dater::new(&voice(), None);
    let (mut taken, mut lines) = (0, 0);
    while taken < text.len() {
        let stretch = Stretch { bytes: &text.as_bytes()[taken..], ending: Ending::All, observed_ns: 7 };
        let formed = Former::default().form(&mut builder, origin, &mut dater, stretch);
        (taken, lines) = (taken + formed.taken, lines + formed.lines);
        assert!(formed.taken > 0 || formed.full);
        let id = BatchId { shipper: ShipperId::of("a", "b"), epoch: 1, sequence: 1 };
        builder.finish(id, 1, Clock::default());
    }
    assert_eq!(lines, 41);
}

/// What lines become, by a voice.
fn rows(voice: &Voice, bytes: &[u8], ending: Ending) -> (Vec<(String, String, u8)>, Formed) {
    let mut builder = BatchBuilder::new();
    let origin = builder.origin(&voice.origin());
    let mut dater = Dater::new(voice, None);
    let stretch = Stretch { bytes, ending, observed_ns: 7 };
    let formed = Former::default().form(&mut builder, origin, &mut dater, stretch);
    let id = BatchId { shipper: ShipperId::of("a", "b"), epoch: 1, sequence: 1 };
    let batch = builder.finish(id, 1, Clock::default());
    let word = |column: &[u32], row: usize| {
        batch.dictionary[column.get(row).copied().unwrap_or_default() as usize].clone()
    };
    let rows = (0..batch.records.len()).map(|row| {
        let body = String::from_utf8_lossy(batch.records.body(row)).into_owned();
        let severity = batch.records.severity.get(row).copied().unwrap_or_default();
        (body, word(&batch.records.program, row), severity)
    });
    (rows.collect(), formed)
}

fn texts(rows: &[(String, String, u8)]) -> Vec<&str> {
    rows.iter().map(|(body, ..)| body.as_str()).collect()
}

#[test]
fn utf_16_is_read_as_text_and_half_a_line_waits() {
    let text = "\u{feff}2026-11-20T10:00:00Z Kernel panic - not syncing: x\r\nzweite ü\r\nhalf";
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let voice = Voice { encoding: Encoding::of(&bytes).unwrap(), ..voice() };
    let (found, formed) = rows(&voice, &bytes, Ending::Groups);
    assert_eq!(texts(&found), ["2026-11-20T10:00:00Z Kernel panic - not syncing: x", "zweite ü"]);
    assert_eq!(formed.taken, bytes.len() - "half".len() * 2);
    let (rest, formed) = rows(&voice, &bytes[formed.taken..], Ending::All);
    assert_eq!((texts(&rest), formed.taken), (vec!["half"], 8));
}

#[test]
fn a_run_of_nuls_ends_a_line_and_is_none() {
    let hole = "\0".repeat(5_000);
    let text = format!("one\nhalf a li{hole}2026-11-20T11:00:00Z kernel: next\n{hole}\nlast\n{hole}");
    let (found, formed) = rows(&voice(), text.as_bytes(), Ending::All);
    assert_eq!(texts(&found), ["one", "half a li", "2026-11-20T11:00:00Z kernel: next", "last"]);
    assert_eq!((formed.taken, formed.blank_bytes), (text.len(), 15_000));
    // As it was before, where the plan was made by a program that kept them.
    let (found, _) = rows(&Voice { forming: 0, ..voice() }, text.as_bytes(), Ending::All);
    assert_eq!(found.len(), 5);
}

#[test]
fn lines_say_who_wrote_them_and_how_bad_it_is() {
    let text = "Nov 20 15:02:11 web01 nginx[811]: [error] failed\n{\"level\":\"warn\",\"app\":\"shop\",\"msg\":\"x\"}\nplain\n";
    let (found, _) = rows(&voice(), text.as_bytes(), Ending::All);
    let said: Vec<(&str, u8)> =
        found.iter().map(|(_, program, severity)| (program.as_str(), *severity)).collect();
    assert_eq!(said, [("nginx", 17), ("shop", 13), ("", 0)]);
    let (found, _) = rows(&Voice { forming: 0, ..voice() }, text.as_bytes(), Ending::All);
    assert!(found.iter().all(|(_, program, severity)| program.is_empty() && *severity == 0));
}

#[test]
fn lines_are_left_out_joined_and_made_unreadable_before_they_are_records() {
    let shaping = shaping::Shaping {
        drop: vec!["DEBUG".to_owned()],
        redact: vec![r"token=\w+".to_owned()],
        multiline: "java".to_owned(),
    };
    let voice = Voice { shaping, ..voice() };
    let text = "2026-11-20 DEBUG x\n2026-11-20 ERROR token=abc\n\tat a.B.c(D.java:1) token=d\n{\"level\":\"info\",\"a\":\"token=e\"}\n2026-11-20 last\n";
    let (found, formed) = rows(&voice, text.as_bytes(), Ending::All);
    assert_eq!(
        texts(&found),
        [
            "2026-11-20 ERROR [redacted]\n\tat a.B.c(D.java:1) [redacted]",
            "{\"level\":\"info\",\"a\":\"[redacted]\"}",
            "2026-11-20 last"
        ]
    );
    assert_eq!((formed.taken, formed.lines, formed.dropped), (text.len(), 5, 1));
}
