//! Users' own rules, from configuration to question.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test file helpers assert, too")]

use std::{fs, path::Path};

use lastwords_e2e::{program::run, up::Up};

const RULE: &str = "[[rule]]\nid = 'flux'\nclass = 'guest.crash.flux'\nseverity = 'critical'\nliterals = ['flux capacitor']\n\
                    pattern = 'flux capacitor (?P<name>\\w+) burnt'\nanywhere = true\ntitle = 'flux capacitor {name} burnt'\n\
                    examples = ['flux capacitor c7 burnt']\n";

fn configured(folder: &Path, rule: &str) -> (String, String) {
    let rules = folder.join("own.toml");
    fs::write(&rules, rule).unwrap();
    let data = folder.join("data");
    let config = folder.join("lastwords.toml");
    fs::write(&config, format!("data = {data:?}\n\n[detect]\nrules = [{rules:?}]\n")).unwrap();
    (config.to_str().unwrap().to_owned(), data.to_str().unwrap().to_owned())
}

#[test]
fn what_they_find_can_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (config, _) = configured(folder.path(), RULE);
    let log = folder.path().join("a.log");
    fs::write(&log, "2026-11-20T10:00:00Z hv01 app[7]: flux capacitor c7 burnt\n").unwrap();
    let _ = run(["import", "--config", &config, "--host", "hv01", log.to_str().unwrap()]).expect(0);
    for question in ["guest.crash.flux", "guest crashes"] {
        let answer = run(["query", "--config", &config, "--format", "json", question]).expect(0).json();
        assert_eq!(answer["matches"][0]["title"], "flux capacitor c7 burnt", "{answer:#}");
    }
}

#[test]
fn a_wrong_one_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let (config, data) = configured(folder.path(), &RULE.replace("'critical'", "'deadly'"));
    for command in [["config", "check", &config], ["up", "--config", &config]] {
        let refused = run(command).expect(3);
        for part in ["lastwords.toml:4: key `detect.rules`", "own.toml: line 1, rule flux, severity: "] {
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
        }
    }
    assert!(!Path::new(&data).exists());
}

/// How many events a scan of the store added, and how many were there already.
fn scanned(arguments: &[&str], code: i32) -> (usize, String) {
    let ended =
        run([&["detect", "--stored", "--since", "2026-11-01", "--format", "jsonl"], arguments].concat());
    let ended = ended.expect(code);
    (ended.stdout.lines().count(), ended.stderr)
}

#[test]
fn what_is_stored_is_looked_at_again_and_nothing_is_found_twice() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    let rules = folder.path().join("own.toml").to_str().unwrap().to_owned();
    fs::write(&rules, RULE).unwrap();
    let log = folder.path().join("a.log");
    let mut text = String::new();
    for second in 0..600 {
        let time = format!("2026-11-20T23:{:02}:{:02}Z hv01", 50 + second / 60, second % 60);
        text += &match second {
            7 | 555 => format!("{time} app[7]: flux capacitor c{second} burnt\n"),
            300 => {
                format!("{time} kernel: BUG: kernel NULL pointer dereference, address: 0000000000000008\n")
            }
            _ => format!("{time} app[7]: all is well, request {second} answered\n"),
        };
    }
    // The last one lies in the next day.
    text += "2026-11-21T00:00:01Z hv01 app[7]: flux capacitor c9 burnt\n";
    fs::write(&log, text).unwrap();
    let _ = run(["import", "--data", &data, "--host", "hv01", log.to_str().unwrap()]).expect(0);
    let found = |class: &str| {
        let answer = run(["query", "--data", &data, "--format", "json", class]).json();
        answer["matched"].as_u64().unwrap()
    };
    let before = found("kernel");
    assert!(before > 0);
    let here = ["--data", &data, "--rules", &rules];
    assert_eq!(scanned(&here[..2], 1).0, 0, "what the built-in rules find is there already");
    assert_eq!(scanned(&[&here[..], &["--dry-run"]].concat(), 0).0, 3);
    assert_eq!(found("guest crashes"), 0, "a dry run adds nothing");
    assert_eq!(scanned(&[&here[..], &["--until", "2026-11-20 23:51"]].concat(), 0).0, 1);
    let (rest, told) = scanned(&here, 0);
    assert_eq!(rest, 2, "{told}");
    assert!(told.contains("4 events found, 2 of them were added"), "{told}");
    assert_eq!((found("guest crashes"), found("kernel")), (3, before));
    let up = Up::start(Path::new(&data), &["--no-collect"]);
    assert_eq!(scanned(&here, 1).0, 0, "a running up finds the same");
    let well = "[[rule]]\nid = 'well'\nclass = 'guest.crash.well'\nseverity = 'warning'\nliterals = ['request 5 ']\ntitle = 'well'\n";
    fs::write(&rules, well).unwrap();
    assert_eq!(scanned(&here, 0).0, 1, "rules come with the request");
    assert_eq!(found("guest crashes"), 4);
    drop(up);
}
