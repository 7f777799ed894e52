//! `lastwords import`: what it adds, what it adds the second time, and what a kill leaves behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use lastwords_e2e::{
    program::{command, count, number, run, run_with_input, sql},
    up::Up,
};
use serde_json::Value;

fn line(name: &str, number: u64) -> String {
    format!("2026-11-20T10:{:02}:{:02}Z e2e {name} {number}\n", number / 60 % 60, number % 60)
}

fn write_lines(path: &Path, name: &str, numbers: std::ops::Range<u64>) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let text: String = numbers.map(|number| line(name, number)).collect();
    file.write_all(text.as_bytes()).unwrap();
}

fn import(data: &Path, more: &[&str]) -> Value {
    let mut arguments =
        vec!["import", "--format", "json", "--host", "hv01", "--data", data.to_str().unwrap()];
    arguments.extend(more);
    run(arguments).expect(0).json()
}

/// Every line's count in the store, by name and number.
fn stored(data: &Path) -> BTreeMap<(String, u64), u64> {
    let mut counts = BTreeMap::new();
    for row in sql(data, "SELECT Body FROM logs WHERE position(Body, ' e2e ') > 0") {
        let body = row["Body"].as_str().unwrap();
        let mut words = body.split(' ').skip(2);
        let name = words.next().unwrap().to_owned();
        *counts.entry((name, words.next().unwrap().parse().unwrap())).or_default() += 1;
    }
    counts
}

fn assert_each_once(data: &Path, name: &str, numbers: std::ops::Range<u64>) {
    let stored = stored(data);
    let lost: Vec<u64> = numbers.clone().filter(|&n| !stored.contains_key(&(name.to_owned(), n))).collect();
    let doubled: Vec<_> = stored.iter().filter(|(_, count)| **count > 1).take(5).collect();
    assert!(lost.is_empty(), "{} lost of {name}, first {:?}", lost.len(), &lost[..lost.len().min(5)]);
    assert!(doubled.is_empty(), "doubled: {doubled:?}");
    let foreign = stored.keys().filter(|(of, n)| of == name && !numbers.contains(n)).count();
    assert_eq!(foreign, 0, "lines that nobody wrote");
}

#[test]
fn the_same_file_again_adds_nothing_and_a_grown_one_only_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("a.log"));
    write_lines(&file, "a", 0..1_000);
    let first = import(&data, &[file.to_str().unwrap()]);
    assert_eq!(number(&first, "lines"), 1_000);
    assert_eq!(number(&first, "records"), 1_000);
    assert_eq!(number(&first, "bytes"), fs::metadata(&file).unwrap().len());
    assert_eq!(number(&first, "events"), 0);
    assert_eq!(number(&first, "quarantined"), 0);
    let keys: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 5, "more than the contract: {keys:?}");

    let nothing = serde_json::json!({"lines": 0, "records": 0, "events": 0, "bytes": 0, "quarantined": 0});
    assert_eq!(import(&data, &[file.to_str().unwrap()]), nothing);
    // By content: under another name it is the same file.
    let copy = folder.path().join("copy.log");
    fs::copy(&file, &copy).unwrap();
    assert_eq!(import(&data, &[copy.to_str().unwrap()]), nothing);

    let before = fs::metadata(&file).unwrap().len();
    write_lines(&file, "a", 1_000..1_500);
    let grown = import(&data, &[file.to_str().unwrap()]);
    assert_eq!(number(&grown, "lines"), 500);
    assert_eq!(number(&grown, "bytes"), fs::metadata(&file).unwrap().len() - before);
    assert_each_once(&data, "a", 0..1_500);

    // The same bytes from another guest are other lines.
    let other = import(&data, &["--guest", "web07", file.to_str().unwrap()]);
    assert_eq!(number(&other, "lines"), 1_500);
    assert_eq!(count(&data, "logs WHERE Guest = 'web07'"), 1_500);
}

#[test]
fn folders_gzip_and_standard_input_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let (data, logs) = (folder.path().join("data"), folder.path().join("logs"));
    fs::create_dir_all(logs.join("deeper")).unwrap();
    write_lines(&logs.join("b.log"), "b", 0..100);
    write_lines(&logs.join("deeper/c.log"), "c", 0..100);
    let packed: String = (0..100).map(|number| line("d", number)).collect();
    let mut gzip =
        flate2::write::GzEncoder::new(fs::File::create(logs.join("d.log.gz")).unwrap(), Default::default());
    gzip.write_all(packed.as_bytes()).unwrap();
    gzip.finish().unwrap();

    let added = import(&data, &[logs.to_str().unwrap()]);
    assert_eq!(number(&added, "lines"), 300);
    let unpacked = ["b.log", "deeper/c.log"].map(|name| fs::metadata(logs.join(name)).unwrap().len());
    assert_eq!(number(&added, "bytes"), unpacked.iter().sum::<u64>() + packed.len() as u64);
    for name in ["b", "c", "d"] {
        assert_each_once(&data, name, 0..100);
    }

    let text: String = (0..70).map(|number| line("e", number)).collect();
    let arguments = ["import", "--format", "json", "--host", "hv01", "--data", data.to_str().unwrap(), "-"];
    let added = run_with_input(arguments, text.as_bytes()).expect(0).json();
    assert_eq!(number(&added, "lines"), 70);
    assert_each_once(&data, "e", 0..70);
}

#[test]
fn an_import_that_is_killed_goes_on_and_ends_with_every_line_once() {
    const LINES: u64 = 200_000;
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("big.log"));
    write_lines(&file, "big", 0..LINES);
    let arguments = [
        "import",
        "--format",
        "json",
        "--host",
        "hv01",
        "--data",
        data.to_str().unwrap(),
        file.to_str().unwrap(),
    ];
    for delay_ms in [30, 150, 400, 700, 900, 1_100, 1_500] {
        let mut child = command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("lastwords can be started");
        std::thread::sleep(Duration::from_millis(delay_ms));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = run(arguments).expect(0).json();
    assert!(number(&last, "lines") <= LINES);
    assert_each_once(&data, "big", 0..LINES);
    assert_eq!(number(&run(arguments).expect(0).json(), "lines"), 0);
    assert_each_once(&data, "big", 0..LINES);
}

#[test]
fn an_import_goes_through_a_running_up() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("f.log"));
    let up = Up::start(&data, &["--no-collect"]);
    write_lines(&file, "f", 0..500);
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str("2026-11-20T10:59:00Z hv01 kernel: Kernel panic - not syncing: Fatal exception\n");
    fs::write(&file, text).unwrap();
    let added = import(&data, &[file.to_str().unwrap()]);
    assert_eq!(number(&added, "lines"), 501);
    assert_eq!(number(&added, "records"), 501);
    assert_eq!(number(&added, "events"), 1, "events are counted across the socket, too");
    assert_each_once(&data, "f", 0..500);
    assert_eq!(count(&data, "events FINAL WHERE Class = 'kernel.panic'"), 1);
    assert_eq!(number(&import(&data, &[file.to_str().unwrap()]), "lines"), 0);
    assert_eq!(up.terminate(), 0);
    // The same without it: what was imported through the socket is known here, too.
    assert_eq!(number(&import(&data, &[file.to_str().unwrap()]), "lines"), 0);
    assert_each_once(&data, "f", 0..500);
}

#[test]
fn two_imports_at_once_both_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let files: Vec<PathBuf> =
        ["g", "h", "i"].iter().map(|name| folder.path().join(format!("{name}.log"))).collect();
    for (file, name) in files.iter().zip(["g", "h", "i"]) {
        write_lines(file, name, 0..2_000);
    }
    std::thread::scope(|scope| {
        for file in &files {
            let data = &data;
            scope.spawn(move || assert_eq!(number(&import(data, &[file.to_str().unwrap()]), "lines"), 2_000));
        }
    });
    for name in ["g", "h", "i"] {
        assert_each_once(&data, name, 0..2_000);
    }
}

#[test]
fn a_file_that_is_not_there_is_a_failure_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ended =
        run(["import", "--host", "hv01", "--data", data.to_str().unwrap(), "/nowhere/x.log"]).expect(3);
    assert!(ended.stderr.contains("/nowhere/x.log"), "{}", ended.stderr);
    let _ = run(["import", "--data", data.to_str().unwrap(), "/nowhere/x.log"]).expect(2);
    let _ =
        run(["import", "--host", "hv01", "--source", "tea", "--data", data.to_str().unwrap(), "-"]).expect(2);
    let _ =
        run(["import", "--host", "hv01", "--time-zone", "Mars/Base", "--data", data.to_str().unwrap(), "-"])
            .expect(2);
}
