//! The command line of `lastwords-shipper`.

use std::path::PathBuf;

use lastwords_shipper::config::Flags;

/// What `--help` says.
pub const USAGE: &str = "\
Ships the logs of this machine to a Lastwords ingester.

Usage: lastwords-shipper [--config FILE] [--set KEY=VALUE]...
       lastwords-shipper config check [FILE] [--set KEY=VALUE]...
       lastwords-shipper --version

FILE defaults to /etc/lastwords/shipper.toml, where it exists. Every key can be set by a variable, too:
LASTWORDS_COLLECT_KMSG sets collect.kmsg; LASTWORDS_HOST and LASTWORDS_INGESTER set host.name and ship.ingester.
`config check` prints every key with its value. LASTWORDS_LOG sets what is logged (info, debug, …).";

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Ship until the end.
    Ship(Arguments),
    /// Say what would be used.
    Check(Arguments),
    /// Say the version.
    Version,
    /// Say how it is called.
    Help,
}

/// Flags as they were given.
#[derive(Debug, Default, PartialEq)]
pub struct Arguments {
    file: Option<PathBuf>,
    assignments: Vec<String>,
}

impl From<Arguments> for Flags {
    fn from(arguments: Arguments) -> Flags {
        Flags { config: arguments.file, assignments: arguments.assignments }
    }
}

/// Takes the words behind the program's name apart.
///
/// # Errors
/// What was not understood.
pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut words = words.into_iter();
    let (mut arguments, mut names) = (Arguments::default(), Vec::new());
    while let Some(word) = words.next() {
        let (flag, mut value) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
            _ => (word, None),
        };
        let mut wanted = |what: &str| {
            value
                .take()
                .or_else(|| words.next())
                .ok_or_else(|| format!("{flag}: wanted {what}, found nothing"))
        };
        match flag.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--version" | "-V" => return Ok(Command::Version),
            "--config" => arguments.file = Some(wanted("a file")?.into()),
            "--set" => arguments.assignments.push(wanted("KEY=VALUE")?),
            flag if flag.starts_with('-') => return Err(format!("there is no flag {flag}")),
            _ => names.push(flag),
        }
    }
    match names.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => Ok(Command::Ship(arguments)),
        ["config", "check"] => Ok(Command::Check(arguments)),
        ["config", "check", file] if arguments.file.is_none() => {
            Ok(Command::Check(Arguments { file: Some(file.into()), ..arguments }))
        }
        other => Err(format!("wanted `config check [FILE]` or flags alone, found {:?}", other.join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood_or_refused() {
        let given = |file: Option<&str>, assignments: &[&str]| Arguments {
            file: file.map(PathBuf::from),
            assignments: assignments.iter().map(|text| (*text).to_owned()).collect(),
        };
        for (line, expected) in [
            ("", Ok(Command::Ship(given(None, &[])))),
            ("--config f", Ok(Command::Ship(given(Some("f"), &[])))),
            ("--config=f --set a=b --set=c=d", Ok(Command::Ship(given(Some("f"), &["a=b", "c=d"])))),
            ("config check", Ok(Command::Check(given(None, &[])))),
            ("config check f --set a=b", Ok(Command::Check(given(Some("f"), &["a=b"])))),
            ("config check --config f", Ok(Command::Check(given(Some("f"), &[])))),
            ("--version", Ok(Command::Version)),
            ("config check -h", Ok(Command::Help)),
            ("config", Err("wanted `config check [FILE]`")),
            ("config check f --config g", Err("wanted `config check [FILE]`")),
            ("--config", Err("--config: wanted a file, found nothing")),
            ("--nonsense", Err("there is no flag --nonsense")),
        ] {
            match (parse(line.split_whitespace().map(str::to_owned)), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{line}"),
                (Err(found), Err(expected)) => assert!(found.starts_with(expected), "{line}: {found}"),
                (found, expected) => panic!("{line}: {found:?}, wanted {expected:?}"),
            }
        }
    }
}
