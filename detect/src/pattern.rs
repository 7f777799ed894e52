//! A rule's regular expression, bound to the beginning of a line's own text, behind what all patterns of its file begin
//! with. Each part is an expression of its own: it is read alone, and none can end the group that it stands in.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use regex_syntax::ast::{
    Assertion, AssertionKind, Ast, Concat, Group, GroupKind, Span, parse::Parser, print::Printer,
};

/// Bytes that a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A regular expression that is compiled when it is first needed: most rules' lines never come.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// What stands in front of it, from the beginning of the text; none: it may stand anywhere.
    prefix: Option<String>,
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

/// Why a pattern cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PatternError {
    /// What all patterns of the file begin with is no expression.
    #[error("what the file's patterns begin with (prefix): {0}")]
    Prefix(Box<regex_syntax::ast::Error>),
    /// It is no expression.
    #[error("{0}")]
    Syntax(Box<regex_syntax::ast::Error>),
    /// It cannot be compiled.
    #[error("{0}")]
    Compiled(#[from] regex::Error),
}

impl Pattern {
    /// One that may stand anywhere.
    pub(crate) fn anywhere(text: String) -> Pattern {
        Pattern { prefix: None, text, compiled: OnceLock::new() }
    }

    /// One that stands at the beginning, behind the prefix.
    pub(crate) fn at_beginning(prefix: &str, text: String) -> Pattern {
        Pattern { prefix: Some(prefix.to_owned()), ..Pattern::anywhere(text) }
    }

    fn compile(&self) -> Result<Regex, PatternError> {
        let text = match &self.prefix {
            Some(prefix) => bound(prefix, &self.text)?,
            None => self.text.clone(),
        };
        Ok(RegexBuilder::new(&text).size_limit(PATTERN_BYTES_MAX).build()?)
    }

    /// Tells whether it can be used.
    pub(crate) fn check(&self) -> Result<(), PatternError> {
        let compiled = self.compile()?;
        self.compiled.get_or_init(|| Some(compiled));
        Ok(())
    }

    /// None where it cannot be compiled, which the reading of rules has ruled out.
    pub(crate) fn get(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| self.compile().ok()).as_ref()
    }
}

/// The pattern behind the prefix at the beginning of a text.
fn bound(prefix: &str, pattern: &str) -> Result<String, PatternError> {
    let parse = |text: &str| Parser::new().parse(text).map_err(Box::new);
    let prefix = parse(prefix).map_err(PatternError::Prefix)?;
    let pattern = parse(pattern).map_err(PatternError::Syntax)?;
    // Places are for errors, and these parts have been read without one.
    let span = Span::splat(regex_syntax::ast::Position::new(0, 1, 1));
    let group = |ast| {
        let kind = GroupKind::NonCapturing(regex_syntax::ast::Flags { span, items: Vec::new() });
        Ast::group(Group { span, kind, ast: Box::new(ast) })
    };
    let start = Ast::assertion(Assertion { span, kind: AssertionKind::StartText });
    let whole = Ast::concat(Concat { span, asts: vec![start, group(prefix), group(pattern)] });
    let mut text = String::new();
    // Writing into a text does not fail.
    let _ = Printer::new().print(&whole, &mut text);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(prefix: &str, pattern: &str, text: &'a str) -> Option<&'a str> {
        let pattern = Pattern::at_beginning(prefix, pattern.to_owned());
        pattern.check().unwrap_or_else(|error| panic!("{error}"));
        pattern.get().and_then(|regex| regex.find(text)).map(|found| found.as_str())
    }

    #[test]
    fn a_pattern_stands_at_the_beginning_whatever_it_is_made_of() {
        for (prefix, pattern, text, expected) in [
            ("", "b", "b", Some("b")),
            ("", "b", "ab", None),
            ("", "a|b", "xb", None),
            ("x", "a|b", "xb", Some("xb")),
            // The prefix's alternatives are its own.
            ("x|y", "b", "yb", Some("yb")),
            ("x|y", "b", "x", None),
            // Flags end with the part that sets them.
            ("(?i)X", "b", "xb", Some("xb")),
            ("(?i)X", "b", "xB", None),
            // Comments do not hide what follows.
            ("", "(?x) a b # both", "ab", Some("ab")),
            ("", "(?m)^b", "a\nb", None),
            ("(?:x: )?", r"(?P<name>\w+)\.", "x: y.", Some("x: y.")),
        ] {
            assert_eq!(found(prefix, pattern, text), expected, "{prefix:?} {pattern:?} {text:?}");
        }
    }

    #[test]
    fn parts_that_are_no_expressions_of_their_own_are_refused() {
        for (prefix, pattern, expected) in [
            // Together they would be one.
            ("", "a)|(?:b", "unopened group"),
            ("(?:a", "b)", "prefix): "),
            ("", "(", "unclosed group"),
            ("", "a{1000}{1000}{1000}", "size limit"),
        ] {
            let refused = Pattern::at_beginning(prefix, pattern.to_owned()).check();
            let error = refused.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected), "{prefix:?} {pattern:?}: {error}");
        }
    }
}
