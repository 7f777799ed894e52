//! Which function is to blame: the first of a trace that is not the machinery that reports, checks or allocates.

/// Functions whose name holds one of these report, check, allocate, copy or lock for somebody else.
const MACHINERY: &[&str] = &[
    "kasan",
    "asan_",
    "kmsan",
    "kcsan",
    "ubsan",
    "kfence",
    "sanitizer",
    "dump_stack",
    "show_stack",
    "dump_backtrace",
    "unwind",
    "show_trace",
    "print_address_description",
    "print_report",
    "print_usage_bug",
    "print_unlock",
    "print_circular",
    "print_deadlock",
    "print_bad",
    "print_irq",
    "check_noncircular",
    "check_prev",
    "check_deadlock",
    "validate_chain",
    "invalid_op",
    "report_bug",
    "fixup_bug",
    "warn_slowpath",
    "warn_bogus",
    "warn_alloc",
    "bug_handler",
    "brk_handler",
    "debug_exception",
    "do_error",
    "do_trap",
    "do_general_protection",
    "page_fault",
    "do_invalid",
    "handle_bug",
    "exc_invalid",
    "exc_general",
    "exc_double",
    "asm_exc_",
    "debug_object",
    "debug_print_object",
    "static_object",
    "debug_check",
    "lockdep",
    "lock_acquire",
    "lock_release",
    "lock_class",
    "mark_lock",
    "mark_usage",
    "perf_trace_",
    "spin_lock",
    "spin_unlock",
    "spin_bug",
    "spin_dump",
    "raw_read_",
    "raw_write_",
    "raw_spin_",
    "read_lock",
    "write_lock",
    "read_unlock",
    "write_unlock",
    "mutex_lock",
    "mutex_unlock",
    "__mutex",
    "_mutex_",
    "down_read",
    "down_write",
    "down_trylock",
    "up_read",
    "up_write",
    "percpu_down",
    "percpu_up",
    "rwsem",
    "rwlock_bug",
    "alloc_page",
    "get_free_page",
    "kmalloc",
    "kvmalloc",
    "kzalloc",
    "kcalloc",
    "krealloc",
    "kfree",
    "kvfree",
    "kmem_cache",
    "slab_",
    "_slab",
    "slub",
    "vmalloc",
    "vzalloc",
    "kmemdup",
    "kstrdup",
    "cache_free",
    "memcpy",
    "memset",
    "memmove",
    "memcmp",
    "memchr",
    "memscan",
    "strlen",
    "strnlen",
    "strcmp",
    "strncmp",
    "strcpy",
    "strncpy",
    "strlcpy",
    "strscpy",
    "strcat",
    "strchr",
    "strstr",
    "copy_to_user",
    "copy_from_user",
    "copyin",
    "copyout",
    "copy_to_iter",
    "copy_from_iter",
    "copy_page_to_iter",
    "copy_page_from_iter",
    "user_generic",
    "usercopy",
    "check_heap_object",
    "check_object_size",
    "might_fault",
    "might_sleep",
    "might_resched",
    "put_user",
    "get_user",
    "refcount",
    "kref_",
    "kobject_",
    "list_del",
    "list_add",
    "list_valid",
    "schedule_debug",
    "schedule_bug",
    "instrument_",
    "arch_atomic",
    "end_report",
    "nmi_cpu_backtrace",
    "trigger_all",
    "nmi_trigger",
    "watchdog_overflow",
    "rcu_note",
    "smp_call_function_single_int",
    "iter_copy",
    "rb_erase",
    "rb_insert",
    "rb_next",
    "rb_first",
    "hlist_",
    "ida_",
    "idr_",
    "rht_",
    "skb_panic",
    "skb_over_panic",
    "skb_under_panic",
    "skb_push",
    "skb_put",
    "skb_pull",
    "object_err",
    "report_enabled",
    "start_report",
    "stack_trace_save",
    "save_stack",
    "set_track",
    "__warn",
    "arm64_",
    "el1_",
    "el1h_",
    "do_mem_abort",
    "do_translation_fault",
    "do_sp_pc",
    "do_undefinstr",
    "do_kernel_fault",
    "get_device",
    "put_device",
    "preempt_schedule",
    "check_preemption",
    "smp_processor_id",
    "this_cpu_preempt",
    "preempt_count",
    "local_bh_enable",
    "local_irq",
    "trace_hardirqs",
    "trace_irq",
    "trace_softirqs",
    "errseq",
    "find_next_bit",
    "find_first_bit",
    "test_bit",
    "set_bit",
    "clear_bit",
    "native_",
    "__sub_preempt",
    "queued_spin",
    "queued_read",
    "queued_write",
    "osq_lock",
    "do_raw_",
    "rust_begin_unwind",
    "panic_fmt",
    "panic_const",
    "core9panicking",
    "try_to_take",
    "schedule_timeout",
    "irqentry",
    "sysvec_",
    "apic_timer",
    "atomic_notifier",
    "notifier_call_chain",
    "notify_die",
    "oops_",
    "no_context",
    "bad_area",
    "spurious",
    "stack_overflow",
    "df_",
    "double_fault",
    "handle_stack",
    "crash_kexec",
    "emergency_",
    "ftrace_",
    "mcount",
    "return_to_handler",
    "__irq_svc",
    "finish_wait",
    "__wake_up",
    "kthread_stop",
    "mutex_remove_waiter",
    "mutex_optimistic",
    "flush_work",
    "flush_workqueue",
    "drain_workqueue",
    "del_timer",
    "lock_timer_base",
    "device_add",
    "device_del",
    "device_unregister",
    "sysfs_remove",
    "rollback_registered",
    "klist_",
    "kill_fasync",
    "ref_tracker",
    "seqprop_assert",
    "fortify_",
    "assertfail",
    "_panic",
    "do_tag_check_fault",
    "x86_indirect_thunk",
    "read_word_at_a_time",
    "__read_once_word",
    "arch_stack_walk",
    "_msan_",
    "debug_lockdep",
    "reacquire_held_locks",
    "strnstr",
    "memdup_user",
    "crc32",
    "rhashtable_lookup",
    "post_alloc_hook",
    "alloc_frozen_pages",
    "__raw_readb",
    "__vunmap",
    "vprintk",
    "retint_",
    "_cond_resched",
    "folio_unlock",
    "drop_nlink",
    "mark_buffer_dirty",
    "lock_sock_nested",
    "flush_smp_call_function",
    "__msan",
    "__task_rq_lock",
    "cancel_work",
    "destroy_workqueue",
    "unregister_netdevice",
    "hwrng_unregister",
    "i2c_del_adapter",
    "try_to_grab_pending",
    "__mod_timer",
    "wait_for_completion",
    "logic_inb",
    "fast_dput",
    "aes_encrypt",
    "aesti_",
    "folio_alloc",
    "get_page_from_freelist",
    "pgtable_bad",
    "__pi_",
    "iov_iter_advance",
    "bad_page",
    "free_pages",
    "free_unref",
    "print_tainted",
    "slowpath_null",
];

/// Machinery by its whole name.
const MACHINERY_NAMES: &[&str] = &[
    "panic",
    "vpanic",
    "__panic",
    "printk",
    "_printk",
    "vprintk",
    "die",
    "die_kernel_fault",
    "__die",
    "die_addr",
    "bust_spinlocks",
    "error_entry",
    "error_code",
    "general_protection",
    "divide_error",
    "stack_segment",
    "trap",
    "bad_mode",
    "vprintk_emit",
    "page_fault",
    "nmi",
    "end_repeat_nmi",
    "__schedule",
    "schedule",
    "__might_resched",
    "___might_sleep",
    "check_memory_region",
    "atomic_read",
    "atomic_inc",
    "atomic_dec",
    "atomic_set",
    "debug_smp_processor_id",
    "get_current",
    "rep_nop",
    "cpu_relax",
    "arch_local_irq_restore",
    "arch_static_branch",
    "constant_test_bit",
    "check_flags",
    "save_trace",
    "add_lock_to_list",
    "__static_call_return0",
    "entry_SYSCALL_64_after_hwframe",
    "get_stack_info",
    "vmap",
    "__vmap",
    "__bug",
    "BUG_func",
    "check_bytes_and_report",
    "check_object",
    "free_debug_processing",
    "kmemleak_alloc",
    "__xa_alloc",
    "unreachable",
    "complete",
    "vfree",
    "iput",
    "dput",
];

/// Whether a function only reports, checks, allocates or locks.
pub fn is_machinery(function: &str) -> bool {
    MACHINERY_NAMES.contains(&function)
        || MACHINERY.iter().any(|part| function.contains(part))
        || is_primitive(function)
}

/// `atomic_inc`, `atomic64_read`, `refcount_dec`: one operation on one word.
fn is_primitive(function: &str) -> bool {
    let rest = function.trim_start_matches('_');
    ["atomic_", "atomic64_", "atomic_long_"].iter().any(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|rest| {
            ["inc", "dec", "read", "set", "add", "sub", "or", "and", "xor", "fetch", "xchg", "cmpxchg", "try"]
                .iter()
                .any(|operation| rest.starts_with(operation))
        })
    })
}

/// Whether a function only hands out memory: a leak is of who asked for it.
pub fn is_allocation(function: &str) -> bool {
    ["alloc", "create_object", "list_lru_init", "kmemleak"].iter().any(|part| function.contains(part))
}

/// What a clock's tick does: below it stands what it interrupted.
pub fn is_tick(function: &str) -> bool {
    [
        "tick_",
        "update_process_times",
        "hrtimer",
        "sched_show_task",
        "watchdog",
        "rcu_",
        "preempt_schedule_irq",
        "perf_event",
        "nmi",
    ]
    .iter()
    .any(|part| function.contains(part))
}

/// Where a hung task waits: functions of the scheduler and of locks, which stand above the one that waits.
const WAITING: &[&str] = &[
    "sched",
    "_lock",
    "_slowlock",
    "down",
    "rwsem",
    "completion",
    "kthread",
    "wait",
    "synchronize",
    "context_switch",
    "__switch_to",
    "cancel_delayed_work",
    "rcu_barrier",
    "flush_work",
    "cancel_work",
    "usb_control_msg",
    "usb_start_wait",
];

/// The function of a task that hangs. Those that wait for the same thing of everybody's are one:
/// whoever waits for a grace period is the victim of whoever holds it up.
pub fn waiting<'a>(frames: &[&'a str]) -> Option<&'a str> {
    for frame in frames {
        if frame.contains("rtnl_lock") {
            return Some(frame);
        }
        if ["synchronize_rcu", "synchronize_srcu", "synchronize_net", "synchronize_sched"]
            .iter()
            .any(|name| frame.contains(name))
        {
            return Some("synchronize_rcu");
        }
    }
    frames.iter().copied().find(|frame| !WAITING.iter().any(|part| frame.contains(part)))
}

/// Entries from which kernel code is called: a stall is named by what they called.
const ENTRIES: &[&str] = &[
    "process_one_work",
    "do_syscall_",
    "do_fast_syscall_",
    "sysenter_dispatch",
    "tracesys_phase2",
    "el0_svc_handler",
    "el0_svc_common",
    "invoke_syscall",
    "ret_fast_syscall",
    "netif_receive_skb",
    "do_softirq",
    "call_timer_fn",
    "_run_timers",
    "run_timer_softirq",
    "hrtimer_run",
    "run_ksoftirqd",
    "smpboot_thread_fn",
    "start_secondary",
    "cpu_startup_entry",
    "ret_from_fork",
    "vfs_write",
    "vfs_read",
    "vfs_iter_read",
    "vfs_iter_write",
    "do_iter_read",
    "do_iter_write",
    "call_read_iter",
    "call_write_iter",
    "new_sync_read",
    "new_sync_write",
    "vfs_ioctl",
    "vfs_fsync",
    "blkdev_driver_ioctl",
    "blkdev_ioctl",
    "sock_sendmsg",
    "sock_recvmsg",
    "sock_write_iter",
    "sock_read_iter",
    "__sys_connect",
    "__sys_setsockopt",
    "__sys_getsockopt",
    "do_mmap",
    "mmap_region",
    "task_work_run",
    "exit_to_usermode",
    "smp_call_function",
    "tasklet_action",
    "entry_SYSCALL",
    "mount_fs",
    "do_sendfile",
    "notify_change",
    "do_exit",
    "vfs_get_tree",
    "compat_sys_ioctl",
    "sys_ioctl",
    "__fput",
    "netlink_rcv_skb",
    "rtnetlink_rcv",
    "nfnetlink_rcv",
    "netlink_unicast",
    "netlink_dump",
    "genl_lock_dumpit",
    "genl_family_rcv",
    "genl_rcv",
    "_compat_ioctl",
    "do_vfs_ioctl",
    "do_dentry_open",
    "sock_common_setsockopt",
];

/// The function of a stall: the last one before an entry into the kernel's code.
pub fn stalled<'a>(frames: &[&'a str]) -> Option<&'a str> {
    let mut previous = frames.first().copied()?;
    for frame in frames {
        if *frame == "kthread" || ENTRIES.iter().any(|entry| frame.contains(entry)) {
            if frame.contains("smp_call_function") {
                return Some("smp_call_function");
            }
            return Some(previous);
        }
        previous = frame;
    }
    frames.first().copied()
}

/// A call's name as it is known, without what the entry of one architecture puts before it.
pub fn without_entry_prefix(function: &str) -> &str {
    [
        "__x64_",
        "__ia32_",
        "__se_",
        "__do_sys_",
        "__arm64_",
        "SYSC_",
        "SyS_",
        "compat_SYSC_",
        "compat_SyS_",
        "ksys_",
    ]
    .iter()
    .find_map(|prefix| function.strip_prefix(prefix))
    .unwrap_or(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machinery_is_not_to_blame() {
        for (function, machinery) in [
            ("dump_stack_lvl", true),
            ("__kasan_report", true),
            ("tcp_sendmsg", false),
            ("panic", true),
            ("atomic_inc", true),
        ] {
            assert_eq!(is_machinery(function), machinery, "{function}");
        }
    }

    #[test]
    fn a_stall_is_named_by_what_an_entry_called() {
        assert_eq!(stalled(&["f", "g", "__x64_sys_sync", "do_syscall_64"]), Some("__x64_sys_sync"));
        assert_eq!(without_entry_prefix("__x64_sys_sync"), "sys_sync");
        assert_eq!(stalled(&["f", "g"]), Some("f"));
    }

    #[test]
    fn a_hung_task_is_named_by_who_waits() {
        assert_eq!(waiting(&["__schedule", "schedule", "io_wait", "ext4_sync"]), Some("ext4_sync"));
        assert_eq!(waiting(&["schedule", "synchronize_rcu_expedited", "x"]), Some("synchronize_rcu"));
    }
}
