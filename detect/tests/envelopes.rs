//! Reports in what transports put around their lines, with lines of others in between: the same events as without.

use lastwords_detect::{Detector, LogFound};

const REPORT: &str = include_str!("envelopes/oops.txt");

/// How a transport writes a line, and a line of another program.
type Transport = (&'static str, fn(&str) -> String, &'static str);

fn escaped(line: &str) -> String {
    line.replace('\\', r"\\").replace('"', r#"\""#).replace('<', r"\u003c").replace('\t', r"\t")
}

const TRANSPORTS: &[Transport] = &[
    (
        "Docker",
        |line| {
            format!(
                r#"{{"log":"[  100.000001] {}\n","stream":"stdout","time":"2026-11-20T15:02:11Z"}}"#,
                escaped(line)
            )
        },
        r#"{"log":"app: request\n","stream":"stdout","time":"2026-11-20T15:02:11Z"}"#,
    ),
    (
        "the journal",
        |line| {
            format!(
                r#"{{"__REALTIME_TIMESTAMP":"1795000000000100","SYSLOG_IDENTIFIER":"kernel","MESSAGE":"{}"}}"#,
                escaped(line)
            )
        },
        r#"{"__REALTIME_TIMESTAMP":"1795000000000100","SYSLOG_IDENTIFIER":"sshd","MESSAGE":"Accepted key"}"#,
    ),
    (
        "containers",
        |line| format!("2026-11-20T15:02:11.1Z stdout F [  100.000001] {line}"),
        "2026-11-20T15:02:11.1Z stdout F app: request",
    ),
    (
        "RFC 5424",
        |line| format!("<4>1 2026-11-20T15:02:11Z hv kernel - - - {line}"),
        "<86>1 2026-11-20T15:02:11Z hv sshd 811 - - Accepted key",
    ),
    (
        "Kata",
        |line| {
            format!(
                r#"time="2026-11-20T15:02:11Z" level=debug msg="reading guest console" pid=7 vmconsole="[  100.000001] {}""#,
                escaped(line)
            )
        },
        r#"time="2026-11-20T15:02:11Z" level=debug msg="something else" pid=7"#,
    ),
    (
        "Talos",
        |line| format!("kern:     err: [2026-11-20T15:02:11.1Z]: {line}"),
        "user: warning: [2026-11-20T15:02:11.1Z]: [talos] service is up",
    ),
    ("levels behind the clock", |line| format!("[  100.000001]   WARN: {line}"), "app: request"),
    (
        "stern",
        |line| format!("web-7d9c nginx 2026-11-20T15:02:11.1Z [  100.000001] {line}"),
        "web-7d9c nginx 2026-11-20T15:02:11.1Z x",
    ),
    (
        "compose",
        |line| format!("web-1  | 2026-11-20T15:02:11.1Z [  100.000001] {line}"),
        "web-1  | 2026-11-20T15:02:11.1Z x",
    ),
];

/// What must not differ.
fn told(events: &[LogFound]) -> Vec<(String, String, Option<String>, u64)> {
    events
        .iter()
        .map(|event| (event.class.clone(), event.title.clone(), event.function.clone(), event.fingerprint))
        .collect()
}

#[test]
fn the_same_events_are_found_in_every_transport() {
    let detector = Detector::built_in();
    let plain: String = REPORT.lines().map(|line| format!("[  100.000001] {line}\n")).collect();
    let expected = told(&detector.scan_log(plain.as_bytes(), false));
    assert_eq!(expected.len(), 2, "an oops and the panic that it led to: {expected:?}");
    for (name, wrap, other) in TRANSPORTS {
        for others in [0, 1, 3] {
            let text: String = REPORT
                .lines()
                .map(|line| format!("{}\n{}", wrap(line), format!("{other}\n").repeat(others)))
                .collect();
            let found = detector.scan_log(text.as_bytes(), false);
            assert_eq!(told(&found), expected, "{name} with {others} lines between");
            assert_eq!(found[1].cause, Some(0), "{name}");
        }
    }
}

#[test]
fn a_report_within_one_message_is_read() {
    let detector = Detector::built_in();
    let expected = told(&detector.scan_log(REPORT.as_bytes(), false));
    let joined = REPORT.lines().map(escaped).collect::<Vec<_>>().join(r"\n");
    let text = format!(r#"{{"SYSLOG_IDENTIFIER":"kernel","MESSAGE":"{joined}"}}"#);
    let found = told(&detector.scan_log(text.as_bytes(), false));
    assert_eq!(found.first().map(|event| &event.2), expected.first().map(|event| &event.2));
}

#[test]
fn prompts_colours_and_carriage_returns_hide_nothing() {
    let detector = Detector::built_in();
    for line in [
        "root@guest1:~# Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000008b",
        "progress 10%\rprogress 20%\r[    4.5] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000008b\r",
        "\u{1b}[2J\u{1b}[0;31m[    4.5] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000008b\u{1b}[0m",
        "hv9 login: [    4.5] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000008b",
    ] {
        let found = detector.scan_log(line.as_bytes(), false);
        assert_eq!(found.first().map(|event| event.class.as_str()), Some("kernel.panic"), "{line:?}");
    }
}
