//! Crates made up to have a circle, or to look as if they had one.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail as the test does")]

use std::path::Path;

use lastwords_structure::{arrows, circles, modules};

/// Circles of a crate whose files are given as name (`a::b`, empty for the root) and text.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let mut modules = modules::Modules::new();
    for (name, text) in files {
        let path = name.split("::").filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let file = if name.is_empty() { "lib".to_owned() } else { name.replace("::", "/") };
        modules::read_text(Path::new(&file), text, path, &mut modules).unwrap();
    }
    circles::find(&arrows::draw(&modules))
        .into_iter()
        .map(|circle| circle.into_iter().map(|file| file.display().to_string()).collect())
        .collect()
}

#[test]
fn two_files_that_take_from_each_other_are_a_circle() {
    let files = [
        ("", "mod a; mod b;"),
        ("a", "use crate::b::Two; pub struct One(Two);"),
        ("b", "pub struct Two; fn make() -> super::a::One { todo!() }"),
    ];
    assert_eq!(circles_of(&files), [["a", "b"]]);
}

#[test]
fn a_circle_through_re_exports_aliases_and_macros_is_found() {
    let files = [
        ("", "mod a; mod b; pub use a::One; pub use b::*;"),
        ("a", "use crate::Two as Second; pub struct One(Second);"),
        ("b", "mod c; pub use c::Two;"),
        ("b::c", "pub struct Two; fn say() { println!(\"{}\", crate::One::NAME) }"),
    ];
    assert_eq!(circles_of(&files), [["a", "b/c"]]);
}

#[test]
fn a_parent_that_only_hands_names_on_is_in_no_circle() {
    let files = [
        ("", "pub mod a; pub struct Error; pub use a::run;"),
        ("a", "use crate::Error; pub fn run() -> Error { Error }"),
    ];
    assert!(circles_of(&files).is_empty());
}

#[test]
fn a_parent_that_calls_its_child_and_gives_it_a_type_is_a_circle() {
    let files = [
        ("", "mod a; pub struct Error; fn main() { a::run(); }"),
        ("a", "use super::Error; pub fn run() -> Error { Error }"),
    ];
    assert_eq!(circles_of(&files), [["a", "lib"]]);
}

#[test]
fn tests_tie_nothing() {
    let files = [
        ("", "mod a; mod b;"),
        ("a", "use crate::b::Two; pub struct One(Two);"),
        (
            "b",
            "pub struct Two; #[cfg(test)] mod tests { use crate::a::One; } #[cfg(test)] use crate::a::One;",
        ),
    ];
    assert!(circles_of(&files).is_empty());
}
