//! The project's scripts say what failed, and how it goes on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9/";

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts").join(name)
}

/// What a script complains of that cannot reach any registry, and its exit code.
fn run_offline(name: &str, arguments: &[&str], more: &[(&str, &str)]) -> (Option<i32>, String) {
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(script(name));
    command.args(arguments).env("LASTWORDS_CACHE", cache.path());
    command.env("NPM_CONFIG_REGISTRY", NOWHERE).env("NPM_CONFIG_FETCH_RETRIES", "0");
    command.env("PIP_INDEX_URL", NOWHERE).env("PIP_RETRIES", "0").env("PIP_NO_CACHE_DIR", "1");
    for (name, value) in more {
        command.env(name, value);
    }
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A folder for PATH with the system's programs, npm aside.
fn programs_without_npm() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var("PATH").unwrap();
    for name in
        ["bash", "env", "uname", "mkdir", "mktemp", "rm", "cat", "tail", "basename", "sha512sum", "cut"]
    {
        let program =
            std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
        let program = program.unwrap_or_else(|| panic!("{name} is not installed"));
        std::os::unix::fs::symlink(program, folder.path().join(name)).unwrap();
    }
    // What is called python3 may be a script that looks for it.
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    let python = String::from_utf8(asked.stdout).unwrap();
    std::os::unix::fs::symlink(python.trim(), folder.path().join("python3")).unwrap();
    folder
}

#[test]
fn an_engine_that_cannot_be_fetched_is_named_with_what_npm_said() {
    let (code, said) = run_offline("engine", &[], &[]);
    assert_eq!(code, Some(3), "{said}");
    // Where there is no npm, it is npm that cannot be fetched.
    assert!(said.contains("engine: fetching ") && said.contains(" failed with exit code "), "{said}");
    assert!(said.contains("look at the network"), "{said}");
}

#[test]
fn without_npm_it_is_said_that_npm_cannot_be_fetched() {
    let programs = programs_without_npm();
    let (code, said) = run_offline("engine", &[], &[("PATH", programs.path().to_str().unwrap())]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("fetching npm from Python's registry failed with exit code 1"), "{said}");
    assert!(said.contains("PIP_INDEX_URL"), "{said}");
}

#[test]
fn a_kafka_that_cannot_be_fetched_is_named_with_what_maven_said() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.xml");
    let mirror = format!("<mirror><id>nowhere</id><mirrorOf>*</mirrorOf><url>{NOWHERE}</url></mirror>");
    let repository = folder.path().join("repository");
    let text = format!(
        "<settings><localRepository>{}</localRepository><mirrors>{mirror}</mirrors></settings>",
        repository.display()
    );
    fs::write(&settings, text).unwrap();
    let maven = format!("-s {}", settings.display());
    let (code, said) = run_offline("kafka", &["fetch"], &[("KAFKA_MAVEN", &maven)]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("kafka: Maven could not fetch Kafka ") && said.contains("[ERROR]"), "{said}");
}
