//! This machine: its clock, the room on its disk, and the logs that it lets us read.

use std::{fs::OpenOptions, io::ErrorKind, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

use tokio::process::Command;

use super::finding::Finding;
use crate::config::Config;

const MIB: u64 = 1 << 20;
/// Below this the engine soon cannot merge.
const DISK_BYTES_FAIL: u64 = 512 * MIB;
/// Below this a busy day fills it.
const DISK_BYTES_WARN: u64 = 5 * 1024 * MIB;
/// How long another program may take to answer.
const PROGRAM_TIMEOUT: Duration = Duration::from_secs(10);

pub async fn check(config: &Config) -> Vec<Finding> {
    vec![disk(config), clock(), journal(config).await, kmsg(config)]
}

fn disk(config: &Config) -> Finding {
    let root = config.data.root();
    // The folder may not be there yet: its nearest ancestor says which disk it will be on.
    let Some(Ok(room)) = root.ancestors().find(|folder| folder.exists()).map(rustix::fs::statvfs) else {
        return Finding::warn(
            "disk",
            format!("the disk of {} cannot be asked", root.display()),
            "check the path",
        );
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let found = format!("{} MiB free for {}", free / MIB, root.display());
    let way_out = "make room, or put the data folder on another disk with --data";
    match free {
        ..DISK_BYTES_FAIL => Finding::fail("disk", found, way_out),
        DISK_BYTES_FAIL..DISK_BYTES_WARN => Finding::warn("disk", found, way_out),
        _ => Finding::ok("disk", found),
    }
}

/// The kernel knows whether somebody disciplines its clock, whoever it is.
fn clock() -> Finding {
    const WAY_OUT: &str =
        "run an NTP client (chrony, systemd-timesyncd): questions across hosts rest on their clocks";
    // SAFETY: timex is plain numbers, for which all zeroes is a value; modes = 0 only reads.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a local that outlives the call.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    if answer < 0 {
        return Finding::warn("clock", "the kernel does not say whether the clock is synchronised", WAY_OUT);
    }
    if state.status & libc::STA_UNSYNC != 0 {
        return Finding::warn("clock", "not synchronised", WAY_OUT);
    }
    Finding::ok("clock", format!("synchronised, estimated error {} ms", state.esterror / 1000))
}

async fn journal(config: &Config) -> Finding {
    if !config.collect.journald {
        return Finding::ok("journald", "not collected (collect.journald = false)");
    }
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--lines=1", "--output=export"]).kill_on_drop(true);
    let output = match tokio::time::timeout(PROGRAM_TIMEOUT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
            return Finding::ok("journald", "no journalctl here: log files are collected instead");
        }
        Ok(Err(error)) => {
            return Finding::warn("journald", format!("journalctl cannot be run: {error}"), "see journalctl");
        }
        Err(_) => return Finding::warn("journald", "journalctl does not answer", "see `journalctl -n 1`"),
    };
    if output.status.success() && !output.stdout.is_empty() {
        return Finding::ok("journald", "the journal can be read");
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it has no entries");
    let way_out = "run as root or in the group systemd-journal, or set collect.journald = false";
    Finding::warn("journald", format!("the journal gives nothing: {said}"), way_out)
}

fn kmsg(config: &Config) -> Finding {
    if !config.collect.kmsg {
        return Finding::ok("kmsg", "not collected (collect.kmsg = false)");
    }
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(Path::new("/dev/kmsg"));
    let error = match opened {
        Ok(mut file) => {
            let mut record = [0; 8192];
            match std::io::Read::read(&mut file, &mut record) {
                Ok(_) => return Finding::ok("kmsg", "the kernel's ring can be read"),
                // Overwritten while we looked, or empty: readable all the same.
                Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::WouldBlock) => {
                    return Finding::ok("kmsg", "the kernel's ring can be read");
                }
                Err(error) => error,
            }
        }
        Err(error) => error,
    };
    let way_out = "run as root or with CAP_SYSLOG, or set collect.kmsg = false";
    Finding::warn("kmsg", format!("/dev/kmsg cannot be read: {error}"), way_out)
}
