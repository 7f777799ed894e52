//! The thread that keeps the engine's process, with a shell in the engine's place: what it does about each way in which
//! a process can start, speak and end.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers fail as the test does"
)]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use lastwords_store::engine::process::cage::Hold;
use lastwords_store::{EngineError, EngineOptions, EngineProcess, EngineState, ProcessOptions};
use support::eventually;

/// Reports that it takes statements, and ends when its parent asks it to.
const GOOD: &str = r#"echo '{"report":"caged","layers":[{"name":"files","hold":"whole","found":"a shell"}]}'
echo '{"report":"ready","version":"1"}'
exec cat <&1 >/dev/null"#;

fn start(folder: &Path, script: &str) -> Result<EngineProcess, EngineError> {
    let shell = "/bin/sh";
    let engine = EngineOptions { library: Some(shell.into()), ..EngineOptions::new(folder.join("engine")) };
    EngineProcess::start(&ProcessOptions {
        program: shell.into(),
        words: vec!["-c".into(), script.into(), "sh".into()],
        ..ProcessOptions::new(engine, folder.join("engine.sock"))
    })
}

/// What the process is told.
fn failure(script: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    match start(folder.path(), script) {
        Ok(process) => panic!("it started: {:?}", process.state().borrow()),
        Err(error) => {
            assert!(!folder.path().join("engine.sock").exists(), "the socket is left behind");
            error.to_string()
        }
    }
}

#[test]
fn a_first_start_that_fails_is_an_error_in_the_processs_own_words() {
    let said = failure("echo 'the disk is on fire' >&2; exit 3");
    assert!(said.contains("exit code 3: the disk is on fire"), "{said}");
    let said = failure("kill -s ABRT $$");
    assert!(said.contains("signal 6"), "{said}");
    let said = failure(r#"echo '{"report":"failed","held":false,"text":"no such folder"}'; exit 1"#);
    assert_eq!(said, "no such folder");
    // What is no report is no start either.
    let said = failure("echo hello; exit 0");
    assert!(said.contains("exit code 0"), "{said}");
}

#[test]
fn a_folder_that_a_dying_process_still_holds_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("second");
    let held = r#"echo '{"report":"failed","held":true,"text":"held"}'; exit 1"#;
    let script = format!("if [ -e {0} ]; then {GOOD}\nelse touch {0}; {held}; fi", mark.display());
    let process = start(folder.path(), &script).unwrap();
    assert!(matches!(*process.state().borrow(), EngineState::Up { .. }));
    assert_eq!(process.restarts(), 0);
}

#[test]
fn a_process_that_is_killed_while_it_starts_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("second");
    let script = format!("if [ -e {0} ]; then {GOOD}\nelse touch {0}; kill -s KILL $$; fi", mark.display());
    let process = start(folder.path(), &script).unwrap();
    assert!(matches!(*process.state().borrow(), EngineState::Up { .. }));
}

#[test]
fn it_says_what_cage_it_is_in_and_ends_when_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let process = start(folder.path(), GOOD).unwrap();
    let layers = process.cage().layers;
    assert_eq!(layers.len(), 1);
    assert_eq!((layers[0].name.as_str(), layers[0].hold), ("files", Hold::Whole));
    assert_eq!(process.trouble(), None);
    let since = Instant::now();
    process.end();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}: it was killed", since.elapsed());
    assert_eq!(*process.state().borrow(), EngineState::Ended);
    assert!(!folder.path().join("engine.sock").exists());
    // Twice is once.
    process.end();
}

#[tokio::test]
async fn a_process_that_ends_is_started_again_and_says_why_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let process = start(folder.path(), GOOD).unwrap();
    let pid = |process: &EngineProcess| match *process.state().borrow() {
        EngineState::Up { pid } => Some(pid),
        _ => None,
    };
    for round in 1..=3 {
        let former = pid(&process).unwrap();
        let raw = i32::try_from(former).unwrap();
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(raw).unwrap(),
            rustix::process::Signal::KILL,
        )
        .unwrap();
        eventually("another process", async || pid(&process).is_some_and(|pid| pid != former)).await;
        assert_eq!(process.restarts(), round);
    }
    assert!(process.metrics().contains("lastwords_engine_restarts_total 3"), "{}", process.metrics());
}

#[tokio::test]
async fn a_process_that_cannot_start_any_more_is_tried_again_until_it_is_asked_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("second");
    let script = format!(
        "if [ -e {0} ]; then echo 'disk full' >&2; exit 4; else touch {0}\n{GOOD}\nfi",
        mark.display()
    );
    let process = start(folder.path(), &script).unwrap();
    let EngineState::Up { pid } = *process.state().borrow() else { panic!("it is not up") };
    let raw = i32::try_from(pid).unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(raw).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    eventually("three starts that failed", async || process.restarts() >= 3).await;
    let trouble = process.trouble().unwrap();
    assert!(trouble.contains("exit code 4: disk full") && trouble.contains("started again"), "{trouble}");
    let since = Instant::now();
    process.end();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
}
