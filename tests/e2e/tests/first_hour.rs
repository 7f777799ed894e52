//! docs/first-hour.md: its commands are run as they are printed, in an empty folder, and what they print is compared.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{fmt::Write as _, fs, path::Path, process::Stdio};

use lastwords_e2e::program::{binary, command};

/// A command and what is promised to be printed; none: a block of commands that promises nothing.
#[derive(Debug, PartialEq)]
struct Step {
    line: usize,
    command: String,
    promised: Option<Vec<String>>,
}

/// The steps of a page: `sh` blocks as they are, `console` blocks by their prompts.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut block = None;
    for (index, line) in page.lines().enumerate() {
        let at = index + 1;
        match (block, line.strip_prefix("```")) {
            (None, Some(language)) => {
                block = Some(language);
                if language == "sh" {
                    steps.push(Step { line: at, command: String::new(), promised: None });
                }
            }
            (Some(_), Some(_)) => block = None,
            (Some("sh"), None) => {
                let step = steps.last_mut().unwrap();
                step.command.push_str(line);
                step.command.push('\n');
            }
            (Some("console"), None) => match line.strip_prefix("$ ") {
                Some(command) => {
                    steps.push(Step {
                        line: at,
                        command: format!("{command}\n"),
                        promised: Some(Vec::new()),
                    });
                }
                None => steps.last_mut().unwrap().promised.as_mut().unwrap().push(line.to_owned()),
            },
            _ => {}
        }
    }
    steps
}

/// Whether a line is as promised; `…` stands for any text.
fn line_matches(promised: &str, printed: &str) -> bool {
    let parts: Vec<&str> = promised.split('…').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return promised == printed };
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    for part in middle {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

/// Whether lines are as promised; a line `…` stands for any lines.
fn lines_match(promised: &[String], printed: &[&str]) -> bool {
    match promised.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=printed.len()).any(|skipped| lines_match(rest, &printed[skipped..]))
        }
        Some((first, rest)) => printed
            .split_first()
            .is_some_and(|(line, behind)| line_matches(first, line) && lines_match(rest, behind)),
    }
}

/// What each step prints on a terminal of 100 columns.
fn run(steps: &[Step], folder: &Path) -> Vec<String> {
    const MARK: &str = "\u{1e}";
    // What goes to standard error is progress and the shell's own words.
    let mut session =
        "exec 2> ../errors\nstty cols 100\nset -e\ntrap 'for job in $(jobs -p); do kill $job; done' EXIT\n"
            .to_owned();
    for (index, step) in steps.iter().enumerate() {
        write!(session, "printf '\\036%s\\n' {index}\n{}", step.command).unwrap();
    }
    session.push_str("printf '\\036end\\n'\n");
    let (here, errors) = (folder.join("here"), folder.join("errors"));
    fs::create_dir(&here).unwrap();
    fs::write(folder.join("session"), session).unwrap();
    let mut script = std::process::Command::new("script");
    for (name, value) in command(["--version"]).get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let path = std::env::var("PATH").unwrap();
    let programs = binary().parent().unwrap().to_owned();
    let output = script
        .args(["--quiet", "--return", "--command", "bash ../session", "/dev/null"])
        .current_dir(&here)
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("script (util-linux) can be started");
    let printed = String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n");
    let errors = fs::read_to_string(errors).unwrap();
    let mut parts = printed.split(MARK);
    let before = parts.next().unwrap();
    let parts: Vec<String> =
        parts.map(|part| part.split_once('\n').map_or("", |(_, rest)| rest).to_owned()).collect();
    assert_eq!(
        parts.len(),
        steps.len() + 1,
        "docs/first-hour.md: a command failed: {:?}\n{before}{}\n{errors}",
        steps.get(parts.len().saturating_sub(1)),
        parts.last().map_or("", String::as_str),
    );
    parts
}

#[test]
fn promises_are_compared_with_what_is_printed() {
    for (promised, printed, expected) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a…", "ab", true),
        ("…b", "ab", true),
        ("a…c…e", "abcde", true),
        ("a…c…e", "abde", false),
        ("…", "", true),
    ] {
        assert_eq!(line_matches(promised, printed), expected, "{promised} {printed}");
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(lines_match(&lines("a\n…\nd"), &["a", "b", "c", "d"]));
    assert!(lines_match(&lines("a\n…"), &["a"]));
    assert!(!lines_match(&lines("a\n…\nd"), &["a", "b"]));
    assert!(!lines_match(&lines("a"), &["a", "b"]));
    let page = "```text\nno\n```\n```sh\nx <<E\n$ y\nE\n```\n```console\n$ a\nb\n$ c\n```\n";
    let found: Vec<(String, bool)> =
        steps(page).into_iter().map(|step| (step.command, step.promised.is_some())).collect();
    let expected = [("x <<E\n$ y\nE\n", false), ("a\n", true), ("c\n", true)];
    assert_eq!(found, expected.map(|(command, promises)| (command.to_owned(), promises)));
}

#[test]
fn the_first_hour_goes_as_it_is_written() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/first-hour.md");
    let steps = steps(&fs::read_to_string(page).unwrap());
    assert!(steps.len() > 15, "{}", steps.len());
    let folder = tempfile::tempdir().unwrap();
    let printed = run(&steps, folder.path());
    for (step, printed) in steps.iter().zip(&printed) {
        let Some(promised) = &step.promised else { continue };
        let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
        assert!(
            lines_match(promised, &lines),
            "docs/first-hour.md:{}: {}--- promised\n{}\n--- printed\n{printed}",
            step.line,
            step.command,
            promised.join("\n"),
        );
    }
}
