//! seccomp: the system calls that there are for the engine.
//!
//! A list of what is allowed: whatever is not in it, known or not yet invented, is answered as a kernel without that
//! call would (`ENOSYS`), which programs expect and the C library knows how to go round. What is missing on purpose:
//!
//! | missing | so that |
//! |---|---|
//! | `socket`, `connect`, `bind`, `listen` | nothing is reached by network, and nothing new listens: the socket that the engine serves was opened by its parent |
//! | `execve`, `execveat`, `fork`, `vfork`, `clone` of processes, `clone3` (whose flags cannot be looked at) | no program is run |
//! | `ptrace`, `process_vm_*`, `pidfd_*`, `kill` and signals to other processes | no other process is touched |
//! | `mount`, `pivot_root`, `chroot`, `unshare`, `setns`, `open_by_handle_at` | the view of the files stays as it is |
//! | `chmod` and `chown` by name, `setxattr`, `inotify_*`, `fanotify_*` | Landlock does not look at these (nor at `utimensat`, which the engine needs: it can change times of files that it cannot open) |
//! | `bpf`, `perf_event_open`, `io_uring_*`, `userfaultfd`, `keyctl`, `add_key`, modules, `kexec`, clocks, `reboot` | the kernel shows less of itself |
//! | `setuid` and its like, `capset` | it stays who it is |

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::{Hold, Layer};

/// Files and folders, by paths that Landlock looks at or by descriptors that were opened so.
const FILES: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_syncfs,
    libc::SYS_fadvise64,
    libc::SYS_readahead,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_fchmod,
    libc::SYS_utimensat,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_umask,
];

/// The older forms of the same, which only x86-64 has.
#[cfg(target_arch = "x86_64")]
const FILES_OLD: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_time,
    libc::SYS_pause,
    libc::SYS_alarm,
    libc::SYS_arch_prctl,
    libc::SYS_getpgrp,
];
#[cfg(not(target_arch = "x86_64"))]
const FILES_OLD: &[c_long] = &[];

/// Memory of this process.
const MEMORY: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_msync,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_munlock,
    libc::SYS_membarrier,
    libc::SYS_mbind,
    libc::SYS_get_mempolicy,
    libc::SYS_set_mempolicy,
];

/// Threads of this process, their signals and their timers.
const THREADS: &[c_long] = &[
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_getcpu,
    libc::SYS_getpriority,
    libc::SYS_setpriority,
    libc::SYS_ioprio_get,
    libc::SYS_ioprio_set,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend,
    libc::SYS_sigaltstack,
    libc::SYS_timer_create,
    libc::SYS_timer_settime,
    libc::SYS_timer_gettime,
    libc::SYS_timer_getoverrun,
    libc::SYS_timer_delete,
    libc::SYS_setitimer,
    libc::SYS_getitimer,
];

/// What a process asks about itself, the machine and the time.
const QUESTIONS: &[c_long] = &[
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_capget,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
];

/// Waiting, and the connections of the socket that is served.
const WAITING: &[c_long] = &[
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
];

/// What `prctl` may do: names of threads and of memory, and the kernel's view of them.
const PRCTL: &[libc::c_int] =
    &[libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_SET_VMA, libc::PR_SET_TIMERSLACK, libc::PR_GET_DUMPABLE];

/// Restricts this thread and all that it starts.
pub(super) fn restrict() -> Layer {
    let restricted = filter().and_then(|program| {
        seccompiler::apply_filter(&program).map_err(|error| error.to_string())?;
        Ok(())
    });
    match restricted {
        Ok(()) => Layer::new(
            "calls",
            Hold::Whole,
            format!("seccomp: {} system calls; no network, no programs, no other processes", allowed()),
        ),
        Err(error) => Layer::new(
            "calls",
            Hold::None,
            format!(
                "the engine may make every system call (network and programs, too): seccomp refuses: {error}"
            ),
        ),
    }
}

/// The lists of calls that are allowed whatever their arguments.
const LISTS: [&[c_long]; 6] = [FILES, FILES_OLD, MEMORY, THREADS, QUESTIONS, WAITING];

/// Calls that are allowed, those with conditions included.
fn allowed() -> usize {
    LISTS.iter().map(|list| list.len()).sum::<usize>() + conditional(1).map_or(0, |rules| rules.len())
}

fn filter() -> Result<BpfProgram, String> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        LISTS.into_iter().flatten().map(|call| (*call, Vec::new())).collect();
    rules.extend(conditional(std::process::id())?);
    let architecture = std::env::consts::ARCH.try_into().map_err(text)?;
    let refused = SeccompAction::Errno(libc::ENOSYS as u32);
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, architecture).map_err(text)?;
    filter.try_into().map_err(text)
}

/// Calls that depend on what they are asked.
fn conditional(pid: u32) -> Result<Vec<(i64, Vec<SeccompRule>)>, String> {
    let equal = |place: u8, value: u64| SeccompCondition::new(place, Len::Dword, Op::Eq, value).map_err(text);
    let has = |place: u8, mask: u64, value: u64| {
        SeccompCondition::new(place, Len::Dword, Op::MaskedEq(mask), value).map_err(text)
    };
    let rule = |conditions: Vec<SeccompCondition>| SeccompRule::new(conditions).map_err(text);
    let constant = |value: libc::c_int| u64::try_from(value).map_err(text);
    let own = u64::from(pid);
    let thread = constant(libc::CLONE_THREAD)?;
    let mut named = Vec::new();
    for option in PRCTL {
        named.push(rule(vec![equal(0, constant(*option)?)?])?);
    }
    Ok(vec![
        // A thread, not a process.
        (libc::SYS_clone, vec![rule(vec![has(0, thread, thread)?])?]),
        // To a thread of this process.
        (libc::SYS_tgkill, vec![rule(vec![equal(0, own)?])?]),
        (libc::SYS_rt_tgsigqueueinfo, vec![rule(vec![equal(0, own)?])?]),
        // A pair that is connected to itself; a pair of datagrams could send to any socket that has a name.
        (
            libc::SYS_socketpair,
            vec![rule(vec![
                equal(0, constant(libc::AF_UNIX)?)?,
                has(1, 0xf, constant(libc::SOCK_STREAM)?)?,
            ])?],
        ),
        // Limits of this process.
        (libc::SYS_prlimit64, vec![rule(vec![equal(0, 0)?])?, rule(vec![equal(0, own)?])?]),
        // How much there is to read, whether a read waits; nothing of terminals.
        (
            libc::SYS_ioctl,
            vec![rule(vec![equal(1, libc::FIONREAD)?])?, rule(vec![equal(1, libc::FIONBIO)?])?],
        ),
        (libc::SYS_prctl, named),
    ])
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_fits_into_the_kernels_bounds() {
        let program = filter().unwrap();
        assert!(program.len() < 4096, "{} instructions", program.len());
    }

    #[test]
    fn what_reaches_out_is_in_no_list() {
        let conditional: Vec<i64> = conditional(1).unwrap().into_iter().map(|(call, _)| call).collect();
        for call in [
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_bind,
            libc::SYS_listen,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_clone3,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_kill,
            libc::SYS_tkill,
            libc::SYS_pidfd_open,
            libc::SYS_pidfd_getfd,
            libc::SYS_mount,
            libc::SYS_chroot,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_open_by_handle_at,
            libc::SYS_fchmodat,
            libc::SYS_fchownat,
            libc::SYS_setxattr,
            libc::SYS_inotify_init1,
            libc::SYS_bpf,
            libc::SYS_perf_event_open,
            libc::SYS_io_uring_setup,
            libc::SYS_userfaultfd,
            libc::SYS_keyctl,
            libc::SYS_add_key,
            libc::SYS_init_module,
            libc::SYS_kexec_load,
            libc::SYS_setuid,
            libc::SYS_capset,
            libc::SYS_mknodat,
        ] {
            let listed = LISTS.iter().any(|list| list.contains(&call));
            assert!(!listed && !conditional.contains(&call), "call {call}");
        }
    }

    #[test]
    fn no_call_is_listed_twice() {
        let mut all: Vec<i64> = LISTS.into_iter().flatten().copied().collect();
        all.extend(conditional(1).unwrap().into_iter().map(|(call, _)| call));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
