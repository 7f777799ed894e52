//! Numbers that were used twice: state that was set back, copied or cut.

use super::*;
use crate::uplink::Delivered;

fn epochs(world: &World) -> Vec<u64> {
    let mut epochs: Vec<u64> = world.sink.keys().map(|(epoch, _)| *epoch).collect();
    epochs.dedup();
    epochs
}

fn report(world: &mut World, report: Report) {
    let now_ns = world.now_ns;
    world.shipper().report(report, now_ns).unwrap();
}

#[test]
fn a_refused_batch_goes_out_again_in_a_new_epoch_once_all_others_are_answered() {
    let mut world = World::new();
    for name in ["a.log", "b.log", "c.log"] {
        world.append(name, &format!("of {name}\n"));
        world.scan();
        assert!(world.form());
    }
    world.shipper().sync().unwrap();
    let first = world.shipper().take_ready().unwrap();
    world.shipper().take_ready().unwrap();
    let third = world.shipper().take_ready().unwrap();
    assert_eq!((first.id.sequence, third.id.sequence), (1, 3));
    report(&mut world, Report::Acknowledged { sequence: 1, delivered: Delivered::default() });
    report(&mut world, Report::Refused { sequence: 2, reason: "for a test".to_owned() });
    let now = world.now();
    assert!(!world.shipper().has_room());
    assert!(!world.shipper().turn_epoch(now).unwrap(), "the third is not answered yet");
    // It is remembered.
    world.kill();
    assert!(!world.shipper().has_room());
    assert_eq!(world.shipper().take_ready().unwrap().id, third.id);
    report(&mut world, Report::Acknowledged { sequence: 3, delivered: Delivered::default() });
    assert!(world.shipper().turn_epoch(now).unwrap());
    world.shipper().sync().unwrap();
    world.send();
    assert_eq!(world.lines(), ["of b.log"]);
    assert_eq!(world.sink.keys().map(|(_, sequence)| *sequence).collect::<Vec<_>>(), [1]);
    assert!(epochs(&world)[0] > first.id.epoch && world.shipper().has_room());
}

#[test]
fn a_shipper_that_was_set_back_gives_no_number_a_second_time() {
    let mut world = World::new();
    world.append("a.log", "one\n");
    world.settle();
    let given = world.shipper().given();
    report(&mut world, Report::Ahead { sequence: given + 5 });
    assert!(!world.shipper().has_room());
    let now = world.now();
    assert!(world.shipper().turn_epoch(now).unwrap());
    world.append("a.log", "two\n");
    world.settle();
    assert_eq!((world.lines(), epochs(&world).len()), (vec!["one".to_owned(), "two".to_owned()], 2));
}

#[test]
fn a_copy_of_the_state_begins_an_epoch_of_its_own() {
    let mut world = World::new();
    world.append("a.log", "one\n");
    world.settle();
    world.shipper = None;
    let (state, other) = (world.folder.path().join("state"), world.folder.path().join("copied"));
    fs::create_dir(&other).unwrap();
    for entry in fs::read_dir(&state).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), other.join(entry.file_name())).unwrap();
    }
    fs::remove_dir_all(&state).unwrap();
    fs::rename(&other, &state).unwrap();
    world.append("a.log", "two\n");
    world.now_ns += SECOND;
    world.start();
    world.settle();
    assert_eq!((world.lines(), epochs(&world).len()), (vec!["one".to_owned(), "two".to_owned()], 2));
    // It is at home now.
    world.kill();
    world.append("a.log", "three\n");
    world.settle();
    assert_eq!(epochs(&world).len(), 2);
}

#[test]
fn a_plan_that_lost_its_end_keeps_no_epoch() {
    let mut world = World::new();
    world.append("a.log", "one\n");
    world.settle();
    world.shipper = None;
    let plan = world.folder.path().join("state").join("plan");
    let bytes = fs::read(&plan).unwrap();
    fs::write(&plan, &bytes[..bytes.len() - 3]).unwrap();
    world.append("a.log", "two\n");
    world.now_ns += SECOND;
    world.start();
    assert!(!world.shipper().has_room());
    world.settle();
    world.append("a.log", "three\n");
    world.settle();
    assert_eq!(epochs(&world).len(), 2);
    assert_eq!(world.lines(), ["one", "two", "three"]);
}

#[test]
fn a_feed_of_several_batches_is_planned_whole_or_not_at_all() {
    use crate::source::{FedRecord, Feed};
    let mut world = World::new();
    let origin = lastwords_record::Origin {
        host: Host::default(),
        guest: None,
        source: Source::Journald,
        attributes: Vec::new(),
    };
    let record = |number: usize| FedRecord {
        body: format!("{number} {}", "x".repeat(100_000)).into_bytes(),
        ..FedRecord::default()
    };
    let feed = Feed {
        stream: "journald".to_owned(),
        cursor: b"c40".to_vec(),
        records: vec![(origin, (0..40).map(record).collect())],
        ..Feed::default()
    };
    let now_ns = world.now_ns;
    world.shipper().feed(vec![feed.clone()], now_ns).unwrap();
    assert!(world.shipper().given() > 1, "one batch holds it");
    world.shipper = None;
    // The process was killed before it wrote the last batch's entry.
    let plan = world.folder.path().join("state").join("plan");
    let bytes = fs::read(&plan).unwrap();
    let mut ends = vec![crate::plan::MAGIC.len()];
    while let Ok((.., length)) = crate::plan::decode(&bytes[*ends.last().unwrap()..]) {
        ends.push(ends.last().unwrap() + length);
    }
    fs::write(&plan, &bytes[..ends[ends.len() - 2]]).unwrap();
    world.start();
    assert_eq!(world.shipper().cursor("journald"), None);
    assert_eq!(world.shipper().in_flight(), 0);
    world.shipper().feed(vec![feed], now_ns).unwrap();
    world.shipper().sync().unwrap();
    world.send();
    assert_eq!(world.lines().len(), 40);
}

#[test]
fn a_renamed_host_reads_nothing_again() {
    let mut world = World::new();
    world.append("a.log", "one\n");
    world.settle();
    world.append("a.log", "two\n");
    world.scan();
    assert!(world.form());
    world.shipper().sync().unwrap();
    world.shipper = None;
    world.now_ns += SECOND;
    let mut config = world.config();
    config.host.name = "hv02".to_owned();
    world.shipper = Some(Shipper::open(config, None, world.now()).unwrap());
    world.settle();
    assert_eq!((world.lines(), epochs(&world).len()), (vec!["one".to_owned(), "two".to_owned()], 2));
    let last = world.sink.values().last().unwrap();
    assert_eq!(last.header.id.shipper, lastwords_record::ShipperId::of("hv02", ""));
    assert!(last.header.hosts.iter().all(|host| host.name == "hv02"));
}
