//! Privileges, descriptors, memory, and what a crash leaves behind.

use std::fs::OpenOptions;
use std::io::Write as _;

use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{Hold, Layer};

/// Where memory runs out, the engine goes before the process that takes in logs: it can be started again.
const OOM_SCORE: &str = "500";
/// Descriptors that are not ours to keep begin here.
const FIRST_OTHER: u32 = 3;

/// Gives up what the engine does not need. Nothing of it can be had back.
pub(super) fn apply(memory_bytes_max: u64) -> Vec<Layer> {
    // First, since the files of `/proc` are root's afterwards.
    let memory = memory(memory_bytes_max);
    let mut missing = Vec::new();
    let mut note = |what: &str, done: Result<(), rustix::io::Errno>| {
        if let Err(error) = done {
            missing.push(format!("{what}: {error}"));
        }
    };
    // The engine's files are its owner's alone.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    // Records of logs do not end up in a dump that lies about.
    note("core dumps", rustix::process::setrlimit(Resource::Core, exactly(0)));
    note("dumps", rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable));
    note("capabilities", drop_capabilities());
    note("new privileges", rustix::thread::set_no_new_privs(true));
    raise_descriptors();
    let privileges = match missing.is_empty() {
        true => Layer::new("privileges", Hold::Whole, "no new privileges, no capabilities, no core dumps"),
        false => Layer::new("privileges", Hold::Partly, format!("not given up: {}", missing.join(", "))),
    };
    vec![privileges, memory]
}

fn exactly(value: u64) -> Rlimit {
    Rlimit { current: Some(value), maximum: Some(value) }
}

/// Closes whatever the parent had open without meaning to pass it on. Before anything else: what is opened later is
/// somebody's.
pub(in crate::engine::process) fn close_others() {
    // SAFETY: this process has opened nothing yet but the three standard descriptors; nobody holds the others.
    unsafe {
        libc::close_range(FIRST_OTHER, u32::MAX, 0);
    }
}

/// Root keeps one: its data folder may be another user's. Which files there are, Landlock says.
fn drop_capabilities() -> Result<(), rustix::io::Errno> {
    let now = rustix::thread::capabilities(None)?;
    let kept = now.permitted & CapabilitySet::DAC_OVERRIDE;
    let empty = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: now.effective & kept, permitted: kept, inheritable: empty },
    )
}

/// A table has some hundreds of files open: the soft limit is made for other programs.
fn raise_descriptors() {
    let now = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: now.maximum, maximum: now.maximum };
    // Where that is refused, things are as they were.
    let _ = rustix::process::setrlimit(Resource::Nofile, raised);
}

fn memory(bytes_max: u64) -> Layer {
    // Nothing says so where it cannot be written: the kernel then chooses by size, which mostly is the engine, too.
    let _ = OpenOptions::new()
        .write(true)
        .open("/proc/self/oom_score_adj")
        .and_then(|mut file| file.write_all(OOM_SCORE.as_bytes()));
    match rustix::process::setrlimit(Resource::Data, exactly(bytes_max)) {
        Ok(()) => Layer::new("memory", Hold::Whole, format!("at most {} MiB of data", bytes_max >> 20)),
        Err(error) => Layer::new("memory", Hold::Partly, format!("the kernel does not bound it: {error}")),
    }
}
