use lastwords_record::{Batch, BatchBuilder, BatchId, Clock, ShipperId, Source};
use proptest::prelude::*;

use super::*;

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
