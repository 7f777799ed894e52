use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use flate2::{Compression as Level, write::GzEncoder};
use lastwords_record::{Batch, BatchId};

use jiff::tz::TimeZone;
use lastwords_record::Source;

use super::*;
use crate::uplink::{Deliver, DeliverFuture, Delivered};

/// Keeps every batch once, as the store does; takes no more after so many (the process is then "killed").
struct Sink {
    batches: Arc<Mutex<BTreeMap<BatchId, Batch>>>,
    left: AtomicUsize,
}

impl Sink {
    fn new(left: usize) -> Arc<Sink> {
        Arc::new(Sink { batches: Arc::default(), left: AtomicUsize::new(left) })
    }

    /// The same store, for another process: the first one's thread may still run.
    fn for_another(&self) -> Arc<Sink> {
        Arc::new(Sink { batches: Arc::clone(&self.batches), left: AtomicUsize::new(usize::MAX) })
    }

    fn lines(&self) -> Vec<String> {
        let batches = self.batches.lock().unwrap();
        let bodies = |batch: &Batch| {
            (0..batch.records.origin.len())
                .map(|row| String::from_utf8_lossy(batch.records.body(row)).into_owned())
                .collect::<Vec<_>>()
        };
        batches.values().flat_map(bodies).collect()
    }
}

impl Deliver for Sink {
    fn deliver(&self, batch: Batch) -> DeliverFuture {
        if self.left.load(Ordering::Relaxed) == 0 {
            return Box::pin(std::future::pending());
        }
        self.left.fetch_sub(1, Ordering::Relaxed);
        let mut batches = self.batches.lock().unwrap();
        if let Some(before) = batches.get(&batch.header.id) {
            assert_eq!(before, &batch, "the same number came with another content");
        }
        batches.insert(batch.header.id, batch);
        Box::pin(std::future::ready(Ok(Delivered { events: 1, quarantined: 0 })))
    }
}

fn options(state: &Path, inputs: &[&Path]) -> ImportOptions {
    ImportOptions {
        host: "web01".to_owned(),
        guest: None,
        source: Source::File,
        time_zone: TimeZone::UTC,
        year: None,
        boot_ns: None,
        inputs: inputs.iter().map(|path| Input::Path(path.to_path_buf())).collect(),
        state_dir: state.to_owned(),
    }
}

async fn run(sink: &Arc<Sink>, options: ImportOptions) -> Imported {
    import(options, Uplink::InProcess(Arc::clone(sink) as Arc<dyn Deliver>), |_| {}).await.unwrap()
}

fn text(from: usize, to: usize) -> String {
    (from..to)
        .map(|number| format!("2026-11-20T15:02:11Z web01 app[1]: line number {number} of the test\n"))
        .collect()
}

fn expected(to: usize) -> Vec<String> {
    text(0, to).lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_adds_nothing_and_a_grown_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (state, log) = (folder.path().join("state"), folder.path().join("a.log"));
    let sink = Sink::new(usize::MAX);
    fs::write(&log, text(0, 30_000)).unwrap();
    let first = run(&sink, options(&state, &[&log])).await;
    assert_eq!((first.lines, first.records, first.bytes), (30_000, 30_000, text(0, 30_000).len() as u64));
    assert!(first.events >= 2, "every batch counts: {}", first.events);

    let copy = folder.path().join("b.log");
    fs::copy(&log, &copy).unwrap();
    let zipped = folder.path().join("c.gz");
    let mut encoder = GzEncoder::new(fs::File::create(&zipped).unwrap(), Level::fast());
    encoder.write_all(text(0, 30_000).as_bytes()).unwrap();
    encoder.finish().unwrap();
    assert_eq!(run(&sink, options(&state, &[&log, &copy, &zipped])).await, Imported::default());

    fs::write(&log, text(0, 30_010)).unwrap();
    let grown = run(&sink, options(&state, &[&log])).await;
    assert_eq!((grown.lines, grown.bytes), (10, text(30_000, 30_010).len() as u64));
    assert_eq!(sink.lines(), expected(30_010));

    // Another host's file is another content, and one that only begins alike, too.
    let other = run(&sink, ImportOptions { host: "web02".to_owned(), ..options(&state, &[&log]) }).await;
    assert_eq!(other.lines, 30_010);
    fs::write(&log, format!("{}another line\n", text(0, 29_999))).unwrap();
    assert_eq!(run(&sink, options(&state, &[&log])).await.lines, 30_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_whose_import_is_known_no_more_is_refused_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (state, log, other) =
        (folder.path().join("state"), folder.path().join("a.log"), folder.path().join("b.log"));
    fs::write(&log, text(0, 100)).unwrap();
    fs::write(&other, "another beginning\n").unwrap();
    let sink = Sink::new(usize::MAX);
    run(&sink, options(&state, &[&log])).await;
    let plan = fs::read_dir(&state).unwrap().next().unwrap().unwrap().path().join("plan");
    let mut bytes = fs::read(&plan).unwrap();
    // In the first entry, nothing can be salvaged; in a later one, the file's beginning is still known.
    for (at, others) in [(bytes.len() / 2, 1), (30, 0)] {
        bytes[at] ^= 1;
        fs::write(&plan, &bytes).unwrap();
        let uplink = || Uplink::InProcess(Arc::clone(&sink) as Arc<dyn Deliver>);
        let refused = import(options(&state, &[&log]), uplink(), |_| {}).await.unwrap_err();
        assert!(matches!(refused, ImportError::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains(plan.to_str().unwrap()), "{refused}");
        let imported = import(options(&state, &[&other]), uplink(), |_| {}).await;
        assert_eq!(imported.map_or(0, |added| added.lines), others, "damaged at {at}");
        fs::write(&other, "yet another one\n").unwrap();
    }
    assert_eq!(sink.lines().iter().filter(|line| line.contains("line number")).count(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_and_gzip_are_read_and_odd_line_ends_understood() {
    let folder = tempfile::tempdir().unwrap();
    let (state, logs) = (folder.path().join("state"), folder.path().join("logs"));
    fs::create_dir_all(logs.join("b")).unwrap();
    fs::write(logs.join("a.log"), "one\r\ntwo\nno end").unwrap();
    age(&logs.join("a.log"));
    fs::write(logs.join("empty.log"), "").unwrap();
    let mut encoder = GzEncoder::new(fs::File::create(logs.join("b/c.gz")).unwrap(), Level::fast());
    encoder.write_all(b"three\n").unwrap();
    encoder.finish().unwrap();
    let sink = Sink::new(usize::MAX);
    let added = run(&sink, options(&state, &[&logs])).await;
    assert_eq!((added.lines, added.bytes), (4, 21));
    let mut lines = sink.lines();
    lines.sort();
    assert_eq!(lines, ["no end", "one", "three", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_import_goes_on_with_every_line_once() {
    // A guest's console, so that batches say where the guest ran as well.
    let console =
        |state: &Path, log: &Path| ImportOptions { guest: Some("vm".to_owned()), ..options(state, &[log]) };
    for taken in [0, 1, 2, 3, 5] {
        let folder = tempfile::tempdir().unwrap();
        let (state, log) = (folder.path().join("state"), folder.path().join("a.log"));
        fs::write(&log, text(0, 60_000)).unwrap();
        let sink = Sink::new(taken);
        let uplink = Uplink::InProcess(Arc::clone(&sink) as Arc<dyn Deliver>);
        // The sink stops to answer, so the import can not end; what is dropped here is left as a kill leaves it.
        let killed = tokio::time::timeout(
            std::time::Duration::from_millis(700),
            import(console(&state, &log), uplink, |_| {}),
        );
        assert!(killed.await.is_err(), "it ended with {taken} batches taken");
        while sink.left.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        // The thread of the dropped import still holds its plan's lock: another "process" sees a copy of the disk.
        let after = folder.path().join("after");
        for import in fs::read_dir(&state).unwrap() {
            let import = import.unwrap();
            fs::create_dir_all(after.join(import.file_name())).unwrap();
            fs::copy(import.path().join("plan"), after.join(import.file_name()).join("plan")).unwrap();
        }
        run(&sink.for_another(), console(&after, &log)).await;
        assert_eq!(sink.lines(), expected(60_000), "{taken} batches taken");
        let batches = sink.batches.lock().unwrap();
        assert!(batches.values().all(|batch| batch.placements.len() == 1), "where did the guest run?");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_samples_become_samples_and_events() {
    let folder = tempfile::tempdir().unwrap();
    let (state, log) = (folder.path().join("state"), folder.path().join("nic.jsonl"));
    let mut text = String::new();
    let mut bytes = 0_u64;
    for second in 0..600_i64 {
        bytes += if (100..200).contains(&second) { 120_000_000 } else { 1_000_000 };
        let time = jiff::Timestamp::from_second(1_795_000_000 + second).unwrap();
        text.push_str(&format!(
            "{{\"time\":\"{time}\",\"interface\":\"eth0\",\"direction\":\"transmit\",\"bytes_total\":{bytes},\"drops_total\":0,\"speed_bits_per_second\":1000000000}}\n"
        ));
    }
    fs::write(&log, &text).unwrap();
    let sink = Sink::new(usize::MAX);
    let job = || ImportOptions { source: Source::Sample, ..options(&state, &[&log]) };
    let added = run(&sink, job()).await;
    assert_eq!((added.lines, added.bytes), (600, text.len() as u64));
    assert!(added.records > 0);
    let events: Vec<_> =
        sink.batches.lock().unwrap().values().flat_map(|batch| batch.events.clone()).collect();
    assert!(
        events.iter().any(|event| event.class.starts_with("network.saturation") && event.end_ns.is_some()),
        "{events:?}"
    );
    assert_eq!(run(&sink, job()).await, Imported::default());
}

/// Makes a file older than what may be in the middle of a line.
fn age(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_last_line_waits_for_its_rest() {
    let folder = tempfile::tempdir().unwrap();
    let (state, log) = (folder.path().join("state"), folder.path().join("a.log"));
    fs::write(&log, "whole 1\nhalf").unwrap();
    let sink = Sink::new(usize::MAX);
    let first = run(&sink, options(&state, &[&log])).await;
    assert_eq!((first.lines, first.troubles.len(), first.has_failed()), (1, 1, false));
    fs::write(&log, "whole 1\nhalf and the rest\nwhole 3").unwrap();
    age(&log);
    assert_eq!(run(&sink, options(&state, &[&log])).await.lines, 2);
    assert_eq!(sink.lines(), ["whole 1", "half and the rest", "whole 3"]);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_gives_what_can_be_read_once_and_the_next_files_come() {
    let folder = tempfile::tempdir().unwrap();
    let (state, cut, next) =
        (folder.path().join("state"), folder.path().join("cut.gz"), folder.path().join("next.log"));
    let whole = gzip(&text(0, 20_000));
    fs::write(&cut, &whole[..whole.len() * 2 / 3]).unwrap();
    fs::write(&next, "next\n").unwrap();
    let sink = Sink::new(usize::MAX);
    let first = run(&sink, options(&state, &[&cut, &next])).await;
    assert!(first.lines > 5_000 && first.has_failed(), "{} lines, {:?}", first.lines, first.troubles);
    let again = run(&sink, options(&state, &[&cut, &next])).await;
    assert_eq!((again.lines, again.has_failed()), (0, true));
    fs::write(&cut, &whole).unwrap();
    let rest = run(&sink, options(&state, &[&cut])).await;
    assert_eq!((first.lines - 1 + rest.lines, rest.has_failed()), (20_000, false));
    let mut lines = sink.lines();
    lines.retain(|line| line != "next");
    lines.sort();
    let mut wanted = expected(20_000);
    wanted.sort();
    assert_eq!(lines, wanted);
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(1_795_000_000);
        builder.append_data(&mut header, path, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_an_archive_are_files_and_guests_have_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let (state, path) = (folder.path().join("state"), folder.path().join("sos.tar.zst"));
    let inner = archive(&[("deep.log", b"deep\n")]);
    let messages = gzip("from gzip\n");
    let bytes = archive(&[
        ("sos/var/log/messages.gz", &messages),
        ("sos/var/log/libvirt/qemu/web07.log", b"console\n"),
        ("sos/bin", b"\x7fELF\x02\x01\x01\0\0\0"),
        ("sos/inner.tar", &inner),
        ("sos/empty", b""),
    ]);
    fs::write(&path, zstd::encode_all(&bytes[..], 1).unwrap()).unwrap();
    let sink = Sink::new(usize::MAX);
    let added = run(&sink, options(&state, &[&path])).await;
    assert_eq!((added.lines, added.has_failed()), (3, false));
    let refused: Vec<&str> =
        added.troubles.iter().map(|trouble| trouble.what.rsplit('/').next().unwrap()).collect();
    assert_eq!(refused, ["bin"]);
    let mut lines = sink.lines();
    lines.sort();
    assert_eq!(lines, ["console", "deep", "from gzip"]);
    {
        let batches = sink.batches.lock().unwrap();
        let origins = batches.values().flat_map(|batch| &batch.records.origins);
        let guests: Vec<(&str, Source)> = origins
            .filter_map(|origin| Some((origin.guest.as_ref()?.name.as_str(), origin.source)))
            .collect();
        assert_eq!(guests, [("web07", Source::Console)]);
    }
    // The same again adds nothing.
    assert_eq!(run(&sink, options(&state, &[&path])).await.lines, 0);
    // Asked for by its name, what holds no lines is a failure.
    let program = folder.path().join("program");
    fs::write(&program, b"\x7fELF\x02\x01\x01\0\0\0").unwrap();
    assert!(run(&sink, options(&state, &[&program])).await.has_failed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journals_export_becomes_records_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let (state, path) = (folder.path().join("state"), folder.path().join("journal.export"));
    let entry = |number: u32| {
        format!(
            "__CURSOR=c{number}\n__REALTIME_TIMESTAMP=17950000000000{number:02}\nMESSAGE=entry {number}\nPRIORITY=3\nSYSLOG_IDENTIFIER=app\n\n"
        )
    };
    fs::write(&path, (0..5).map(entry).collect::<String>()).unwrap();
    let sink = Sink::new(usize::MAX);
    assert_eq!(run(&sink, options(&state, &[&path])).await.records, 5);
    assert_eq!(run(&sink, options(&state, &[&path])).await.records, 0);
    fs::write(&path, (0..7).map(entry).collect::<String>()).unwrap();
    assert_eq!(run(&sink, options(&state, &[&path])).await.records, 2);
    assert_eq!(sink.lines(), (0..7).map(|number| format!("entry {number}")).collect::<Vec<_>>());
    let batches = sink.batches.lock().unwrap();
    assert!(batches.values().all(|batch| batch.records.origins[0].source == Source::Journald));
    assert!(batches.values().all(|batch| batch.dictionary.contains(&"app".to_owned())));
}
