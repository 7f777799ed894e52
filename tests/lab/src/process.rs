//! Processes under measurement: how they are started, ended and accounted for.

use std::{
    io,
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

/// What a finished process has used, by the operating system's accounting.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// From start to end.
    pub wall: Duration,
    /// User and system time.
    pub cpu: Duration,
    /// Largest resident size, in bytes.
    pub resident_bytes_max: u64,
    /// Whether it exited with 0.
    pub success: bool,
}

/// Waits for a child and takes its accounting.
///
/// # Errors
/// Where the kernel does not let us wait.
pub fn wait(child: Child, since: Instant) -> io::Result<Usage> {
    let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which all zeroes is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to locals that outlive the call; the child is ours and has not been waited for.
    if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } != pid {
        return Err(io::Error::last_os_error());
    }
    Ok(Usage {
        wall: since.elapsed(),
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        resident_bytes_max: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        success: status == 0,
    })
}

/// What this process has used so far.
pub fn own_cpu() -> Duration {
    // SAFETY: rusage is plain numbers, for which all zeroes is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a local that outlives the call. It cannot fail with these arguments.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// What a running process has used so far, threads that have ended included.
///
/// # Errors
/// Where there is no such process.
pub fn cpu_of(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The name may hold spaces and brackets; what follows its last bracket is numbers. See proc(5).
    let (_, numbers) = stat.rsplit_once(')').with_context(|| format!("{path} is not as proc(5) says"))?;
    let mut fields = numbers.split_ascii_whitespace().skip(11);
    let mut ticks = || -> anyhow::Result<u64> { Ok(fields.next().context("too few fields")?.parse()?) };
    let (user, system) = (ticks()?, ticks()?);
    // SAFETY: a plain library call without pointers.
    let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) })?.max(1);
    Ok(Duration::from_millis((user + system) * 1_000 / per_second))
}

fn time(value: libc::timeval) -> Duration {
    Duration::from_micros(u64::try_from(value.tv_sec * 1_000_000 + value.tv_usec).unwrap_or(0))
}

/// Runs a command to its end.
///
/// # Errors
/// Where it cannot be started or fails.
pub fn run(command: &mut Command) -> anyhow::Result<Usage> {
    let since = Instant::now();
    let child =
        command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let usage = wait(child, since)?;
    if !usage.success {
        bail!("{command:?} failed");
    }
    Ok(usage)
}

/// Sends a signal to a child that has not been waited for.
///
/// # Errors
/// Where the kernel refuses.
pub fn signal(child: &Child, signal: libc::c_int) -> io::Result<()> {
    let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: a plain system call; the pid is a child's that has not been reaped, so it cannot be somebody else's.
    if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A binary of this build, beside this program.
///
/// # Errors
/// Where it has not been built: says how.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.exists() {
        bail!("{} is missing: run `cargo build --release --bins` first", path.display());
    }
    Ok(path)
}
