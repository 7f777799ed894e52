//! Lines that would steer a terminal, looked at on one (a pty, by `script`) and through a pipe.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{fs, path::Path, process::Stdio};

use lastwords_e2e::program::{binary, command, run};

/// The styles of this program itself.
const STYLES: &[&str] =
    &["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[36m"];

/// What would clear the screen, set the title, fill the clipboard, ring, overwrite, reverse, hide.
const HOSTILE: &[&str] = &[
    "\u{1b}[2J\u{1b}[1;1H",
    "\u{1b}]0;owned\u{7}",
    "\u{1b}]52;c;cm0gLXJmIC8K\u{1b}\\",
    "\u{1b}[8mhidden\u{1b}[0m",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{9b}2J\u{9d}0;owned\u{9c}",
    "over\rwritten\u{8}\u{8}\u{7f}",
    "\u{202e}desrever\u{202c} \u{2066}isolated\u{2069}",
    "\u{1b}P0;0|17/ab\u{1b}\\ \u{e}\u{f}\u{0}",
];

fn write_log(folder: &Path) -> std::path::PathBuf {
    let log = folder.join("hostile.log");
    let mut text: Vec<u8> = Vec::new();
    for (second, hostile) in HOSTILE.iter().enumerate() {
        text.extend(format!("2026-11-20T10:00:{second:02}Z app[1]: marked {hostile} end\n").bytes());
    }
    text.extend(b"2026-11-20T10:00:30Z app[1]: marked \x9b31m\xff\xc3 end\n");
    // A title that is made of a line.
    text.extend(b"[  100.000000] Kernel panic - not syncing: marked \x1b[2J\x1b]0;owned\x07\x9b2J end\n");
    fs::write(&log, text).unwrap();
    log
}

/// What a terminal is sent.
fn on_terminal(arguments: &[&str]) -> String {
    let quote = |word: &str| format!("'{}'", word.replace('\'', "'\\''"));
    let mut line = quote(binary().to_str().unwrap());
    for argument in arguments {
        line.push(' ');
        line.push_str(&quote(argument));
    }
    let environment = command(["--version"]);
    let mut script = std::process::Command::new("script");
    for (name, value) in environment.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let output = script
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .expect("script (util-linux) can be started");
    String::from_utf8(output.stdout).expect("a terminal is sent UTF-8")
}

fn assert_harmless(what: &str, shown: &str) {
    assert!(shown.contains("marked"), "{what} does not show the lines: {shown:?}");
    let plain = STYLES.iter().fold(shown.replace("\r\n", "\n"), |text, style| text.replace(style, ""));
    for letter in plain.chars() {
        let bidi = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let control = letter.is_control() && !matches!(letter, '\n' | '\t');
        assert!(!bidi && !control, "{what} sends {letter:?}: {plain:?}");
    }
    // Styles in a log are no styles of ours.
    assert!(!shown.contains("\u{1b}[31mred"), "{what}: {shown:?}");
}

#[test]
fn nothing_in_a_log_steers_the_terminal_and_pipes_get_the_very_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let here = data.to_str().unwrap();
    let log = write_log(folder.path());
    let file = log.to_str().unwrap();
    let refused = run(["import", "--host", "hv\u{1b}[31mred01", "--data", here, file]).expect(3);
    assert!(refused.stderr.contains("control characters"), "{}", refused.stderr);
    let _ = run(["import", "--host", "hv\u{202e}01", "--data", here, file]).expect(0);
    let sql = "SELECT Host, Body FROM logs ORDER BY Timestamp";
    let on_them = |arguments: &[&str]| {
        let all = [&["query", "--data", here], arguments].concat();
        let shown = on_terminal(&all);
        assert_harmless(&format!("{arguments:?}"), &shown);
        shown
    };
    for format in ["table", "csv", "jsonl", "json"] {
        on_them(&["--format", format, sql]);
    }
    on_them(&[sql]);
    // An error that quotes what stands in a line.
    on_them(&["SELECT toUInt64(Body) FROM logs WHERE Body LIKE '%\u{fffd}%' OR Body LIKE '%31mred%'"]);
    // A question's answer, in colours, with titles, evidence and hosts; and the same in other formats.
    let shown = on_them(&["panics since 2020-01-01"]);
    assert!(shown.contains("\u{1b}[1m"), "our own styles are kept: {shown:?}");
    on_them(&["\"marked\" since 2020-01-01"]);
    for format in ["csv", "jsonl", "json"] {
        on_them(&["--format", format, "\"marked\" since 2020-01-01"]);
    }
    assert_harmless("detect", &on_terminal(&["detect", file]));
    assert_harmless("detect --format csv", &on_terminal(&["detect", "--format", "csv", file]));

    // A pipe is no terminal: data is data.
    let output =
        command(["query", "--data", here, "--format", "csv", "SELECT Body FROM logs ORDER BY Timestamp"])
            .output()
            .unwrap();
    for hostile in HOSTILE {
        let bytes = hostile.as_bytes();
        assert!(output.stdout.windows(bytes.len()).any(|window| window == bytes), "{hostile:?} is changed");
    }
    assert!(output.stdout.windows(4).any(|window| window == b"\x9b31m"));
}
