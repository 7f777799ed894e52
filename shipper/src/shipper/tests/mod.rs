//! The shipper as a deterministic simulation: files grow and rotate, the shipper is dropped between any two steps,
//! the sink knows numbers. Whatever the order, every line is there once.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
};

use lastwords_record::{Batch, Host, Source};
use proptest::prelude::*;

mod epochs;
mod rotation;

use super::*;
use crate::{config::FileRule, uplink::Content};

const SECOND: i64 = 1_000_000_000;

/// A machine with one shipper, and a sink.
struct World {
    folder: tempfile::TempDir,
    /// Which files of its folder are meant.
    glob: &'static str,
    shipper: Option<Shipper>,
    now_ns: i64,
    /// What the sink has, by epoch and number.
    sink: BTreeMap<(u64, u64), Batch>,
    /// Sent on the current connection, not acknowledged.
    sent: Vec<u64>,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("log")).unwrap();
        let mut world = World {
            folder,
            glob: "*.log",
            shipper: None,
            now_ns: 1_700_000_000 * SECOND,
            sink: BTreeMap::new(),
            sent: Vec::new(),
        };
        world.start();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("log").join(name)
    }

    fn config(&self) -> ShipperConfig {
        let host = Host { name: "hv01".to_owned(), machine_id: "1".to_owned() };
        let mut config = ShipperConfig::new(host, self.folder.path().join("state"));
        let glob = format!("{}/{}", self.folder.path().join("log").display(), self.glob);
        config.files = vec![FileRule::new(Source::File, &[glob], &[], "UTC").unwrap()];
        config
    }

    fn now(&self) -> Moment {
        Moment { wall_ns: self.now_ns, steady_ns: self.now_ns }
    }

    fn start(&mut self) {
        self.sent.clear();
        self.shipper = None;
        self.shipper = Some(Shipper::open(self.config(), None, self.now()).unwrap());
    }

    /// The process is killed: all that it had in memory is gone.
    fn kill(&mut self) {
        self.shipper = None;
        self.start();
    }

    /// Something happens while the shipper runs, or while it is away.
    fn meanwhile(&mut self, away: bool, happens: impl FnOnce(&World)) {
        if away {
            self.shipper = None;
        }
        happens(self);
        if away {
            self.start();
        }
    }

    fn shipper(&mut self) -> &mut Shipper {
        self.shipper.as_mut().unwrap()
    }

    fn scan(&mut self) {
        let now = self.now();
        self.shipper().scan(now).unwrap();
    }

    fn form(&mut self) -> bool {
        let now = self.now();
        self.shipper().form(now).unwrap()
    }

    /// Sends what is ready; the sink keeps it.
    fn send(&mut self) {
        while let Some(outgoing) = self.shipper().take_ready() {
            let batch = match outgoing.content {
                Content::Open(batch) => *batch,
                Content::Sealed(envelope) => Batch::open(&envelope).unwrap(),
            };
            assert_eq!(batch.header.id, outgoing.id);
            let id = batch.header.id;
            self.sent.push(id.sequence);
            if let Some(before) = self.sink.get(&(id.epoch, id.sequence)) {
                let (before, again) = (before.content_hash(), batch.content_hash());
                assert_eq!(before, again, "number {} came again with another content", id.sequence);
            }
            self.sink.insert((id.epoch, id.sequence), batch);
        }
    }

    fn acknowledge(&mut self) {
        if let Some(sequence) = self.sent.pop() {
            let now_ns = self.now_ns;
            let report = Report::Acknowledged { sequence, delivered: crate::uplink::Delivered::default() };
            self.shipper().report(report, now_ns).unwrap();
            self.sent.clear();
        }
    }

    /// Lets everything come to rest.
    fn settle(&mut self) {
        for _ in 0..4 {
            self.scan();
            while self.form() {}
            self.shipper().sync().unwrap();
            self.send();
            self.acknowledge();
            let now = self.now();
            self.shipper().turn_epoch(now).unwrap();
            self.now_ns += 10 * SECOND;
        }
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// As logrotate's `copytruncate` does.
    fn copy_and_truncate(&self, name: &str) {
        for generation in (1..100).rev() {
            let numbered = |generation: u32| self.path(&format!("{name}.{generation}"));
            if numbered(generation).exists() {
                fs::rename(numbered(generation), numbered(generation + 1)).unwrap();
            }
            let zipped = |generation: u32| self.path(&format!("{name}.{generation}.gz"));
            if zipped(generation).exists() {
                fs::rename(zipped(generation), zipped(generation + 1)).unwrap();
            }
        }
        let path = self.path(name);
        if path.exists() {
            fs::copy(&path, self.path(&format!("{name}.1"))).unwrap();
            OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        }
    }

    /// As rsync and editors do: the same content in another file, which takes the name.
    fn replace(&self, name: &str) {
        if self.path(name).exists() {
            fs::copy(self.path(name), self.path("replacing")).unwrap();
            fs::rename(self.path("replacing"), self.path(name)).unwrap();
        }
    }

    /// As logrotate does: `.1` becomes `.2` and so on, gzipped perhaps from `.2` on.
    fn rotate(&self, name: &str, gzip: bool) {
        for generation in (0..100).rev() {
            for end in ["", ".gz"] {
                let number =
                    |generation: u32| if generation == 0 { String::new() } else { format!(".{generation}") };
                let from = self.path(&format!("{name}{}{end}", number(generation)));
                let to = self.path(&format!("{name}{}{end}", number(generation + 1)));
                if !from.exists() {
                    continue;
                }
                fs::rename(&from, &to).unwrap();
                if gzip && generation > 0 && end.is_empty() {
                    let compressed =
                        fs::File::create(self.path(&format!("{name}.{}.gz", generation + 1))).unwrap();
                    let mut encoder = flate2::write::GzEncoder::new(compressed, flate2::Compression::fast());
                    encoder.write_all(&fs::read(&to).unwrap()).unwrap();
                    encoder.finish().unwrap();
                    fs::remove_file(&to).unwrap();
                }
            }
        }
    }

    fn lines(&self) -> Vec<String> {
        let rows = self.sink.values().flat_map(|batch| {
            (0..batch.records.origin.len())
                .map(|row| String::from_utf8_lossy(batch.records.body(row)).into_owned())
        });
        rows.collect()
    }

    fn losses(&self) -> Vec<String> {
        self.sink.values().flat_map(|batch| batch.events.iter().map(|event| event.title.clone())).collect()
    }
}

#[test]
fn a_partial_line_waits_for_its_rest_and_crlf_ends_a_line() {
    let mut world = World::new();
    world.append("a.log", "one\r\ntw");
    world.scan();
    assert!(world.form());
    world.append("a.log", "o\nthr");
    world.now_ns += SECOND / 10;
    world.scan();
    assert!(world.form());
    world.shipper().sync().unwrap();
    world.send();
    assert_eq!(world.lines(), ["one", "two"]);
    // The rest never comes.
    world.settle();
    assert_eq!(world.lines(), ["one", "two", "thr"]);
}

#[test]
fn last_words_do_not_wait_for_a_next_line() {
    let mut world = World::new();
    let crash = "[   12.0] BUG: kernel NULL pointer dereference, address: 0000000000000000\n[   12.0] Call Trace:\n[   12.0]  do_it+0x12/0x34\n";
    world.append("a.log", crash);
    world.settle();
    assert_eq!(world.lines(), [crash.trim_end()]);
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_the_new_one_from_its_beginning() {
    let mut world = World::new();
    world.append("a.log", "one\n");
    world.settle();
    world.append("a.log", "two\n");
    fs::rename(world.path("a.log"), world.path("a.log.1")).unwrap();
    world.append("a.log", "three\n");
    // What still writes to the renamed file.
    world.append("a.log.1", "late\n");
    world.settle();
    assert_eq!(world.lines(), ["one", "two", "late", "three"]);
}

#[test]
fn a_file_rotated_and_compressed_while_the_shipper_was_away_is_read_first() {
    for compressed in [false, true] {
        let mut world = World::new();
        world.append("a.log", "one\n");
        world.settle();
        world.shipper = None;
        world.append("a.log", "two\n");
        if compressed {
            let file = fs::File::create(world.path("a.log.1.gz")).unwrap();
            let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            encoder.write_all(&fs::read(world.path("a.log")).unwrap()).unwrap();
            encoder.finish().unwrap();
            fs::remove_file(world.path("a.log")).unwrap();
        } else {
            fs::rename(world.path("a.log"), world.path("a.log.1")).unwrap();
        }
        world.append("a.log", "three\n");
        world.start();
        world.settle();
        assert_eq!(world.lines(), ["one", "two", "three"], "compressed: {compressed}");
    }
}

#[test]
fn after_copytruncate_the_rest_is_read_from_the_copy() {
    let mut world = World::new();
    world.append("a.log", "one\n");
    world.settle();
    // Written after we looked, copied, truncated, written again.
    world.append("a.log", "two\n");
    fs::copy(world.path("a.log"), world.path("a.log.1")).unwrap();
    fs::write(world.path("a.log"), "").unwrap();
    world.append("a.log", "new\n");
    world.settle();
    assert_eq!(world.lines(), ["one", "two", "new"]);
}

#[test]
fn a_deleted_file_is_read_to_its_end() {
    let mut world = World::new();
    world.append("a.log", "one\n");
    world.scan();
    world.append("a.log", "two\n");
    fs::remove_file(world.path("a.log")).unwrap();
    world.settle();
    assert_eq!(world.lines(), ["one", "two"]);
}

#[test]
fn files_that_begin_alike_are_told_apart() {
    let mut world = World::new();
    world.append("a.log", "Started\n");
    world.settle();
    world.append("b.log", "Started\n");
    world.settle();
    world.append("b.log", "other\n");
    world.settle();
    assert_eq!(world.lines(), ["Started", "Started", "other"]);
}

#[test]
fn what_can_no_longer_be_read_goes_as_an_empty_batch_that_says_so() {
    let mut world = World::new();
    world.append("a.log", "one\n");
    world.scan();
    world.form();
    world.shipper().sync().unwrap();
    world.shipper = None;
    fs::remove_file(world.path("a.log")).unwrap();
    world.start();
    world.send();
    assert_eq!(world.lines(), [""; 0]);
    assert_eq!(world.sink.keys().map(|(_, sequence)| *sequence).collect::<Vec<_>>(), [1]);
    assert!(world.losses()[0].contains("batch 1 could not be formed again"), "{:?}", world.losses());
    // The same again after another kill.
    world.kill();
    world.send();
    world.append("b.log", "next\n");
    world.settle();
    assert_eq!(world.lines(), ["next"]);
}

#[test]
fn a_rejected_batch_counts_as_loss_and_the_next_ones_go_on() {
    let mut world = World::new();
    world.append("a.log", "one\n");
    world.scan();
    world.form();
    world.shipper().sync().unwrap();
    let refused = world.shipper().take_ready().unwrap();
    let report = Report::Rejected { sequence: refused.id.sequence, reason: "not allowed".to_owned() };
    let now_ns = world.now_ns;
    world.shipper().report(report, now_ns).unwrap();
    world.shipper().sync().unwrap();
    // The loss is told even where the process is killed right after the rejection was settled.
    world.kill();
    world.append("a.log", "two\n");
    world.settle();
    assert_eq!(world.lines(), ["two"]);
    assert!(world.losses()[0].contains("rejected: not allowed"));
}

#[test]
fn a_feed_and_its_cursor_become_durable_together() {
    use crate::source::{FedRecord, Feed};
    let mut world = World::new();
    let origin = lastwords_record::Origin {
        host: Host::default(),
        guest: None,
        source: Source::Kmsg,
        attributes: Vec::new(),
    };
    let feed = |body: &str, cursor: &str| Feed {
        stream: "kmsg".to_owned(),
        cursor: cursor.as_bytes().to_vec(),
        records: vec![(
            origin.clone(),
            vec![FedRecord { body: body.as_bytes().to_vec(), ..FedRecord::default() }],
        )],
        ..Feed::default()
    };
    let now_ns = world.now_ns;
    world.shipper().feed(vec![feed("one", "1")], now_ns).unwrap();
    world.shipper().sync().unwrap();
    // Planned, never sent.
    world.kill();
    assert_eq!(world.shipper().cursor("kmsg"), Some(&b"1"[..]));
    world.shipper().feed(vec![feed("two", "2")], now_ns).unwrap();
    world.shipper().sync().unwrap();
    world.send();
    world.kill();
    world.send();
    assert_eq!(world.lines(), ["one", "two"]);
    assert_eq!(world.shipper().cursor("kmsg"), Some(&b"2"[..]));
}

#[derive(Debug, Clone)]
enum Step {
    Append(u8, u8),
    AppendPartial(u8),
    /// The flags: nobody looks before; the shipper is away meanwhile; older ones are gzipped.
    Rotate(u8, bool, bool, bool),
    /// The flag: the shipper is away meanwhile.
    CopyTruncate(u8, bool),
    Replace(u8, bool),
    Scan,
    Form,
    Sync,
    Send,
    Acknowledge,
    Kill,
    Wait,
    WaitLong,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::WaitLong),
        4 => (0..3_u8, 1..40_u8).prop_map(|(file, lines)| Step::Append(file, lines)),
        1 => (0..3_u8).prop_map(Step::AppendPartial),
        2 => (0..3_u8, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(file, unseen, away, gzip)| Step::Rotate(file, unseen, away, gzip)),
        2 => (0..3_u8, any::<bool>()).prop_map(|(file, away)| Step::CopyTruncate(file, away)),
        1 => (0..3_u8, any::<bool>()).prop_map(|(file, away)| Step::Replace(file, away)),
        3 => Just(Step::Scan),
        4 => Just(Step::Form),
        3 => Just(Step::Sync),
        3 => Just(Step::Send),
        2 => Just(Step::Acknowledge),
        2 => Just(Step::Kill),
        1 => Just(Step::Wait),
    ]
}

fn simulate(steps: Vec<Step>) {
    let mut world = World::new();
    let mut written: Vec<String> = Vec::new();
    let mut partial = [false; 3];
    for step in steps {
        match step {
            Step::Append(file, lines) => {
                let name = format!("{file}.log");
                if std::mem::take(&mut partial[usize::from(file)]) {
                    world.append(&name, "end\n");
                }
                for _ in 0..lines {
                    let line = format!("line {} of file {file}", written.len());
                    world.append(&name, &format!("{line}\n"));
                    written.push(line);
                }
            }
            Step::AppendPartial(file) => {
                if !std::mem::replace(&mut partial[usize::from(file)], true) {
                    let line = format!("line {} of file {file} in two parts: ", written.len());
                    world.append(&format!("{file}.log"), &line);
                    written.push(format!("{line}end"));
                }
            }
            // A log file is rotated between lines.
            Step::Rotate(file, unseen, away, gzip) if !partial[usize::from(file)] => {
                if !unseen {
                    world.scan();
                }
                if away {
                    world.shipper = None;
                }
                world.rotate(&format!("{file}.log"), gzip);
                if away {
                    world.start();
                }
            }
            Step::CopyTruncate(file, away) if !partial[usize::from(file)] => {
                world.meanwhile(away, |world| world.copy_and_truncate(&format!("{file}.log")));
            }
            Step::Replace(file, away) if !partial[usize::from(file)] => {
                world.meanwhile(away, |world| world.replace(&format!("{file}.log")));
            }
            Step::Rotate(..) | Step::CopyTruncate(..) | Step::Replace(..) => {}
            Step::Scan => world.scan(),
            Step::Form => drop(world.form()),
            Step::Sync => world.shipper().sync().unwrap(),
            Step::Send => world.send(),
            Step::Acknowledge => world.acknowledge(),
            Step::Kill => world.kill(),
            // Less than the patience with partial lines.
            // Long enough for rotated files to be done with; the patience with partial lines must not end.
            Step::WaitLong if partial == [false; 3] => world.now_ns += 40 * SECOND,
            Step::WaitLong => {}
            Step::Wait => world.now_ns += SECOND / 1_000,
        }
    }
    for (file, _) in partial.iter().enumerate().filter(|(_, partial)| **partial) {
        world.append(&format!("{file}.log"), "end\n");
    }
    world.kill();
    world.settle();
    let mut lines = world.lines();
    lines.sort();
    written.sort();
    assert_eq!(lines, written);
    assert_eq!(world.losses(), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn killed_between_any_two_steps_every_line_arrives_once(steps in prop::collection::vec(step(), 1..80)) {
        simulate(steps);
    }
}

#[test]
fn generations_that_nobody_saw_are_found_and_those_that_are_read_stay_read() {
    let mut world = World::new();
    world.append("a.log", "one\n");
    world.settle();
    // Two generations come and go while nobody looks.
    for line in ["two\n", "three\n", "four\n"] {
        world.rotate("a.log", false);
        world.append("a.log", line);
    }
    world.settle();
    let mut lines = world.lines();
    lines.sort();
    assert_eq!(lines, ["four", "one", "three", "two"]);
    // All are done with; then they are renamed, compressed, and the shipper starts again.
    world.now_ns += 100 * SECOND;
    world.settle();
    world.shipper = None;
    world.rotate("a.log", true);
    world.start();
    world.settle();
    world.append("a.log.1", "late\n");
    world.settle();
    let mut lines = world.lines();
    lines.sort();
    assert_eq!(lines, ["four", "late", "one", "three", "two"]);
}

#[test]
fn an_inode_that_is_used_again_is_not_taken_for_a_file_that_was_not_read_yet() {
    let rotate = |file, away, gzip| Step::Rotate(file, false, away, gzip);
    simulate(vec![
        Step::Append(1, 1),
        rotate(0, false, false),
        Step::Append(0, 1),
        Step::Form,
        rotate(2, false, false),
        rotate(0, false, false),
        rotate(1, false, false),
        rotate(0, false, false),
        rotate(0, false, true),
        rotate(1, true, true),
        Step::WaitLong,
    ]);
}

#[test]
fn an_inode_that_a_copy_uses_again_is_not_taken_for_a_file_that_was_empty() {
    simulate(vec![
        Step::Append(0, 1),
        Step::Rotate(1, false, false, false),
        Step::Append(2, 1),
        Step::CopyTruncate(0, true),
        Step::Rotate(1, false, false, false),
        Step::Form,
        Step::Replace(0, false),
        Step::CopyTruncate(2, true),
    ]);
}
