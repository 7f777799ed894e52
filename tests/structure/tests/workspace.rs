//! The workspace's own files.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail as the test does")]

use std::path::{Path, PathBuf};

use lastwords_structure::{arrows, modules};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

#[test]
fn files_of_the_workspace_are_read() {
    let store = modules::read(&root().join("store/src/lib.rs")).unwrap();
    assert!(arrows::draw(&store).len() > 50, "hardly any arrows were found: the files were not read");
}
