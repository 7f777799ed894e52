use std::{fs, io::Write as _};

use lastwords_record::{BatchBuilder, BatchId, Clock, Compression, ShipperId, stamp::StampState};

use super::*;
use crate::source::{fingerprint::Fingerprint, identity::FileState, trace::Trace};

fn shipper() -> ShipperId {
    ShipperId::of("hv01", "1")
}

fn file(position: u64) -> FileState {
    FileState {
        id: 1,
        path: "/var/log/a.log".to_owned(),
        device: 1,
        inode: 2,
        identity: Fingerprint::of(b"one\n"),
        position,
        stamp: StampState::default(),
        digest: String::new(),
        trace: Trace::default(),
        done: false,
    }
}

fn planned(sequence: u64, start: u64, end: u64) -> Entry {
    Entry::Batch(Planned {
        sequence,
        sealed_time_ns: 5,
        clock_offset_ns: Some(-3),
        clock_uncertainty_ns: 1,
        sealed: false,
        unfinished: false,
        cursors: vec![("kmsg".to_owned(), vec![1, 2])],
        voices: Vec::new(),
        extents: vec![Extent {
            file: 1,
            start,
            end,
            hash: 7,
            voice: 0,
            observed_ns: 9,
            stamp_before: StampState::default(),
            stamp_after: StampState { last_ns: Some(4), ..StampState::default() },
            identity: Fingerprint::of(b"one\n"),
            trace: Trace::default(),
            digest: String::new(),
        }],
    })
}

/// A plan with a file, three batches under way of which the first is acknowledged.
fn write(folder: &std::path::Path) -> Remembered {
    let mut plan = Plan::open(folder, shipper(), 100).unwrap();
    plan.append(Entry::File(file(0)), Bytes::new()).unwrap();
    for sequence in 1..=3 {
        plan.append(planned(sequence, (sequence - 1) * 10, sequence * 10), Bytes::new()).unwrap();
    }
    plan.append(Entry::Acknowledged { through: 1 }, Bytes::new()).unwrap();
    plan.sync().unwrap();
    plan.memory().clone()
}

#[test]
fn what_was_remembered_is_there_after_a_restart_and_after_rewriting() {
    let folder = tempfile::tempdir().unwrap();
    let before = write(folder.path());
    assert_eq!((before.next_sequence, before.open.len(), before.files[&1].position), (4, 2, 30));
    assert_eq!(before.acknowledged_position(1), Some(10));
    for _ in 0..2 {
        let plan = Plan::open(folder.path(), shipper(), 999).unwrap();
        assert_eq!(plan.memory(), &before);
        assert_eq!(plan.damage(), None);
    }
}

#[test]
fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Plan::open(folder.path(), shipper(), 1).unwrap();
    assert!(matches!(Plan::open(folder.path(), shipper(), 1), Err(PlanError::Held(_))));
}

#[test]
fn a_last_write_that_was_cut_off_is_forgotten_and_ends_the_epoch() {
    for cut in [1, 5, 9, 40] {
        for zeros in [0, 30] {
            let folder = tempfile::tempdir().unwrap();
            let before = write(folder.path());
            let mut bytes = Vec::new();
            encode(&planned(4, 30, 40), &[], &mut bytes).unwrap();
            bytes.truncate(cut);
            bytes.extend(vec![0; zeros]);
            let mut file = fs::OpenOptions::new().append(true).open(folder.path().join("plan")).unwrap();
            file.write_all(&bytes).unwrap();
            for _ in 0..2 {
                let plan = Plan::open(folder.path(), shipper(), 999).unwrap();
                let mut found = plan.memory().clone();
                assert!(found.epoch_over.take().is_some());
                assert_eq!(found, before, "cut at {cut}, {zeros} zeros");
                assert_eq!(plan.damage(), None);
            }
        }
    }
}

#[test]
fn damage_is_moved_aside_and_ends_the_epoch_once_what_is_known_to_be_under_way_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let length = {
        write(folder.path());
        fs::read(folder.path().join("plan")).unwrap().len()
    };
    // Every byte but those of the last entry, whose damage looks like a write that was cut off.
    for at in (0..length - 60).step_by(7) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path());
        let path = folder.path().join("plan");
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 0x20;
        fs::write(&path, &bytes).unwrap();
        let plan = Plan::open(folder.path(), shipper(), 999).unwrap();
        if plan.damage().is_none() {
            // A length that points beyond the end looks like a cut: no more than the entries before are used.
            assert!(plan.memory().next_sequence <= 4);
            continue;
        }
        let memory = plan.memory();
        if memory.epoch == 999 {
            assert_eq!((memory.next_sequence, memory.open.len()), (1, 0), "byte {at}");
        } else {
            assert!(memory.epoch_over.is_some(), "byte {at}");
            let read = (memory.next_sequence - 1) * 10;
            assert!(memory.files.get(&1).is_none_or(|file| file.position == read), "byte {at}");
        }
        assert!(folder.path().join("plan.damaged-999").exists());
    }
}

#[test]
fn bytes_that_cannot_be_formed_again_survive_damage_under_a_new_number() {
    let folder = tempfile::tempdir().unwrap();
    let mut builder = BatchBuilder::new();
    builder
        .push_event(&crate::source::loss_event(
            &lastwords_record::Host::default(),
            1,
            "k".into(),
            "t".into(),
            &[],
        ))
        .unwrap();
    let id = BatchId { shipper: shipper(), epoch: 100, sequence: 1 };
    let envelope = builder.finish(id, 5, Clock::default()).seal(Compression::DEFAULT).unwrap();
    let length = envelope.len();
    {
        let mut plan = Plan::open(folder.path(), shipper(), 100).unwrap();
        let Entry::Batch(entry) = planned(1, 0, 0) else { unreachable!() };
        plan.append(Entry::Batch(Planned { sealed: true, extents: Vec::new(), ..entry }), envelope).unwrap();
        plan.append(planned(2, 0, 10), Bytes::new()).unwrap();
        plan.append(planned(3, 10, 20), Bytes::new()).unwrap();
    }
    let path = folder.path().join("plan");
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.len() - 500;
    bytes[place] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let mut plan = Plan::open(folder.path(), shipper(), 999).unwrap();
    assert!(plan.damage().is_some());
    assert_eq!(plan.memory().open[0].envelope.len(), length);
    plan.begin_epoch(999).unwrap();
    let open = &plan.memory().open;
    assert_eq!(open.len(), 1);
    let batch = lastwords_record::Batch::open(&open[0].envelope).unwrap();
    assert_eq!((batch.header.id.epoch, batch.header.id.sequence, batch.events.len()), (999, 1, 1));
}

#[test]
fn what_was_refused_comes_first_in_the_next_epoch_and_a_file_that_went_back_stays_there() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let mut plan = Plan::open(folder.path(), shipper(), 999).unwrap();
    plan.append(Entry::Refused { sequence: 2 }, Bytes::new()).unwrap();
    plan.append(Entry::EpochOver { why: "for a test".to_owned() }, Bytes::new()).unwrap();
    plan.append(Entry::File(file(12)), Bytes::new()).unwrap();
    drop(plan);
    let mut plan = Plan::open(folder.path(), shipper(), 999).unwrap();
    let memory = plan.memory();
    assert_eq!((memory.refused.len(), memory.open.len(), memory.files[&1].position), (1, 1, 12));
    plan.begin_epoch(50).unwrap();
    drop(plan);
    let plan = Plan::open(folder.path(), shipper(), 999).unwrap();
    let memory = plan.memory();
    assert_eq!((memory.epoch, memory.next_sequence, &memory.epoch_over), (101, 3, &None));
    let starts: Vec<u64> = memory.open.iter().map(|open| open.planned.extents[0].start).collect();
    assert_eq!((starts, memory.files[&1].position), (vec![10, 20], 12));
}

#[test]
fn what_is_no_file_where_plan_and_lock_should_be_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["plan", "lock"] {
        fs::create_dir_all(folder.path().join(name).join("x")).unwrap();
    }
    let plan = Plan::open(folder.path(), shipper(), 7).unwrap();
    assert!(plan.damage().is_some());
    assert_eq!(plan.memory().epoch, 7);
    drop(plan);
    assert_eq!(Plan::open(folder.path(), shipper(), 8).unwrap().memory().epoch, 7);
}

#[test]
fn whatever_stands_in_place_of_the_state_is_set_aside_and_the_start_goes_on() {
    type Spoil = fn(&std::path::Path);
    let spoil: [(&str, Spoil); 6] = [
        ("the folder is a file", |state| {
            fs::remove_dir_all(state).unwrap();
            fs::write(state, "x").unwrap();
        }),
        ("the plan is a folder", |state| {
            fs::remove_file(state.join("plan")).unwrap();
            fs::create_dir(state.join("plan")).unwrap();
        }),
        ("what is written anew is a folder", |state| fs::create_dir(state.join("plan.new")).unwrap()),
        ("the lock is a folder", |state| {
            fs::remove_file(state.join("lock")).unwrap();
            fs::create_dir(state.join("lock")).unwrap();
        }),
        ("the lock leads nowhere", |state| {
            fs::remove_file(state.join("lock")).unwrap();
            std::os::unix::fs::symlink("/nowhere/at/all", state.join("lock")).unwrap();
        }),
        ("an older damaged plan has the name", |state| {
            fs::create_dir(state.join("plan.damaged-9")).unwrap();
            fs::write(state.join("plan"), "nonsense").unwrap();
        }),
    ];
    for (name, spoil) in spoil {
        let root = tempfile::tempdir().unwrap();
        let state = root.path().join("state");
        let shipper = ShipperId::of("hv01", "");
        drop(Plan::open(&state, shipper, 7).unwrap());
        spoil(&state);
        let plan = Plan::open(&state, shipper, 9).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(plan.memory().epoch > 0, "{name}");
    }
}
