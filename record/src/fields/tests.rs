use proptest::prelude::*;

use super::*;

fn check(line: &str, program: &str, severity: u8, attributes: &[(&str, &str)]) {
    let fields = Fields::of(line.as_bytes());
    assert_eq!((&*fields.program, fields.severity), (program, severity), "{line}");
    let found: Vec<(&str, &str)> = fields.attributes.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(found, attributes, "{line}");
}

#[test]
fn lines_of_syslog_name_program_process_severity_and_facility() {
    for (line, program, severity, attributes) in [
        ("Nov 20 15:02:11 web01 nginx[811]: [error] failed", "nginx", 17, &[("process.pid", "811")][..]),
        ("2026-11-20T15:02:11.5+01:00 hv01 CRON[7]: (root) CMD (x)", "CRON", 0, &[("process.pid", "7")]),
        ("Nov 20 15:02:11 hv01 kernel: [   12.345678] ERROR: x", "kernel", 0, &[]),
        ("<11>Nov 20 15:02:11 hv01 app: text", "app", 17, &[("syslog.facility", "user")]),
        ("<4>[   12.345678] usb 1-1: reset", "kernel", 13, &[("syslog.facility", "kern")]),
        ("<30>systemd[1]: Started x", "systemd", 9, &[("syslog.facility", "daemon"), ("process.pid", "1")]),
        (
            r#"<165>1 2026-11-20T15:02:11Z hv01 evnt 42 ID47 [x@1 iut="3" q="a \"b\""] text"#,
            "evnt",
            10,
            &[
                ("syslog.facility", "local4"),
                ("process.pid", "42"),
                ("syslog.msg_id", "ID47"),
                ("x@1.iut", "3"),
                ("x@1.q", "a \"b\""),
            ],
        ),
        ("<4>1 2026-11-20T15:02:11Z hv7 kernel - - - text", "kernel", 13, &[("syslog.facility", "kern")]),
    ] {
        check(line, program, severity, attributes);
    }
}

#[test]
fn lines_of_the_kernel_and_of_programs_without_a_tag() {
    for (line, program, severity, attributes) in [
        ("[   12.345678] Call Trace:", "kernel", 0, &[][..]),
        ("[   12.345678][    T1] systemd[1]: Started x", "systemd", 0, &[("process.pid", "1")]),
        ("6,339,5140900,-;NET: Registered", "kernel", 9, &[("syslog.facility", "kern")]),
        (
            "30,340,5690716,-;udevd[80]: starting",
            "udevd",
            9,
            &[("syslog.facility", "daemon"), ("process.pid", "80")],
        ),
        ("kern  :warn  : [   12.3] x", "kernel", 13, &[("syslog.facility", "kern")]),
        ("2026-11-20 15:02:11,123 WARN  [main] Foo - x", "", 13, &[]),
        ("10.0.0.1 - - [20/Nov/2026:15:02:11 +0000] \"GET / HTTP/1.1\" 200 5", "", 0, &[]),
        ("just words", "", 0, &[]),
        ("", "", 0, &[]),
        ("\u{1b}[31mERROR\u{1b}[0m x", "", 17, &[]),
        ("3,4 apples; pears", "", 0, &[]),
    ] {
        check(line, program, severity, attributes);
    }
}

#[test]
fn fields_of_json_and_logfmt_become_attributes() {
    for (line, program, severity, attributes) in [
        (
            r#"{"time":"2026-11-20T15:02:11Z","level":"error","msg":"it failed","http":{"status":500,"path":"/a"},"pid":7}"#,
            "",
            17,
            &[("level", "error"), ("http.status", "500"), ("http.path", "/a"), ("process.pid", "7")][..],
        ),
        (
            r#"{"log":"2026-11-20 15:02:11 WARN slow\n","stream":"stderr","time":"2026-11-20T15:02:11Z"}"#,
            "",
            13,
            &[("stream", "stderr")],
        ),
        (
            r#"{"MESSAGE":"x","PRIORITY":"3","SYSLOG_IDENTIFIER":"sshd","_PID":"8","_HOSTNAME":"a"}"#,
            "sshd",
            17,
            &[("PRIORITY", "3"), ("SYSLOG_IDENTIFIER", "sshd"), ("process.pid", "8"), ("_HOSTNAME", "a")],
        ),
        (
            r#"time="2026-11-20T15:02:11Z" level=warning msg="a \"b\"" component=x n=1"#,
            "x",
            13,
            &[("level", "warning"), ("component", "x"), ("n", "1")],
        ),
        (
            r#"2026-11-20T15:02:11.1Z stderr F {"level":50,"name":"api"}"#,
            "",
            17,
            &[("log.iostream", "stderr"), ("level", "50"), ("name", "api")],
        ),
        ("a=1 is what was said", "", 0, &[]),
    ] {
        check(line, program, severity, attributes);
    }
}

#[test]
fn what_a_line_makes_us_keep_is_bounded() {
    let many: String = (0..500).map(|number| format!(",\"k{number}\":\"v\"")).collect();
    let fields = format!("{{\"a\":\"{}\"{many}}}", "x".repeat(5_000));
    let fields = Fields::of(fields.as_bytes());
    assert_eq!(fields.attributes.len(), FIELDS_MAX);
    assert_eq!(fields.attributes[0].1.len(), VALUE_BYTES_MAX);
    let wide: String = (0..60).map(|number| format!("\"k{number}\":\"{}\",", "ü".repeat(500))).collect();
    let wide = format!("{{{wide}\"z\":1}}");
    let total: usize =
        Fields::of(wide.as_bytes()).attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert!(total <= TOTAL_BYTES_MAX, "{total}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_danger(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Fields::of(&bytes);
    }

    #[test]
    fn arbitrary_beginnings_are_no_danger(text in r#"[<{\[0-9A-Z:,;= "\\a-z\]}>]{0,80}"#) {
        let _ = Fields::of(text.as_bytes());
    }
}
