use super::*;

fn opened(line: &str) -> (String, Writer) {
    let opened = open(line.as_bytes());
    (String::from_utf8_lossy(&opened.text).into_owned(), opened.writer)
}

#[test]
fn envelopes_are_taken_off() {
    for (line, text, writer) in [
        ("plain text", "plain text", Writer::Unknown),
        ("[    4.8] BUG: x", "[    4.8] BUG: x", Writer::Unknown),
        ("Nov 20 15:02:11 hv01 kernel: BUG: x", "Nov 20 15:02:11 hv01 kernel: BUG: x", Writer::Unknown),
        (
            r#"{"log":"[    4.8] BUG: \"x\"\n","stream":"stdout","time":"2026-11-20T15:02:11Z"}"#,
            "[    4.8] BUG: \"x\"",
            Writer::Unknown,
        ),
        (r#"{"_TRANSPORT":"kernel","MESSAGE":"BUG: x"}"#, "BUG: x", Writer::Kernel),
        (r#"{"MESSAGE":[66,85,71,58,32,255],"SYSLOG_IDENTIFIER":"kernel"}"#, "BUG: \u{fffd}", Writer::Kernel),
        (r#"{"MESSAGE":"Accepted key","SYSLOG_IDENTIFIER":"sshd"}"#, "Accepted key", Writer::Program),
        (
            r#"{"component":"virt-launcher","level":"info","msg":"status: \u003cx\u003e"}"#,
            "status: <x>",
            Writer::Program,
        ),
        (r#"{"level":"info"}"#, r#"{"level":"info"}"#, Writer::Unknown),
        (r#"time="2026-11-20T15:02:11Z" level=debug msg="a \"b\"" n=1"#, r#"a "b""#, Writer::Unknown),
        (
            r#"time="2026-11-20T15:02:11Z" msg="reading guest console" pid=7 vmconsole="[   21.8] Kernel panic""#,
            "[   21.8] Kernel panic",
            Writer::Unknown,
        ),
        ("2026-11-20T15:02:11.1Z stdout F [   95.1] x", "[   95.1] x", Writer::Unknown),
        ("2026-11-20T15:02:11.1+01:00 stderr P:tag  x", " x", Writer::Unknown),
        (r#"2026-11-20T15:02:11.1Z stderr F {"msg":"inner"}"#, "inner", Writer::Unknown),
        (
            "2026-11-20T15:02:11.1Z stdouts are many",
            "2026-11-20T15:02:11.1Z stdouts are many",
            Writer::Unknown,
        ),
        ("kern:     err: [2026-11-20T15:02:11.1Z]:  f+0x1/0x2", " f+0x1/0x2", Writer::Kernel),
        ("user: warning: [2026-11-20T15:02:11.1Z]: [talos] x", "[talos] x", Writer::Program),
        ("kern  :warn  : [  100.000001] x", "[  100.000001] x", Writer::Kernel),
        ("kern: no level: x", "kern: no level: x", Writer::Unknown),
        ("<4>1 2026-11-20T15:02:11Z hv kernel - - - x", "x", Writer::Kernel),
        (r#"<13>1 2026-11-20T15:02:11Z hv sshd 811 ID4 [a b="]\"" c="d"][e] x"#, "x", Writer::Program),
        ("<4>[    4.8] x", "<4>[    4.8] x", Writer::Unknown),
        ("web-1  | 2026-11-20T15:02:11.1Z x", "x", Writer::Unknown),
        ("web-7d9c nginx 2026-11-20T15:02:11.1Z x", "x", Writer::Unknown),
        ("[pod/web-7d9c/nginx] x", "x", Writer::Unknown),
        ("root@guest1:~# Kernel panic - not syncing: x", "Kernel panic - not syncing: x", Writer::Unknown),
        ("[root@hv ~]# [    4.8] x", "[    4.8] x", Writer::Unknown),
        ("sh-5.1# x", "x", Writer::Unknown),
        ("hv9 login: [    4.8] x", "[    4.8] x", Writer::Unknown),
        ("price: 5 $ a piece", "price: 5 $ a piece", Writer::Unknown),
        ("\u{feff}\u{1b}[0;31mx", "x", Writer::Unknown),
        ("\r\rx", "x", Writer::Unknown),
        ("", "", Writer::Unknown),
    ] {
        assert_eq!(opened(line), (text.to_owned(), writer), "{line}");
    }
}

#[test]
fn places_in_the_text_have_their_places_in_the_line() {
    for (line, part) in [
        (r#"{"log":"say \"Kernel panic\" \u003cx\u003e\n","stream":"stdout"}"#, "Kernel panic"),
        (r#"2026-11-20T15:02:11.1Z stderr F {"msg":"a\tBUG"}"#, "BUG"),
        ("kern:     err: [2026-11-20T15:02:11.1Z]: BUG", "BUG"),
        ("no envelope BUG", "BUG"),
    ] {
        let opened = open(line.as_bytes());
        let place = memchr::memmem::find(&opened.text, part.as_bytes()).unwrap();
        let at = opened.place_in_line(place);
        assert_eq!(&line[at..at + part.len()], part, "{line}");
    }
}

#[test]
fn levels_behind_the_clock_are_told_from_the_kernels_words() {
    for (text, expected) in [
        ("  ALERT: BUG: x", Some("BUG: x")),
        ("   WARN:  f+0x1/0x2", Some(" f+0x1/0x2")),
        (" NOTICE: x", Some("x")),
        (" ALERT: BUG: x", Some("BUG: x")),
        (" INFO: task x blocked", None),
        ("INFO: task x blocked", None),
        (" WARNING: CPU: 0", None),
        ("   WARN", None),
        ("", None),
    ] {
        assert_eq!(behind_level(text.as_bytes()), expected.map(str::as_bytes), "{text}");
    }
}

#[test]
fn tags_of_syslog_are_found_behind_any_time() {
    for (line, host, name, has_process) in [
        ("Nov 20 15:02:11 hv01 sshd[811]: x", "hv01", "sshd", true),
        ("Nov 20 15:02:11 hv01 kernel: x", "hv01", "kernel", false),
        ("<13>Nov 20 15:02:11 hv01 su: x", "hv01", "su", false),
        ("2026-11-20T15:02:11.5+01:00 hv01 kernel: x", "hv01", "kernel", false),
        ("Sun 2024-10-27 02:30:00 CET hv9 kernel: x", "hv9", "kernel", false),
        ("Sat Jun 13 16:12:24 CEST 2026 hv9 kernel: x", "hv9", "kernel", false),
        ("апр 21 13:59:39 hv9 kernel: x", "hv9", "kernel", false),
        ("2026-11-20T15:02:11,123456+00:00 kernel: x", "", "kernel", false),
        ("[2026/06/13 16:12:24 CEST] kernel: x", "", "kernel", false),
    ] {
        let found = tag(line.as_bytes()).unwrap();
        assert_eq!(
            (found.host, found.name, found.rest),
            (host.as_bytes(), name.as_bytes(), &b"x"[..]),
            "{line}"
        );
        assert_eq!((found.has_process, !found.process.is_empty()), (has_process, has_process), "{line}");
    }
    for line in [
        "[2026-11-20 15:02:11] Hardware name: x",
        "2026-11-20T15:02:11,123456+00:00 Hardware name: x",
        "Nov 20 15:02:11 hv01 without a tag",
        "[    4.812345] kernel: x",
        "BUG: x",
        "",
    ] {
        assert_eq!(tag(line.as_bytes()), None, "{line}");
    }
}
