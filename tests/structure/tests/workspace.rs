//! The workspace held against its rules: no circle of files in any crate, no dependency that nobody uses.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail as the test does")]

use std::path::{Path, PathBuf};

use lastwords_structure::{arrows, modules, workspace};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

#[test]
fn files_of_the_workspace_are_read() {
    let store = modules::read(&root().join("store/src/lib.rs")).unwrap();
    assert!(arrows::draw(&store).len() > 50, "hardly any arrows were found: the files were not read");
}

#[test]
fn no_crate_has_a_circle_of_files() {
    let circles = workspace::describe_circles(&root()).unwrap();
    assert!(circles.is_empty(), "{circles}");
}

#[test]
fn every_dependency_is_used() {
    let unused = workspace::describe_unused(&root()).unwrap();
    assert!(unused.is_empty(), "{unused}");
}
