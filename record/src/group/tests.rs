use proptest::prelude::*;

use super::*;

/// Groups a text and gives the lines of each record.
fn grouped(text: &str) -> Vec<Vec<&str>> {
    let (mut grouper, mut gatherer) = (Grouper::new(), Gatherer::default());
    let mut records: Vec<Vec<&str>> = Vec::new();
    let finish = |gatherer: &mut Gatherer<_>, records: &mut Vec<Vec<_>>| {
        let (mut group, mut others) = (Vec::new(), Vec::new());
        gatherer.finish(&mut group, &mut others);
        records.extend([group].into_iter().filter(|group| !group.is_empty()));
        records.extend(others.into_iter().map(|line| vec![line]));
    };
    for line in text.lines() {
        let was_open = grouper.is_open();
        let verdict = grouper.push(line.as_bytes());
        if matches!(verdict, Verdict::Alone | Verdict::Begins) {
            finish(&mut gatherer, &mut records);
        } else {
            assert!(was_open, "a line of no group: {line}");
        }
        match verdict {
            Verdict::Alone => records.push(vec![line]),
            verdict => gatherer.add(verdict, line),
        }
        if verdict == Verdict::Ends {
            finish(&mut gatherer, &mut records);
        }
    }
    finish(&mut gatherer, &mut records);
    records
}

/// The number of lines of each record.
fn records(text: &str) -> Vec<usize> {
    grouped(text).iter().map(Vec::len).collect()
}

const PANIC: &str = "\
[    4.895213] Kernel panic - not syncing: sysrq triggered crash
[    4.895406] CPU: 0 PID: 1 Comm: init Not tainted 6.1.0-56-cloud-amd64 #1  Debian 6.1.192-2
[    4.895822] Call Trace:
[    4.896261]  <TASK>
[    4.896376]  dump_stack_lvl+0x44/0x5c
[    4.897749] RIP: 0033:0x47b7a0
[    4.897965] Code: 40 00 48 c7
[    4.898958]  </TASK>
[    4.899041] Kernel Offset: 0x1f000000 from 0xffffffff81000000
[    4.899999] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---
";

#[test]
fn a_panic_is_one_record_and_ordinary_lines_are_their_own() {
    let text = format!("app: working\n{PANIC}app: working again\n[    0.000000] Linux version 6.1\n");
    assert_eq!(records(&text), [1, 10, 1, 1]);
}

#[test]
fn prefixes_of_consoles_and_syslog_make_no_difference() {
    for prefix in [
        "",
        "Nov 20 15:02:11 hv01 kernel: ",
        "2026-11-20T15:02:11+01:00 web07 kernel: ",
        "[2026-11-20 15:02:11] ",
        "<4>",
    ] {
        let text: String = PANIC.lines().map(|line| format!("{prefix}{line}\n")).collect();
        assert_eq!(records(&text), [10], "{prefix}");
    }
    let with_caller = PANIC.replace("] ", "][    T1] ").replace(
        "---[ end Kernel panic - not syncing: sysrq triggered crash ][    T1] ---",
        "---[ end Kernel panic ]---",
    );
    assert_eq!(records(&with_caller), [10]);
}

#[test]
fn a_panic_stays_with_the_oops_that_led_to_it_and_a_second_warning_does_not() {
    let oops = "BUG: kernel NULL pointer dereference, address: 0\nOops: 0002 [#1]\nRIP: 0010:f+0x1/0x2\n---[ end trace 0000 ]---\nRIP: 0010:f+0x1/0x2\n";
    assert_eq!(
        records(&format!("{oops}Kernel panic - not syncing: Fatal exception\nRebooting in 1 seconds..\nx\n")),
        [7, 1]
    );
    let warning = "------------[ cut here ]------------\nWARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2\n---[ end trace 0 ]---\n";
    assert_eq!(records(&format!("{warning}{warning}x\n")), [3, 3, 1]);
}

#[test]
fn lines_within_a_report_stay_and_those_behind_it_do_not() {
    let stray = "something\n".repeat(3);
    let text = format!(
        "BUG: unable to handle page fault\n{stray} f+0x1/0x2\n{stray} g+0x1/0x2\n{}",
        "something\n".repeat(9)
    );
    assert_eq!(records(&text), [&[1 + 3 + 1 + 3 + 1][..], &[1; 9]].concat());
}

#[test]
fn an_unfinished_report_waits_for_its_stack_longer() {
    let begun = "[    1.000000] WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2\n[    1.000001] Hardware name: x\n";
    let stray = |count: usize| "[    1.000002] binder: unknown command\n".repeat(count);
    let stack = "[    1.000003] Call Trace:\n[    1.000004]  f+0x1/0x2\n";
    let unfinished_max = UNFINISHED_LINES_MAX as usize;
    // The first line has a frame, as warnings do: that is not the stack.
    let text = format!("{begun}{}{stack}{}", stray(unfinished_max), stray(3));
    assert_eq!(records(&text), [2 + unfinished_max + 2, 1, 1, 1]);
    assert_eq!(records(&format!("{begun}{}{stack}", stray(unfinished_max + 1)))[0], 2);
}

#[test]
fn what_programs_print_on_a_console_within_a_report_is_theirs() {
    let foreign_max = NAMED_LINES_MAX as usize;
    let report = ["[    1.000000] BUG: x", "[    1.000001] Call Trace:", "[    1.000002]  f+0x1/0x2"];
    let console = |strays| format!("{}\n{}{}\n", report.join("\n"), "app: x\n".repeat(strays), report[2]);
    assert_eq!(records(&console(foreign_max)), [&[4][..], &vec![1; foreign_max]].concat());
    assert_eq!(records(&console(foreign_max + 1)), [&[3][..], &vec![1; foreign_max + 2]].concat());
}

/// A transport's name, a line of the kernel's in it, one of another writer, one of the kernel's an hour later.
type Transport = (&'static str, fn(&str) -> String, &'static str, fn(&str) -> String);

/// What transports put around lines, the lines of another writer, and of the same one an hour later.
fn transports() -> Vec<Transport> {
    vec![
        (
            "syslog",
            |line| format!("Nov 20 15:02:11 hv01 kernel: {line}"),
            "Nov 20 15:02:11 hv01 sshd[811]: Accepted key",
            |line| format!("Nov 20 16:02:11 hv01 kernel: {line}"),
        ),
        (
            "syslog with a year",
            |line| format!("2026-11-20T15:02:11.5+01:00 hv01 kernel: [    4.895213] {line}"),
            "2026-11-20T15:02:11.5+01:00 hv01 CRON[12]: (root) CMD (x)",
            |line| format!("2026-11-20T16:02:11.5+01:00 hv01 kernel: [ 3604.895213] {line}"),
        ),
        (
            "RFC 5424",
            |line| format!("<4>1 2026-11-20T15:02:11Z hv kernel - - - {line}"),
            "<86>1 2026-11-20T15:02:11Z hv sshd 811 - - Accepted key",
            |line| format!("<4>1 2026-11-20T16:02:11Z hv kernel - - - {line}"),
        ),
        (
            "the journal's JSON",
            |line| {
                let line = line.replace('\\', r"\\").replace('"', r#"\""#);
                format!(
                    r#"{{"__REALTIME_TIMESTAMP":"1795000000000100","SYSLOG_IDENTIFIER":"kernel","MESSAGE":"{line}"}}"#
                )
            },
            r#"{"__REALTIME_TIMESTAMP":"1795000000000100","SYSLOG_IDENTIFIER":"sshd","MESSAGE":"Accepted key"}"#,
            |line| {
                format!(
                    r#"{{"__REALTIME_TIMESTAMP":"1795003600000100","SYSLOG_IDENTIFIER":"kernel","MESSAGE":"{line}"}}"#
                )
            },
        ),
        (
            "Docker",
            |line| {
                format!(
                    r#"{{"log":"[    4.895213] {line}\n","stream":"stdout","time":"2026-11-20T15:02:11Z"}}"#
                )
            },
            r#"{"log":"app: request\n","stream":"stdout","time":"2026-11-20T15:02:11Z"}"#,
            |line| {
                format!(
                    r#"{{"log":"[ 3604.895213] {line}\n","stream":"stdout","time":"2026-11-20T16:02:11Z"}}"#
                )
            },
        ),
        (
            "containers",
            |line| format!("2026-11-20T15:02:11.1Z stdout F [    4.895213] {line}"),
            "2026-11-20T15:02:11.1Z stdout F app: request",
            |line| format!("2026-11-20T16:02:11.1Z stdout F [ 3604.895213] {line}"),
        ),
        (
            "Talos",
            |line| format!("kern:     err: [2026-11-20T15:02:11.1Z]: {line}"),
            "user: warning: [2026-11-20T15:02:11.1Z]: [talos] service is up",
            |line| format!("kern:     err: [2026-11-20T16:02:11.1Z]: {line}"),
        ),
        (
            "Kata",
            |line| {
                format!(
                    r#"time="2026-11-20T15:02:11Z" level=debug msg="reading guest console" vmconsole="[    4.895213] {line}""#
                )
            },
            r#"time="2026-11-20T15:02:11Z" level=debug msg="something else" pid=7"#,
            |line| {
                format!(
                    r#"time="2026-11-20T16:02:11Z" level=debug msg="reading guest console" vmconsole="[ 3604.895213] {line}""#
                )
            },
        ),
        (
            "levels behind the clock",
            |line| format!("[    4.895213]   WARN: {line}"),
            "app: request",
            |line| format!("[ 3604.895213]   WARN: {line}"),
        ),
    ]
}

/// A panic without an end mark, as under Xen.
const REPORT: [&str; 6] = [
    "BUG: kernel NULL pointer dereference, address: 0000000000000018",
    "CPU: 3 PID: 901 Comm: kvm Not tainted 6.1.0 #1",
    "RIP: 0010:f+0x1/0x2 [m]",
    "Call Trace:",
    " g+0x1/0x2",
    "Kernel panic - not syncing: Fatal exception",
];

#[test]
fn others_lines_within_a_report_are_their_own_in_every_transport() {
    for (name, wrap, other, _) in transports() {
        for every in [1, 2] {
            let lines: Vec<String> = REPORT
                .iter()
                .enumerate()
                .flat_map(|(at, line)| {
                    std::iter::once(wrap(line)).chain((at % every == 0).then(|| other.to_owned()))
                })
                .collect();
            let text = lines.join("\n");
            let records = grouped(&text);
            let report: Vec<String> = REPORT.iter().map(|line| wrap(line)).collect();
            assert_eq!(records[0], report, "{name}");
            assert!(records[1..].iter().all(|record| record == &[other]), "{name}");
        }
    }
}

#[test]
fn what_comes_an_hour_later_is_never_a_part_of_a_report() {
    for (name, wrap, _, late) in transports() {
        let report: Vec<String> = REPORT.iter().map(|line| wrap(line)).collect();
        let report = report.join("\n");
        for line in ["eth0: link is up", " indented", "Kernel panic - not syncing: again", " g+0x1/0x2"] {
            let text = format!("{report}\n{}", late(line));
            assert_eq!(records(&text), [REPORT.len(), 1], "{name}: {line}");
        }
    }
}

#[test]
fn what_the_kernel_says_behind_a_panic_is_its_own() {
    for (name, wrap, ..) in transports() {
        let report: Vec<String> = REPORT.iter().map(|line| wrap(line)).collect();
        let text = format!("{}\n{}\n{}", report.join("\n"), wrap("eth0: link is up"), wrap("usb 1-1: new"));
        assert_eq!(records(&text), [REPORT.len(), 1, 1], "{name}");
    }
}

#[test]
fn a_second_panic_and_a_quiet_boot_begin_anew() {
    let first = "[  100.000000] Kernel panic - not syncing: x\n[  100.000001] Call Trace:\n[  100.000002]  f+0x1/0x2\n";
    for second in [
        "[  100.000003] Kernel panic - not syncing: y\n",
        "[    0.000000] Kernel panic - not syncing: y\n",
        "[    2.000000] usb 1-1: new device\n",
        "[    0.000000] Command line: quiet\n",
    ] {
        assert_eq!(records(&format!("{first}{second}")), [3, 1], "{second}");
    }
}

#[test]
fn reports_of_two_machines_in_one_file_are_two() {
    let text = "\
Nov 20 15:02:11 hv01 kernel: BUG: kernel NULL pointer dereference, address: 0\n\
Nov 20 15:02:11 hv02 kernel:  g+0x1/0x2\n\
Nov 20 15:02:11 hv01 kernel:  f+0x1/0x2\n\
Nov 20 15:02:12 hv02 kernel: Kernel panic - not syncing: x\n\
Nov 20 15:02:12 hv02 kernel:  h+0x1/0x2\n";
    assert_eq!(records(text), [2, 1, 2]);
}

#[test]
fn what_a_program_quotes_begins_no_group() {
    for line in [
        "Nov 20 15:02:11 hv01 sudo: root : COMMAND=grep 'Kernel panic' /var/log/kern.log",
        "Nov 20 15:02:11 hv01 CRON[12]: (root) CMD (grep 'BUG: ' /var/log/kern.log)",
        r#"{"SYSLOG_IDENTIFIER":"zabbix","MESSAGE":"host hv2: Kernel panic - not syncing"}"#,
    ] {
        assert_eq!(Grouper::new().push(line.as_bytes()), Verdict::Alone, "{line}");
    }
}

#[test]
fn times_that_a_source_gives_count_as_the_lines_own() {
    let mut grouper = Grouper::new();
    assert_eq!(grouper.push_at(b"Kernel panic - not syncing: x", Some(1_000)), Verdict::Begins);
    assert_eq!(grouper.push_at(b" f+0x1/0x2", Some(2_000)), Verdict::Continues);
    assert_eq!(grouper.push_at(b" f+0x1/0x2", Some(3_602_000)), Verdict::Alone);
}

#[test]
fn a_report_long_after_another_is_another() {
    let hung = |second: u32| {
        format!(
            "[  {second}.000000] INFO: task x:1 blocked for more than 120 seconds.\n[  {second}.000001] Call Trace:\n[  {second}.000002]  f+0x1/0x2\n"
        )
    };
    assert_eq!(records(&format!("{}{}", hung(240), hung(250))), [6]);
    assert_eq!(records(&format!("{}{}", hung(240), hung(361))), [3, 3]);
    assert_eq!(records(&format!("{}[  300.000000] eth0: up\n", hung(240))), [3, 1]);
    // What a report leads to at once stays with it.
    let panic =
        |second| format!("[  {second}.000000] Kernel panic - not syncing: hung_task: blocked tasks\n");
    assert_eq!(records(&format!("{}{}", hung(240), panic(240))), [4]);
    assert_eq!(records(&format!("{}{}", hung(240), panic(300))), [3, 1]);
}

#[test]
fn ordinary_lines_begin_nothing() {
    for line in [
        "[    1.609925] NMI watchdog: Perf NMI watchdog permanently disabled",
        "[    0.000000] debug: initialised",
        "WARNING: disk almost full",
        "INFO: started",
        "2026-11-20 ERROR Oops, try again",
        "",
    ] {
        assert_eq!(Grouper::new().push(line.as_bytes()), Verdict::Alone, "{line}");
    }
}

#[test]
fn limits_end_a_group() {
    let text = format!("BUG: x\n{}", " f+0x1/0x2\n".repeat(GROUP_LINES_MAX + 5));
    assert_eq!(records(&text)[0], GROUP_LINES_MAX);
}

proptest! {
    #[test]
    fn groups_respect_their_limits_and_never_continue_what_is_closed(
        lines in prop::collection::vec(prop::sample::select(vec![
            "x", "BUG: a", " f+0x1/0x2", "---[ end trace 1 ]---", "Kernel panic - not syncing: y",
            "---[ end Kernel panic - z ]---", "[    1.000000] Linux version", "\u{fffd}",
        ]), 0..80),
    ) {
        let mut grouper = Grouper::new();
        let mut open = false;
        for line in lines {
            let verdict = grouper.push(line.as_bytes());
            prop_assert!(open || matches!(verdict, Verdict::Alone | Verdict::Begins));
            open = grouper.is_open();
            prop_assert_eq!(open, !matches!(verdict, Verdict::Alone | Verdict::Ends));
        }
    }
}

const FREEBSD: &str = "\
Fatal trap 12: page fault while in kernel mode
cpuid = 2; apic id = 04
fault virtual address\t= 0x18
fault code\t\t= supervisor read data, page not present
instruction pointer\t= 0x20:0xffffffff80b2a5d1
stack pointer\t        = 0x28:0xfffffe00b7e1a8f0
processor eflags\t= interrupt enabled, resume, IOPL = 0
current process\t\t= 1234 (nginx)
trap number\t\t= 12
panic: page fault
cpuid = 2
time = 1795186931
KDB: stack backtrace:
#0 0xffffffff80c7c5a5 at kdb_backtrace+0x65
#1 0xffffffff80c2e5d1 at vpanic+0x181
Uptime: 3d4h5m6s
";
const OPENBSD: &str = "\
panic: kernel diagnostic assertion \"x\" failed: file \"/usr/src/sys/x.c\", line 7
Stopped at      db_enter+0x10:  popq    %rbp
db_enter() at db_enter+0x10
panic(ffffffff81e5a5d1) at panic+0xbf
ddb{0}> 
";
const NETBSD: &str = "\
panic: trap
cpu0: Begin traceback...
vpanic() at netbsd:vpanic+0x140
snprintf() at netbsd:snprintf
cpu0: End traceback...
";
const ILLUMOS: &str = "\
panic[cpu3]/thread=fffffe0012345c40: BAD TRAP: type=e (#pf Page fault) rp=fffffe00 addr=18
fffffe00123456a0 unix:die+df ()
fffffe00123457b0 unix:trap+e08 ()
fffffe0012345910 genunix:vnode_lookup+3c ()
syncing file systems... done
dumping to /dev/zvol/dsk/rpool/dump, offset 65536, content: kernel
";

#[test]
fn panics_of_the_bsds_and_of_illumos_are_one_record_each() {
    for (name, report) in
        [("FreeBSD", FREEBSD), ("OpenBSD", OPENBSD), ("NetBSD", NETBSD), ("illumos", ILLUMOS)]
    {
        let lines = report.lines().count();
        let text = format!("before\n{report}---<<BOOT>>---\nafter\n");
        assert_eq!(records(&text), [1, lines, 1, 1], "{name}: {:#?}", grouped(&text));
        let tagged: String =
            report.lines().map(|line| format!("Nov 20 15:02:11 bsd1 kernel: {line}\n")).collect();
        assert_eq!(records(&tagged), [lines], "{name}");
    }
}

#[test]
fn a_programs_words_about_a_panic_open_no_group() {
    let text =
        "Nov 20 15:02:11 hv01 app[7]: panic: runtime error\nNov 20 15:02:11 hv01 app[7]:  more\nother\n";
    assert_eq!(records(text), [1, 1, 1]);
}
