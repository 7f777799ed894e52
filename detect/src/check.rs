//! Rules against their own examples: what `lastwords rules detect test` and this crate's tests say about them.

use crate::{Detector, Provenance, rules::Rule};

/// What is wrong with a rule, judged by its own examples.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing shows that it finds anything.
    #[error("it has no examples: give it at least one line that it must find")]
    NoExample,
    /// A line that it must find has none of its literals.
    #[error("example {example:?} has none of its literals, so the rule never looks at it")]
    NoLiteral {
        /// The line.
        example: String,
    },
    /// A line that it must find is not found by any rule.
    #[error("example {example:?} is not found: its pattern does not fit, or its except does")]
    NotFound {
        /// The line.
        example: String,
    },
    /// A line that it must find is another rule's.
    #[error("example {example:?} is found by rule {other}, which comes first")]
    FoundByOther {
        /// The line.
        example: String,
        /// The rule.
        other: String,
    },
    /// A line that it must not find.
    #[error("counterexample {example:?} is found")]
    Found {
        /// The line.
        example: String,
    },
}

/// Tries a rule of a detector's on its own examples.
pub fn examples(detector: &Detector, rule: &Rule) -> Vec<Failure> {
    let mut failures = Vec::new();
    if rule.examples.is_empty() {
        failures.push(Failure::NoExample);
    }
    for example in rule.examples.iter().cloned() {
        let found = finders(detector, rule, &example);
        if found.contains(&rule.id) {
            continue;
        }
        let has_literal = rule.literals.iter().any(|literal| example.contains(literal.as_str()));
        failures.push(match found.into_iter().next() {
            _ if !has_literal => Failure::NoLiteral { example },
            Some(other) => Failure::FoundByOther { example, other },
            None => Failure::NotFound { example },
        });
    }
    for example in &rule.counterexamples {
        if finders(detector, rule, example).contains(&rule.id) {
            failures.push(Failure::Found { example: example.clone() });
        }
    }
    failures
}

/// The rules that find something in a text, read from where the rule is for.
fn finders(detector: &Detector, rule: &Rule, text: &str) -> Vec<String> {
    let source = rule.sources.first().copied().unwrap_or(lastwords_record::Source::File);
    let mut found = Vec::new();
    if let Ok(end) = u32::try_from(text.len()) {
        detector.scan(text.as_bytes(), &[end], |_| Provenance::of(source), &mut found);
    }
    found.into_iter().map(|event| event.rule).collect()
}
