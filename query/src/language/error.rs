//! Errors that point at the word.

use std::fmt;
use std::ops::Range;

/// A question that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The question.
    pub question: String,
    /// The bytes of it that are meant.
    pub place: Range<usize>,
    /// What was wanted there and what was found.
    pub message: String,
    /// What would be understood instead.
    pub suggestion: Option<String>,
    /// Whether a host or guest is named that is not known: perhaps it is new.
    pub unknown_name: bool,
}

impl SyntaxError {
    pub(super) fn new(question: &str, place: Range<usize>, message: impl Into<String>) -> SyntaxError {
        SyntaxError {
            question: question.to_owned(),
            place,
            message: message.into(),
            suggestion: None,
            unknown_name: false,
        }
    }

    /// A condition between braces that cannot be asked.
    pub(crate) fn of_predicate(question: &str, place: Range<usize>, message: &str) -> SyntaxError {
        let message = format!("This condition cannot be asked: {}.", message.trim_end_matches('.'));
        SyntaxError::new(question, place, message).suggest(Some(
            "Wanted an SQL expression over a record, such as {Program = 'nginx' and SeverityNumber >= 17}."
                .to_owned(),
        ))
    }

    pub(super) fn suggest(mut self, suggestion: Option<String>) -> SyntaxError {
        self.suggestion = suggestion;
        self
    }
}

impl std::error::Error for SyntaxError {}

impl fmt::Display for SyntaxError {
    /// The message, the line of the question and carets under the word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.place.start.min(self.question.len());
        let before = self.question.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = self.question.get(line_start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let shown = |text: &str| text.replace('\t', " ");
        let indent = before.get(line_start..).unwrap_or_default().chars().count();
        let meant = self.question.get(self.place.clone()).unwrap_or_default();
        let carets = meant.lines().next().unwrap_or_default().chars().count().max(1);
        writeln!(f, "{}", self.message)?;
        writeln!(f, "  {}", shown(line))?;
        write!(f, "  {}{}", " ".repeat(indent), "^".repeat(carets))?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "\n{suggestion}")?;
        }
        Ok(())
    }
}
