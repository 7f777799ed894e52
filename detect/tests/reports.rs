//! Reports in the forms of kernels and of Xen: whom they blame, what they say, where they begin and end, what led to what.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "in a test file helpers assert, too")]

use lastwords_detect::{Detector, LogFound};

fn scan(text: &str) -> Vec<LogFound> {
    Detector::built_in().scan_log(text.as_bytes(), false)
}

fn attribute<'a>(event: &'a LogFound, name: &str) -> Option<&'a str> {
    event.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Class, function, first and last line of each event.
fn told(events: &[LogFound]) -> Vec<(&str, Option<&str>, usize, usize)> {
    events
        .iter()
        .map(|event| (event.class.as_str(), event.function.as_deref(), event.start_line, event.end_line))
        .collect()
}

const PAGE_FAULT: &str = "\
[  100.000001] BUG: unable to handle page fault for address: ffff8881deadbeef
[  100.000002] #PF: supervisor write access in kernel mode
[  100.000003] #PF: error_code(0x0002) - not-present page
[  100.000004] PGD 0 P4D 0
[  100.000005] Oops: 0002 [#1] PREEMPT SMP NOPTI
[  100.000006] CPU: 3 PID: 412 Comm: CPU 0/KVM Tainted: G           OE      6.1.0-13-amd64 #1  Debian 6.1.55-1
[  100.000007] Hardware name: Dell Inc. PowerEdge R740/0H28RR, BIOS 2.12.2 07/09/2021
[  100.000008] RIP: 0010:memcpy_erms+0x6/0x10
[  100.000009] Code: 90 90 90 90
[  100.000010] RSP: 0018:ffffb3a0c1234567 EFLAGS: 00010246
[  100.000011] Call Trace:
[  100.000012]  <TASK>
[  100.000013]  ? __die+0x1f/0x70
[  100.000014]  mlx5e_skb_from_cqe_linear.isra.0+0x12f/0x1d0 [mlx5_core]
[  100.000015]  mlx5e_handle_rx_cqe+0x5a/0x140 [mlx5_core]
[  100.000016]  </TASK>
[  100.000017] Modules linked in: mlx5_core(OE) vhost_net kvm_intel [last unloaded: dummy]
[  100.000018] CR2: ffff8881deadbeef
[  100.000019] ---[ end trace 0000000000000000 ]---
";

#[test]
fn a_page_fault_tells_everything_about_itself() {
    let events = scan(PAGE_FAULT);
    assert_eq!(told(&events), [("kernel.oops", Some("mlx5e_skb_from_cqe_linear"), 1, 19)]);
    let event = &events[0];
    for (name, value) in [
        ("cpu", "3"),
        ("pid", "412"),
        ("process", "CPU 0/KVM"),
        ("taint", "GOE"),
        ("kernel", "6.1.0-13-amd64"),
        ("hardware", "Dell Inc. PowerEdge R740/0H28RR, BIOS 2.12.2 07/09/2021"),
        ("modules", "mlx5_core vhost_net kvm_intel"),
        ("trace", "memcpy_erms\nmlx5e_skb_from_cqe_linear\nmlx5e_handle_rx_cqe"),
    ] {
        assert_eq!(attribute(event, name), Some(value), "{name}");
    }
    assert_eq!(attribute(event, "corrupted"), None);
}

#[test]
fn the_same_crash_on_another_machine_has_the_same_fingerprint() {
    let other = PAGE_FAULT
        .replace("ffff8881deadbeef", "ffff99917777aaaa")
        .replace("+0x12f/0x1d0", "+0x133/0x1e0")
        .replace(".isra.0", ".constprop.4")
        .replace("CPU: 3 PID: 412 Comm: CPU 0/KVM", "CPU: 17 PID: 99812 Comm: vhost-99811")
        .replace("[  100.0000", "[ 9812.7770")
        .replace("Tainted: G           OE     ", "Not tainted");
    let fingerprint = |text: &str| scan(text)[0].fingerprint;
    assert_eq!(fingerprint(PAGE_FAULT), fingerprint(&other));
    assert_ne!(
        fingerprint(PAGE_FAULT),
        fingerprint(&PAGE_FAULT.replace("mlx5e_skb_from_cqe_linear", "bnxt_rx_pkt"))
    );
}

#[test]
fn first_lines_and_frames_of_architectures_and_ages() {
    let check = |text: &str, class: &str, function: Option<&str>| {
        let events = scan(text);
        assert_eq!(
            events.iter().map(|event| (event.class.as_str(), event.function.as_deref())).collect::<Vec<_>>(),
            [(class, function)],
            "{text}"
        );
    };
    // arm64
    check(
        "[ 1.000] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000018\n[ 1.000] Mem abort info:\n[ 1.000] Internal error: Oops: 96000004 [#1] PREEMPT SMP\n[ 1.000] pc : virtblk_done+0x58/0x1a0\n[ 1.000] lr : vring_interrupt+0x5c/0xc0\n[ 1.000] Call trace:\n[ 1.000]  virtblk_done+0x58/0x1a0\n[ 1.000]  vring_interrupt+0x5c/0xc0\n",
        "kernel.oops",
        Some("virtblk_done"),
    );
    // arm
    check(
        "Unable to handle kernel paging request at virtual address 7f0c3d44\nInternal error: Oops: 80000005 [#1] SMP ARM\nPC is at 0x7f0c3d44\nLR is at x\nBacktrace: \n[<c0012345>] (memcpy) from [<c0099999>] (dma_rx+0x10/0x20)\n[<c0099999>] (dma_rx) from [<c0088888>] (irq_thread+0x10/0x20)\n",
        "kernel.oops",
        Some("dma_rx"),
    );
    // x86, an age with addresses in the trace
    check(
        "general protection fault: 0000 [#1] SMP \nRIP: 0010:[<ffffffff8130a4f5>]  [<ffffffff8130a4f5>] rb_erase+0x1a5/0x3a0\nCall Trace:\n [<ffffffff8109e8fa>] ? finish_task_switch+0x4a/0xf0\n [<ffffffff810b1234>] timerqueue_del+0x24/0x70\n",
        "kernel.oops",
        Some("timerqueue_del"),
    );
    // A jump into nowhere blames the caller.
    check(
        "BUG: kernel NULL pointer dereference, address: 0000000000000000\nRIP: 0010:0x0\nCode: Unable to access opcode bytes\nCall Trace:\n <TASK>\n nf_hook_slow+0x3c/0xb0\n",
        "kernel.oops",
        Some("nf_hook_slow"),
    );
    // powerpc
    check(
        "BUG: Unable to handle kernel data access on read at 0xc00a000000\nNIP [c0000000004d1234] memset+0x1/0x2\nCall Trace:\n[c000000049a87710] [c0000000000286fc] (unreliable)\n[c000000049a87710] [c0000000000286fc] ext4_fill+0x43c/0x6d0\n",
        "kernel.oops",
        Some("ext4_fill"),
    );
    check(
        "------------[ cut here ]------------\nrefcount_t: underflow; use-after-free.\nWARNING: CPU: 2 PID: 77 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110\nRIP: 0010:refcount_warn_saturate+0xba/0x110\nCall Trace:\n vhost_dev_cleanup+0x1/0x2\n",
        "kernel.warning",
        Some("vhost_dev_cleanup"),
    );
    // Without `cut here`, in the form of recent kernels, and without any trace.
    check(
        "WARNING: net/core/dev.c:6513 at netif_rx+0x1/0x2, CPU#3: ksoftirqd/3\n",
        "kernel.warning",
        Some("netif_rx"),
    );
    check(
        "kernel BUG at drivers/block/virtio_blk.c:172!\ninvalid opcode: 0000 [#1] SMP\nRIP: 0010:virtio_queue_rq+0x1/0x2\n",
        "kernel.bug",
        Some("virtio_queue_rq"),
    );
    check(
        "BUG: KASAN: slab-out-of-bounds in memcpy+0x3d/0x60\nRead of size 4 at addr ffff8880 by task kworker/1:2/99\nCPU: 1 PID: 99 Comm: kworker/1:2 Not tainted 6.6.0\nCall Trace:\n dump_stack_lvl+0x1/0x2\n print_report+0x1/0x2\n kasan_report+0x1/0x2\n memcpy+0x3d/0x60\n hci_event_packet+0x1/0x2\n\nAllocated by task 4:\n kasan_save_stack+0x1/0x2\n hci_alloc+0x1/0x2\n",
        "kernel.sanitizer.kasan",
        Some("hci_event_packet"),
    );
    check(
        "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [qemu:77]\nCPU: 1 PID: 77 Comm: qemu\nRIP: 0010:native_queued_spin_lock_slowpath+0x1/0x2\nCall Trace:\n <TASK>\n _raw_spin_lock+0x1/0x2\n kvm_mmu_notifier+0x1/0x2\n madvise_vma+0x1/0x2\n __x64_sys_madvise+0x1/0x2\n do_syscall_64+0x1/0x2\n",
        "kernel.lockup.soft",
        Some("sys_madvise"),
    );
    check(
        "INFO: task jbd2/vda1-8:211 blocked for more than 120 seconds.\n      Not tainted 6.1.0\ntask:jbd2/vda1-8 state:D\nCall Trace:\n __schedule+0x1/0x2\n schedule+0x1/0x2\n io_schedule+0x1/0x2\n bit_wait_io+0x1/0x2\n jbd2_journal_commit_transaction+0x1/0x2\n kthread+0x1/0x2\n",
        "kernel.hung_task",
        Some("jbd2_journal_commit_transaction"),
    );
    check(
        "kswapd0: page allocation failure: order:4, mode:0x40cc0(GFP_KERNEL|__GFP_COMP)\nCPU: 0 PID: 1 Comm: kswapd0\nCall Trace:\n dump_stack+0x1/0x2\n warn_alloc.cold+0x1/0x2\n __alloc_pages_slowpath.constprop.0+0x1/0x2\n __alloc_pages+0x1/0x2\n mlx5e_alloc_rq+0x1/0x2\n",
        "memory.allocation_failure",
        Some("mlx5e_alloc_rq"),
    );
}

#[test]
fn lines_of_other_tasks_and_cpus_are_untangled() {
    let text = "\
[   10.000001][ T101] BUG: KASAN: use-after-free in alpha_read+0x1/0x2
[   10.000002][ T202] WARNING: CPU: 1 PID: 202 at fs/beta.c:7 beta_warn+0x1/0x2
[   10.000003][ T101] Read of size 8 at addr ffff8880 by task a/101
[   10.000004][ T202] RIP: 0010:beta_warn+0x1/0x2
[   10.000005][ T101] CPU: 0 PID: 101 Comm: a Not tainted 6.6.1
[   10.000006][    C1] softirq: gamma+0x1/0x2
[   10.000007][ T202] CPU: 1 PID: 202 Comm: b Not tainted 6.6.1
[   10.000008][ T101] Call Trace:
[   10.000009][ T202] Call Trace:
[   10.000010][ T202]  beta_caller+0x1/0x2
[   10.000011][ T101]  kasan_report+0x1/0x2
[   10.000012][ T101]  alpha_caller+0x1/0x2
[   10.000013][ T202]  beta_entry+0x1/0x2
[   10.000014][ T101] ==================================================================
";
    let events = scan(text);
    let functions: Vec<_> = events.iter().map(|event| event.function.as_deref()).collect();
    assert_eq!(functions, [Some("alpha_read"), Some("beta_warn")]);
    assert_eq!(attribute(&events[0], "trace"), Some("kasan_report\nalpha_caller"));
    assert_eq!(attribute(&events[1], "trace"), Some("beta_warn\nbeta_caller\nbeta_entry"));
    assert_eq!((attribute(&events[0], "process"), attribute(&events[1], "process")), (Some("a"), Some("b")));
}

#[test]
fn crashes_of_one_log_are_apart_and_consequences_are_linked() {
    let second = "\
[  200.000001] BUG: unable to handle page fault for address: 0000000000000008
[  200.000005] Oops: 0000 [#2] PREEMPT SMP NOPTI
[  200.000006] CPU: 3 PID: 500 Comm: b Tainted: G      D    OE      6.1.0-13-amd64 #1
[  200.000008] RIP: 0010:dentry_thing+0x6/0x10
[  200.000011] Call Trace:
[  200.000014]  second_caller+0x12f/0x1d0
[  200.000019] ---[ end trace 0000000000000001 ]---
[  200.100000] Kernel panic - not syncing: Fatal exception in interrupt
[  200.200000] Kernel Offset: disabled
";
    let warning = "\
[   50.000001] WARNING: CPU: 1 PID: 202 at fs/beta.c:7 beta_warn+0x1/0x2
[   50.000002] RIP: 0010:beta_warn+0x1/0x2
[   50.000003] Call Trace:
[   50.000004]  beta_caller+0x1/0x2
[   50.000005] ---[ end trace 0000000000000000 ]---
";
    let boot = "[    0.000000] Linux version 6.1.0-13-amd64 (debian)\n";
    let events = scan(&format!("{warning}{PAGE_FAULT}{second}{boot}{second}"));
    let told: Vec<_> =
        events.iter().map(|event| (event.class.as_str(), event.function.as_deref(), event.cause)).collect();
    assert_eq!(
        told,
        [
            ("kernel.warning", Some("beta_warn"), None),
            ("kernel.oops", Some("mlx5e_skb_from_cqe_linear"), None),
            ("kernel.oops", Some("dentry_thing"), Some(1)),
            ("kernel.panic", None, Some(2)),
            // After a boot nothing of before is a cause.
            ("kernel.oops", Some("dentry_thing"), None),
            ("kernel.panic", None, Some(4)),
        ]
    );
}

#[test]
fn reports_that_are_not_whole_say_so() {
    let corrupted =
        |text: &str| scan(text).first().and_then(|event| attribute(event, "corrupted").map(str::to_owned));
    for (text, expected) in [
        ("BUG: unable to handle page fault for address: ffff8881\n", Some("its trace is missing")),
        (
            "Kernel panic - not syncing: Fatal exception in interrupt\nCall Trace:\n f+0x1/0x2\n",
            Some("what led to it is missing"),
        ),
        ("Kernel panic - not syncing: No working init found.\nCall Trace:\n f+0x1/0x2\n", None),
        (
            "[   1.000000] BUG: KASAN: use-after-free[   1.100000] in f+0x1/0x2\n",
            Some("two lines run into one"),
        ),
        ("BUG: unable to handle kernel\nRIP: 0010:f+0x1/0x2\n", Some("the first line is not whole")),
        (
            "general protection fault: 0000 [#1] SMP\nRIP: 0010:f+0x1/0x2\nFAULT_INJECTION: forcing a failure.\nCall Trace:\n should_fail+0x1/0x2\n",
            Some("another message with a trace stands within"),
        ),
    ] {
        assert_eq!(corrupted(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn xen_panics_and_domain_crashes_are_one_event_each() {
    let panic = "\
(XEN) [2026-11-20 15:02:11.120] ----[ Xen-4.17.2  x86_64  debug=n  Not tainted ]----
(XEN) [2026-11-20 15:02:11.121] CPU:    3
(XEN) [2026-11-20 15:02:11.122] RIP:    e008:[<ffff82d040327a3e>] p2m_pod_demand_populate+0x12e/0x8a0
(XEN) [2026-11-20 15:02:11.123] RFLAGS: 0000000000010246   CONTEXT: hypervisor (d3v0)
(XEN) [2026-11-20 15:02:11.124] Xen call trace:
(XEN) [2026-11-20 15:02:11.125]    [<ffff82d040327a3e>] R p2m_pod_demand_populate+0x12e/0x8a0
(XEN) [2026-11-20 15:02:11.126]    [<ffff82d040329999>] F ept_get_entry+0x3e/0x2a0
(XEN) [2026-11-20 15:02:11.127] 
(XEN) [2026-11-20 15:02:11.128] ****************************************
(XEN) [2026-11-20 15:02:11.129] Panic on CPU 3:
(XEN) [2026-11-20 15:02:11.130] FATAL PAGE FAULT
(XEN) [2026-11-20 15:02:11.131] [error_code=0000]
(XEN) [2026-11-20 15:02:11.132] ****************************************
";
    let events = scan(panic);
    assert_eq!(told(&events), [("xen.panic", Some("p2m_pod_demand_populate"), 1, 11)]);
    assert_eq!(events[0].title, "Xen panic: FATAL PAGE FAULT in p2m_pod_demand_populate");
    assert_eq!(attribute(&events[0], "trace"), Some("p2m_pod_demand_populate\nept_get_entry"));
    let bug = panic.replace("FATAL PAGE FAULT", "Xen BUG at p2m-pod.c:1105");
    let bug = format!("(XEN) [2026-11-20 15:02:11.119] Xen BUG at p2m-pod.c:1105\n{bug}");
    let events = scan(&bug);
    assert_eq!(
        events.iter().map(|event| (event.class.as_str(), event.function.as_deref())).collect::<Vec<_>>(),
        [("xen.panic", Some("p2m_pod_demand_populate"))]
    );
    let domain = "\
(XEN) domain_crash called from p2m-pod.c:1218
(XEN) Domain 7 (vcpu#0) crashed on cpu#12:
(XEN) ----[ Xen-4.17.2  x86_64  debug=n  Not tainted ]----
(XEN) CPU:    12
(XEN) RIP:    0033:[<00007f8e2a1c3d4e>]
(XEN) p2m_pod_demand_populate: Dom7 out of PoD memory! (tot=262144 ents=1 dom7)
";
    let classes: Vec<_> = scan(domain).into_iter().map(|event| (event.class, event.function)).collect();
    assert_eq!(classes, [("xen.domain_crash".to_owned(), None), ("memory.balloon".to_owned(), None)]);
}

#[test]
fn a_panic_for_want_of_memory_follows_from_the_kills() {
    let events = scan(
        "[    9.000000] init invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n[    9.000001] Out of memory: Killed process 77 (java) total-vm:1kB, anon-rss:1kB\n[    9.100000] Kernel panic - not syncing: System is deadlocked on memory\n[    9.100001] Call Trace:\n[    9.100002]  out_of_memory+0x1/0x2\n",
    );
    let told: Vec<_> = events.iter().map(|event| (event.class.as_str(), event.cause)).collect();
    assert_eq!(told, [("memory.oom_kill", None), ("kernel.panic", Some(0))]);
}
