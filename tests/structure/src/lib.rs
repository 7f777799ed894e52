//! How the workspace is built, read from its source: which file takes names from which, and which dependencies are used.
//!
//! - [`modules`]: a crate's files become modules: what they define, import and mention
//! - [`arrows`]: each mentioned name is followed through re-exports to the file that defines it
//! - [`circles`]: files that take names from each other in a circle
//! - [`dependencies`]: dependencies that no source mentions
//! - [`workspace`]: all crates at once
//!
//! `tests/workspace.rs` holds the workspace against it.

pub mod arrows;
pub mod circles;
pub mod dependencies;
pub mod modules;
pub mod workspace;
