//! What is no event, and what holds for any text.
#![allow(clippy::expect_used, reason = "tests end by panicking")]

use lastwords_detect::{Detector, Found};
use lastwords_record::{Severity, Source};
use proptest::prelude::*;

/// Lines of machines on which nothing happens.
fn ordinary() -> Vec<String> {
    let mut lines = Vec::new();
    for n in 0..200_u32 {
        let (second, pid, port) = (n % 60, 1000 + n * 7, 40000 + n);
        let at = format!("Nov 20 15:02:{second:02} hv{} ", n % 9);
        lines.extend([
            format!("{at}sshd[{pid}]: Accepted publickey for root from 192.0.2.{} port {port} ssh2: ED25519 SHA256:abc{n}", n % 250),
            format!("{at}sshd[{pid}]: error: kex_exchange_identification: Connection closed by remote host"),
            format!("{at}sshd[{pid}]: Failed password for invalid user panic from 192.0.2.1 port {port} ssh2"),
            format!("{at}CRON[{pid}]: (root) CMD (test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily)"),
            format!("{at}systemd[1]: Started Session {n} of user root."),
            format!("{at}systemd[1]: session-{n}.scope: Deactivated successfully."),
            format!("{at}systemd[1]: apt-daily.service: Consumed {n}.123s CPU time."),
            format!("192.0.2.{} - - [20/Nov/2026:15:02:{second:02} +0000] \"GET /bugs?id={n}&q=BUG%3A HTTP/1.1\" 200 {port} \"-\" \"Mozilla/5.0\"", n % 250),
            format!("2026/11/20 15:02:{second:02} [error] {pid}#0: *{n} connect() failed (111: Connection refused) while connecting to upstream"),
            format!("2026-11-20 15:02:{second:02} status installed linux-image-6.1.0-{n}-amd64:amd64 6.1.{n}-1"),
            format!("{at}kernel: [{n}.123456] EXT4-fs (sda1): mounted filesystem with ordered data mode. Quota mode: none."),
            format!("{at}kernel: [{n}.123456] XFS (dm-0): Ending clean mount"),
            format!("{at}kernel: [{n}.123456] e1000e 0000:00:19.0 eno1: NIC Link is Up 1000 Mbps Full Duplex"),
            format!("{at}kernel: [{n}.123456] nvme nvme0: 8/0/0 default/read/poll queues"),
            format!("{at}kernel: [{n}.123456] ata{}: SATA link down (SStatus 0 SControl 300)", n % 6),
            format!("{at}kernel: [{n}.123456] audit: type=1400 audit(1.2:{n}): apparmor=\"STATUS\" operation=\"profile_load\""),
            format!("{at}kernel: [{n}.123456] Command line: console=ttyS0 panic=1 oops=panic softlockup_panic=1"),
            format!("{at}postfix/smtpd[{pid}]: warning: hostname host{n} does not resolve to address 192.0.2.{}", n % 250),
            format!("{at}dhclient[{pid}]: DHCPACK of 192.0.2.7 from 192.0.2.1"),
            format!("{at}nfsrahead[{pid}]: setting /mnt readahead to 128"),
            format!("{at}docker[{pid}]: level=warning msg=\"WARNING: image has no health check\" n={n}"),
            format!("{at}app[{pid}]: WARNING: retry {n} of 3; the worker terminated. Starting another"),
            format!("{at}app[{pid}]: the child process was killed by signal 15; attempt to reconnect in {n} s"),
        ]);
    }
    lines
}

#[test]
fn ordinary_lines_raise_nothing() {
    let detector = Detector::built_in();
    for line in ordinary() {
        let found = detector.scan_log(line.as_bytes(), false);
        assert!(found.is_empty(), "{line}: {found:?}");
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
        detector.scan(&all, &ends, |_| Source::Console, &mut together);
        let mut alone: Vec<Found> = Vec::new();
        for (row, text) in texts.iter().enumerate() {
            let mut own = Vec::new();
            detector.scan(text, &[u32::try_from(text.len()).expect("small")], |_| Source::Console, &mut own);
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

/// Each would take hours if work grew with the square of the text.
#[test]
fn hostile_text_ends() {
    let detector = Detector::built_in();
    let long_line = [b"BUG: ".repeat(400_000), b"Kernel panic - not syncing: x".to_vec()].concat();
    for (what, text) in [
        ("a long line", long_line),
        ("many headers", b"BUG: unable to handle kernel\n".repeat(100_000)),
        ("many panics", b"Kernel panic - not syncing: x\n".repeat(100_000)),
        (
            "many frames",
            [b"BUG: unable to handle kernel\nCall Trace:\n".to_vec(), b" f+0x1/0x2\n".repeat(200_000)]
                .concat(),
        ),
    ] {
        let found = detector.scan_log(&text, true);
        assert!(found.len() <= text.len() / 20, "{what}");
    }
}
