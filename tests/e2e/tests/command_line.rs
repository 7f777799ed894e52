//! Usage, configuration and doctor, as the shell sees them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use lastwords_e2e::program::{binary, command, run};

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    for arguments in [
        &["nonsense"][..],
        &[],
        &["query"],
        &["query", "--format", "xml", "panics"],
        &["up", "--listen", "x"],
    ] {
        let _ = run(arguments).expect(2);
    }
    let help = run(["--help"]).expect(0).stdout;
    for name in ["up", "demo", "import", "query", "detect", "doctor", "config", "store", "ship"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(name)), "{name} is missing in\n{help}");
    }
    for name in ["up", "demo", "import", "query", "ask", "detect", "doctor", "ship"] {
        let _ = run([name, "--help"]).expect(0);
    }
}

#[test]
fn a_wrong_configuration_is_named_with_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lastwords.toml");
    std::fs::write(&path, "[collect]\njournal = true\n").unwrap();
    let path = path.to_str().unwrap();
    let ended = run(["config", "check", path]).expect(3);
    assert!(ended.stderr.contains(&format!("{path}:2: key `collect.journal`")), "{}", ended.stderr);
    let data = folder.path().join("data");
    let ended = run(["up", "--config", path, "--data", data.to_str().unwrap()]).expect(3);
    assert!(ended.stderr.contains(&format!("{path}:2: key `collect.journal`")), "{}", ended.stderr);
    assert!(!data.exists(), "a wrong configuration must not touch the data folder");

    std::fs::write(path, "[collect]\njournald = false\n").unwrap();
    let shown = run(["config", "check", "--format", "json", path]).expect(0).json();
    assert_eq!(shown["collect.journald"], false);
    assert_eq!(shown["collect.kmsg"], true);
    assert_eq!(shown["listen.grpc"], "127.0.0.1:4320");
}

#[test]
fn the_shippers_configuration_is_shown_with_where_each_value_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shipper.toml");
    let check = |text: &str, assignment: &str| {
        std::fs::write(&path, text).unwrap();
        let output = std::process::Command::new(binary().with_file_name("lastwords-shipper"))
            .args(["config", "check", path.to_str().unwrap(), "--set", assignment])
            .env("LASTWORDS_COLLECT_KMSG", "false")
            .output()
            .unwrap();
        let said = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), said(output.stdout), said(output.stderr))
    };
    let (code, shown, told) = check("[uplink]\ningester = \"http://a:1\"\n", "host.name=hv07");
    assert_eq!(code, Some(0), "{told}");
    let place = format!("({}:2)", path.display());
    for (key, rest) in [
        ("host.name", "hv07  (--set host.name)"),
        ("collect.kmsg", "false  (LASTWORDS_COLLECT_KMSG)"),
        ("collect.state_dir", "/var/lib/lastwords-shipper"),
        ("collect.limits.window_bytes", "4194304"),
        ("ship.ingester", &format!("http://a:1  {place}")),
    ] {
        let line = shown.lines().find(|line| line.split_whitespace().next() == Some(key));
        let line = line.unwrap_or_else(|| panic!("{key} is missing in\n{shown}"));
        assert!(line.ends_with(rest), "{line}");
    }
    assert!(told.contains("`uplink` is called `ship` now"), "{told}");
    let (code, _, told) = check("[collect]\nkmsgs = true\n", "ship.ingester=http://a:1");
    assert_eq!(code, Some(2), "{told}");
    assert!(
        told.contains(":2: key `collect.kmsgs`: there is no such key; the nearest is `collect.kmsg`"),
        "{told}"
    );
}

#[test]
fn a_missing_data_folder_is_not_made_by_a_question() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("typo");
    let ended = run(["query", "--data", data.to_str().unwrap(), "panics"]).expect(3);
    assert!(ended.stderr.contains("no data folder"), "{}", ended.stderr);
    assert!(!data.exists());
    // A folder that is something else stays as it is.
    std::fs::create_dir(&data).unwrap();
    let ended = run(["query", "--data", data.to_str().unwrap(), "panics"]).expect(3);
    assert!(ended.stderr.contains("is no data folder"), "{}", ended.stderr);
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0);
}

#[test]
fn a_missing_engine_says_what_to_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("a.log");
    std::fs::write(&file, "a line\n").unwrap();
    let output =
        command(["import", "--host", "hv01", "--data", data.to_str().unwrap(), file.to_str().unwrap()])
            .env("LASTWORDS_ENGINE", folder.path().join("libchdb.so"))
            .output()
            .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("scripts/"), "{said}");

    let output = command(["doctor", "--format", "jsonl", "--data", data.to_str().unwrap()])
        .env("LASTWORDS_ENGINE", folder.path().join("libchdb.so"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let engine = said.lines().find(|line| line.contains("\"check\":\"engine\"")).unwrap();
    assert!(engine.contains("\"state\":\"fail\"") && engine.contains("scripts/setup"), "{engine}");
}

#[test]
fn doctor_looks_at_everything() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ended = run(["doctor", "--format", "jsonl", "--data", data.to_str().unwrap()]);
    let checks: Vec<String> =
        ended.json_lines().iter().map(|line| line["check"].as_str().unwrap().to_owned()).collect();
    for check in ["configuration", "engine", "data folder", "disk", "clock", "journald", "kmsg", "up"] {
        assert!(checks.iter().any(|found| found == check), "{check} is missing in {checks:?}");
    }
    for line in ended.json_lines() {
        let fine = line["state"] == "ok";
        assert_eq!(line["way_out"].as_str().unwrap().is_empty(), fine, "{line}");
    }
}
