//! Users' own rules, from configuration to question.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test file helpers assert, too")]

use std::{fs, path::Path};

use lastwords_e2e::program::run;

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
