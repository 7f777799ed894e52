//! What is no event, and what holds for any text.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests end by panicking")]

use lastwords_detect::{Detector, Found, Provenance};
use lastwords_record::{Severity, Source};
use proptest::prelude::*;

/// Lines of machines on which nothing happens. `#` stands for a digit, `%` for a word of [`WORDS`].
const SHAPES: &[&str] = &[
    // sshd, sudo, cron, PAM
    "Nov 20 15:02:## hv# sshd[#]: Accepted publickey for root from 192.0.2.# port # ssh2: ED25519 SHA256:abc#",
    "Nov 20 15:02:## hv# sshd[#]: error: kex_exchange_identification: Connection closed by remote host",
    "Nov 20 15:02:## hv# sshd[#]: Failed password for invalid user % from 192.0.2.# port # ssh2",
    "Nov 20 15:02:## hv# sshd[#]: fatal: Timeout before authentication for 192.0.2.# port #",
    "Nov 20 15:02:## hv# sudo: pam_unix(sudo:session): session opened for user root(uid=0) by %(uid=#)",
    "Nov 20 15:02:## hv# CRON[#]: (root) CMD (test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily)",
    // systemd, journald, D-Bus
    "Nov 20 15:02:## hv# systemd[1]: Started Session # of user root.",
    "Nov 20 15:02:## hv# systemd[1]: session-#.scope: Deactivated successfully.",
    "Nov 20 15:02:## hv# systemd[1]: %.service: Consumed #.###s CPU time.",
    "Nov 20 15:02:## hv# systemd[1]: %.service: Main process exited, code=killed, status=15/TERM",
    "Nov 20 15:02:## hv# systemd[1]: %.service: Failed with result 'exit-code'.",
    "Nov 20 15:02:## hv# systemd-journald[#]: Time jumped backwards, rotating.",
    "Nov 20 15:02:## hv# systemd-logind[#]: New session # of user %.",
    "Nov 20 15:02:## hv# dbus-daemon[#]: [system] Successfully activated service 'org.freedesktop.%'",
    "2026-11-20T15:02:##+0000 hv# kernel: audit: type=1400 audit(#.###:#): apparmor=\"STATUS\" operation=\"profile_load\" name=\"%\"",
    // Web servers and programs
    "192.0.2.# - - [20/Nov/2026:15:02:## +0000] \"GET /%?id=#&q=BUG%3A HTTP/1.1\" 200 # \"-\" \"Mozilla/5.0\"",
    "192.0.2.# - - [20/Nov/2026:15:02:## +0000] \"POST /api/%/kernel-panic HTTP/2.0\" 503 # \"-\" \"curl/8.#\"",
    "2026/11/20 15:02:## [error] #!0: *# connect() failed (111: Connection refused) while connecting to upstream",
    "2026/11/20 15:02:## [warn] #!0: *# an upstream response is buffered to a temporary file /var/cache/nginx/#",
    "2026-11-20 15:02:##.### UTC [#] LOG:  checkpoint complete: wrote # buffers (0.#%); 0 WAL file(s) added",
    "2026-11-20 15:02:##.### UTC [#] ERROR:  deadlock detected",
    "2026-11-20 15:02:##.### UTC [#] DETAIL:  Process # waits for ShareLock on transaction #; blocked by process #.",
    "Nov 20 15:02:## hv# postfix/smtpd[#]: warning: hostname % does not resolve to address 192.0.2.#",
    "Nov 20 15:02:## hv# docker[#]: level=warning msg=\"WARNING: image % has no health check\" n=#",
    "Nov 20 15:02:## hv# app[#]: WARNING: retry # of 3; the worker terminated. Starting another",
    "Nov 20 15:02:## hv# app[#]: the child process was killed by signal 15; attempt to reconnect in # s",
    "Nov 20 15:02:## hv# app[#]: panic: none; oops: no; BUG tracker # is up to date",
    "Nov 20 15:02:## hv# app[#]: possible race in the schedule of %, task # blocked by review for more than # days",
    "Nov 20 15:02:## hv# java[#]: Exception in thread \"%\" java.lang.OutOfMemoryError: Java heap space",
    "Nov 20 15:02:## hv# redis[#]: # WARNING overcommit_memory is set to 0!",
    "Nov 20 15:02:## hv# mysqld[#]: # [Warning] Aborted connection # to db: '%' user: '%' host: '192.0.2.#'",
    "Nov 20 15:02:## hv# ansible[#]: failed command: make %, rc=#",
    "Nov 20 15:02:## hv# backup[#]: timeout, aborting transfer of % after # s; will retry",
    "{\"time\":\"2026-11-20T15:02:##Z\",\"level\":\"error\",\"msg\":\"% is unable to handle the request\",\"id\":#}",
    // Packages
    "2026-11-20 15:02:## status installed linux-image-6.1.0-#-amd64:amd64 6.1.#-1",
    "2026-11-20 15:02:## upgrade lib%:amd64 1.#-1 1.#-2",
    "Setting up % (2.#-1) ...",
    // Kernels that boot and run
    "[    0.000000] Command line: console=ttyS0 panic=1 oops=panic softlockup_panic=1 hung_task_panic=1",
    "[    0.######] Memory: #K/#K available (#K kernel code, #K rwdata, #K rodata, #K init, #K bss, #K reserved)",
    "[    0.######] rcu: Hierarchical RCU implementation.",
    "[    0.######] NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
    "[    0.######] mce: CPU# supports # MCE banks",
    "[    0.######] EDAC MC: Ver: 3.0.0",
    "[    0.######] DMAR: IOMMU enabled",
    "[    0.######] x86/fpu: Supporting XSAVE feature 0x###: 'x87 floating point registers'",
    "[    1.######] nvme nvme0: #/0/0 default/read/poll queues",
    "[    1.######] ata#: SATA link down (SStatus 0 SControl 300)",
    "[    1.######] EXT4-fs (sda#): mounted filesystem with ordered data mode. Quota mode: none.",
    "[    1.######] XFS (dm-#): Ending clean mount",
    "[    1.######] e1000e 0000:00:19.0 eno#: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: Rx/Tx",
    "[    1.######] br0: port #(vnet#) entered forwarding state",
    "[    1.######] device vnet# entered promiscuous mode",
    "[  ###.######] kvm [#]: vcpu# unhandled rdmsr: 0x###",
    "[  ###.######] perf: interrupt took too long (# > #), lowering kernel.perf_event_max_sample_rate to #",
    "[  ###.######] TCP: request_sock_TCP: Possible SYN flooding on port #. Sending cookies.",
    "[  ###.######] %[#]: segfault at 0 ip 0000#### sp 00007ffd#### error 4 in lib%.so[7f###+1000]",
    "[  ###.######] traps: %[#] general protection fault ip:7f### sp:7ffd### error:0 in lib%.so[7f###+1000]",
    "[  ###.######] process '%' launched '/bin/sh' with NULL argv: empty string added",
    "[  ###.######][ T#] audit: type=1326 audit(#.###:#): auid=# uid=# pid=# comm=\"%\" sig=0 syscall=#",
    "Nov 20 15:02:## hv# kernel: [#.######] [UFW BLOCK] IN=eno1 OUT= MAC=52:54:00:12:34:56 SRC=192.0.2.# DST=192.0.2.# LEN=#",
    // Xen, libvirt, QEMU
    "(XEN) [2026-11-20 15:02:##] HVM d# restore: CPU #",
    "(XEN) [2026-11-20 15:02:##] d#v0 Over-allocation for domain #: 262145 > 262144",
    "xen_balloon: Initialising balloon driver",
    "2026-11-20 15:02:##.###+0000: #: info : libvirt version: 9.#.0",
    "2026-11-20 15:02:##.###+0000: #: error : virNetSocketReadWire:# : End of file while reading data: Input/output error",
    "2026-11-20 15:02:##.###+0000: #: warning : qemuDomainObjTaint:# : Domain id=# name='%' is tainted: custom-argv",
    "qemu-system-x86_64: warning: guest updated active QH",
    "",
];

const WORDS: &[&str] = &[
    "panic",
    "apt-daily",
    "web01",
    "oops",
    "kernel",
    "warning",
    "deadlock",
    "nginx",
    "lockup",
    "stall",
    "memory",
    "crash",
    "hung",
    "bug",
    "worker",
    "postgres",
    "Call",
    "trace",
    "nobody",
];

/// Numbers that are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// So many lines, one behind the other.
fn ordinary(lines: usize, numbers: &mut Numbers) -> Vec<u8> {
    let mut text = Vec::with_capacity(lines * 120);
    for _ in 0..lines {
        let shape = SHAPES[usize::try_from(numbers.next()).expect("31 bits") % SHAPES.len()];
        for byte in shape.bytes() {
            match byte {
                b'#' => text.push(b'0' + u8::try_from(numbers.next() % 10).expect("a digit")),
                b'%' => {
                    let word = WORDS[usize::try_from(numbers.next()).expect("31 bits") % WORDS.len()];
                    text.extend_from_slice(word.as_bytes());
                }
                _ => text.push(byte),
            }
        }
        text.push(b'\n');
    }
    text
}

/// Lines that are tried, in all.
const LINES: usize = 1_200_000;
const LINES_AT_ONCE: usize = 50_000;

#[test]
fn a_million_ordinary_lines_raise_nothing() {
    let detector = Detector::built_in();
    let mut numbers = Numbers(1);
    for _ in 0..LINES / LINES_AT_ONCE {
        let text = ordinary(LINES_AT_ONCE, &mut numbers);
        if let Some(event) = detector.scan_log(&text, false).first() {
            let line = text.split(|byte| *byte == b'\n').nth(event.start_line - 1).unwrap_or_default();
            panic!("{}: {event:?}", String::from_utf8_lossy(line));
        }
    }
}

#[test]
fn guests_that_boot_and_leave_in_peace_raise_nothing() {
    let detector = Detector::built_in();
    for (name, console) in [
        ("off", &include_bytes!("../../lastwords/src/demo/recordings/off.console")[..]),
        ("reboot", &include_bytes!("../../lastwords/src/demo/recordings/reboot.console")[..]),
    ] {
        let found = detector.scan_log(console, false);
        assert!(found.is_empty(), "{name}: {found:?}");
        let boots = detector.scan_log(console, true);
        assert!(boots.iter().any(|event| event.class == "host.boot"), "{name}: {boots:?}");
    }
}

/// Pieces of reports, so that arbitrary text often is almost one.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "BUG: ",
        "WARNING: CPU: 0 PID: 1 at ",
        "fs/x.c:12 f+0x1/0x2\n",
        "Kernel panic - not syncing: ",
        "Call Trace:\n",
        " ? g+0x12/0x34\n",
        " <IRQ>\n",
        "\n",
        "\r\n",
        "[   12.345678] ",
        "[   12.345678][ T12] ",
        "RIP: 0010:h+0x1/0x2\n",
        "RIP: 0033:0x7f00\n",
        "+0x",
        "[<ffffffff81000000>] ",
        "INFO: task a:1 blocked for more than 120 seconds.\n",
        "possible deadlock",
        ", at: lock_sock+0x1/0x2\n",
        "watchdog: BUG: soft lockup - CPU#1 stuck for 22s!\n",
        "(XEN) Panic on CPU 3:\n",
        "é",
        "---[ end trace 0 ]---\n",
        "BUG: KASAN: use-after-free in ",
        " from ",
        "CPU: ",
        "Comm: ",
        "Oops: 0002 [#1] SMP\n",
        "Linux version 6.1\n",
        "Out of memory: Killed process 12 (java) total-vm:1kB\n",
    ]);
    prop_oneof![
        4 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..24),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_looked_through_and_events_lie_within_it(text in text()) {
        let detector = shared();
        let lines = text.split(|byte| *byte == b'\n').count();
        let events = detector.scan_log(&text, true);
        for (number, event) in events.iter().enumerate() {
            prop_assert!(event.start_line >= 1 && event.start_line <= event.end_line && event.end_line <= lines, "{event:?} of {lines} lines");
            prop_assert!(event.cause.is_none_or(|cause| cause < number));
        }
        prop_assert!(events.is_sorted_by_key(|event| event.start_line));
        let loud = detector.scan_log(&text, false);
        let expected: Vec<_> = events.iter().filter(|event| event.severity != Severity::Info).map(|event| event.start_line).collect();
        prop_assert_eq!(loud.iter().map(|event| event.start_line).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn records_side_by_side_are_as_each_alone(texts in prop::collection::vec(text(), 0..6)) {
        let detector = shared();
        let mut ends = Vec::new();
        let mut all = Vec::new();
        for text in &texts {
            all.extend_from_slice(text);
            ends.push(u32::try_from(all.len()).expect("small"));
        }
        let mut together = Vec::new();
        detector.scan(&all, &ends, |_| Provenance::of(Source::Console), &mut together);
        let mut alone: Vec<Found> = Vec::new();
        for (row, text) in texts.iter().enumerate() {
            let mut own = Vec::new();
            detector.scan(text, &[u32::try_from(text.len()).expect("small")], |_| Provenance::of(Source::Console), &mut own);
            let before = alone.len();
            alone.extend(own.into_iter().map(|found| Found {
                record: u32::try_from(row).expect("small"),
                cause: found.cause.map(|cause| cause + before),
                ..found
            }));
        }
        prop_assert_eq!(together, alone);
    }
}

fn shared() -> &'static Detector {
    static DETECTOR: std::sync::OnceLock<Detector> = std::sync::OnceLock::new();
    DETECTOR.get_or_init(Detector::built_in)
}
