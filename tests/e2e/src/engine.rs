//! The engine's process of a running `lastwords`: which one it is, and statements straight to its socket, past every
//! check of SQL.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use rustix::process::{Pid, Signal};

use crate::eventually;

/// A statement may take so long, a restart of the engine included.
const ANSWER: Duration = Duration::from_secs(60);

/// The engine's process among the children of another, if there is one now.
#[must_use]
pub fn engine_process(parent: u32) -> Option<u32> {
    let line = format!("PPid:\t{parent}");
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
        let words = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        (status.lines().any(|found| found == line) && words.split('\0').nth(1) == Some("engine"))
            .then_some(pid)
    })
}

/// Waits until there is one, and it is not `former`.
///
/// # Panics
/// Where none comes.
#[must_use]
pub fn next_engine(parent: u32, former: Option<u32>) -> u32 {
    eventually("an engine's process", ANSWER, || engine_process(parent).filter(|pid| Some(*pid) != former))
}

/// Whether a process is there.
///
/// # Panics
/// Where the number is none of a process.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    // A zombie is gone but for its parent's asking.
    !status.is_empty() && !status.lines().any(|line| line.starts_with("State:\tZ"))
}

/// Ends a process as the kernel does when memory runs out.
///
/// # Panics
/// Where it cannot be signalled.
pub fn kill_now(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

/// Sends a statement straight to the engine of a data folder: status and body.
///
/// # Errors
/// Where the engine does not answer.
pub fn statement(data: &Path, sql: &str, settings: &str) -> io::Result<(u16, String)> {
    let mut stream = UnixStream::connect(data.join("engine.sock"))?;
    stream.set_read_timeout(Some(ANSWER))?;
    write!(
        stream,
        "POST /?{settings} HTTP/1.1\r\nHost: engine\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{sql}",
        sql.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "no answer"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok((status, body.to_owned()))
}
