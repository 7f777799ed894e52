//! What the engine's process gives up before it loads the library, for good and for all of its threads.
//!
//! Each layer is the kernel's, so that it holds whatever a statement makes the engine do:
//! 1. [`limits`]: privileges, descriptors, core dumps, memory, modes of new files.
//! 2. [`files`]: Landlock: the engine's folder and a short list of files; no TCP, no signals to others.
//! 3. [`calls`]: seccomp: the system calls that a storage engine needs, by name; all others are refused.
//!
//! Where a kernel lacks a layer, the engine runs without it, and says so in the log and in `lastwords doctor`.

mod calls;
mod files;
mod layers;
mod limits;

use std::fs::File;

use serde::{Deserialize, Serialize};

pub use files::landlock_version;
pub(super) use layers::Openings;
pub use layers::{Hold, Layer};
pub(super) use limits::close_others;

/// The cage that a process is in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cage {
    /// Its layers.
    pub layers: Vec<Layer>,
}

impl Cage {
    /// The layers that are not whole.
    pub fn gaps(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(|layer| layer.hold != Hold::Whole)
    }
}

/// Puts this process into the cage. To be called while it has one thread: threads that run already stay outside.
///
/// Gives the memory statistics of the process, which cannot be opened any more afterwards.
pub(super) fn enter(openings: &Openings) -> (Cage, Option<File>) {
    let statm = File::open("/proc/self/statm").ok();
    // Asked once, from a file that is not there any more afterwards; then remembered.
    rustix::param::page_size();
    crate::engine::preload();
    let mut layers = limits::apply(openings.memory_bytes_max);
    layers.push(files::restrict(openings));
    // Last, since the others need calls that this one takes away.
    layers.push(calls::restrict());
    (Cage { layers }, statm)
}
