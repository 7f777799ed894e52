//! `lastwords rules detect check|test`: says whether rules files can be used, and whether rules find what they say.

use anyhow::Context as _;
use lastwords_detect::{
    check,
    rule_files::{self, RuleFile},
    rules,
};

use crate::{
    args::{DetectRulesCommand, RulesFilesArgs},
    outcome::{Outcome, UsageError},
    output,
};

/// Runs the command.
///
/// # Errors
/// Where a file cannot be read or is no rules file; what is wrong with which rule.
pub fn run(command: &DetectRulesCommand) -> anyhow::Result<Outcome> {
    match command {
        DetectRulesCommand::Check(files) => check_files(files),
        DetectRulesCommand::Test(files) => test_files(files),
    }
}

fn check_files(args: &RulesFilesArgs) -> anyhow::Result<Outcome> {
    let files = read(args)?;
    rule_files::compile(&files).map_err(UsageError::from)?;
    for (path, text) in &files {
        let count = rules::parse(text).context("it was read a moment ago")?.len();
        output::say(format_args!("{}: {count} {} can be used", path.display(), plural(count, "rule")))?;
    }
    Ok(Outcome::Done)
}

fn read(args: &RulesFilesArgs) -> Result<Vec<RuleFile>, UsageError> {
    rule_files::read(&args.files).map_err(UsageError::from)
}

fn test_files(args: &RulesFilesArgs) -> anyhow::Result<Outcome> {
    let files = read(args)?;
    let detector = rule_files::compile(&files).map_err(UsageError::from)?;
    let mut failed = 0;
    for (path, text) in &files {
        let rules = rules::parse(text).context("it was read a moment ago")?;
        let mut examples = 0;
        for rule in &rules {
            examples += rule.examples.len() + rule.counterexamples.len();
            for failure in check::examples(&detector, rule) {
                failed += 1;
                output::say(format_args!(
                    "{}: line {}, rule {}: {failure}",
                    path.display(),
                    rule.line,
                    rule.id
                ))?;
            }
        }
        output::say(format_args!(
            "{}: {} {}, {examples} {}",
            path.display(),
            rules.len(),
            plural(rules.len(), "rule"),
            plural(examples, "example")
        ))?;
    }
    if failed == 0 {
        output::say("all are found as they say")?;
        return Ok(Outcome::Done);
    }
    output::say(format_args!("{failed} {}", plural(failed, "failure")))?;
    Ok(Outcome::Failed)
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests end by panicking")]

    use super::*;

    const RULE: &str =
        "[[rule]]\nid = 'own'\nclass = 'guest.crash'\nseverity = 'error'\nliterals = ['flux']\ntitle = 't'\n";

    fn outcome(text: &str, test: bool) -> Result<Outcome, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.toml");
        std::fs::write(&file, text).unwrap();
        let args = RulesFilesArgs { files: vec![file] };
        let command = if test { DetectRulesCommand::Test(args) } else { DetectRulesCommand::Check(args) };
        run(&command).map_err(|error| {
            assert!(error.is::<UsageError>(), "{error}");
            error.to_string()
        })
    }

    #[test]
    fn rules_are_tried_on_their_own_examples() {
        let with = |examples: &str| format!("{RULE}{examples}\n");
        assert_eq!(outcome(&with("examples = ['a flux burnt']"), true), Ok(Outcome::Done));
        assert_eq!(outcome(&with("examples = ['a fluke']"), true), Ok(Outcome::Failed));
        assert_eq!(outcome(RULE, true), Ok(Outcome::Failed));
        assert_eq!(
            outcome(&with("examples = ['a flux']\ncounterexamples = ['no flux']"), true),
            Ok(Outcome::Failed)
        );
        assert_eq!(outcome(RULE, false), Ok(Outcome::Done));
    }

    #[test]
    fn errors_name_file_line_rule_and_key() {
        for (text, expected) in [
            (
                format!("# own\n{}", RULE.replace("'error'", "'bad'")),
                "own.toml: line 2, rule own, severity: bad",
            ),
            (RULE.replace("'flux'", "'fl'"), "line 1, rule own, literals: "),
            (RULE.replace("'guest.crash'", "'gremlins'"), "line 1, rule own, class: "),
            (RULE.replace("'t'", "'{t}'"), "line 1, rule own, title: {t}"),
            (format!("{RULE}pattern = '('\n"), "line 1, rule own, pattern: "),
            (format!("{RULE}colour = 'red'\n"), "unknown field `colour`"),
            (format!("{RULE}{RULE}"), "rule own, id: another rule has this name"),
            (RULE.replace("'own'", "'panic'"), "rule panic, id: another rule has this name"),
        ] {
            let error = outcome(&text, false).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains("own.toml"), "{error}");
        }
    }
}
