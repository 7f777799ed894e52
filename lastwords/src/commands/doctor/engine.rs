//! The engine's process and the cage that it is in.

use std::path::Path;

use lastwords_store::engine::process::cage::{Cage, Hold, landlock_version};

use super::finding::Finding;
use crate::config::Config;

const CHECK: &str = "engine's process";
const FILES: &str = "engine's files";
const CALLS: &str = "engine's calls";
const PRIVILEGES: &str = "engine's rights";
const MEMORY: &str = "engine's memory";
const WAY_OUT: &str = "the confinement of SQL holds without it; a newer kernel gives a second line";

/// What an engine that was just started said of its cage.
pub fn started(cage: Option<&Cage>) -> Vec<Finding> {
    let Some(cage) = cage else { return vec![within()] };
    let mut findings = vec![Finding::ok(CHECK, "of its own, started again where it ends")];
    findings.extend(cage.layers.iter().map(|layer| {
        let check = match layer.name.as_str() {
            "files" => FILES,
            "calls" => CALLS,
            "memory" => MEMORY,
            _ => PRIVILEGES,
        };
        match layer.hold {
            Hold::Whole => Finding::ok(check, &layer.found),
            Hold::Partly | Hold::None => Finding::warn(check, &layer.found, WAY_OUT),
        }
    }));
    findings
}

/// What can be seen from outside of the engine that this process has started.
pub fn running(config: &Config, holder: Option<u32>) -> Vec<Finding> {
    if config.engine.in_process {
        return vec![within()];
    }
    let Some((pid, status)) = holder.and_then(child) else {
        return vec![Finding::warn(
            CHECK,
            "none is seen: it is being started, or whoever has the folder runs it in its own process",
            "see its log",
        )];
    };
    let has = |line: &str| status.lines().any(|found| found.split_whitespace().eq(line.split(' ')));
    let mut findings = vec![Finding::ok(CHECK, format!("process {pid}"))];
    findings.push(match landlock_version() {
        Some(version) if version > 1 => {
            Finding::ok(FILES, format!("Landlock {version}: its folder, the library and time zones"))
        }
        _ => Finding::warn(
            FILES,
            "this kernel has no Landlock (or its first version): every file of this user",
            WAY_OUT,
        ),
    });
    findings.push(if has("Seccomp: 2") {
        Finding::ok(CALLS, "seccomp: a list of system calls; no network, no programs")
    } else {
        Finding::warn(CALLS, "no seccomp: every system call, network and programs too", WAY_OUT)
    });
    if !has("NoNewPrivs: 1") {
        findings.push(Finding::warn(PRIVILEGES, "it can gain privileges", WAY_OUT));
    }
    findings
}

fn within() -> Finding {
    Finding::warn(
        CHECK,
        "none of its own (engine.in_process = true): a statement that crashes or fills memory takes the whole process",
        "set engine.in_process = false",
    )
}

/// The engine among a process's children, with the kernel's words about it.
fn child(parent: u32) -> Option<(u32, String)> {
    let of_parent = format!("PPid:\t{parent}");
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let read = |name: &str| std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join(name));
        let status = read("status").ok()?;
        let is_engine = || read("cmdline").is_ok_and(|words| words.split('\0').nth(1) == Some("engine"));
        (status.lines().any(|line| line == of_parent) && is_engine()).then_some((pid, status))
    })
}
