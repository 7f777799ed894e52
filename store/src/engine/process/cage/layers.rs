//! How each layer of the cage stands, and what the cage leaves open.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the cage has to leave open.
#[derive(Debug, Clone)]
pub(in crate::engine::process) struct Openings {
    /// The engine's folder: read and written.
    pub(in crate::engine::process) folder: PathBuf,
    /// The library: read.
    pub(in crate::engine::process) library: PathBuf,
    /// What the kernel lets the process allocate, where that can be bounded.
    pub(in crate::engine::process) memory_bytes_max: u64,
}

/// How a layer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// As it should be.
    Whole,
    /// The kernel is too old for a part of it.
    Partly,
    /// Not there.
    None,
}

/// A layer of the cage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// What it is: `privileges`, `memory`, `files`, `calls`.
    pub name: String,
    /// How it stands.
    pub hold: Hold,
    /// What was found, in a line.
    pub found: String,
}

impl Layer {
    pub(super) fn new(name: &str, hold: Hold, found: impl Into<String>) -> Layer {
        Layer { name: name.to_owned(), hold, found: found.into() }
    }
}
