//! `lastwords` as a user runs it.

use std::{
    ffi::OsStr,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

/// The binary of this build.
///
/// # Panics
/// Where it has not been built.
#[must_use]
pub fn binary() -> PathBuf {
    let here = std::env::current_exe().expect("a test has a path");
    // target/PROFILE/deps/TEST
    let profile = here.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps");
    let path = profile.join("lastwords");
    assert!(path.exists(), "{} is missing: run `cargo build --bins`, or scripts/test, first", path.display());
    path
}

/// What a finished run left behind.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; -1 where a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Ended {
    /// Insists on an exit code.
    ///
    /// # Panics
    /// Where it was another, with all that was said.
    #[must_use]
    pub fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Its one JSON object.
    ///
    /// # Panics
    /// Where stdout is not one JSON document.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("not one JSON document: {error}\n{}\n{}", self.stdout, self.stderr)
        })
    }

    /// Its JSON lines.
    ///
    /// # Panics
    /// Where a line is not JSON.
    #[must_use]
    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON: {error}: {line}"))
            })
            .collect()
    }
}

/// A command whose surroundings hold nothing of the developer's.
#[must_use]
pub fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars() {
        if name.starts_with("LASTWORDS_") && name != "LASTWORDS_ENGINE" && name != "LASTWORDS_CACHE" {
            command.env_remove(name);
        }
    }
    command.env("TZ", "UTC").args(arguments);
    command
}

/// Runs to the end.
///
/// # Panics
/// Where it cannot be started.
#[must_use]
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    run_with_input(arguments, b"")
}

/// Runs to the end with something on standard input.
///
/// # Panics
/// Where it cannot be started.
#[must_use]
pub fn run_with_input<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>, input: &[u8]) -> Ended {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("lastwords can be started");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // The child may end without reading all of it.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("lastwords can be waited for");
    writer.join().expect("the writer of stdin ends");
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs read-only SQL on a data folder; one object per row.
///
/// # Panics
/// Where it fails.
#[must_use]
pub fn sql(data: &Path, statement: &str) -> Vec<Value> {
    let data = data.to_str().expect("a UTF-8 path");
    let ended = run(["query", "--data", data, "--format", "jsonl", statement]);
    assert!(ended.code <= 1, "{statement}\n{}", ended.stderr);
    ended.json_lines()
}

/// A number of a row, as JSON number or text.
///
/// # Panics
/// Where it is none.
#[must_use]
pub fn number(row: &Value, key: &str) -> u64 {
    let value = &row[key];
    value
        .as_u64()
        .or_else(|| value.as_str()?.parse().ok())
        .unwrap_or_else(|| panic!("no number {key} in {row}"))
}

/// Counts by SQL.
///
/// # Panics
/// Where it fails.
#[must_use]
pub fn count(data: &Path, table_and_rest: &str) -> u64 {
    let rows = sql(data, &format!("SELECT count() AS n FROM {table_and_rest}"));
    number(&rows[0], "n")
}
