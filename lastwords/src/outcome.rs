//! How a command ends, and what the shell is told.

use std::process::ExitCode;

use lastwords_api::{Ending, Problem};

pub use crate::output::reader::{ReaderGone, printed};

use crate::output;

/// A command that did what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Found or done: 0.
    Done,
    /// Nothing found: 1. Only `query` and `detect` end so.
    NothingFound,
    /// Something is wrong and has been said already: 3.
    Failed,
}

impl Outcome {
    /// `Done` where something was found.
    #[must_use]
    pub fn found(found: bool) -> Outcome {
        if found { Outcome::Done } else { Outcome::NothingFound }
    }
}

/// The user asked for something that cannot be: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

impl From<lastwords_detect::RuleFilesError> for UsageError {
    fn from(error: lastwords_detect::RuleFilesError) -> UsageError {
        UsageError(error.to_string())
    }
}

/// Says what went wrong, once, and turns the end into an exit code.
#[must_use]
pub fn report(ended: anyhow::Result<Outcome>) -> ExitCode {
    let error = match ended {
        Ok(Outcome::Done) => return ExitCode::SUCCESS,
        Ok(Outcome::NothingFound) => return ExitCode::from(1),
        Ok(Outcome::Failed) => return ExitCode::from(3),
        Err(error) => error,
    };
    // A reader that has gone (`| head`) is not a failure of ours.
    if error.chain().any(|cause| cause.is::<ReaderGone>()) {
        return ExitCode::SUCCESS;
    }
    output::tell(format_args!("lastwords: {}", explain(&error)));
    ExitCode::from(if error.chain().any(is_usage) { 2 } else { 3 })
}

fn is_usage(cause: &(dyn std::error::Error + 'static)) -> bool {
    let usage = |problem: &Problem| problem.kind.ending() == Ending::Usage;
    cause.is::<UsageError>() || cause.downcast_ref().is_some_and(usage)
}

/// An error with its causes, each said once: many messages quote their cause already.
#[must_use]
pub fn explain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}
